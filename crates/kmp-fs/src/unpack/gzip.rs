// SPDX-License-Identifier: LGPL-2.1-or-later
//! gzip, RFC 1952.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::error::DecompressError;
use super::output::Output;
use super::source::Source;

/// Unpacks a file, member after member.
pub(super) fn whole(bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
    let mut rest = bytes;
    // The last four bytes are the last member's size, modulo 2^32, where nothing follows. Deflate packs at most 1032 to 1.
    if let Some(size) = bytes.last_chunk::<4>() {
        out.expect(u64::from(u32::from_le_bytes(*size)), bytes.len(), 1032)?;
    }
    loop {
        out.stream()?;
        // flate2's reset makes a gzip state anew as well: nothing to keep.
        let mut member = Decompress::new_gzip(15);
        let used = loop {
            out.room()?;
            let before = (member.total_in(), member.total_out());
            let at = usize::try_from(before.0).unwrap_or(usize::MAX);
            let status = member
                .decompress_vec(&rest[at..], &mut out.bytes, FlushDecompress::Finish)
                .map_err(|error| out.damaged(error.message().unwrap_or("invalid data")))?;
            let used = usize::try_from(member.total_in()).unwrap_or(usize::MAX);
            if status == Status::StreamEnd {
                break used;
            }
            if used == rest.len() && out.has_room() {
                return Err(out.ends_early());
            }
            if before == (member.total_in(), member.total_out()) {
                return Err(out.damaged("no progress"));
            }
        };
        rest = &rest[used..];
        if !out.is_same_kind(rest) {
            return Ok(());
        }
    }
}

/// Unpacks one member.
pub(super) fn stream<'r, R: Read>(input: &'r mut Source<R>) -> io::Result<impl Read + use<'r, R>> {
    Ok(flate2::bufread::GzDecoder::new(input))
}
