// SPDX-License-Identifier: LGPL-2.1-or-later
//! File names in messages.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

/// The name, safe to print: bytes that are not UTF-8, and control characters, become `\xNN`.
///
/// ```
/// use std::ffi::OsStr;
///
/// assert_eq!(kmp_fs::printable(OsStr::new("a\x1b[31m.ko")), r"a\x1b[31m.ko");
/// ```
pub fn printable(name: &OsStr) -> String {
    // Most names.
    if let Some(plain) = name.to_str().filter(|name| name.bytes().all(|b| matches!(b, b' '..=b'~'))) {
        return plain.to_owned();
    }
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printed_steers_a_terminal() {
        let name = OsStr::from_bytes(b"a\x1b[31m\nb\xff\xc2\x9b ue");
        assert_eq!(printable(name), "a\\x1b[31m\\x0ab\\xff\\xc2\\x9b ue");
    }
}
