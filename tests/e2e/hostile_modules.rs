// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules and symbol tables that are broken, huge or malicious.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use testkit::{Compression, ModuleBuilder, Noise, PackageBuilder, compress, run};

use crate::hostile::{A, B, GOOD, good_is_linked, modules, sane, symvers_file, with_good};
use crate::support::{kernel, links, write};

#[test]
fn broken_modules_are_named_and_left_out() {
    let (root, a) = with_good();
    let sound = a.driver("sound").need("printk", 0x1000_0001).build();
    let mut noise = Noise::new(1);
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("empty.ko".into(), Vec::new()),
        ("random.ko".into(), noise.bytes(5000)),
        ("half.ko".into(), sound[..sound.len() / 2].to_vec()),
        ("header.ko".into(), sound[..64].to_vec()),
        ("magic.ko".into(), b"\x7fELF".to_vec()),
        ("text.ko".into(), b"#!/bin/sh\necho hello\n".to_vec()),
    ];
    for (compression, magic) in [
        (Compression::Gz, &b"\x1f\x8b\x08"[..]),
        (Compression::Xz, b"\xfd7zXZ\0"),
        (Compression::Zst, b"\x28\xb5\x2f\xfd"),
    ] {
        let suffix = compression.suffix();
        let packed = compress(&sound, compression);
        let mut flipped = packed.clone();
        let middle = flipped.len() / 2;
        flipped[middle..middle + 8].iter_mut().for_each(|b| *b = !*b);
        cases.push((format!("cut{}.ko{suffix}", &suffix[1..]), packed[..packed.len() / 2].to_vec()));
        cases.push((format!("flip{}.ko{suffix}", &suffix[1..]), flipped));
        cases.push((format!("junk{}.ko{suffix}", &suffix[1..]), [magic, &noise.bytes(300)].concat()));
        cases.push((format!("none{}.ko{suffix}", &suffix[1..]), compress(&[], compression)));
    }
    let builders: Vec<_> = cases
        .iter()
        .map(|(file, bytes)| {
            let base = file.split('.').next().unwrap();
            PackageBuilder::kmp(base, "default", "1.0", A, [(file.clone(), bytes.clone())])
        })
        .collect();
    let packages = PackageBuilder::build_all(&builders);
    root.install(&packages.iter().collect::<Vec<_>>());

    let output = good_is_linked(&root);
    assert_eq!(links(&root, B).len(), 1, "{:?}", links(&root, B));
    for (file, _) in &cases {
        assert!(output.stderr.contains(&format!("updates/{file}: ")), "{file} is not named: {output}");
    }
    for args in [&["status"][..], &["check"]] {
        assert_eq!(sane(&root, args).status, Some(1));
    }
    for (file, _) in &cases {
        let path = root.join(modules(A)).join("updates").join(file);
        let output = sane(&root, &["check", path.to_str().unwrap()]);
        assert_eq!(output.status, Some(1), "{output}");
        assert!(output.stdout.contains(file), "{output}");
    }
}

#[test]
fn bombs_are_refused_in_bounded_memory() {
    let (root, _) = with_good();
    let zeros = vec![0_u8; 600 << 20];
    for compression in [Compression::Zst, Compression::Gz] {
        let file = format!("bomb{}.ko{}", &compression.suffix()[1..], compression.suffix());
        root.write(modules(A).join("updates").join(file), compress(&zeros, compression));
    }
    drop(zeros);
    // Without depmod, which inflates them from kmod 34 on, and has no bound.
    let output = sane(&root, &["sync", "--no-depmod"]);
    assert!(links(&root, B).iter().any(|link| link == GOOD), "{output}");
    for file in ["bombzst.ko.zst", "bombgz.ko.gz"] {
        let line = output.stderr.lines().find(|l| l.contains(file));
        assert!(line.is_some_and(|l| l.contains("limit")), "{file}: {output}");
        let path = root.join(modules(A)).join("updates").join(file);
        assert_eq!(sane(&root, &["check", path.to_str().unwrap()]).status, Some(1));
    }
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    assert!(usage.max_rss() < 700 << 10, "{} KiB", usage.max_rss());
}

#[test]
fn broken_symvers_are_named_and_the_other_kernel_goes_on() {
    let mut noise = Noise::new(2);
    let sound =
        b"0x10000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x00000007\tchanging\tvmlinux\tEXPORT_SYMBOL\t\n"
            .to_vec();
    let cases: Vec<(&str, Vec<u8>, bool)> = vec![
        ("random", noise.bytes(20_000), true),
        ("cut", sound[..sound.len() - 12].to_vec(), true),
        ("text", b"what is this?\nnot symvers\n".to_vec(), true),
        ("NULs", vec![0; 10_000], true),
        ("a huge line", [&sound[..], &vec![b'x'; 8 << 20], b"\n"].concat(), true),
        (
            "a huge name",
            [b"0x1\t".as_slice(), &vec![b'x'; 1 << 20], b"\tvmlinux\tEXPORT_SYMBOL\t\n", &sound].concat(),
            false,
        ),
        (
            "cut gzip",
            {
                let z = compress(&sound, Compression::Gz);
                z[..z.len() / 2].to_vec()
            },
            true,
        ),
        (
            "cut zstd",
            {
                let z = compress(&sound, Compression::Zst);
                z[..z.len() / 2].to_vec()
            },
            true,
        ),
        ("junk xz", [b"\xfd7zXZ\0".as_slice(), &noise.bytes(100)].concat(), true),
        ("bomb", compress(&vec![b'\n'; 100 << 20], Compression::Zst), true),
        ("empty", Vec::new(), false),
    ];
    let (root, _) = with_good();
    let third = "6.4.0-3-default";
    write(&kernel(third, 7), &root);
    let file = symvers_file(&root, third);
    for (what, bytes, named) in cases {
        fs::write(&file, bytes).unwrap();
        let output = good_is_linked(&root);
        let is_named = output.stderr.contains(file.to_str().unwrap());
        assert!(is_named || !named, "{what}: {output}");
        assert!(output.stderr.len() < 20_000, "{what}: {} bytes", output.stderr.len());
        let output = sane(
            &root,
            &["check", "--kernel", third, "--symvers", file.to_str().unwrap(), "good-kmp-default"],
        );
        assert!(output.stderr.len() + output.stdout.len() < 20_000, "{what}");
    }
}

#[test]
fn odd_names_are_names() {
    let (root, a) = with_good();
    let long = "n".repeat(240);
    let names: Vec<Vec<u8>> = [
        "with blank",
        "quote's",
        "double\"quote",
        "$(touch pwned)",
        "`touch pwned`",
        "a;touch pwned",
        "glob*[a]?",
        "-dash",
        "--help",
        "..dots",
        "...",
        "back\\slash",
        "per%cent",
        "colon:colon",
        "hash#",
        "{brace}",
        "ümläut",
        "new.ko",
        long.as_str(),
    ]
    .iter()
    .map(|n| n.as_bytes().to_vec())
    .chain([b"not\xffutf\xfe8".to_vec()])
    .collect();
    let builders: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let file = PathBuf::from(std::ffi::OsStr::from_bytes(&[name, &b".ko"[..]].concat()));
            let module = a.driver(&format!("odd{i}")).need("printk", 0x1000_0001).build();
            PackageBuilder::kmp(&format!("odd{i}"), "default", "1.0", A, [(file, module)])
        })
        .collect();
    let packages = PackageBuilder::build_all(&builders);
    root.install(&packages.iter().collect::<Vec<_>>());
    good_is_linked(&root);
    let there = root.weak_updates(B);
    for name in &names {
        let file = [name, &b".ko"[..]].concat();
        let link = Path::new("weak-updates/updates").join(std::ffi::OsStr::from_bytes(&file));
        let target =
            Path::new("/usr/lib/modules").join(A).join("updates").join(std::ffi::OsStr::from_bytes(&file));
        // Hidden files are no modules. depmod crashes over names that are not ASCII: then no module of the kernel would be found.
        let wanted = (name.is_ascii() && !name.starts_with(b".")).then_some(&target);
        assert_eq!(there.get(&link), wanted, "{}", String::from_utf8_lossy(name));
    }
    assert!(!root.tree().keys().any(|p| p.ends_with("pwned")));
    sane(&root, &["status"]);
    sane(&root, &["check", "--json"]);
}

/// rpm cannot have such names; a disk can.
#[test]
fn nothing_steers_the_terminal() {
    const BAD: &str = "\u{1b}[31m\u{1b}]0;title\u{7}\u{9b}2J\r";
    let (root, a) = with_good();
    let updates = modules(A).join("updates");
    let module = a
        .driver("bad")
        .license(BAD)
        .info("vermagic", format!("6.4{BAD} SMP"))
        .import_ns(BAD)
        .depends(BAD)
        .need(format!("sym{BAD}"), 1)
        .need("printk", 2)
        .export(format!("exp{BAD}"), 1)
        .build();
    root.write(updates.join(format!("bad{BAD}\nname.ko")), &module);
    root.write(updates.join("bad.ko"), &module);
    root.write(updates.join(format!("empty{BAD}.ko")), b"");
    root.mkdir(format!("usr/lib/modules/6.4.0-4{BAD}-default/kernel"));
    root.write(format!("usr/lib/modules/6.4.0-4{BAD}-default/System.map"), b"");
    root.write(modules(B).join("weak-updates").join(format!("own{BAD}.ko")), b"");
    root.symlink(
        modules(B).join("weak-updates").join(format!("dangling{BAD}.ko")),
        format!("/usr/lib/modules/{A}/updates/none{BAD}.ko"),
    );
    let bad = root.join(updates.join("bad.ko"));
    let odd = root.join(updates.join(format!("bad{BAD}\nname.ko")));
    for args in [
        &["status"][..],
        &["-vv", "sync", "--dry-run"],
        &["-vv", "sync"],
        &["check"],
        &["explain", "bad", "--kernel", B],
        &["check", bad.to_str().unwrap(), odd.to_str().unwrap()],
        &["explain", bad.to_str().unwrap(), "--kernel", B],
        &["status", "--kernel", BAD],
        &["check", BAD],
        &["explain", BAD, "--kernel", BAD],
        &["add-kernel", BAD],
        &["add-kmp", BAD],
        &["remove-kmp", BAD],
    ] {
        sane(&root, args);
    }
    assert!(links(&root, B).iter().any(|l| l == crate::hostile::GOOD));
}

#[test]
fn what_is_no_regular_file_is_no_module_and_blocks_nothing() {
    // In a user namespace root's rights are not enough to make a device.
    if !testkit::has_the_machines_root() {
        testkit::skip("no device can be made in a user namespace");
        return;
    }
    let (root, _) = with_good();
    let updates = root.join(modules(A)).join("updates");
    let _socket = UnixListener::bind(updates.join("socket.ko")).unwrap();
    run(root.command("mkfifo").arg(updates.join("fifo.ko"))).expect_success();
    run(root.command("mknod").arg(updates.join("device.ko")).args(["c", "1", "5"])).expect_success();
    root.mkdir(modules(A).join("updates/directory.ko"));
    for to in ["fifo.ko", "device.ko", "directory.ko", "socket.ko"] {
        root.symlink(modules(A).join("updates").join(format!("to-{to}")), to);
    }
    good_is_linked(&root);
    for file in ["fifo.ko", "device.ko", "directory.ko", "to-fifo.ko", "to-device.ko"] {
        let output = sane(&root, &["check", updates.join(file).to_str().unwrap()]);
        assert!(output.status != Some(0), "{output}");
        assert!(format!("{}{}", output.stdout, output.stderr).contains(file), "{output}");
    }
    // symvers and config may be such things, too.
    let third = "6.4.0-3-default";
    write(&kernel(third, 7), &root);
    let file = symvers_file(&root, third);
    fs::remove_file(&file).unwrap();
    run(root.command("mkfifo").arg(&file)).expect_success();
    let config = root.join(modules(third)).join("config");
    let _ = fs::remove_file(&config);
    run(root.command("mkfifo").arg(config)).expect_success();
    good_is_linked(&root);
}

#[test]
fn large_ones_are_no_trouble() {
    let (root, a) = with_good();
    let start = Instant::now();
    let mut module: ModuleBuilder = a.driver("large");
    for n in 0..10_000 {
        module = module.need(format!("symbol_number_{n}"), n);
    }
    root.write(modules(A).join("updates/large.ko"), module.build());
    for n in 0..5000 {
        root.write(modules(A).join(format!("updates/many/file{n}")), b"");
    }
    let deep: PathBuf = std::iter::repeat_n("deep", 200).collect();
    root.write(modules(A).join("updates").join(&deep).join("deep.ko"), a.driver("deep").build());
    root.mkdir(modules(B).join("weak-updates").join(&deep));
    good_is_linked(&root);
    let output = sane(&root, &["check", root.join(modules(A)).join("updates/large.ko").to_str().unwrap()]);
    assert_eq!(output.status, Some(1));
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn odd_releases_are_releases() {
    for odd in ["6.4+rc~1-default", "6.4.0-1*-default", "6.4.0$(touch${IFS}pwned)-default"] {
        let (root, a) = with_good();
        let odd_kernel = kernel(odd, 7);
        let in_tree = a.driver("in_tree").need("printk", 0x1000_0001);
        write(&odd_kernel.module("drivers", in_tree), &root);
        let output = good_is_linked(&root);
        assert_eq!(links(&root, odd), [crate::hostile::GOOD], "{output}");
        let index = root.read(modules(odd).join("modules.dep"));
        assert!(index.contains("weak-updates/updates/good.ko"), "{odd}: {index}");
        assert!(!root.tree().keys().any(|p| p.ends_with("pwned")));
    }
    // Neither depmod nor kmp takes these for releases: they are left alone, and the others go on.
    for odd in ["-x-default", "-a", "a b-default", "--help-default"] {
        let (root, _) = with_good();
        let odd_kernel = kernel(odd, 7);
        let in_tree = odd_kernel.driver("in_tree").need("printk", 0x1000_0001);
        write(&odd_kernel.module("drivers", in_tree), &root);
        let output = sane(&root, &["sync"]);
        assert_eq!(output.status, Some(0), "{output}");
        assert!(!root.exists(modules(odd).join("modules.dep")) && links(&root, odd).is_empty(), "{output}");
        assert_eq!(links(&root, B), [crate::hostile::GOOD]);
        assert!(root.read(modules(B).join("modules.dep")).contains("weak-updates/updates/good.ko"));
    }
}
