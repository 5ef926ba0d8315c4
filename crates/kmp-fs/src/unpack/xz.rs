// SPDX-License-Identifier: LGPL-2.1-or-later
//! The `.xz` format, version 1.2, and the `.lzma` format before it.

use std::io::{self, Read};

use liblzma::stream as lzma;

use super::error::DecompressError;
use super::output::Output;
use super::source::Source;

/// Memory that a stream's dictionary may take, in bytes. `xz -9` needs 65 MiB.
const MEMORY: u64 = 128 << 20;

/// Unpacks a file, stream after stream.
pub(super) fn whole(bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
    if let Some(size) = claimed_size(bytes) {
        if size > out.limit {
            return Err(out.too_big());
        }
        // LZMA packs at most about 7000 to 1.
        out.expect(size, bytes.len(), 8192)?;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        out.stream()?;
        let used = one_of_file(rest, out)?;
        // Padding: zeros, a multiple of four bytes (section 2.2).
        rest = &rest[used..];
        while let Some(after) = rest.strip_prefix(&[0; 4]) {
            rest = after;
        }
        out.another(rest, &[0xfd, b'7', b'z', b'X', b'Z', 0])?;
    }
    Ok(())
}

/// Unpacks one stream; the bytes of input it took.
fn one_of_file(bytes: &[u8], out: &mut Output) -> Result<usize, DecompressError> {
    let mut stream = lzma::Stream::new_stream_decoder(MEMORY, 0).map_err(|_| out.no_memory())?;
    loop {
        out.room()?;
        let before = (stream.total_in(), stream.total_out());
        let at = usize::try_from(before.0).unwrap_or(usize::MAX);
        let status = stream.process_vec(&bytes[at..], &mut out.bytes, lzma::Action::Finish);
        let used = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        match status {
            Ok(lzma::Status::StreamEnd) => return Ok(used),
            // liblzma lets one call without progress pass, and reports it at the second.
            Ok(lzma::Status::MemNeeded) if out.has_room() => {
                return Err(if used == bytes.len() { out.ends_early() } else { out.damaged("no progress") });
            }
            Ok(_) => {}
            Err(lzma::Error::MemLimit | lzma::Error::Mem) => {
                return Err(out.no_memory());
            }
            Err(error) => return Err(out.damaged(&error.to_string())),
        }
    }
}

/// The size that the index of the last stream claims for it, in bytes; `None` where there is no such index. A hint: no checksum is
/// looked at, and earlier streams are not counted. Layout: the xz file format 1.2, sections 2.1.2 and 4.
fn claimed_size(bytes: &[u8]) -> Option<u64> {
    let mut bytes = bytes;
    // Stream padding.
    while let Some(before) = bytes.strip_suffix(&[0; 4]) {
        bytes = before;
    }
    let (before, footer) = bytes.split_last_chunk::<12>()?;
    let [_, _, _, _, a, b, c, d, _, _, b'Y', b'Z'] = *footer else { return None };
    let index_len = (u64::from(u32::from_le_bytes([a, b, c, d])) + 1) * 4;
    let index = &before[before.len().checked_sub(usize::try_from(index_len).ok()?)?..];
    let mut index = index.strip_prefix(&[0])?;
    let records = number(&mut index)?;
    let mut size = 0_u64;
    // Each record takes two bytes at least, so this ends with the index.
    for _ in 0..records {
        let _packed = number(&mut index)?;
        size = size.checked_add(number(&mut index)?)?;
    }
    Some(size)
}

/// A variable-length integer of the xz format (section 1.2): seven bits a byte, low ones first, at most nine bytes.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Unpacks one stream.
pub(super) fn stream<'r, R: Read>(input: &'r mut Source<R>) -> io::Result<impl Read + use<'r, R>> {
    let decoder = lzma::Stream::new_stream_decoder(MEMORY, 0)?;
    Ok(liblzma::bufread::XzDecoder::new_stream(input, decoder))
}

/// Unpacks one `.lzma` stream.
pub(super) fn lzma_stream<'r, R: Read>(input: &'r mut Source<R>) -> io::Result<impl Read + use<'r, R>> {
    let decoder = lzma::Stream::new_lzma_decoder(MEMORY)?;
    Ok(liblzma::bufread::XzDecoder::new_stream(input, decoder))
}
