// SPDX-License-Identifier: LGPL-2.1-or-later
//! The same cases through Rust (kmp-core) and through C (the program `cases` on libkmp.so.1).

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kmp_core::abi::Reason;
use kmp_core::check::{Request, check};
use kmp_core::config::{Config, Policy};
use kmp_core::guard::{self, Action, Elements, Orders, Removal, Running, Tools, Use, Weight};
use kmp_core::inventory::{Loader, ModulesDirs};
use kmp_core::root::Root;
use kmp_core::survey::{Selection, Survey};
use kmp_core::workers::Serial;
use librpm_rt::Librpm;
use rpm_meta::Dependency;
use testkit::{KernelBuilder, Package, PackageBuilder, TestRoot, run};

use crate::library::c_program;

pub fn kernel(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 0x1000_0001).export("changing", crc)
}

pub fn kmp(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> Package {
    let module = kernel.driver(base).need("printk", 0x1000_0001).need("changing", crc).build();
    PackageBuilder::kmp(base, "default", version, kernel.krel(), [(format!("{base}.ko"), module)]).build()
}

/// Two kernels, of which the KMP `foo` fits the first; a package of a third, which it does not fit; and a KMP
/// for the third.
pub fn root_with_two_kernels() -> (TestRoot, Package, Package) {
    root_with(&[kernel("6.4.0-1-default", 7), kernel("6.4.0-2-default", 8)])
}

fn root_with(kernels: &[KernelBuilder]) -> (TestRoot, Package, Package) {
    let root = TestRoot::new();
    for kernel in kernels {
        kernel.write(&root.path());
    }
    let third = kernel("6.4.0-3-default", 9);
    root.install(&[&kmp("foo", "1.0", &kernels[0], 7)]);
    (root, PackageBuilder::kernel(&third).build(), kmp("foo", "2.0", &third, 9))
}

/// What a run gives: lines in the form of the C program, without the findings' text.
type Lines = Vec<String>;

fn via_c(root: &TestRoot, args: &[&str]) -> Lines {
    let said = run(&mut c_program(root, args));
    if said.status == Some(100) {
        return vec![said.stderr.trim().rsplit_once("): ").unwrap().1.to_string()];
    }
    said.stdout
        .lines()
        .map(|l| if l.starts_with("  ") { l } else { l.split(": ").next().unwrap() }.into())
        .collect()
}

fn reasons(lines: &mut Lines, reasons: &[Reason]) {
    for r in reasons {
        let mut line = format!("  {} {} ", r.rule.as_str(), r.symbol.as_deref().unwrap_or("-"));
        let _ = write!(line, "{:08x} {:08x} ", r.wanted.unwrap_or(0), r.offered.unwrap_or(0));
        let _ = write!(line, "{}: {}", r.exporter.as_deref().unwrap_or("-"), r.detail);
        lines.push(line);
    }
}

fn librpm(root: &TestRoot) -> Librpm {
    // Where librpm looks for its settings is read once; every root has the same.
    let _ = root;
    Librpm::load().unwrap()
}

fn check_via_rust(root: &TestRoot, names: &[&str], kernels: &[&str]) -> Lines {
    let opened = Root::open(&root.path()).unwrap();
    let rpm = librpm(root);
    let names: Vec<OsString> = names.iter().map(OsString::from).collect();
    let kernels: Vec<String> = kernels.iter().map(|k| (*k).into()).collect();
    let request = Request { kernels: &kernels, names: &names, symbols: None };
    let checked = match check(&opened, Ok(&rpm), &mut Loader::new(&opened, &Serial, None), &request) {
        Ok(checked) => checked,
        Err(e) => return vec![e.to_string()],
    };
    let good = checked.lines.iter().all(|l| l.verdict.fits());
    let mut lines = vec![format!("verdict {}", u8::from(!good))];
    for line in &checked.lines {
        let state = if line.verdict.fits() { 1 } else { 2 };
        let (release, package) = (&checked.releases[line.kernel], line.package.as_deref().unwrap_or("-"));
        lines.push(format!("1 {state} {release} {package} {} policy 0 loaded 0", line.name));
        reasons(&mut lines, &line.verdict.reasons);
    }
    lines
}

fn judge_via_rust(root: &TestRoot, policy: Option<Policy>, items: &[String]) -> Lines {
    let opened = Root::open(&root.path()).unwrap();
    let rpm = librpm(root);
    let mut elements = Elements::new(ModulesDirs::find(&opened).unwrap());
    let database = rpm.open(&root.path()).unwrap();
    for item in items {
        let (kind, rest) = item.split_at(1);
        match kind {
            "+" | "=" => elements.add_file(&rpm, Path::new(rest)).unwrap(),
            "^" => elements.update_file(&rpm, Path::new(rest)).unwrap(),
            ":" => {
                let (package, requires) = described(&fs::read_to_string(rest).unwrap());
                elements.add_package(package, &requires, None).unwrap();
            }
            _ => {
                let package = database.package(rest.parse().unwrap(), &|_| true).unwrap();
                elements.remove(&package, if kind == "~" { Removal::Replaced } else { Removal::Erased });
            }
        }
    }
    elements.take_updated(&database).unwrap();
    let survey =
        Survey::take(&opened, Ok(&rpm), &mut Loader::new(&opened, &Serial, None), &Selection::default())
            .unwrap();
    let config = Config::load(&opened, &mut Vec::new());
    let orders = Orders { config: &config, policy, nothing_boots: false, last: None };
    let running = Running { release: None, use_of: &|_| Use::default() };
    let judged = guard::judge(&opened, &rpm, &survey, elements, &running, &orders);
    let findings = &judged.findings;
    let number = |action| match action {
        Action::Stop => (1, 2),
        Action::Warn => (2, 1),
        Action::Say => (0, 0),
    };
    let worst = findings.iter().map(|f| number(f.action).1).max().unwrap_or(0);
    let mut lines = vec![format!("verdict {worst}")];
    for finding in findings {
        let lost = &finding.lost;
        let state = match lost.weight {
            Weight::None => 32,
            _ if lost.role.runs_next() => 30,
            _ => 31,
        };
        let modules = lost.modules.join(" ");
        let policy = number(finding.action).0;
        lines.push(format!("5 {state} {} {} {modules} policy {policy} loaded 0", lost.kernel, lost.nvr));
        reasons(&mut lines, &lost.reasons);
    }
    for line in guard::block(&judged, &Tools::of(survey.inventory.conventions.dialect, None), true) {
        lines.push(format!("8 0 - - - policy {} loaded 0", number(line.action).0));
    }
    lines
}

fn described(text: &str) -> (rpm_meta::Package, Vec<Dependency>) {
    let mut package = rpm_meta::Package::default();
    let mut requires = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (word, first) = (words.next().unwrap(), words.next().unwrap().to_string());
        let dependency = |evr: Option<&str>| Dependency {
            name: first.clone(),
            flags: Dependency::EQUAL,
            evr: evr.unwrap_or_default().into(),
        };
        match word {
            "name" => package.name = first,
            "version" => package.evr.version = first,
            "release" => package.evr.release = first,
            "provides" => package.provides.push(dependency(words.next())),
            "requires" => requires.push(dependency(words.next())),
            _ => package.files.push(first.into()),
        }
    }
    (package, requires)
}

fn instance(root: &TestRoot, name: &str) -> u32 {
    let rpm = librpm(root);
    rpm.open(&root.path()).unwrap().by_name(name).unwrap()[0]
}

#[test]
fn checking_gives_the_same_through_rust_and_through_c() {
    let (root, new_kernel, new_kmp) = root_with_two_kernels();
    let (kernel_file, kmp_file) = (new_kernel.path().to_str().unwrap(), new_kmp.path().to_str().unwrap());
    let module = root.join("usr/lib/modules/6.4.0-1-default/updates/foo.ko");
    let module = module.to_str().unwrap();
    for (names, kernel, findings) in [
        (&[][..], None, 2),
        (&["foo-kmp-default"], None, 2),
        (&["foo-kmp-default"], Some("6.4.0-2-default"), 1),
        (&[module], None, 2),
        (&[kernel_file], None, 1),
        (&[kmp_file], None, 2),
        (&[kernel_file, kmp_file], None, 4),
        (&["nobody"], None, 0),
        (&["/no/such/file.ko"], None, 0),
        (&[], Some("1.2.3"), 0),
    ] {
        let mut args = vec!["check"];
        args.extend(kernel.iter().flat_map(|k| ["-k", k]));
        args.extend(names);
        let c = via_c(&root, &args);
        assert_eq!(c, check_via_rust(&root, names, kernel.as_slice()), "{args:?}");
        assert_eq!(c.iter().filter(|l| l.starts_with("1 ")).count(), findings, "{args:?}: {c:#?}");
    }
}

#[test]
fn judging_gives_the_same_through_rust_and_through_c() {
    let (root, new_kernel, new_kmp) = root_with(&[kernel("6.4.0-1-default", 7)]);
    let foo = instance(&root, "foo-kmp-default");
    let describe = |name: &str, text: &str| {
        root.write(name, text);
        format!(":{}", root.join(name).display())
    };
    let (kernel, kmp) =
        (format!("+{}", new_kernel.path().display()), format!("+{}", new_kmp.path().display()));
    let open = format!("={}", new_kernel.path().display());
    let told = describe(
        "kernel.txt",
        "name kernel-default\nversion 6.4.0\nrelease 3\nfile /usr/lib/modules/6.4.0-3-default/modules.order\n\
         provides ksym(default:module_layout) f7940c2b\nprovides ksym(default:printk) 10000001\n\
         provides ksym(default:changing) 9\n",
    );
    let told_kmp = |crc| {
        describe(
            &format!("kmp{crc}.txt"),
            &format!(
                "name foo-kmp-default\nversion 2\nrelease 1\nfile /usr/lib/modules/6.4.0-3-default/updates/foo.ko\n\
                 requires ksym(default:printk) 10000001\nrequires ksym(default:changing) {crc}\n"
            ),
        )
    };
    let (fitting, other) = (told_kmp(9), told_kmp(5));
    let update = kmp.replacen('+', "^", 1);
    let obsoletes = |what| PackageBuilder::new("other", "1", "1").tag("Obsoletes", what).build();
    let newer = obsoletes("foo-kmp-default < 2");
    let beside = format!("+{}", newer.path().display());
    let obsoleting = format!("^{}", newer.path().display());
    let older = obsoletes("foo-kmp-default < 1");
    let not_this = format!("^{}", older.path().display());
    let (gone, replaced) = (format!("-{foo}"), format!("~{foo}"));
    for (policy, items, lost) in [
        // A kernel alone loses the driver; with its KMP, none is lost.
        ("-", vec![&kernel], 1),
        ("warn", vec![&kernel], 1),
        ("off", vec![&kernel], 0),
        ("-", vec![&kernel, &kmp], 0),
        // The same, open already.
        ("-", vec![&open], 1),
        ("-", vec![&open, &kmp], 0),
        // The same, told by dependencies.
        ("-", vec![&told], 1),
        ("-", vec![&told, &fitting], 0),
        ("abort", vec![&told, &other], 1),
        // The only version for a kernel that stays.
        ("-", vec![&kmp, &replaced], 1),
        ("-", vec![&gone], 0),
        ("-", vec![], 0),
        // As with rpm -U: by its name; obsoleted, or too new for that.
        ("-", vec![&update], 1),
        ("-", vec![&obsoleting], 1),
        ("-", vec![&not_this], 0),
        // Erased because of what comes.
        ("-", vec![&beside, &gone], 1),
    ] {
        let items: Vec<String> = items.into_iter().cloned().collect();
        let mut args = vec!["judge", policy];
        args.extend(items.iter().map(String::as_str));
        let c = via_c(&root, &args);
        let rust = match Policy::parse(policy) {
            Some(Policy::Off) => vec!["verdict 0".to_string()],
            policy => judge_via_rust(&root, policy, &items),
        };
        assert_eq!(c, rust, "{args:?}");
        assert_eq!(c.iter().filter(|l| l.starts_with("5 ")).count(), lost, "{args:?}: {c:#?}");
    }
}

#[test]
fn syncing_makes_the_links_and_tells() {
    let (root, ..) = root_with_two_kernels();
    kernel("6.4.0-4-default", 7).write(&root.path());
    let dry = run(&mut c_program(&root, &["sync", "dry"]));
    assert_eq!(dry.status, Some(1), "{dry}");
    assert!(root.weak_updates("6.4.0-4-default").is_empty());
    let done = run(&mut c_program(&root, &["sync", "no-depmod"]));
    assert_eq!(done.status, Some(1), "{done}");
    assert!(done.stdout.contains("2 10 6.4.0-4-default foo-kmp-default-1.0"), "{done}");
    assert!(done.stdout.contains("4 2 6.4.0-2-default foo-kmp-default-1.0"), "{done}");
    assert_eq!(root.weak_updates("6.4.0-4-default").len(), 1);
    // depmod is still due; after it there is nothing left.
    assert_eq!(run(&mut c_program(&root, &["sync"])).status, Some(1));
    let again = run(&mut c_program(&root, &["sync"]));
    assert_eq!(again.status, Some(0), "{again}");
}
