// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp new`: what it writes is built by the real rpmbuild, as it is.

use std::path::Path;
use std::process::Command;

use testkit::{KernelBuilder, Output, run, run_rpm};

use crate::build::{Workshop, query};
use crate::corpus::KMP;

fn kmp_new(place: &Path, words: &[&str]) -> Output {
    run(Command::new(KMP).arg("new").args(words).current_dir(place))
}

/// The forms, each with the directory of its kernel, and a package's name.
const FORMS: [(&str, &str, &str, &str); 2] = [
    ("suse", "default", "6.4.0-1-default", "hello-kmp-default-1.0_k6.4.0_1-1.x86_64.rpm"),
    ("redhat", "5.14.0-1.el9.x86_64", "5.14.0-1.el9.x86_64", "kmod-hello-1.0-1.x86_64.rpm"),
];

fn files(place: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(place).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

/// A package for a kernel whose build system hands out `hello.ko`.
fn build(
    form: &'static str,
    directory: &str,
    krel: &str,
    words: &[&str],
) -> (Workshop, Vec<std::path::PathBuf>) {
    let kernel = KernelBuilder::new(krel).export("_printk", 1);
    let workshop = Workshop::new(form);
    let module = kernel.driver("hello").need("_printk", 1).build();
    workshop.kernel_tree(directory, krel, "hello", &module);
    let place = workshop.path("SOURCES");
    let output = kmp_new(&place, words).expect_success();
    let spec = output.stdout.lines().find(|line| line.ends_with(".spec")).unwrap().to_string();
    assert!(
        output.stdout.contains(&format!("rpmbuild -ba --define \"_sourcedir $PWD\" {spec}\n")),
        "{output}"
    );
    let built = workshop.build(&place.join(spec));
    (workshop, built)
}

#[test]
fn a_sample_builds_at_once() {
    for (form, directory, krel, name) in FORMS {
        let (_workshop, built) = build(form, directory, krel, &[&format!("--{form}"), "hello"]);
        let [file] = &built[..] else { panic!("{built:?}") };
        assert!(file.ends_with(name), "{file:?}");
        assert!(query(file, "--list").iter().any(|path| path.ends_with("/hello.ko")), "{file:?}");
    }
}

#[test]
fn what_a_dkms_conf_says_is_built() {
    // Quotes, a number in brackets, patterns of kernels, another name and place, a patch.
    let conf = "PACKAGE_NAME=\"hello\"\nPACKAGE_VERSION='1.0'\n\
        MAKE[0]=\"'make' -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME}/${PACKAGE_VERSION}/build\"\n\
        MAKE[1]=\"false\"\nMAKE_MATCH[1]=\"^2\\.\"\n\
        BUILT_MODULE_NAME[0]=\"hello\"\nDEST_MODULE_NAME[0]=\"renamed\"\nDEST_MODULE_LOCATION[0]=/extra\n\
        PATCH[0]=add.patch\nPATCH[1]=not-there.patch\nPATCH_MATCH[1]='^2\\.'\nREMAKE_INITRD=yes\n";
    let patch = "--- a/Kbuild\n+++ b/Kbuild\n@@ -0,0 +1 @@\n+obj-m := hello.o\n";
    for (form, directory, krel, name) in FORMS {
        let sources = tempfile::tempdir().unwrap();
        std::fs::write(sources.path().join("dkms.conf"), conf).unwrap();
        std::fs::create_dir(sources.path().join("patches")).unwrap();
        std::fs::write(sources.path().join("patches/add.patch"), patch).unwrap();
        let from = sources.path().display().to_string();
        let (_workshop, built) = build(form, directory, krel, &[&format!("--{form}"), "--from-dkms", &from]);
        let [file] = &built[..] else { panic!("{built:?}") };
        assert!(file.ends_with(name), "{file:?}");
        assert!(query(file, "--list").iter().any(|path| path.ends_with("/hello/renamed.ko")), "{file:?}");
        let mut scripts = Command::new("rpm");
        let scripts = run_rpm(scripts.args(["-qp", "--nosignature", "--scripts"]).arg(file)).expect_success();
        assert_eq!(scripts.stdout.contains("KMP_NEEDS_MKINITRD=1"), form == "suse", "{scripts}");
    }
}

#[test]
fn nothing_is_overwritten_and_faults_are_named() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("hello.c"), "mine").unwrap();
    let fails = |words: &[&str], why: &str| {
        let output = kmp_new(place.path(), words);
        assert_eq!(output.status, Some(2), "{output}");
        assert!(output.stderr.contains(why), "{output}");
        assert_eq!(files(place.path()), ["hello.c"]);
    };
    fails(&["--suse", "hello"], "hello.c is there already; nothing was written");
    fails(&["--suse", "../up"], "is no name for a package");
    fails(&["--suse", "a b"], "is no name for a package");
    fails(&["--suse", "--from-dkms", "."], "dkms.conf: No such file");
    fails(&["--suse", "--redhat", "x"], "cannot be used with");
    fails(&["--suse"], "NAME");
}

/// The kernel's sign-file comes last, after what would take a signature away.
#[test]
fn modules_are_signed_last() {
    let (form, directory, krel, _) = FORMS[0];
    let kernel = KernelBuilder::new(krel).export("_printk", 1);
    let workshop = Workshop::new(form);
    workshop.kernel_tree(directory, krel, "hello", &kernel.driver("hello").need("_printk", 1).build());
    let place = workshop.path("SOURCES");
    kmp_new(&place, &["--suse", "hello"]).expect_success();
    let macros = "%kmp_sign_file sh -c 'echo signed-by $2 >> $4' sh\n%kmp_signing_key key\n";
    workshop.further_macros(macros);
    let none = workshop.expanded(&std::fs::read_to_string(place.join("hello.spec")).unwrap());
    assert!(!none.success() && none.stderr.contains("kmp_signing_certificate is not"), "{none}");
    workshop.further_macros(&format!("{macros}%kmp_signing_certificate cert\n"));
    let built = workshop.build(&place.join("hello.spec"));
    let unpack = "rpm2cpio \"$1\" | cpio -i --quiet --to-stdout '*/hello.ko' | tail -n 1";
    let output = run(Command::new("sh").args(["-c", unpack, "sh"]).arg(&built[0])).expect_success();
    assert!(output.stdout.ends_with("signed-by key\n"), "{output}");
}
