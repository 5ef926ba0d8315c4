// SPDX-License-Identifier: LGPL-2.1-or-later
//! Numbers of things, in words.

/// A number with commas between thousands.
pub fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 export`, `1,438 exports`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands() {
        let all = [0, 12, 999, 1_000, 24_643, 1_234_567].map(super::number);
        assert_eq!(all, ["0", "12", "999", "1,000", "24,643", "1,234,567"]);
        assert_eq!(
            (super::counted(1, "export"), super::counted(2000, "type")),
            ("1 export".into(), "2,000 types".into())
        );
    }
}
