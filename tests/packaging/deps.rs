// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp deps` against expectations that were worked out by hand.

use crate::corpus::{Corpus, K};

#[track_caller]
fn prints(corpus: &Corpus, args: &[&str], list: &[std::path::PathBuf], expect: &str) {
    let output = corpus.deps(args, list).expect_success();
    let expect: String = expect.lines().map(|l| format!("{}\n", l.trim_start())).collect();
    assert_eq!(output.stdout, expect, "{args:?}: {output}");
}

#[test]
fn suse_packages_of_modules() {
    let corpus = Corpus::new();
    let list = corpus.package();
    prints(
        &corpus,
        &["--provides", "--dialect", "suse"],
        &list,
        "kmod(acme.ko)
         kmod(acme_net.ko)
         kmod(old.ko)
         ksym(default:acme_open) = ab
         ksym(default:old_close) = 2
         ksym(default:old_open) = c0ffee",
    );
    // By CRC; `old_open` is of a module here, and told by an absolute symbol. `acme_open` is, too, but
    // the original generator does not see it.
    prints(
        &corpus,
        &["--requires", "--dialect", "suse"],
        &list,
        "(kmod(other_one.ko) if kernel)
         (kmod(built_in.ko) if kernel)
         kernel(default:vmlinux) = 0123456789abcdef
         kernel(default:vmlinux) = 0123456789abcdef
         ksym(default:acme_open) = ab
         ksym(default:module_layout) = f7940c2b",
    );
    prints(
        &corpus,
        &["--requires", "--dialect", "suse", "--without-own", "--flavor", "rt", "--symset-dir", "/nowhere"],
        &list[1..3],
        "ksym(rt:printk) = 10000001
         ksym(rt:small) = 7
         ksym(rt:module_layout) = f7940c2b",
    );
    prints(
        &corpus,
        &["--supplements", "--dialect", "suse"],
        &list,
        "modalias(kernel-default:acpi*:ACME0001:*)
         modalias(kernel-default:of:N*T*Cacme%2Cnet%2D2C*)
         modalias(kernel-default:pci:v00001AF4d0000100[05]sv*sd*bc*sc*i*)
         modalias(kernel-default:pci:v00001AF4d00001041sv*sd*bc*sc*i*)
         modalias(kernel-default:usb:v1d*)",
    );
}

#[test]
fn kinds_are_left_out() {
    let corpus = Corpus::new();
    let list = corpus.package();
    prints(
        &corpus,
        &["--provides", "--dialect", "suse", "--without", "ksym"],
        &list,
        "kmod(acme.ko)\nkmod(acme_net.ko)\nkmod(old.ko)",
    );
    let both = ["--provides", "--dialect", "suse", "--without", "kmod", "--without", "ksym"];
    prints(&corpus, &both, &list, "");
    prints(&corpus, &["--supplements", "--dialect", "suse", "--without", "modalias"], &list, "");
}

#[test]
fn suse_kernels() {
    let corpus = Corpus::new();
    let list = corpus.kernel();
    let name = ["--package", "kernel-default"];
    prints(
        &corpus,
        &[&["--provides", "--dialect", "suse"][..], &name].concat(),
        &list,
        "kernel-uname-r = 6.4.0-1-default
         kmod(built_in.ko)
         kmod(fs.ko)
         ksym(default:abs) = beef
         ksym(default:fs_open) = 12345678
         ksym(default:printk) = 10000001
         ksym(default:small) = 7",
    );
    for what in ["--requires", "--supplements"] {
        prints(&corpus, &[&[what, "--dialect", "suse"][..], &name].concat(), &list, "");
    }
    let table = "6.4.0-1-default/10000001/printk\tvmlinux\t0123456789abcdef
         6.4.0-1-default/7/small\tvmlinux\t0123456789abcdef
         6.4.0-1-default/12345678/fs_open\tvmlinux\t0123456789abcdef";
    prints(&corpus, &["--symsets"], &[], table);
    let archive = corpus.path("boot/symsets-6.4.0-1-default.tar.gz");
    prints(&corpus, &["--symsets", "--symset-dir", "/nowhere"], &[archive], table);
}

#[test]
fn red_hat_packages_of_modules() {
    let corpus = Corpus::new();
    let list = corpus.package();
    // By generator: kmod, modalias (length as text, then name), then each module's symbols.
    prints(
        &corpus,
        &["--provides", "--dialect", "redhat"],
        &list,
        "kmod(old.ko)
         kmod(acme-net.ko)
         kmod(acme.ko)
         modalias(usb:v1d*)
         modalias(acme_old_name) = 1.0_beta_2
         modalias(acpi*:ACME0001:*) = 1.0_beta_2
         modalias(of:N*T*Cacme_net-2C*) = 1.0_beta_2
         modalias(pci:v00001AF4d0000100[05]sv*sd*bc*sc*i*) = 1.0_beta_2
         modalias(pci:v00001AF4d00001041sv*sd*bc*sc*i*) = 1.0_beta_2
         ksym(old_close) = 0x00000002
         ksym(old_open) = 0x00c0ffee
         ksym(acme_open) = 0x000000ab",
    );
    prints(
        &corpus,
        &["--requires", "--dialect", "redhat"],
        &list,
        "kernel(printk) = 0x10000001
         kernel(small) = 0x00000007
         ksym(acme_open) = 0x000000ab
         ksym(module_layout) = 0xf7940c2b
         ksym(old_open) = 0x00c0ffee",
    );
    prints(
        &corpus,
        &["--requires", "--dialect", "redhat", "--without-own"],
        &list,
        "kernel(printk) = 0x10000001
         kernel(small) = 0x00000007
         ksym(module_layout) = 0xf7940c2b",
    );
    prints(&corpus, &["--supplements", "--dialect", "redhat"], &list, "");
}

#[test]
fn red_hat_kernels() {
    let corpus = Corpus::new();
    let mut list = corpus.kernel();
    // What the kernel's own generators see: the path that the file will have.
    list[3] = corpus.path(&format!("lib/modules/{K}/kernel/fs/fs.ko"));
    prints(
        &corpus,
        &["--provides", "--dialect", "redhat"],
        &list,
        "kernel(printk) = 0x10000001
         kernel(small) = 0x00000007
         kmod(built-in.ko)
         kmod(fs.ko)
         modalias(fs-x:y)
         kernel(fs_open) = 0x12345678",
    );
}

#[test]
fn what_cannot_be_read_fails_the_build_and_the_rest_is_printed() {
    let corpus = Corpus::new();
    let mut list = corpus.package();
    let broken = corpus.path(&format!("usr/lib/modules/{K}/updates/broken.ko"));
    std::fs::write(&broken, "no module").unwrap();
    let pipe = corpus.path(&format!("usr/lib/modules/{K}/updates/pipe.ko"));
    testkit::run(std::process::Command::new("mkfifo").arg(&pipe)).expect_success();
    list.extend([broken, pipe, corpus.path(&format!("usr/lib/modules/{K}/updates/gone.ko"))]);
    let output = corpus.deps(&["--provides", "--dialect", "suse"], &list);
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stdout.contains("ksym(default:acme_open) = ab\n"), "{output}");
    for said in
        ["broken.ko is not a module: not an ELF file", "pipe.ko cannot be read: it is not a regular file"]
    {
        assert!(output.stderr.contains(said), "{output}");
    }
    assert!(output.stderr.contains("gone.ko is in the list, but not there"), "{output}");
}

#[test]
fn one_kind_of_dependency_is_asked_for() {
    let corpus = Corpus::new();
    for args in [&["--dialect", "suse"][..], &["--provides", "--requires"]] {
        assert_eq!(corpus.deps(args, &[]).status, Some(2), "{args:?}");
    }
}
