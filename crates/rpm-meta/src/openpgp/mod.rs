// SPDX-License-Identifier: LGPL-2.1-or-later
//! OpenPGP's keys and signatures (RFC 4880, RFC 9580), as far as people want to know of them: who signed something with
//! which key, and whose key a file holds.
//!
//! **Nothing is verified here**: rpm does that, with its own library. These values only give names to what it found.

mod armor;
mod key;
mod packet;
mod signature;

pub use key::{Key, Subkey};
pub use signature::{Issuer, Signature};

use std::fmt::Write;

/// The most bytes of a key file that are read.
pub const LIMIT: usize = 1 << 20;

/// What is wrong with a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Bytes in base64, as rpm keeps keys; blanks and line ends in it are left out.
///
/// # Errors
/// It is no base64.
pub fn from_base64(text: &str) -> Result<Vec<u8>, Malformed> {
    armor::base64(text)
}

/// A fingerprint as people compare it: groups of four digits.
///
/// ```
/// assert_eq!(rpm_meta::openpgp::groups("0123456789AB"), "0123 4567 89AB");
/// ```
pub fn groups(hex: &str) -> String {
    let mut text = String::with_capacity(hex.len() * 5 / 4);
    for (at, digit) in hex.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
