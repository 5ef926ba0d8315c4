// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a kernel exports: `Module.symvers`.

use std::hash::{BuildHasher, RandomState};

use super::modinfo;
use crate::budget;
use kmp_steps as steps;

/// The text is not a symvers table: no line of it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of symbol versions: {0}")]
pub struct NotSymvers(String);

/// Who may use an exported symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Licensing {
    /// `EXPORT_SYMBOL`.
    Any,
    /// `EXPORT_SYMBOL_GPL`.
    GplOnly,
    /// It is not known (see [`super::Rebuild`]).
    Unknown,
}

/// One exported symbol, as a [`SymbolTable`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export<'t> {
    /// Its version (CRC). `None`: it is exported without one.
    pub crc: Option<u32>,
    /// Whether the version is known. It always is in a symvers file.
    pub crc_known: bool,
    /// `vmlinux`, or a module's path below `kernel/` without `.ko`.
    pub exporter: &'t str,
    /// Who may use it.
    pub licensing: Licensing,
    /// Its namespace; empty for none.
    pub namespace: &'t str,
}

impl Export<'_> {
    /// Whether the kernel image itself exports it.
    pub fn is_builtin(&self) -> bool {
        self.exporter == "vmlinux"
    }
}

/// The symbols that a kernel and its in-tree modules export.
///
/// The text is kept as it is, with an index of its lines, and lines are parsed when they are needed: a table of 24,000
/// symbols takes the space of its text and 512 KiB.
///
/// ```
/// use kmod_abi::SymbolTable;
///
/// let text = "0x92d5838e\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n";
/// let table = SymbolTable::parse(text.into()).unwrap();
/// assert_eq!(table.get("printk").unwrap().crc, Some(0x92d5_838e));
/// assert!(table.get("usb_alert").is_none() && table.is_complete());
/// ```
#[derive(Clone, Debug)]
pub struct SymbolTable {
    text: Box<str>,
    /// Open addressing. The length is a power of two, and at most half of them are used.
    slots: Box<[Slot]>,
    hasher: Hasher,
    len: usize,
    complete: bool,
    bad_lines: usize,
}

/// Where a line starts + 1 (0: the slot is free), and a part of its symbol's hash, which tells most other
/// symbols apart without a look at the text.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    start: u32,
    tag: u32,
}

/// A multiplying hash with a secret: fast on short names, and whoever writes the file cannot aim at it.
#[derive(Clone, Copy, Debug)]
struct Hasher([u64; 2]);

impl Hasher {
    fn new() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1) | 1])
    }

    fn hash(self, bytes: &[u8]) -> u64 {
        let mix = |state: u64, word: u64| {
            let product = u128::from(state ^ word) * u128::from(self.0[1]);
            (product as u64) ^ ((product >> 64) as u64)
        };
        let mut state = self.0[0] ^ bytes.len() as u64;
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            state = mix(state, chunk.try_into().map_or(0, u64::from_le_bytes));
        }
        let rest = chunks.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        mix(mix(state, rest), self.0[0])
    }
}

/// A line taken apart. The form of 5.4 has the namespace before the exporter.
struct Line<'t> {
    symbol: &'t str,
    export: Export<'t>,
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

fn line<'t>(text: &'t str, start: usize, extent: &Extent) -> Option<Line<'t>> {
    let Extent { tabs: [a, b, c, d], width, end, .. } = *extent;
    if end - start > LONGEST {
        return None;
    }
    let (fourth, fifth) = match width {
        3 => (&text[c + 1..end], None),
        4 => (&text[c + 1..d], Some(&text[d + 1..end])),
        _ => return None,
    };
    let (crc, symbol, third) = (&text[start..a], &text[a + 1..b], &text[b + 1..c]);
    if symbol.is_empty() {
        return None;
    }
    let (exporter, kind, namespace) = if fourth.starts_with("EXPORT_") {
        (third, fourth, fifth.unwrap_or(""))
    } else {
        (fourth, fifth?, third)
    };
    let licensing = match kind {
        "EXPORT_SYMBOL" | "EXPORT_SYMBOL_GPL_FUTURE" | "EXPORT_UNUSED_SYMBOL" => Licensing::Any,
        "EXPORT_SYMBOL_GPL" | "EXPORT_UNUSED_SYMBOL_GPL" => Licensing::GplOnly,
        UNKNOWN_KIND => Licensing::Unknown,
        _ => return None,
    };
    let (crc, crc_known) = match crc {
        NO_CRC => (None, true),
        UNKNOWN_CRC => (None, false),
        hex => (Some(u32::from_str_radix(hex.strip_prefix("0x")?, 16).ok()?), true),
    };
    Some(Line { symbol, export: Export { crc, crc_known, exporter, licensing, namespace } })
}

/// The length of the shortest line, in bytes.
const SHORTEST: usize = "?\ts\t\tEXPORT_?\n".len();

/// The length of the longest line that is read, in bytes. Names in it have at most 512 (`KSYM_NAME_LEN`), or are paths.
const LONGEST: usize = 4 * budget::NAME;

// What `Rebuild` writes where a kernel without symvers does not tell.
pub(super) const UNKNOWN_KIND: &str = "EXPORT_?";
pub(super) const NO_CRC: &str = "-";
pub(super) const UNKNOWN_CRC: &str = "?";

impl SymbolTable {
    /// Reads `Module.symvers`: 4 or 5 columns separated by tabs, either line end. Of the lines of one
    /// symbol, vmlinux's wins, then the first (`find_symbol` looks in the kernel image first).
    ///
    /// Other lines are counted and ignored. A last line without a line end may be truncated: it is ignored as well, and
    /// makes the table incomplete, so that what is not in it is unknown, not absent.
    ///
    /// # Errors
    /// [`NotSymvers`] if there are lines and none of them can be read.
    pub fn parse(text: Vec<u8>) -> Result<Self, NotSymvers> {
        Self::build(text, true)
    }

    /// A table of which nothing is known: every symbol is unknown.
    pub fn unknown() -> Self {
        Self::build(Vec::new(), false).expect("an empty text is a table")
    }

    pub(super) fn build(text: Vec<u8>, complete: bool) -> Result<Self, NotSymvers> {
        let text: Box<str> =
            String::from_utf8(text).unwrap_or_else(|e| modinfo::text(e.as_bytes())).into_boxed_str();
        if u32::try_from(text.len()).is_err() {
            return Err(NotSymvers("more than 4 GiB".into()));
        }
        // A text of nothing but line ends has no lines to be found again.
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count().min(text.len() / SHORTEST) + 1;
        let mut slots = Vec::new();
        let count = (lines * 2 + 2).next_power_of_two();
        slots.try_reserve_exact(count).map_err(|_| NotSymvers("there is not enough memory for it".into()))?;
        slots.resize(count, Slot::default());
        let slots = slots.into_boxed_slice();
        let mut table = Self { text, slots, hasher: Hasher::new(), len: 0, complete, bad_lines: 0 };
        let mut start = 0;
        while start < table.text.len() {
            steps::count(1);
            let extent = extent(&table.text, start);
            match line(&table.text, start, &extent) {
                Some(found) if extent.ended => {
                    let (slot, tag, taken) = table.slot(found.symbol);
                    let replaces = found.export.is_builtin() && !taken.is_some_and(|t| t.is_builtin());
                    let is_new = taken.is_none();
                    if is_new || replaces {
                        table.slots[slot] = Slot { start: u32::try_from(start + 1).unwrap_or(0), tag };
                        table.len += usize::from(is_new);
                    }
                }
                _ if table.text[start..extent.end].trim().is_empty() => {}
                _ => {
                    table.bad_lines += 1;
                    table.complete &= extent.ended;
                }
            }
            start = extent.next;
        }
        if table.len == 0 && table.bad_lines > 0 {
            let first: String = table.text.lines().next().unwrap_or("").chars().take(40).collect();
            return Err(NotSymvers(format!("the first of {} lines is {first:?}", table.bad_lines)));
        }
        Ok(table)
    }

    /// The slot of `symbol`, its tag, and what the slot holds.
    fn slot(&self, symbol: &str) -> (usize, u32, Option<Export<'_>>) {
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash(symbol.as_bytes());
        let tag = (hash >> 32) as u32;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            let Some(start) = (slot.start as usize).checked_sub(1) else {
                return (at, tag, None);
            };
            if slot.tag == tag
                && let Some(found) = line(&self.text, start, &extent(&self.text, start))
                && found.symbol == symbol
            {
                return (at, tag, Some(found.export));
            }
            at = (at + 1) & mask;
        }
    }

    /// The export of `symbol`; `None` if it is not in the table.
    pub fn get(&self, symbol: &str) -> Option<Export<'_>> {
        self.slot(symbol).2
    }

    /// All symbols, each once and as [`Self::get`] returns it, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Export<'_>)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            (next < self.text.len()).then(|| {
                let start = next;
                let extent = extent(&self.text, start);
                next = extent.next;
                let found = line(&self.text, start, &extent)?;
                let (slot, _, known) = self.slot(found.symbol);
                // Not the line that was left out because it is cut, nor one that another takes the place of.
                (known.is_some() && self.slots[slot].start as usize == start + 1)
                    .then_some((found.symbol, found.export))
            })
        })
        .flatten()
    }

    /// Whether the table has every export of the kernel. If not, a symbol that is not in the table is unknown.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The number of different symbols.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no symbols.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How much memory it takes, in bytes.
    pub fn memory(&self) -> u64 {
        (self.text.len() + size_of_val(&*self.slots)) as u64
    }

    /// The number of lines that could not be read.
    pub fn bad_lines(&self) -> usize {
        self.bad_lines
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
