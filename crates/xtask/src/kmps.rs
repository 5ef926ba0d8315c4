// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask kmps`: takes kmp-packaging(7) at its word. Sources of Debian's dkms packages become signed packages of kernel
//! modules, in SUSE's form and in Red Hat's, for a kernel of Debian's archive, by the commands that the page names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::packages::Use;

use crate::judge::fetch::{self, Fetched, Places};
use crate::judge::run::{self, Result};
use crate::{install, run as chores};

/// Drivers of five kinds: video, firmware, switches of graphics cards, monitors, laptops.
const DRIVERS: [&str; 5] =
    ["v4l2loopback-dkms", "acpi-call-dkms", "bbswitch-dkms", "ddcci-dkms", "tp-smapi-dkms"];

/// The forms, each with the option of `kmp new`, and the kernel's directory: a flavour's, or a release's.
const FORMS: [&str; 2] = ["suse", "redhat"];

/// Package drivers of Debian's archive by kmp-packaging(7) alone, in both forms.
#[derive(clap::Args)]
pub struct Arguments {
    /// These packages instead.
    packages: Vec<String>,
}

pub fn run(arguments: &Arguments) -> std::result::Result<(), String> {
    install::ensure(&[Use::Demo, Use::Judge])?;
    chores::cargo(&[], &["build", "--quiet", "--locked", "-p", "kmp-cli"], &[])?;
    let mut packages = arguments.packages.clone();
    if packages.is_empty() {
        packages.extend(DRIVERS.map(String::from));
    }
    all(&packages).map_err(|e| e.to_string())
}

fn all(packages: &[String]) -> Result<()> {
    let places = Places::find()?;
    let release = fetch::choose()?.swap_remove(0);
    fetch::tools(&fetch::compilers(std::slice::from_ref(&release))?)?;
    println!("The kernel: {release}");
    let kernel = fetch::kernel(&places, &release)?;
    let workshop = Workshop::new(&places, &kernel)?;
    let mut failed = Vec::new();
    for form in FORMS {
        for name in packages {
            match workshop.driver(form, name) {
                Ok(built) => println!("{form:8} {name:20} {built}"),
                Err(e) => {
                    println!("{form:8} {name:20} FAILED");
                    failed.push(format!("{form}, {name}: {e}"));
                }
            }
        }
        let hello = workshop.place(form, "hello")?;
        workshop.kmp(&hello, &["new", &format!("--{form}"), "hello"])?;
        println!("{form:8} {:20} {}", "(hello)", workshop.build(form, &hello)?);
    }
    println!(
        "{} of {} were built, signed, and load in {release} by kmp check.",
        FORMS.len() * packages.len() - failed.len(),
        FORMS.len() * packages.len()
    );
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// Where packages are built.
struct Workshop<'a> {
    places: &'a Places,
    kernel: &'a Fetched,
    top: PathBuf,
}

impl<'a> Workshop<'a> {
    fn new(places: &'a Places, kernel: &'a Fetched) -> Result<Self> {
        let top = places.top.with_file_name("kmps");
        let this = Self { places, kernel, top };
        for form in FORMS {
            let home = this.top.join(form);
            run::fresh(&home)?;
            for dir in ["kernels", "home"] {
                fs::create_dir_all(home.join(dir))?;
            }
            // The flavour is what the kernel's release ends with; Red Hat's directories have the release.
            let flavor = kernel.release.rsplit('-').next().unwrap_or("default");
            let name = if form == "suse" { flavor } else { &kernel.release };
            symlink(&kernel.headers, home.join("kernels").join(name))?;
            fs::write(home.join("home/.rpmmacros"), this.macros(form)?)?;
        }
        let words =
            ["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=modules"];
        let (key, certificate) = (this.top.join("signing.key"), this.top.join("signing.crt"));
        run::output(
            Command::new("openssl").args(words).arg("-keyout").arg(&key).arg("-out").arg(&certificate),
        )?;
        Ok(this)
    }

    /// What rpm reads, as if kmp-rpm-macros were installed.
    fn macros(&self, form: &str) -> Result<String> {
        let packaging = install::project().join("packaging");
        let mut macros = fs::read_to_string(packaging.join("macros.kmp"))?;
        if form == "suse" {
            macros.push_str(&fs::read_to_string(packaging.join("macros.kmp-suse"))?);
        }
        for attr in fs::read_dir(packaging.join("fileattrs"))? {
            macros.push_str(&fs::read_to_string(attr?.path())?);
        }
        let home = self.top.join(form);
        for (name, value) in [
            ("_topdir", home.join("rpmbuild").display().to_string()),
            ("_dbpath", home.join("db").display().to_string()),
            ("_fileattrsdir", packaging.join("fileattrs").display().to_string()),
            ("_kmp_dialect", form.into()),
            ("_kmp_command", command().display().to_string()),
            ("_kmp_kernels_suse", home.join("kernels").display().to_string()),
            ("_kmp_kernels_redhat", home.join("kernels").display().to_string()),
            ("_kmp_template", "/nonexistent".into()),
            ("debug_package", "%{nil}".into()),
        ] {
            macros.push_str(&format!("%{name} {value}\n"));
        }
        if form == "redhat" {
            // Debian's release does not look like one of Red Hat's, by which the newest is found.
            macros.push_str(&format!("%kernel_version {}\n", self.kernel.release));
        }
        Ok(macros)
    }

    /// A new directory to work in.
    fn place(&self, form: &str, name: &str) -> Result<PathBuf> {
        let place = self.top.join(form).join(name);
        run::fresh(&place)?;
        fs::create_dir_all(&place)?;
        Ok(place)
    }

    fn kmp(&self, place: &Path, words: &[&str]) -> Result<String> {
        run::output(Command::new(command()).args(words).current_dir(place))
    }

    /// From the archive's package to one of rpm's.
    fn driver(&self, form: &str, name: &str) -> Result<String> {
        let files = fetch::download(&self.places.top.join("debs"), &[name.to_string()])?;
        let sources = self.place(form, &format!("{name}.sources"))?;
        for file in &files {
            run::output(Command::new("dpkg-deb").arg("-x").arg(file).arg(&sources))?;
        }
        let found = run::output(Command::new("find").arg(&sources).args(["-name", "dkms.conf"]))?;
        let conf = found.lines().next().map(PathBuf::from).ok_or("there is no dkms.conf in it")?;
        let source = conf.parent().ok_or("it has no directory")?.display().to_string();
        let place = self.place(form, name)?;
        self.kmp(&place, &["new", &format!("--{form}"), "--from-dkms", &source])?;
        self.build(form, &place)
    }

    /// Builds the spec file in a directory, as the page says, and looks at the package.
    fn build(&self, form: &str, place: &Path) -> Result<String> {
        let found = run::output(Command::new("find").arg(place).args(["-name", "*.spec"]))?;
        let spec = found.trim();
        // Some sources look for /lib/modules/KREL/build whatever they are given: in a mount namespace of its own they find it, as
        // where the kernel's development package is installed. Where that is not allowed, they do without.
        let mounts = "mount -t overlay overlay -o \"lowerdir=$1/usr/lib:/usr/lib\" /usr/lib && \
                      mount --bind \"$1/usr/src\" /usr/src; shift; exec \"$@\"";
        let may = run::output(Command::new("unshare").args(["-m", "true"])).is_ok();
        let mut build = Command::new(if may { "unshare" } else { "rpmbuild" });
        if may {
            build.args(["-m", "sh", "-c", mounts, "sh"]).arg(&self.places.root).arg("rpmbuild");
        }
        let define = |name: &str, value: &Path| format!("{name} {}", value.display());
        let rpms = place.join("rpms");
        build.args(["-bb", "--nodeps", "--target", "x86_64"]);
        for (name, value) in [
            ("_sourcedir", place),
            ("_rpmdir", rpms.as_path()),
            ("kmp_signing_key", &self.top.join("signing.key")),
            ("kmp_signing_certificate", &self.top.join("signing.crt")),
        ] {
            build.args(["--define", &define(name, value)]);
        }
        let home = self.top.join(form).join("home");
        run::output(build.arg(spec).env("HOME", home).env("LC_ALL", "C").env("PATH", fetch::PATH))?;
        let built = run::output(Command::new("find").arg(&rpms).args(["-name", "*.rpm"]))?;
        let mut said = Vec::new();
        for package in built.lines() {
            self.check(package, &place.join("unpacked"))?;
            let name = Path::new(package).file_name().unwrap_or_default();
            said.push(name.to_string_lossy().into_owned());
        }
        if said.is_empty() { Err("rpmbuild made no package".into()) } else { Ok(said.join(" ")) }
    }

    /// Its dependencies are of symbols, its modules are signed, and the kernel loads them.
    fn check(&self, package: &str, unpacked: &Path) -> Result<()> {
        let requires =
            run::output(Command::new("rpm").args(["-qp", "--nosignature", "--requires", package]))?;
        let release = &self.kernel.release;
        if !requires.contains("module_layout) = ") {
            return Err(format!("its requirements name no symbols: {requires}").into());
        }
        run::fresh(unpacked)?;
        fs::create_dir_all(unpacked)?;
        let script = "cd \"$1\" && rpm2cpio \"$2\" | cpio -idm --quiet && find . -name '*.ko'";
        let modules = run::output(Command::new("sh").args(["-c", script, "sh"]).arg(unpacked).arg(package))?;
        for module in modules.lines() {
            let bytes = fs::read(unpacked.join(module))?;
            if !bytes.ends_with(b"~Module signature appended~\n") {
                return Err(format!("{module} is not signed").into());
            }
        }
        let root = self.places.root.display().to_string();
        self.kmp(unpacked, &["--root", &root, "check", "--kernel", release, package]).map(drop)
    }
}

fn command() -> PathBuf {
    install::target().join("debug/kmp")
}
