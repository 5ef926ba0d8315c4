// SPDX-License-Identifier: LGPL-2.1-or-later
//! bzip2.

use std::io::{self, Read};

use super::source::Source;

/// Unpacks one stream.
pub(super) fn stream<'r, R: Read>(input: &'r mut Source<R>) -> io::Result<impl Read + use<'r, R>> {
    Ok(bzip2::bufread::BzDecoder::new(input))
}
