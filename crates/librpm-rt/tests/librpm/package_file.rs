// SPDX-License-Identifier: LGPL-2.1-or-later
//! Package files, made by the real rpmbuild.

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use librpm_rt::{Error, Librpm, PackageFile};
use nix::time::{ClockId, clock_gettime};
use rpm_meta::{Dependency, Evr};
use tempfile::TempDir;

use crate::root::{UPDATES, run};

/// The payloads that rpmbuild can write, and what the header then says.
const PAYLOADS: [(&str, Option<&str>); 6] = [
    ("w.ufdio", None),
    ("w6.gzdio", Some("gzip")),
    ("w9.bzdio", Some("bzip2")),
    ("w1.xzdio", Some("xz")),
    ("w1.lzdio", Some("lzma")),
    ("w3.zstdio", Some("zstd")),
];

const SPEC: &str = r#"
%global __os_install_post %{nil}
%global debug_package %{nil}
%global _build_id_links none
%global _invalid_encoding_terminates_build 0
Name: drv-kmp-default
Version: 1.0_k6.4.0_1
Release: 3.1
Epoch: 2
Summary: x
License: MIT
BuildArch: noarch
AutoReqProv: no
Requires: ksym(default:printk) = 1a2b
Requires: plain
Obsoletes: old-kmp < 3
%{lua: for i = 1, tonumber(rpm.expand("%{symbols}")) do print(string.format("Provides: ksym(default:some_rather_long_symbol_%d) = %x\n", i, i * 2654435761 % 4294967296)) end}
%description
x
%install
mkdir -p %{buildroot}/usr/lib/modules/6.4.0-1-default/updates/hard %{buildroot}/etc
cd %{buildroot}/usr/lib/modules/6.4.0-1-default/updates
for tens in 0 1 2 3 4; do for ones in 0 1 2 3 4 5 6 7 8 9; do
    { echo module $tens$ones; head -c $tens${ones}000 /dev/zero; } > m$tens$ones.ko
done; done
: > empty.ko
echo odd > "$(printf 'odd\377.ko')"
ln -s m00.ko link.ko
echo hard > hard/a.ko
ln hard/a.ko hard/b.ko
ln hard/a.ko hard/c.ko
touch %{buildroot}/etc/ghost.ko
truncate -s %{zeros} zeros.bin
echo last > zzz.ko
%files
/usr/lib/modules/6.4.0-1-default/updates
%ghost /etc/ghost.ko
"#;

/// Builds the package of [`SPEC`].
fn build(dir: &Path, payload: &str, zeros: &str, symbols: u32, what: &str) -> PathBuf {
    let spec = dir.join("fixture.spec");
    fs::write(&spec, SPEC).unwrap();
    let top = dir.join(payload);
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.args([what, "--quiet"]);
    for (name, value) in [
        ("_topdir", top.to_str().unwrap()),
        ("_binary_payload", payload),
        ("_source_payload", payload),
        ("zeros", zeros),
        ("symbols", &symbols.to_string()),
    ] {
        rpmbuild.args(["--define", &format!("{name} {value}")]);
    }
    run(rpmbuild.arg(&spec));
    let name = "drv-kmp-default-1.0_k6.4.0_1-3.1";
    match what {
        "-bs" => top.join(format!("SRPMS/{name}.src.rpm")),
        _ => top.join(format!("RPMS/noarch/{name}.noarch.rpm")),
    }
}

/// The package with this payload; built once.
pub fn package(payload: &str) -> PathBuf {
    static BUILT: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let (_, built) = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let built = PAYLOADS.map(|(payload, _)| build(dir.path(), payload, "0", 2000, "-bb"));
        (dir, built.to_vec())
    });
    built[PAYLOADS.iter().position(|(name, _)| *name == payload).unwrap()].clone()
}

fn open(path: &Path) -> Result<PackageFile, Error> {
    Librpm::load().unwrap().open_package(path)
}

type Contents = Vec<(PathBuf, Vec<u8>)>;

/// Every file that is wanted.
fn read(package: &mut PackageFile, wanted: impl Fn(&Path) -> bool) -> Result<Contents, Error> {
    let mut files = Vec::new();
    package.read_files(&wanted, 1 << 20, &mut |paths, contents| {
        files.extend(paths.iter().map(|path| (path.clone(), contents.clone())));
        ControlFlow::Continue(())
    })?;
    Ok(files)
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ko")
}

fn updates(name: impl AsRef<OsStr>) -> PathBuf {
    Path::new(OsStr::from_bytes(UPDATES)).join(name.as_ref())
}

/// What [`is_module`] should give, sorted.
fn modules() -> Contents {
    let mut modules: Contents = (0..50)
        .map(|number| {
            let mut contents = format!("module {number:02}\n").into_bytes();
            contents.resize(contents.len() + number * 1000, 0);
            (updates(format!("m{number:02}.ko")), contents)
        })
        .collect();
    modules.extend(["a", "b", "c"].map(|name| (updates(format!("hard/{name}.ko")), b"hard\n".to_vec())));
    modules.push((updates("empty.ko"), Vec::new()));
    modules.push((updates(OsStr::from_bytes(b"odd\xff.ko")), b"odd\n".to_vec()));
    modules.push((updates("zzz.ko"), b"last\n".to_vec()));
    modules.sort();
    modules
}

/// A copy of a package's bytes, in a file of its own.
fn file_of(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.rpm");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn a_header_is_read() {
    let path = package("w3.zstdio");
    let file = open(&path).unwrap();
    assert!(!file.is_source());
    assert_eq!(file.path(), path);
    let package = file.package(&|dir| dir == UPDATES).unwrap();
    assert_eq!(package.nvra(), "drv-kmp-default-1.0_k6.4.0_1-3.1.noarch");
    assert_eq!((package.instance, package.evr.epoch), (None, Some(2)));
    // 50 modules, four files, a link, and the directory of the hard links.
    assert_eq!(package.files.len(), 50 + 4 + 1 + 1);
    assert!(package.files.contains(&updates(OsStr::from_bytes(b"odd\xff.ko"))));
    let symbols: Vec<_> = package.provides.iter().filter(|p| p.name.starts_with("ksym(default:")).collect();
    assert_eq!(symbols.len(), 2000);
    let last = symbols.iter().find(|p| p.name == "ksym(default:some_rather_long_symbol_2000)").unwrap();
    assert_eq!((last.flags, &*last.evr), (8, &*format!("{:x}", 2000 * 2_654_435_761_u64 % (1 << 32))));
    let own = package.provides.iter().find(|provide| provide.name == package.name).unwrap();
    assert_eq!(Evr::parse(&own.evr), package.evr);

    let requires = file.requires().unwrap();
    let ksym = Dependency { name: "ksym(default:printk)".into(), flags: 8, evr: "1a2b".into() };
    let plain = Dependency { name: "plain".into(), flags: 0, evr: String::new() };
    assert!(requires.contains(&ksym) && requires.contains(&plain), "{requires:?}");
    assert!(requires.iter().any(|r| r.name == "rpmlib(PayloadIsZstd)"), "{requires:?}");
    let old = Dependency { name: "old-kmp".into(), flags: 2, evr: "3".into() };
    assert_eq!(file.obsoletes().unwrap(), std::slice::from_ref(&old));
    let contents = file.contents(&|dir| dir == UPDATES).unwrap();
    assert_eq!((contents.package, contents.requires, contents.obsoletes), (package, requires, vec![old]));
}

#[test]
fn every_payload_is_read() {
    let expected = modules();
    for (payload, compressor) in PAYLOADS {
        let path = package(payload);
        let query = ["-qp", "--qf", "%{PAYLOADCOMPRESSOR}"];
        let output = run(Command::new("rpm").args(query).arg(&path)).stdout;
        assert_eq!(String::from_utf8(output).unwrap(), compressor.unwrap_or("(none)"), "{payload}");
        let mut file = open(&path).unwrap();
        // Twice: each reading starts anew.
        for _ in 0..2 {
            let mut files = read(&mut file, is_module).unwrap();
            files.sort();
            assert!(
                files == expected,
                "{payload}: {:?}",
                files.iter().map(|(path, _)| path).collect::<Vec<_>>()
            );
        }
        let one = read(&mut file, |path| path.ends_with("m49.ko")).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].1.len(), 49_010);
        assert_eq!(read(&mut file, |_| false).unwrap(), []);
        assert_eq!(read(&mut file, |path| path.starts_with("/etc")).unwrap(), [], "a ghost");
    }
}

#[test]
fn hard_links_share_their_contents() {
    let mut file = open(&package("w3.zstdio")).unwrap();
    for name in ["a", "b", "c"] {
        let name = updates(format!("hard/{name}.ko"));
        assert_eq!(read(&mut file, |path| path == name).unwrap(), [(name.clone(), b"hard\n".to_vec())]);
    }
}

#[test]
fn whoever_takes_can_stop() {
    let mut file = open(&package("w6.gzdio")).unwrap();
    let mut taken = Vec::new();
    file.read_files(&is_module, 1 << 20, &mut |paths, _| {
        taken.extend_from_slice(paths);
        if taken.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(taken.len(), 3);
}

#[test]
fn a_file_beyond_the_limit_is_named() {
    let mut file = open(&package("w6.gzdio")).unwrap();
    let mut taken = 0;
    let error = file
        .read_files(&is_module, 20_000, &mut |_, contents| {
            assert!(contents.len() <= 20_000);
            taken += 1;
            ControlFlow::Continue(())
        })
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { size: 20_010, limit: 20_000, .. }), "{error}");
    assert!(error.to_string().contains("updates/m20.ko in the package file /"), "{error}");
    assert!(taken >= 20, "{taken}");
    let exact = read_with_limit(&mut file, "m20.ko", 20_010);
    assert_eq!(exact.unwrap(), 20_010);
}

fn read_with_limit(file: &mut PackageFile, name: &str, limit: u64) -> Result<usize, Error> {
    let mut size = 0;
    file.read_files(&|path| path.ends_with(name), limit, &mut |_, contents| {
        size = contents.len();
        ControlFlow::Continue(())
    })?;
    Ok(size)
}

#[test]
fn the_rest_of_a_large_payload_is_not_inflated() {
    let dir = tempfile::tempdir().unwrap();
    let path = build(dir.path(), "w1.gzdio", "300M", 1, "-bb");
    let mut file = open(&path).unwrap();
    // Of the processor: other tests may keep this one waiting.
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let mut time = |name: &str| {
        let start = now();
        assert_eq!(read(&mut file, |path| path.ends_with(name)).unwrap().len(), 1);
        now() - start
    };
    let (before, after) = (time("m00.ko"), time("zzz.ko"));
    assert!(before * 10 < after, "{before:?} and {after:?}");
    let error = read_with_limit(&mut file, "zeros.bin", 1 << 20).unwrap_err();
    assert!(matches!(error, Error::TooLarge { size: 314_572_800, .. }), "{error}");
}

#[test]
fn a_source_package_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = build(dir.path(), "w6.gzdio", "0", 1, "-bs");
    let mut file = open(&path).unwrap();
    assert!(file.is_source());
    assert_eq!(file.package(&|_| true).unwrap().files, [Path::new("fixture.spec")]);
    let spec = read(&mut file, |_| true).unwrap();
    assert_eq!(spec, [(PathBuf::from("fixture.spec"), SPEC.as_bytes().to_vec())]);
}

#[test]
fn a_cut_package_is_an_error_or_whole() {
    let expected = modules();
    for (payload, _) in PAYLOADS {
        let whole = fs::read(package(payload)).unwrap();
        let mut failed = 0;
        for part in 0..40 {
            let (_dir, path) = file_of(&whole[..whole.len() * part / 40]);
            let error = match open(&path).and_then(|mut file| read(&mut file, is_module)) {
                Ok(mut files) => {
                    files.sort();
                    assert!(files == expected, "{payload}, {part}");
                    continue;
                }
                Err(error) => error,
            };
            failed += 1;
            assert!(matches!(error, Error::Package { .. }), "{error}");
            assert_eq!(error.to_string().matches(path.to_str().unwrap()).count(), 2, "{error}");
        }
        assert!(failed >= 39, "{payload}: {failed}");
    }
}

#[test]
fn a_damaged_package_ends_nothing() {
    for payload in ["w.ufdio", "w3.zstdio"] {
        let whole = fs::read(package(payload)).unwrap();
        let mut opened = 0;
        // Everywhere: lead, signature, the header's index, its data, the payload.
        for round in 0..250 {
            let mut bytes = whole.clone();
            let place = if round < 120 { round * 53 + round % 16 } else { round * 7919 * 31 } % bytes.len();
            bytes[place] = bytes[place].wrapping_add([1, 0x80, 0xff][round % 3]);
            let (_dir, path) = file_of(&bytes);
            if let Ok(mut file) = open(&path) {
                opened += 1;
                let _any = file.contents(&|_| true);
                let _any = read(&mut file, is_module);
            }
        }
        assert!(opened > 125, "{payload}: {opened}");
    }
}

#[test]
fn a_link_of_absurd_size_never_reaches_librpm() {
    // librpm would allocate it, and end the process if it cannot.
    let mut bytes = fs::read(package("w.ufdio")).unwrap();
    // Sizes of hard/c.ko, link.ko, m00.ko and m01.ko, as the header has them: 4 bytes each, in rpm 6's format 8.
    let (at, width) = [4, 8]
        .into_iter()
        .find_map(|width| {
            let sizes = [5_u64, 6, 10, 1010].map(|size| size.to_be_bytes()[8 - width..].to_vec()).concat();
            Some((bytes.windows(sizes.len()).position(|window| window == sizes)?, width))
        })
        .unwrap();
    bytes[at + 2 * width - 4..at + 2 * width].fill(0xff);
    let (_dir, path) = file_of(&bytes);
    let error = read(&mut open(&path).unwrap(), is_module).unwrap_err();
    assert!(error.to_string().contains("a symbolic link in it claims 4294967295 bytes"), "{error}");
}

#[test]
fn what_is_no_package_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("it is a directory"), "{error}");
    let error = open(&dir.path().join("absent.rpm")).unwrap_err();
    assert!(
        matches!(&error, Error::UnreadablePackage { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    assert!(error.to_string().contains("absent.rpm: No such file"), "{error}");
    let fifo = dir.path().join("fifo.rpm");
    run(Command::new("mkfifo").arg(&fifo));
    let start = Instant::now();
    for special in [&fifo, Path::new("/dev/zero")] {
        let error = open(special).unwrap_err().to_string();
        assert!(error.ends_with("it is not a regular file"), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(2));
    let elf = fs::read(std::env::current_exe().unwrap()).unwrap();
    for bytes in [&b""[..], b"x", b"an ordinary text, long enough\n".repeat(100).as_slice(), &elf] {
        let (_dir, path) = file_of(bytes);
        let error = open(&path).unwrap_err();
        assert!(matches!(error, Error::Package { .. }), "{error}");
        assert_eq!(error.to_string().matches("copy.rpm").count(), 2, "{error}");
        assert!(bytes.len() < 96 || error.to_string().contains("not an rpm package"), "{error}");
    }
}

#[test]
fn no_database_is_opened_or_made() {
    let path = package("w3.zstdio");
    let _open = open(&path).unwrap();
    let home = tempfile::tempdir().unwrap();
    let error = crate::guest::child("package", &path, &[("HOME", home.path().to_str().unwrap())]);
    assert_eq!(error, "");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}
