// SPDX-License-Identifier: LGPL-2.1-or-later
//! Expectations are worked out by hand from the rules of the distributions' generators; `tests/e2e/deps.rs`
//! runs the generators themselves where there are any.

use super::modalias::{Merging, encoded, merged, underlined};
use super::*;
use crate::abi::Exported;

fn module(path: &str, release: &str, versions: &[(&str, u32)], exports: &[(&str, u64, bool)]) -> Entry {
    let exported = |(symbol, crc, absolute): &(&str, u64, bool)| Exported {
        symbol: (*symbol).into(),
        crc: *crc,
        absolute: *absolute,
    };
    let facts = Facts {
        vermagic: Some(format!("{release} SMP mod_unload ").into()),
        versions: versions.iter().map(|(s, c)| ((*s).into(), *c)).collect(),
        exports: exports.iter().map(exported).collect(),
        ..Facts::default()
    };
    Entry { path: path.into(), kind: kind(path.as_bytes()).unwrap(), content: Content::Module(facts) }
}

fn text(path: &str, text: &str) -> Entry {
    let kind = kind(path.as_bytes()).unwrap();
    Entry { path: path.into(), kind, content: Content::Text(text.into()) }
}

fn shown(lines: Vec<Vec<u8>>) -> Vec<String> {
    lines.into_iter().map(|l| String::from_utf8(l).unwrap()).collect()
}

const K: &str = "6.4.0-1-default";
const A: &str = "/b/usr/lib/modules/6.4.0-1-default/updates/a-b.ko.zst";

#[test]
fn files_are_known_by_their_paths() {
    let image = |release: &str| Some(Kind::Image(release.into()));
    for (path, expect) in [
        (A, Some(Kind::Module)),
        ("/lib/modules/1/kernel/fs/x.ko", Some(Kind::Module)),
        ("/lib/modules/1/x.ko.debug", None),
        ("/lib/modules/1/x.ko.bak", None),
        ("/opt/x.ko", None),
        ("/b/usr/lib/modules/1-default/vmlinux", image("1-default")),
        ("/b/usr/lib/modules/1-default/vmlinux.xz", image("1-default")),
        ("/b/lib/modules/1-default/vmlinux.xz", None),
        ("/b/boot/vmlinux-1-default.gz", image("1-default")),
        ("/b/boot/vmlinux-1-default.debug", None),
        ("/b/boot/vmlinuz-1-default", None),
        ("/b/lib/modules/1/symvers.gz", Some(Kind::Symvers)),
        ("/b/boot/symvers-1.gz", Some(Kind::Symvers)),
        ("/b/lib/modules/1/modules.builtin", Some(Kind::Builtin)),
        ("/b/boot/symsets-1-default.tar.gz", Some(Kind::Symsets)),
        ("/b/usr/lib/modules-load.d/x.conf", Some(Kind::ModulesLoad)),
        ("/b/etc/modules-load.d/x.conf", None),
    ] {
        assert_eq!(kind(path.as_bytes()), expect, "{path}");
    }
}

#[test]
fn aliases_are_encoded_as_each_distribution_does() {
    assert_eq!(encoded(b"pci:v0*-a_b%\xc3\t"), "pci:v0*%2Da%5Fb%25%C3%9");
    assert_eq!(underlined(b"of:N*T*C[ab]?-x/y,z w\xff"), "of:N*T*C[ab]?-x/y_z_w_");
}

#[test]
fn neighbours_that_differ_in_one_place_are_merged() {
    let names = |list: &[&str]| list.iter().map(|s| (*s).to_string()).collect::<Vec<_>>();
    let list = names(&["m(a1c)", "m(a2c)", "m(a5c)", "m(b5c)", "m(b5d)", "m(c*d)", "m(cxd)"]);
    // The third pair differs at another place than the first; a `*` that is replaced stands alone.
    let suse = ["m(a[125]c)", "m(b5[cd])", "m(c*d)", "m(cxd)"];
    assert_eq!(merged(list, Merging::Suse), suse);

    let list = names(&["modalias(a*)", "modalias(ab)", "modalias(ac)", "modalias(xyz)"]);
    assert_eq!(merged(list.clone(), Merging::RedHat), ["modalias(a*)", "modalias(a[bc])", "modalias(xyz)"]);
    // Nothing before the name itself is merged.
    assert_eq!(merged(names(&["aodalias(x)", "bodalias(x)"]), Merging::RedHat).len(), 2);
    assert!(merged(Vec::new(), Merging::Suse).is_empty());
}

#[test]
fn suse_needs_come_in_the_order_of_their_crcs() {
    let entries = [
        module(
            A,
            K,
            &[("zz", 0x0000_00ff), ("aa", 0x1234), ("own", 7), ("old", 8)],
            &[("own", 7, false), ("old", 8, true)],
        ),
        // The same symbol with another CRC: the first module's counts.
        module("/b/usr/lib/modules/x/updates/c.ko", K, &[("aa", 0x9999)], &[]),
    ];
    let known = Circumstances::default();
    let all = ["ksym(default:aa) = 1234", "ksym(default:own) = 7", "ksym(default:zz) = ff"];
    assert_eq!(shown(suse::requires(&entries, &[], &known)), all);

    let row = |key: &str, set: &str| SymsetRow { key: key.into(), set: set.into(), hash: "0f".into() };
    let table = [row("6.4.0-1-default/1234/aa", "vmlinux"), row("6.4.0-1-default/ff/zz", "vmlinux")];
    let expect = ["kernel(default:vmlinux) = 0f", "ksym(default:own) = 7", "kernel(default:vmlinux) = 0f"];
    assert_eq!(shown(suse::requires(&entries, &table, &known)), expect);

    let known = Circumstances { without_own: true, flavor: Some("rt".into()), ..known };
    assert_eq!(shown(suse::requires(&entries, &[], &known)), ["ksym(rt:aa) = 1234", "ksym(rt:zz) = ff"]);
    let kernel = Circumstances { package: Some("kernel-default".into()), ..known };
    assert!(suse::requires(&entries, &table, &kernel).is_empty());
}

#[test]
fn suse_needs_modules_that_are_loaded_at_boot() {
    let entries = [
        module(A, K, &[], &[]),
        text("/b/usr/lib/modules/x/modules.builtin", "kernel/fs/built-in.ko\n"),
        text("/b/usr/lib/modules-load.d/x.conf", "# none\n;none\n\nfoo-x\na-b\nbuilt_in\nfoo-x\n"),
    ];
    let expect = ["(kmod(foo_x.ko) if kernel)"; 2];
    assert_eq!(shown(suse::requires(&entries, &[], &Circumstances::default())), expect);
}

#[test]
fn suse_provides_are_sorted_and_stand_once() {
    let exports = vec![Exported { symbol: "printk".into(), crc: 0xab, absolute: false }];
    let image = Entry {
        path: "/b/boot/vmlinux-6.4.0-1-default".into(),
        kind: Kind::Image(K.into()),
        content: Content::Image { exports, builtin: Some(b"kernel/fs/x-fs.ko\n".to_vec()) },
    };
    let rt = module("/b/lib/modules/y/x.ko", "6.4.0-1-rt", &[], &[("r", 1, false)]);
    let entries = [image, module(A, K, &[], &[("own", 0x0abc, false)]), rt];
    let expect = [
        "kernel-uname-r = 6.4.0-1-default",
        "kmod(a_b.ko)",
        "kmod(x.ko)",
        "kmod(x_fs.ko)",
        "ksym(default:own) = abc",
        "ksym(default:printk) = ab",
        "ksym(rt:r) = 1",
    ];
    assert_eq!(shown(suse::provides(&entries, &Circumstances::default())), expect);
}

#[test]
fn red_hat_tells_the_kernels_symbols_from_others() {
    let versions = [("foo1", 1), ("foo", 2), ("elsewhere", 3), ("changed", 4)];
    let entries = [module(A, K, &versions, &[])];
    let symvers = b"0x00000001\tfoo1\tvmlinux\tEXPORT_SYMBOL\t\n0x00000002\tfoo\tfs/x\tEXPORT_SYMBOL\t\n\
                    0x00000005\tchanged\tvmlinux\tEXPORT_SYMBOL\t\n";
    let expect = [
        // Sorted with the colon that stood between symbol and CRC.
        "kernel(foo1) = 0x00000001",
        "kernel(foo) = 0x00000002",
        "ksym(changed) = 0x00000004",
        "ksym(elsewhere) = 0x00000003",
    ];
    let known = Circumstances::default();
    assert_eq!(shown(redhat::requires(&entries, symvers, &known)), expect);
    assert_eq!(redhat::release(&entries, &known).as_deref(), Some(K));
}

#[test]
fn red_hat_provides_come_generator_by_generator() {
    let mut own = module(A, K, &[], &[("b", 2, false), ("a", 0xffff_ffff, false)]);
    if let Content::Module(facts) = &mut own.content {
        facts.version = Some((*b"1.0 beta").into());
        facts.aliases = vec![(*b"pci:v1d2").into(), (*b"pci:v1d1").into(), (*b"usb:v1").into()];
    }
    let entries = [
        own,
        module("/b/lib/modules/6.4/kernel/fs/x.ko", "6.4", &[], &[("x", 1, false)]),
        text(
            "/b/lib/modules/6.4/symvers.gz",
            "0x1\tp\tvmlinux\tEXPORT_SYMBOL\t\n0x2\tq\tfs/x\tEXPORT_SYMBOL\t\n",
        ),
    ];
    let known = Circumstances { build_root: b"/b".to_vec(), ..Circumstances::default() };
    let expect = [
        "kernel(p) = 0x1",
        "kmod(a-b.ko)",
        "kmod(x.ko)",
        "modalias(usb:v1) = 1.0_beta",
        "modalias(pci:v1d[12]) = 1.0_beta",
        "ksym(a) = 0xffffffff",
        "ksym(b) = 0x00000002",
        "kernel(x) = 0x00000001",
    ];
    let all = shown(redhat::provides(&entries, &known));
    assert_eq!(all, expect);
    let kernel = Circumstances { package: Some("kernel-core".into()), ..known };
    assert!(!shown(redhat::provides(&entries, &kernel)).iter().any(|l| l.starts_with("modalias")));
}

#[test]
fn symbol_sets_are_read_in_the_order_of_names() {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, lines) in [
        ("symsets-6.4.0-1-default/vmlinux.0123456789abcdef", "0x00000abc\tprintk\tvmlinux\tEXPORT_SYMBOL\n"),
        ("symsets-6.4.0-1-default/fs.fedcba9876543210", "0x12345678\tfs_open\tfs/x\tEXPORT_SYMBOL\n"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(lines.len() as u64);
        header.set_cksum();
        archive.append_data(&mut header, path, lines.as_bytes()).unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    let rows = read_symsets(&bytes).unwrap();
    let shown: Vec<String> = rows.iter().map(|r| format!("{} {} {}", r.key, r.set, r.hash)).collect();
    let expect = [
        "6.4.0-1-default/12345678/fs_open fs fedcba9876543210",
        "6.4.0-1-default/abc/printk vmlinux 0123456789abcdef",
    ];
    assert_eq!(shown, expect);
    assert!(read_symsets(&bytes[..700]).is_err());
    assert!(read_symsets(b"\x1f\x8brubbish").is_err());
}
