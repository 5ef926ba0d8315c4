// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a kernel exports: `Module.symvers`.

use std::collections::TryReserveError;

use super::symbols::{Row, Version};
use super::{Licensing, SymbolTable, modinfo};
use crate::budget;
use kmp_steps as steps;

/// Why a text is no list of symbol versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSymvers {
    /// There are lines, and not one of them is a line of symvers.
    #[error("not a list of symbol versions: the first of {lines} lines is {first:?}")]
    Lines {
        /// How many.
        lines: usize,
        /// What the first begins with.
        first: String,
    },
    /// More than 4 GiB.
    #[error("not a list of symbol versions: more than 4 GiB")]
    TooBig,
    /// There is no memory for it.
    #[error("a list of symbol versions: there is not enough memory for it")]
    NoMemory,
}

impl From<TryReserveError> for NotSymvers {
    fn from(_: TryReserveError) -> Self {
        Self::NoMemory
    }
}

/// A line's extent, found in one pass.
struct Extent {
    /// Where the first four tabs are.
    tabs: [usize; 4],
    /// How many tabs there are.
    width: usize,
    /// Where its content ends.
    end: usize,
    /// Where the next line starts.
    next: usize,
    /// Has it a line end?
    ended: bool,
}

fn extent(text: &str, start: usize) -> Extent {
    let bytes = text.as_bytes();
    let mut found = Extent { tabs: [0; 4], width: 0, end: bytes.len(), next: bytes.len(), ended: false };
    for at in memchr::memchr2_iter(b'\t', b'\n', &bytes[start..]).map(|at| start + at) {
        if bytes[at] == b'\n' {
            (found.end, found.next, found.ended) = (at, at + 1, true);
            break;
        }
        if let Some(tab) = found.tabs.get_mut(found.width) {
            *tab = at;
        }
        found.width += 1;
    }
    if found.end > start && bytes[found.end - 1] == b'\r' {
        found.end -= 1;
    }
    found
}

/// A line taken apart. The form of 5.4 has the namespace before the exporter.
fn row(text: &str, start: usize, extent: &Extent) -> Option<Row> {
    let Extent { tabs: [a, b, c, d], width, end, .. } = *extent;
    if end - start > LONGEST || a + 1 == b {
        return None;
    }
    let (fourth, fifth) = match width {
        3 => ((c + 1, end), None),
        4 => ((c + 1, d), Some((d + 1, end))),
        _ => return None,
    };
    let (symbol, third) = ((a + 1, b), (b + 1, c));
    let (exporter, kind, namespace) = if text[fourth.0..fourth.1].starts_with("EXPORT_") {
        (third, fourth, fifth.unwrap_or((end, end)))
    } else {
        (fourth, fifth?, third)
    };
    let licensing = match &text[kind.0..kind.1] {
        "EXPORT_SYMBOL" | "EXPORT_SYMBOL_GPL_FUTURE" | "EXPORT_UNUSED_SYMBOL" => Licensing::Any,
        "EXPORT_SYMBOL_GPL" | "EXPORT_UNUSED_SYMBOL_GPL" => Licensing::GplOnly,
        _ => return None,
    };
    let crc = u32::from_str_radix(text[start..a].strip_prefix("0x")?, 16).ok()?;
    Row::new([symbol, exporter, namespace], Version::Known(crc), licensing)
}

/// The length of a usual line, in bytes.
const USUAL: usize = 64;

/// The length of the longest line that is read, in bytes. Names in it have at most 512 (`KSYM_NAME_LEN`), or are paths.
const LONGEST: usize = 4 * budget::NAME;

impl SymbolTable {
    /// Reads `Module.symvers`: 4 or 5 columns separated by tabs, either line end. Of the lines of one
    /// symbol, vmlinux's wins, then the first (`find_symbol` looks in the kernel image first).
    ///
    /// Other lines are counted and ignored. A last line without a line end may be truncated: it is ignored as well, and
    /// makes the table incomplete, so that what is not in it is unknown, not absent.
    ///
    /// # Errors
    /// [`NotSymvers`] if there are lines and none of them can be read.
    ///
    /// ```
    /// use kmod_abi::SymbolTable;
    ///
    /// let table = SymbolTable::parse(b"0x27e1a049\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n".to_vec())?;
    /// let printk = table.get("printk").unwrap();
    /// assert_eq!(printk.crc, Some(0x27e1_a049));
    /// assert!(printk.is_builtin());
    /// assert!(table.get("no_such_symbol").is_none() && table.is_complete());
    /// # Ok::<(), kmod_abi::NotSymvers>(())
    /// ```
    pub fn parse(text: Vec<u8>) -> Result<Self, NotSymvers> {
        let text = String::from_utf8(text).unwrap_or_else(|e| modinfo::text(e.as_bytes()));
        if u32::try_from(text.len()).is_err() {
            return Err(NotSymvers::TooBig);
        }
        let mut rows = Vec::new();
        rows.try_reserve(text.len() / USUAL)?;
        let (mut bad_lines, mut complete) = (0, true);
        let mut start = 0;
        while start < text.len() {
            steps::count(1);
            let extent = extent(&text, start);
            match row(&text, start, &extent) {
                Some(row) if extent.ended => {
                    rows.try_reserve(1)?;
                    rows.push(row);
                }
                _ if text[start..extent.end].trim().is_empty() => {}
                _ => {
                    bad_lines += 1;
                    complete &= extent.ended;
                }
            }
            start = extent.next;
        }
        if rows.is_empty() && bad_lines > 0 {
            let first = text.lines().next().unwrap_or("").chars().take(40).collect();
            return Err(NotSymvers::Lines { lines: bad_lines, first });
        }
        Ok(Self::of_rows(text, rows, complete, bad_lines)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> SymbolTable {
        SymbolTable::parse(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn four_and_five_columns_and_the_order_of_5_4() {
        let t = table(
            "0x11111111\tone\tvmlinux\tEXPORT_SYMBOL\n\
             0x22222222\ttwo\tdrivers/a/b-c\tEXPORT_SYMBOL_GPL\tNS_A\n\
             0x33333333\tthree\tNS_B\tdrivers/a/d\tEXPORT_SYMBOL_GPL\n\
             0x44444444\tfour\tvmlinux\tEXPORT_SYMBOL\t\n",
        );
        assert_eq!(t.len(), 4);
        assert!(t.is_complete());
        let two = t.get("two").unwrap();
        assert_eq!((two.crc, two.exporter, two.namespace), (Some(0x2222_2222), "drivers/a/b-c", "NS_A"));
        assert_eq!(two.licensing, Licensing::GplOnly);
        let three = t.get("three").unwrap();
        assert_eq!((three.exporter, three.namespace), ("drivers/a/d", "NS_B"));
        assert_eq!(t.get("four").unwrap().namespace, "");
        assert!(t.get("one").unwrap().is_builtin());
        assert!(t.get("fou").is_none() && t.get("").is_none());
    }

    #[test]
    fn windows_line_ends() {
        let t = table("0x1\tone\tvmlinux\tEXPORT_SYMBOL\t\r\n0x2\ttwo\tvmlinux\tEXPORT_SYMBOL_GPL\r\n");
        assert_eq!(t.get("one").unwrap().namespace, "");
        assert_eq!(t.get("two").unwrap().licensing, Licensing::GplOnly);
        assert_eq!(t.bad_lines(), 0);
    }

    #[test]
    fn of_duplicate_lines_vmlinux_wins_then_the_first() {
        let t = table(
            "0x1\ta\tm/x\tEXPORT_SYMBOL\n0x2\ta\tvmlinux\tEXPORT_SYMBOL\n0x3\ta\tvmlinux\tEXPORT_SYMBOL\n\
             0x1\tb\tm/x\tEXPORT_SYMBOL\n0x2\tb\tm/y\tEXPORT_SYMBOL\n",
        );
        assert_eq!(t.get("a").unwrap().crc, Some(2));
        assert_eq!(t.get("b").unwrap().exporter, "m/x");
        assert_eq!(t.len(), 2);
    }

    #[test]
    fn a_cut_last_line_makes_the_table_incomplete() {
        let whole = "0x1\tone\tvmlinux\tEXPORT_SYMBOL\t\n0x2\ttwo\tvmlinux\tEXPORT_SYMBOL_GPL\t\n";
        let first = whole.find('\n').unwrap() + 1;
        assert!(table(whole).is_complete());
        for cut in first + 1..whole.len() {
            let t = table(&whole[..cut]);
            assert!(!t.is_complete(), "{:?}", &whole[first..cut]);
            assert!(t.get("two").is_none());
            assert!(t.get("one").is_some());
        }
    }

    #[test]
    fn what_is_listed_is_what_is_known() {
        let texts = [
            "0x1\tone\tvmlinux\tEXPORT_SYMBOL\n0x2\ttwo\tvmlinux\tEXPORT_SYMBOL",
            "0x1\tone\tvmlinux\tEXPORT_SYMBOL\n0x2\tone\tvmlinux\tEXPORT_SYMBOL",
            "0x1\ta\tm/x\tEXPORT_SYMBOL\n0x2\ta\tvmlinux\tEXPORT_SYMBOL\n0x3\ta\tvmlinux\tEXPORT_SYMBOL\n",
            "0x1\ta\tm/x\tEXPORT_SYMBOL\nrubbish\n0x2\ta\tm/y\tEXPORT_SYMBOL\n0x2\tb\tm/y\tEXPORT_SYMBOL\r\n",
        ];
        for text in texts {
            let t = table(text);
            assert_eq!(t.iter().count(), t.len(), "{text:?}");
            for (symbol, export) in t.iter() {
                assert_eq!(t.get(symbol), Some(export), "{symbol} in {text:?}");
            }
        }
    }

    #[test]
    fn garbage_lines_are_left_out_and_garbage_is_an_error() {
        let t = table("rubbish\n0x1\tone\tvmlinux\tEXPORT_SYMBOL\n0xzz\ttwo\tvmlinux\tEXPORT_SYMBOL\n\n");
        assert_eq!((t.len(), t.bad_lines()), (1, 2));
        let error = SymbolTable::parse(b"\x00\xff\xfe rubbish\nmore".to_vec()).unwrap_err();
        assert!(error.to_string().contains("2 lines"), "{error}");
        assert!(SymbolTable::parse(Vec::new()).unwrap().is_empty());
    }
}
