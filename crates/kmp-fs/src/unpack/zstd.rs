// SPDX-License-Identifier: LGPL-2.1-or-later
//! Zstandard, RFC 8878.

use std::io::{self, Read};

use zstd::zstd_safe::{self as zs, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::error::DecompressError;
use super::output::Output;
use super::source::Source;

/// The largest window, as a power of two: 128 MiB, the zstd tool's own default.
const WINDOW_LOG: u32 = 27;

/// A decoder's memory, made when it is first needed and kept from file to file.
#[derive(Default)]
pub(super) struct Context(Option<DCtx<'static>>);

impl Context {
    /// Has a file needed it yet?
    pub(super) fn is_made(&self) -> bool {
        self.0.is_some()
    }

    /// Unpacks a file, frame after frame.
    pub(super) fn whole(&mut self, bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
        let context = match &mut self.0 {
            Some(context) => context,
            none => {
                let mut context = DCtx::try_create().ok_or_else(|| out.no_memory())?;
                context
                    .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
                    .map_err(|code| out.damaged(zs::get_error_name(code)))?;
                none.insert(context)
            }
        };
        // An earlier input may have ended in an error.
        context.reset(ResetDirective::SessionOnly).map_err(|code| out.damaged(zs::get_error_name(code)))?;
        let mut input = InBuffer::around(bytes);
        loop {
            // At the start of a frame.
            let rest = &bytes[input.pos()..];
            if rest.is_empty() {
                return Ok(());
            }
            out.another(rest, &[0x28, 0xb5, 0x2f, 0xfd])?;
            out.stream()?;
            if let Ok(Some(size)) = zs::get_frame_content_size(rest) {
                if (out.bytes.len() as u64).saturating_add(size) > out.limit {
                    return Err(out.too_big());
                }
                // A block of four bytes can stand for 128 KiB, no more.
                out.expect(size, rest.len() / 4 + 1, 128 << 10)?;
            }
            loop {
                out.room()?;
                let before = (input.pos(), out.bytes.len());
                let mut output = {
                    let at = out.bytes.len();
                    OutBuffer::around_pos(&mut out.bytes, at)
                };
                let hint = context.decompress_stream(&mut output, &mut input);
                match hint {
                    Ok(0) => break,
                    Ok(_) if input.pos() == bytes.len() && out.has_room() => {
                        return Err(out.ends_early());
                    }
                    Ok(_) if before == (input.pos(), out.bytes.len()) => {
                        return Err(out.damaged("no progress"));
                    }
                    Ok(_) => {}
                    Err(code) => {
                        let why = zs::get_error_name(code);
                        // ZSTD_error_frameParameter_windowTooLarge; the crate hides the numbers.
                        return Err(if why.contains("too much memory") {
                            out.no_memory()
                        } else {
                            out.damaged(why)
                        });
                    }
                }
            }
        }
    }
}

/// Unpacks one frame.
pub(super) fn stream<'r, R: Read>(input: &'r mut Source<R>) -> io::Result<impl Read + use<'r, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}
