// SPDX-License-Identifier: LGPL-2.1-or-later
//! The real dracut, and an initrd that nobody would make.

use super::*;

/// An initrd that claims to be endless, with no more memory than a small machine has.
#[test]
fn a_hostile_initrd_takes_no_memory() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let entry = "printf '07070100000001000081a40000000000000000000000010000000007f0000000000000000000000000000000000000003000000000usr/lib/modules/6.4.0-2-default/updates/huge.ko\\0\\0'; head -c 133169152 /dev/zero";
    for (what, script) in [
        ("zeros without end", "head -c 400M /dev/zero | zstd -q".to_string()),
        ("a huge module", format!("{{ {entry}; }} | zstd -q")),
        ("a greedy window", "head -c 20M /dev/urandom | zstd -q --long=31 -1".to_string()),
    ] {
        let file = root.join(format!("boot/initrd-{SAME}"));
        run(Command::new("bash").args(["-c", &format!("{script} > '{}'", file.display())])).expect_success();
        let output = machine.in_namespace(&format!(
            "ulimit -v 1000000; exec \"$2\" --root \"$1\" initrd --dry-run --kernel {SAME}"
        ));
        assert_eq!(output.status, Some(1), "{what}: {output}");
        assert!(output.stdout.contains("a new initrd is needed"), "{what}: {output}");
    }
}

/// The real dracut, in a root of its own that is laid over the machine's: it packs the linked module, and kmp reads it back.
#[test]
fn the_real_dracut() {
    let machine = Machine::over_the_machine();
    let root = &machine.root;
    root.write("etc/dracut.conf.d/test.conf", "hostonly=no\ndracutmodules='base'\nadd_drivers+=' foo '\n");
    let kmp = |args: &str| machine.chrooted("", args);
    let output = kmp("sync").expect_success();
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was made: there is no initrd\n")),
        "{output}"
    );
    assert_eq!(links(root, SAME), linked(&[("foo", OLD)]));
    let up_to_date = format!("{SAME}: no new initrd: the initrd is up to date\n");
    let asked = format!("initrd --dry-run --kernel {SAME}");
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
    // Another build of the KMP, packed in another way, and then the same build packed.
    root.update(&[&foo("2").0]);
    let output = kmp("-vv sync --no-initrd").expect_success();
    // So dracut reads kmp's index, and below it finds the module by it.
    let by_kmp = format!("the index of kernel {SAME} was written without depmod");
    assert!(output.stderr.contains(&by_kmp), "{output}");
    let output = kmp(&asked);
    assert_eq!(output.status, Some(1), "{output}");
    assert_eq!(output.stdout, format!("{SAME}: a new initrd is needed: foo: the initrd has another build\n"));
    kmp(&format!("initrd --kernel {SAME}")).expect_success();
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
    let packed = compress(&foo("2").1, Compression::Zst);
    let same = PackageBuilder::kmp("foo", "default", "3", OLD, [("foo.ko.zst", packed)]).build();
    root.update(&[&same]);
    kmp("sync --no-initrd").expect_success();
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
}

/// The real dracut makes a unified kernel image, where it is configured to, and kmp looks into it.
#[test]
fn the_real_dracut_makes_a_unified_image() {
    let machine = Machine::over_the_machine();
    let root = &machine.root;
    root.write(
        "etc/dracut.conf.d/test.conf",
        "hostonly=no\ndracutmodules='base'\nadd_drivers+=' foo '\nuefi=yes\nkernel_cmdline=quiet\n",
    );
    let kmp = |args: &str| machine.chrooted("", args);
    let output = kmp("sync").expect_success();
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was made: there is no initrd\n")),
        "{output}"
    );
    let images = std::fs::read_dir(root.join("boot/EFI/Linux"))
        .or_else(|_| std::fs::read_dir(root.join("boot/efi/EFI/Linux")));
    assert_eq!(images.unwrap().count(), 1);
    assert!(!root.exists(format!("boot/initrd-{SAME}")) && !root.exists(format!("boot/initrd.img-{SAME}")));
    let asked = format!("initrd --dry-run --kernel {SAME}");
    let up_to_date = format!("{SAME}: no new initrd: the initrd is up to date\n");
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
    root.update(&[&foo("2").0]);
    kmp("sync --no-initrd").expect_success();
    let output = kmp(&asked);
    assert_eq!(output.stdout, format!("{SAME}: a new initrd is needed: foo: the initrd has another build\n"));
    kmp(&format!("initrd --kernel {SAME}")).expect_success();
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
}
