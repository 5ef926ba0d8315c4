// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packing, for caches.

use std::io;

use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

/// Packs bytes quickly, with a checksum: what was damaged meanwhile does not [unpack](crate::unpack::inflate).
///
/// # Errors
/// There is no memory for it.
///
/// ```
/// use kmp_fs::{pack::zstd, unpack::inflate};
///
/// let mut packed = zstd(b"Hello\n").unwrap();
/// assert_eq!(*inflate(&packed[..], 1000).unwrap(), *b"Hello\n");
/// *packed.last_mut().unwrap() ^= 1;
/// assert!(inflate(&packed[..], 1000).is_err());
/// ```
pub fn zstd(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let fail = |code| io::Error::other(get_error_name(code));
    let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    for parameter in [CParameter::CompressionLevel(-1), CParameter::ChecksumFlag(true)] {
        context.set_parameter(parameter).map_err(fail)?;
    }
    let mut packed = Vec::with_capacity(compress_bound(bytes.len()));
    context.compress2(&mut packed, bytes).map_err(fail)?;
    Ok(packed)
}
