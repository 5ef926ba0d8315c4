// SPDX-License-Identifier: LGPL-2.1-or-later
//! The symbols that a kernel and its in-tree modules export: a table with a row for each.

mod index;

use std::collections::{HashMap, TryReserveError};

use crate::budget;
use index::Index;
use kmp_steps as steps;

/// Who may use an exported symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Licensing {
    /// `EXPORT_SYMBOL`.
    Any,
    /// `EXPORT_SYMBOL_GPL`.
    GplOnly,
    /// The source of the table does not say (see [`Rebuild`](super::Rebuild)).
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
/// Made from `Module.symvers` by [`SymbolTable::parse`], or row by row by a [`SymbolTableBuilder`]. Names are kept in one text, to
/// which 28 bytes a row refer; with the index, a table of 24,000 symbols takes a MiB and the space of its names.
#[derive(Clone, Debug)]
pub struct SymbolTable {
    text: Box<str>,
    rows: Box<[Row]>,
    index: Index,
    len: usize,
    complete: bool,
    bad_lines: usize,
    module_namespaces: bool,
}

/// A symbol, its exporter and its namespace, which are pieces of the table's text, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    starts: [u32; 3],
    lens: [u16; 3],
    version: Version,
    licensing: Licensing,
}

/// With which version a symbol is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// With this.
    Known(u32),
    /// The exporter has none for it.
    None,
    /// With one that is not known.
    Unknown,
}

impl Row {
    /// `pieces`: symbol, exporter, namespace, each by start and end. `None`: a piece is longer, or further from the start, than a
    /// row can say.
    pub(crate) fn new(pieces: [(usize, usize); 3], version: Version, licensing: Licensing) -> Option<Self> {
        let [symbol, exporter, namespace] = pieces;
        let start = |(start, _): (usize, usize)| u32::try_from(start).ok();
        let len = |(start, end): (usize, usize)| u16::try_from(end.checked_sub(start)?).ok();
        Some(Self {
            starts: [start(symbol)?, start(exporter)?, start(namespace)?],
            lens: [len(symbol)?, len(exporter)?, len(namespace)?],
            version,
            licensing,
        })
    }

    fn piece(self, text: &str, which: usize) -> &str {
        let start = self.starts[which] as usize;
        &text[start..start + usize::from(self.lens[which])]
    }

    fn symbol(self, text: &str) -> &str {
        self.piece(text, 0)
    }

    fn export(self, text: &str) -> Export<'_> {
        Export {
            crc: match self.version {
                Version::Known(crc) => Some(crc),
                Version::None | Version::Unknown => None,
            },
            crc_known: self.version != Version::Unknown,
            exporter: self.piece(text, 1),
            licensing: self.licensing,
            namespace: self.namespace(text),
        }
    }

    fn namespace(self, text: &str) -> &str {
        self.piece(text, 2)
    }

    fn is_builtin(self, text: &str) -> bool {
        self.piece(text, 1) == "vmlinux"
    }

    /// Another row has taken its place.
    fn is_superseded(self) -> bool {
        self.lens[0] == 0
    }
}

impl SymbolTable {
    /// A table about which nothing is known: every symbol is unknown.
    pub fn unknown() -> Self {
        SymbolTableBuilder::new().finish(false).expect("there is memory for no rows")
    }

    /// A table of `rows` over `text`. Of the rows of one symbol, vmlinux's wins, then the first.
    pub(crate) fn of_rows(
        text: String,
        mut rows: Vec<Row>,
        complete: bool,
        bad_lines: usize,
    ) -> Result<Self, TryReserveError> {
        let mut index = Index::for_rows(rows.len())?;
        let mut len = 0;
        for at in 0..rows.len() {
            steps::count(1);
            let row = rows[at];
            let symbol = row.symbol(&text);
            let place = index.find(symbol, |other| rows[other].symbol(&text) == symbol);
            match place.row {
                None => {
                    len += 1;
                    index.set(&place, at);
                }
                Some(first) if row.is_builtin(&text) && !rows[first].is_builtin(&text) => {
                    rows[first].lens[0] = 0;
                    index.set(&place, at);
                }
                Some(_) => rows[at].lens[0] = 0,
            }
        }
        let (text, rows) = (text.into_boxed_str(), rows.into_boxed_slice());
        let module_namespaces = rows.iter().any(|row| row.namespace(&text).starts_with("module:"));
        Ok(Self { text, rows, index, len, complete, bad_lines, module_namespaces })
    }

    /// The export of `symbol`; `None` if it is not in the table.
    pub fn get(&self, symbol: &str) -> Option<Export<'_>> {
        let place = self.index.find(symbol, |row| self.rows[row].symbol(&self.text) == symbol);
        place.row.map(|row| self.rows[row].export(&self.text))
    }

    /// All symbols, each once and as [`Self::get`] knows it, in the order in which they were listed.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Export<'_>)> {
        let listed = self.rows.iter().filter(|row| !row.is_superseded());
        listed.map(|row| (row.symbol(&self.text), row.export(&self.text)))
    }

    /// Whether the table has every export of the kernel. If not, a symbol that is not in the table is unknown.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Is something exported to modules by their names (`EXPORT_SYMBOL_FOR_MODULES`, a namespace `module:...`)?
    pub fn has_module_namespaces(&self) -> bool {
        self.module_namespaces
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
        (self.text.len() + size_of_val(&*self.rows) + self.index.memory()) as u64
    }

    /// How many lines, or rows, could not be read.
    pub fn bad_lines(&self) -> usize {
        self.bad_lines
    }
}

/// Makes a [`SymbolTable`] row by row.
///
/// ```
/// use kmod_abi::{Export, Licensing, SymbolTableBuilder};
///
/// let mut builder = SymbolTableBuilder::new();
/// let exporter = "drivers/net/mii";
/// let gpl = Licensing::GplOnly;
/// builder.add("mii_link_ok", &Export { crc: Some(7), crc_known: true, exporter, licensing: gpl, namespace: "" });
/// let table = builder.finish(false)?;
/// assert_eq!(table.get("mii_link_ok").unwrap().crc, Some(7));
/// # Ok::<(), std::collections::TryReserveError>(())
/// ```
#[derive(Debug, Default)]
pub struct SymbolTableBuilder {
    text: String,
    rows: Vec<Row>,
    /// Where exporters and namespaces are in the text.
    known: HashMap<Box<str>, (usize, usize)>,
    /// Where the last exporter is.
    last: (usize, usize),
    bad: usize,
}

impl SymbolTableBuilder {
    /// Without any row.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row. Of the rows of one symbol, vmlinux's wins, then the first (`find_symbol` looks in the kernel image first).
    ///
    /// A row without a symbol, or with a name of more than [`budget::NAME`] bytes, is left out and makes the table incomplete.
    pub fn add(&mut self, symbol: &str, export: &Export<'_>) {
        let names = [symbol, export.exporter, export.namespace];
        if symbol.is_empty() || names.iter().any(|name| name.len() > budget::NAME) {
            self.bad += 1;
            return;
        }
        let start = self.text.len();
        self.text.push_str(symbol);
        let symbol = (start, self.text.len());
        let exporter = match &self.text[self.last.0..self.last.1] == export.exporter {
            true => self.last,
            false => self.repeated(export.exporter),
        };
        self.last = exporter;
        let namespace = match export.namespace {
            "" => (0, 0),
            name => self.repeated(name),
        };
        let version = match export.crc {
            Some(crc) => Version::Known(crc),
            None if export.crc_known => Version::None,
            None => Version::Unknown,
        };
        match Row::new([symbol, exporter, namespace], version, export.licensing) {
            Some(row) => self.rows.push(row),
            None => self.bad += 1,
        }
    }

    /// The place of a name that many rows have.
    fn repeated(&mut self, name: &str) -> (usize, usize) {
        if let Some(place) = self.known.get(name) {
            return *place;
        }
        let start = self.text.len();
        self.text.push_str(name);
        let place = (start, self.text.len());
        self.known.insert(name.into(), place);
        place
    }

    /// The table. `complete`: the kernel exports nothing else.
    ///
    /// # Errors
    /// There is not enough memory for its index.
    pub fn finish(self, complete: bool) -> Result<SymbolTable, TryReserveError> {
        SymbolTable::of_rows(self.text, self.rows, complete && self.bad == 0, self.bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export<'t>(crc: Option<u32>, exporter: &'t str, namespace: &'t str) -> Export<'t> {
        Export { crc, crc_known: true, exporter, licensing: Licensing::Any, namespace }
    }

    #[test]
    fn rows_are_found_as_they_were_added() {
        let mut builder = SymbolTableBuilder::new();
        let unknown =
            Export { crc_known: false, licensing: Licensing::Unknown, ..export(None, "vmlinux", "") };
        builder.add("a", &export(Some(1), "drivers/x", "N"));
        builder.add("b", &unknown);
        builder.add("c", &export(None, "drivers/x", "N"));
        let table = builder.finish(true).unwrap();
        assert_eq!(table.get("a"), Some(export(Some(1), "drivers/x", "N")));
        assert_eq!((table.get("b"), table.get("c")), (Some(unknown), Some(export(None, "drivers/x", "N"))));
        assert_eq!((table.get("d"), table.get("")), (None, None));
        assert_eq!((table.len(), table.bad_lines(), table.is_complete()), (3, 0, true));
        assert!(table.iter().map(|(symbol, _)| symbol).eq(["a", "b", "c"]));
    }

    #[test]
    fn of_rows_of_one_symbol_vmlinuxs_wins_then_the_first() {
        let mut builder = SymbolTableBuilder::new();
        for (crc, exporter) in [(1, "m/x"), (2, "vmlinux"), (3, "vmlinux"), (4, "m/y")] {
            builder.add("a", &export(Some(crc), exporter, ""));
        }
        let table = builder.finish(true).unwrap();
        assert_eq!(table.get("a").unwrap().crc, Some(2));
        assert_eq!((table.len(), table.iter().count()), (1, 1));
    }

    #[test]
    fn what_cannot_be_a_row_makes_the_table_incomplete() {
        let long = "n".repeat(budget::NAME + 1);
        for (symbol, exporter) in [("", "vmlinux"), (&*long, "vmlinux"), ("s", &*long)] {
            let mut builder = SymbolTableBuilder::new();
            builder.add(symbol, &export(Some(1), exporter, ""));
            let table = builder.finish(true).unwrap();
            assert_eq!((table.len(), table.bad_lines(), table.is_complete()), (0, 1, false));
        }
    }
}
