// SPDX-License-Identifier: LGPL-2.1-or-later
//! `Module.symvers` as kernels of all times write it (its parser has tests of its own, too).

use testkit::{Columns, Symvers};

use crate::{Licensing, SymbolTable};

fn table(text: impl Into<Vec<u8>>) -> SymbolTable {
    SymbolTable::parse(text.into()).unwrap()
}

#[test]
fn every_layout_tells_the_same() {
    let symvers = Symvers::new()
        .vmlinux("a", 1)
        .vmlinux_gpl("b", 2)
        .add(3, "c", "drivers/c-d", true, "NS_C")
        .add(0, "zero", "vmlinux", false, "");
    for columns in [Columns::Four, Columns::Five, Columns::NamespaceThird] {
        for ends in ["\n", "\r\n"] {
            let text = symvers.clone().columns(columns).to_text().replace('\n', ends);
            let t = table(text);
            assert_eq!((t.len(), t.bad_lines(), t.is_complete()), (4, 0, true), "{columns:?} {ends:?}");
            let c = t.get("c").unwrap();
            assert_eq!((c.crc, c.exporter, c.licensing), (Some(3), "drivers/c-d", Licensing::GplOnly));
            let expected = if columns == Columns::Four { "" } else { "NS_C" };
            assert_eq!(c.namespace, expected, "{columns:?}");
            assert_eq!(t.get("a").unwrap().namespace, "");
            assert_eq!(t.get("zero").unwrap().crc, Some(0));
        }
    }
}

#[test]
fn a_big_table_is_found_whole() {
    let symvers = Symvers::generate(5_000, 3);
    let t = table(symvers.to_text());
    assert_eq!(t.len(), 5_000);
    for entry in &symvers.entries {
        let found = t.get(&entry.name).unwrap();
        let columns = (found.crc, found.exporter, found.namespace);
        assert_eq!(columns, (Some(entry.crc), &*entry.exporter, &*entry.namespace));
    }
    assert_eq!(t.iter().count(), 5_000);
}

/// A name is compared whole, not by its start, and a blank is part of no name.
#[test]
fn names_are_whole() {
    let t = table("0x1\tab\tvmlinux\tEXPORT_SYMBOL\n0x2\ta\tvmlinux\tEXPORT_SYMBOL\n");
    assert_eq!((t.get("a").unwrap().crc, t.get("ab").unwrap().crc), (Some(2), Some(1)));
    assert!(t.get("b").is_none() && t.get("a\tvmlinux").is_none());
}

#[test]
fn namespaces_may_differ_on_every_line() {
    let t = table(
        "0x1\ta\tm/a\tEXPORT_SYMBOL_GPL\tA\n0x2\tb\tm/b\tEXPORT_SYMBOL_GPL\t\n0x3\tc\tm/c\tEXPORT_SYMBOL\tmodule:kvm-*,x\n",
    );
    let namespaces: Vec<_> = t.iter().map(|(_, e)| e.namespace).collect();
    assert_eq!(namespaces, ["A", "", "module:kvm-*,x"]);
}

#[test]
fn duplicates_count_once_whatever_stands_between() {
    let t = table("0x1\ta\tm/x\tEXPORT_SYMBOL\nrubbish\n0x9\ta\tvmlinux\tEXPORT_SYMBOL_GPL\n");
    assert_eq!((t.len(), t.bad_lines()), (1, 1));
    let a = t.get("a").unwrap();
    assert_eq!((a.crc, a.licensing, a.is_builtin()), (Some(9), Licensing::GplOnly, true));
}

/// However it is cut, what is said of a symbol is never wrong, and what is lost is never said to be absent.
#[test]
fn a_cut_table_says_nothing_wrong() {
    let symvers = Symvers::new().vmlinux("one", 0x1111_1111).add(2, "two", "m/two", true, "NS_TWO");
    for columns in [Columns::Four, Columns::Five, Columns::NamespaceThird] {
        let text = symvers.clone().columns(columns).to_text();
        let whole = table(text.clone());
        let first = text.find('\n').unwrap() + 1;
        for end in first + 1..text.len() {
            let t = table(&text.as_bytes()[..end]);
            assert!(t.get("two").is_none() && !t.is_complete(), "{columns:?} {:?}", &text[first..end]);
            assert_eq!(t.get("one"), whole.get("one"));
        }
    }
}
