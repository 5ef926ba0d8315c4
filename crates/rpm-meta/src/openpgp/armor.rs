// SPDX-License-Identifier: LGPL-2.1-or-later
//! Base64, and the text form of keys around it.

use super::Malformed;

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// The bytes of each key block of a file: as text, of which there may be several in one file, or as they are.
pub(super) fn blocks(file: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    // The first byte of a packet has its highest bit set; text has not.
    if file.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Ok(vec![file.to_vec()]);
    }
    let text = String::from_utf8_lossy(file);
    let mut blocks = Vec::new();
    for rest in text.split(BEGIN).skip(1) {
        let (block, _) = rest.split_once(END).ok_or(Malformed("a key block in it has no end"))?;
        // Lines of "Name: value" come first, then an empty line.
        let mut lines = block.trim_start_matches([' ', '\t', '\r']).trim_start_matches('\n').lines();
        let is_header = |line: &str| line.contains(": ") && !line.trim().is_empty();
        let mut data = String::new();
        for line in lines.by_ref().skip_while(|line| is_header(line)) {
            // The checksum comes last.
            if line.starts_with('=') {
                break;
            }
            data.push_str(line);
        }
        blocks.push(base64(&data)?);
    }
    if blocks.is_empty() { Err(Malformed("there is no public key in it")) } else { Ok(blocks) }
}

pub(super) fn base64(text: &str) -> Result<Vec<u8>, Malformed> {
    let wrong = Malformed("it is no base64");
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut is_padded = false;
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                is_padded = true;
                continue;
            }
            _ if byte.is_ascii_whitespace() => continue,
            _ => return Err(wrong),
        };
        if is_padded {
            return Err(wrong);
        }
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v\nYmFy", b"foobar")] {
            assert_eq!(base64(text).unwrap(), bytes);
        }
        assert!(base64("Zg==Zg").is_err() && base64("Z*").is_err());
    }

    #[test]
    fn each_block_of_a_file_is_found() {
        let block = |data: &str| format!("{BEGIN}\nComment: x\n\n{data}\n=abcd\n{END}\n");
        let file = format!("words\n{}{}", block("Zm9v"), block("YmFy"));
        assert_eq!(blocks(file.as_bytes()).unwrap(), [b"foo", b"bar"]);
        assert_eq!(blocks(b"\x99\x01").unwrap(), [b"\x99\x01"]);
        assert!(blocks(b"hello").is_err() && blocks(BEGIN.as_bytes()).is_err());
    }
}
