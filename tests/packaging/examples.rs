// SPDX-License-Identifier: LGPL-2.1-or-later
//! The sample packages: built by rpmbuild, their dependencies read by rpm, installed and removed in a root
//! in which their scriptlets run.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{KernelBuilder, PackageBuilder, TestRoot};

use crate::build::{Workshop, packaging, query, scriptlets};

const CRC: u32 = 0x0bad_cafe;

fn module(kernel: &KernelBuilder) -> Vec<u8> {
    kernel
        .driver("kmp_hello")
        .need("_printk", 0x9271_4bbb)
        .export_gpl("kmp_hello_greet", CRC)
        .info("version", "1.0")
        .alias("pci:v00001B36d00000005sv*sd*bc*sc*i*")
        .alias("pci:v00001B36d00000006sv*sd*bc*sc*i*")
        .build()
}

fn example(workshop: &Workshop, spec: &str) -> PathBuf {
    let examples = packaging().join("examples");
    for source in ["kmp_hello.c", "Kbuild"] {
        workshop.source(source, std::fs::read(examples.join(source)).unwrap());
    }
    examples.join(spec)
}

/// A root with a shell and programs, in which rpm runs scriptlets.
fn live(programs: &[&str]) -> TestRoot {
    let root = TestRoot::new();
    for program in ["/bin/sh"].iter().chain(programs) {
        root.add_program(program, program);
    }
    root.write("dev/null", "");
    root
}

/// A program that takes note of how it was called, and of its input where there is one.
const RECORDER: &str = "#!/bin/sh\n\
    echo \"${0##*/}${KMP_NEEDS_MKINITRD:+ (initrd)}: $*\" >>/log\n\
    case $1 in *-modules) while read -r line; do echo \"  $line\" >>/log; done;; esac\n";

#[track_caller]
fn are_one_line_each(file: &Path, expect: &[&str]) {
    let scriptlets = scriptlets(file);
    let names: Vec<&str> = scriptlets.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, expect);
    for (name, text) in &scriptlets {
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), format!("#!/bin/sh\n{text}\n")).unwrap();
        testkit::run(Command::new("shellcheck").args(["-s", "sh"]).arg(script.path())).expect_success();
    }
}

#[test]
fn suse_form() {
    let kernel = KernelBuilder::new("6.4.0-150600.21-default").export("_printk", 0x9271_4bbb);
    let workshop = Workshop::new("suse");
    workshop.kernel_tree("default", kernel.krel(), "kmp_hello", &module(&kernel));
    let files = workshop.build(&example(&workshop, "kmp-hello.spec"));
    let [file] = &files[..] else { panic!("{files:?}") };
    assert!(file.ends_with("kmp-hello-kmp-default-1.0_k6.4.0_150600.21-1.x86_64.rpm"), "{files:?}");

    assert_eq!(
        query(file, "--list"),
        [
            "/usr/lib/modules/6.4.0-150600.21-default",
            "/usr/lib/modules/6.4.0-150600.21-default/updates",
            "/usr/lib/modules/6.4.0-150600.21-default/updates/kmp_hello.ko",
        ]
    );
    assert_eq!(
        query(file, "--provides"),
        [
            "kmod(kmp_hello.ko)",
            "kmp-hello-kmp = 1.0",
            "kmp-hello-kmp = 1.0_k6.4.0_150600.21",
            "kmp-hello-kmp-default = 1.0_k6.4.0_150600.21-1",
            "kmp-hello-kmp-default(x86-64) = 1.0_k6.4.0_150600.21-1",
            "kmp-hello-kmp-default-k6.4.0_150600.21",
            "ksym(default:kmp_hello_greet) = badcafe",
            "multiversion(kernel)",
        ]
    );
    assert_eq!(
        query(file, "--requires"),
        [
            "/bin/sh",
            "ksym(default:_printk) = 92714bbb",
            "ksym(default:module_layout) = f7940c2b",
            "suse-kernel-rpm-scriptlets",
        ]
    );
    assert_eq!(
        query(file, "--supplements"),
        [
            "(kernel-default and kmp-hello)",
            "modalias(kernel-default:pci:v00001B36d0000000[56]sv*sd*bc*sc*i*)",
        ]
    );
    assert_eq!(query(file, "--enhances"), ["kernel-default"]);
    assert_eq!(query(file, "--conflicts"), ["kmp-hello-kmp-default-k6.4.0_150600.21"]);
    are_one_line_each(file, &["prein", "postin", "preun", "postun", "posttrans"]);

    // No --nodeps: the kernel's Provides are what the package needs.
    let root = live(&[]);
    let helper = "/usr/lib/module-init-tools/kernel-scriptlets/kmp-";
    let mut scripts =
        PackageBuilder::new("helpers", "1", "1").provides("suse-kernel-rpm-scriptlets").provides("/bin/sh");
    for op in ["pre", "post", "preun", "postun", "posttrans"] {
        scripts = scripts.program(format!("{helper}{op}"), RECORDER);
    }
    let of_kernel = PackageBuilder::kernel(&kernel).ksyms("default", &kernel.full_symvers()).build();
    let scripts = scripts.build();
    let paths = [of_kernel.path(), scripts.path(), file];
    root.rpm(["-U"].map(Path::new).iter().chain(&paths)).expect_success();
    let named =
        |format: &str| root.rpm(["-q", "--qf", format, "kmp-hello-kmp-default"]).expect_success().stdout;
    assert_eq!(named("[%{SUPPLEMENTS}\n]").lines().count(), 2);
    let installed = root.rpm(["-q", "--provides", "kmp-hello-kmp-default"]).expect_success();
    assert!(installed.lines().contains(&"ksym(default:kmp_hello_greet) = badcafe"), "{installed}");
    let needed = root.rpm(["-q", "--whatprovides", "ksym(default:_printk)"]).expect_success();
    assert!(needed.stdout.starts_with("kernel-default-6.4.0"), "{needed}");
    root.rpm(["-V", "kmp-hello-kmp-default"]).expect_success();
    root.rpm(["-e", "kmp-hello-kmp-default"]).expect_success();
    let call = |op: &str, count: u32| {
        format!(
            "kmp-{op}: --name kmp-hello-kmp-default --version 1.0_k6.4.0_150600.21 --release 1 \
             --kernelrelease 6.4.0-150600.21 --flavor default {count}\n"
        )
    };
    let calls = [("pre", 1), ("post", 1), ("posttrans", 1), ("preun", 0), ("postun", 0)];
    let log = root.read("log");
    // What %posttrans is told differs with rpm's version.
    let trans = |line: &str| line.trim_end().rsplit_once(' ').map(|(line, _)| line.to_owned()).unwrap();
    let expect: Vec<String> = calls.iter().map(|(op, count)| trans(&call(op, *count))).collect();
    assert_eq!(log.lines().map(trans).collect::<Vec<_>>(), expect, "{log}");
}

#[test]
fn red_hat_form() {
    let kernel = KernelBuilder::new("6.12.0-10.el10.x86_64").export("_printk", 0x9271_4bbb);
    let workshop = Workshop::new("redhat");
    let module = module(&kernel);
    for older in ["6.12.0-9.el10.x86_64", "6.12.0-10.el10.x86_64+debug"] {
        workshop.kernel_tree(older, older, "kmp_hello", b"not this one");
    }
    workshop.kernel_tree(kernel.krel(), kernel.krel(), "kmp_hello", &module);
    workshop.symvers(kernel.krel(), &kernel);
    let files = workshop.build(&example(&workshop, "kmod-kmp-hello.spec"));
    let [file] = &files[..] else { panic!("{files:?}") };
    assert!(file.ends_with("kmod-kmp-hello-1.0-1.x86_64.rpm"), "{files:?}");

    assert_eq!(
        query(file, "--provides"),
        [
            "kernel-modules >= 6.12.0-10.el10.x86_64",
            "kmod(kmp_hello.ko)",
            "kmod-kmp-hello = 1.0-1",
            "kmod-kmp-hello(x86-64) = 1.0-1",
            "kmp-hello-kmod = 1.0-1",
            "ksym(kmp_hello_greet) = 0x0badcafe",
            "modalias(pci:v00001B36d0000000[56]sv*sd*bc*sc*i*) = 1.0",
        ]
    );
    assert_eq!(
        query(file, "--requires"),
        ["/bin/sh", "/usr/sbin/depmod", "kernel(_printk) = 0x92714bbb", "kernel(module_layout) = 0xf7940c2b",]
    );
    are_one_line_each(file, &["postin", "preun", "postun"]);

    let root = live(&["/usr/bin/rpm", "/bin/grep", "/bin/rm"]);
    for file in ["rpmrc", "macros"] {
        root.write(format!("usr/lib/rpm/{file}"), std::fs::read(format!("/usr/lib/rpm/{file}")).unwrap());
    }
    root.write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n");
    root.symlink("var/run", "../run");
    let mut system = PackageBuilder::new("system", "1", "1").provides("/bin/sh");
    for program in ["/usr/sbin/depmod", "/usr/sbin/weak-modules"] {
        system = system.program(program, RECORDER);
    }
    let mut of_kernel =
        PackageBuilder::kernel(&kernel).file("/lib/modules/6.12.0-10.el10.x86_64/modules.order", "");
    for entry in &kernel.full_symvers().entries {
        of_kernel = of_kernel.provides(&format!("kernel({}) = 0x{:08x}", entry.name, entry.crc));
    }
    let (of_kernel, system) = (of_kernel.build(), system.build());
    let paths = [of_kernel.path(), system.path(), file];
    root.rpm(["-U"].map(Path::new).iter().chain(&paths)).expect_success();
    root.rpm(["-V", "kmod-kmp-hello"]).expect_success();
    root.rpm(["-e", "kmod-kmp-hello"]).expect_success();
    let path = "/lib/modules/6.12.0-10.el10.x86_64/extra/kmp-hello/kmp_hello.ko";
    let depmod = "depmod: -a 6.12.0-10.el10.x86_64";
    let expect = [
        depmod,
        "weak-modules: --add-modules",
        &format!("  {path}"),
        depmod,
        "weak-modules: --remove-modules",
        &format!("  {path}"),
    ];
    assert_eq!(root.read("log").lines().collect::<Vec<_>>(), expect);
    assert!(!root.exists("run/rpm-kmod-kmp-hello-modules"));
}

#[test]
fn samples_are_clean_for_rpmlint() {
    for spec in ["kmp-hello.spec", "kmod-kmp-hello.spec"] {
        let workshop = Workshop::new(if spec.starts_with("kmod") { "redhat" } else { "suse" });
        workshop.kernel_tree("default", "6.4.0-1-default", "kmp_hello", b"");
        let output = testkit::run(workshop.command("rpmlint").arg(packaging().join("examples").join(spec)));
        let errors: Vec<&str> = output.stdout.lines().filter(|l| l.contains(": E: ")).collect();
        assert!(errors.is_empty() && output.stdout.contains("0 errors"), "{output}");
    }
}

/// The module itself is built, too, not taken from a tree that is made up.
#[test]
#[ignore = "needs a real kernel's headers, prepared for building, in KMP_KERNEL_TREE; cargo xtask judge has them"]
fn built_by_a_real_kernels_build_system() {
    let tree = PathBuf::from(std::env::var_os("KMP_KERNEL_TREE").expect("KMP_KERNEL_TREE"));
    let workshop = Workshop::new("suse");
    let release = std::fs::read_to_string(tree.join("include/generated/utsrelease.h")).unwrap();
    let (kver, flavor) = release.split('"').nth(1).unwrap().rsplit_once('-').unwrap();
    std::os::unix::fs::symlink(&tree, workshop.path("kernels").join(flavor)).unwrap();
    let files = workshop.build(&example(&workshop, "kmp-hello.spec"));
    let [file] = &files[..] else { panic!("{files:?}") };
    let provides = query(file, "--provides");
    let symbol = format!("ksym({flavor}:kmp_hello_greet) = ");
    assert!(provides.iter().any(|p| p.starts_with(&symbol)), "{provides:?}");
    assert!(
        provides.contains(&format!("kmp-hello-kmp-{flavor}-k{}", kver.replace('-', "_"))),
        "{provides:?}"
    );
    // Each need is what the tree's own symvers offers.
    let symvers = std::fs::read_to_string(tree.join("Module.symvers")).unwrap();
    let needs: Vec<String> =
        query(file, "--requires").into_iter().filter(|r| r.starts_with("ksym(")).collect();
    assert!(needs.len() > 1, "{needs:?}");
    for need in needs {
        let (symbol, crc) = need.trim_start_matches(&format!("ksym({flavor}:")).split_once(") = ").unwrap();
        let line = format!("0x{:08x}\t{symbol}\t", u32::from_str_radix(crc, 16).unwrap());
        assert!(symvers.contains(&line), "{need}");
    }
    let supplements = query(file, "--supplements");
    let device = format!("modalias(kernel-{flavor}:pci:v00001B36d0000000[56]sv*sd*bc*sc*i*)");
    assert!(supplements.contains(&device), "{supplements:?}");
}
