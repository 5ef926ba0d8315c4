// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp facts`: what a machine says of its kernels and drivers, small and without secrets, so that `kmp fleet` can be asked about
//! it elsewhere. Nothing is judged, and no module is read.

use std::path::Path;

use kmp_core::guard::Use;
use kmp_core::in_use::InUse;
use kmp_core::inventory::{Inventory, KernelPackages, Release};
use kmp_core::printable;
use serde::Serialize;

use crate::args::fleet::Facts as Args;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;
use crate::output::json::{self, VERSION};
use crate::output::terminal::Page;

/// What `kmp facts --json` prints, on one line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The version of kmp.
    kmp: &'static str,
    /// What the machine is called.
    machine: String,
    /// Whose conventions it has. Null: neither kmp.conf nor os-release says so.
    #[cfg_attr(test, schemars(extend("enum" = ["suse", "redhat", null])))]
    dialect: Option<&'static str>,
    /// The kernel that runs. Null: another root's, or not known.
    running: Option<String>,
    /// Its kernels, oldest first.
    kernels: Vec<Kernel>,
    /// Its drivers that packages own.
    kmps: Vec<Kmp>,
    /// Names of drivers that no package owns.
    unpackaged: Vec<String>,
}

/// A kernel.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// Its release (`uname -r`).
    release: String,
    /// The packages that it is in: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    packages: Vec<String>,
    /// Is there an image to boot?
    bootable: bool,
}

/// A driver's package.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kmp {
    /// `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// Its modules.
    modules: Vec<Module>,
}

/// A module of a driver.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Module {
    /// Its name, as the kernel has it.
    name: String,
    /// Is it loaded?
    loaded: bool,
    /// Is `/` on a device of it, or a file system of it?
    holds_root: bool,
    /// Is there no other way to the network?
    holds_network: bool,
}

pub fn run(context: &Context, args: &Args, quiet: bool) -> Result<Outcome, String> {
    let document = look(context, args)?;
    if args.json {
        json::print(&document)?;
    } else if !quiet {
        page(&document).print()?;
    }
    Ok(Outcome::Good)
}

fn look(context: &Context, args: &Args) -> Result<Document, String> {
    let root = &context.root;
    let inventory = Inventory::take(root, context.rpm(), &[], context.loader().workers());
    context.done();
    let inventory = inventory.map_err(|problem| problem.to_string())?;
    inventory.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if let Some(unknown) = &inventory.packages_unknown {
        return Err(format!("which drivers are installed is not known: {unknown}"));
    }
    let running = running_kernel(root).ok();
    let in_use = InUse::of_running(root, running.is_some());
    let kernels = kernels(context, &inventory)?;
    let module = |name: &str| {
        let Use { is_loaded: loaded, holds_root, holds_network, .. } = in_use.of(name);
        Module { name: name.to_owned(), loaded, holds_root, holds_network }
    };
    let packaged = inventory.kmps.iter().filter(|kmp| kmp.is_packaged());
    let mut kmps: Vec<Kmp> = packaged
        .map(|kmp| Kmp {
            package: kmp.package.nevra(),
            modules: kmp.modules.iter().map(|found| module(&found.name)).collect(),
        })
        .collect();
    kmps.sort_by(|a, b| a.package.cmp(&b.package));
    let mut unpackaged: Vec<String> = inventory
        .releases
        .iter()
        .flat_map(|release| &release.third_party)
        .filter(|found| inventory.owner(&found.path).is_none())
        .map(|found| found.name.to_string())
        .collect();
    unpackaged.sort();
    unpackaged.dedup();
    let machine = match &args.machine {
        Some(name) => name.clone(),
        None => host_name(context)?,
    };
    Ok(Document {
        version: VERSION,
        kmp: env!("CARGO_PKG_VERSION"),
        machine,
        dialect: context.dialect().map(|dialect| dialect.as_str()),
        running,
        kernels,
        kmps,
        unpackaged,
    })
}

/// The kernels, with the packages that they are in.
fn kernels(context: &Context, inventory: &Inventory) -> Result<Vec<Kernel>, String> {
    let rpm = context.rpm().map_err(ToString::to_string)?;
    let packages = KernelPackages::of(&context.root, rpm, inventory);
    let known = packages.kernels();
    let database = context.database()?;
    let kernel = |release: &Release| {
        let mut of_kernel = Vec::new();
        for name in packages.of_kernel(&release.dir) {
            let Some(database) = &database else { break };
            for instance in database.by_name(&name).unwrap_or_default() {
                let is_modules = |path: &[u8]| path.windows(8).any(|part| part == b"modules/");
                let Ok(package) = database.package(instance, &is_modules) else { continue };
                let is_of_it = |path: &std::path::PathBuf| {
                    let path = inventory.dirs.canonical(path);
                    path.is_some_and(|path| path.starts_with(&release.dir))
                };
                if package.files.iter().any(is_of_it) {
                    of_kernel.push(package.nevra());
                }
            }
        }
        Kernel {
            release: release.release.clone(),
            packages: of_kernel,
            bootable: known.get(&release.release).is_none_or(|kernel| kernel.is_bootable),
        }
    };
    Ok(inventory.kernels().map(kernel).collect())
}

/// Of another root it is what is configured there.
fn host_name(context: &Context) -> Result<String, String> {
    let files: &[&str] = match context.root.is_system() {
        true => &["/proc/sys/kernel/hostname", "/etc/hostname"],
        false => &["/etc/hostname"],
    };
    let read = |file: &&str| {
        let bytes = context.root.read_if_there(Path::new(file), 1 << 10).ok().flatten()?;
        let name = String::from_utf8(bytes).ok()?.trim().to_owned();
        (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
    };
    let why = || format!("{} has no name: add --machine NAME", printable(context.root.path().as_os_str()));
    files.iter().find_map(read).ok_or_else(why)
}

fn page(document: &Document) -> Page {
    let mut page = Page::new();
    let shown = |text: &str| printable(text.as_ref());
    page.line(format!("Machine {}", shown(&document.machine)));
    for kernel in &document.kernels {
        let runs = if document.running.as_ref() == Some(&kernel.release) { ", running" } else { "" };
        let packages =
            if kernel.packages.is_empty() { "no package".into() } else { kernel.packages.join(", ") };
        page.wrapped_behind(2, 4, &format!("kernel {}{runs}: {}", shown(&kernel.release), shown(&packages)));
    }
    for kmp in &document.kmps {
        let modules: Vec<String> = kmp.modules.iter().map(words).collect();
        page.wrapped_behind(2, 4, &format!("{}: {}", shown(&kmp.package), shown(&modules.join(", "))));
    }
    for name in &document.unpackaged {
        page.wrapped_behind(2, 4, &format!("{}: no package owns it", shown(name)));
    }
    page
}

fn words(module: &Module) -> String {
    let uses = [
        (module.loaded, "loaded"),
        (module.holds_root, "the system boots from it"),
        (module.holds_network, "the network needs it"),
    ];
    let uses: Vec<&str> = uses.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    if uses.is_empty() { module.name.clone() } else { format!("{} ({})", module.name, uses.join(", ")) }
}
