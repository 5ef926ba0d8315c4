// SPDX-License-Identifier: LGPL-2.1-or-later
//! Fetches builds of drivers that no repository has from the sources that their packages or the administrator name, and puts what is
//! signed as it has to be into kmp's own repository.

use std::fs::{self, File};
use std::io::{IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kmp_core::config::{Answer, Config};
use kmp_core::root::Root;
use kmp_core::{clock, printable};
use kmp_repo::repository::MetadataDir;
use kmp_repo::rpmmd::{Checksum, Listed, Wanted as WantedPackages};
use kmp_repo::update::{DriverVerdict, KernelFate, Named, Source, Update};
use kmp_sources::fetch::{FetchError, Fetcher};
use kmp_sources::find::{self, FoundAt, Kernel, Wanted};
use kmp_sources::own::{self, OwnRepository};
use kmp_sources::records::{self, Sources};
use rpm_meta::Evr;

use crate::context::Context;

/// How long one source may take to say what it has.
const LOOK: Duration = Duration::from_secs(10);

/// The largest package, in bytes.
const PACKAGE: u64 = 2 << 30;

/// How often others are taken for what was refused.
const ROUNDS: usize = 6;

/// Of equal packages those of the package manager's repositories count.
const PRIORITY: u32 = 1000;

/// How much is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For packages, of all sources together.
    pub packages: Duration,
    /// May somebody be asked?
    pub asks: bool,
}

/// What a command may take.
pub const AT_LEISURE: Patience = Patience { packages: Duration::from_secs(15 * 60), asks: true };

/// What libzypp waits for.
pub const IN_HOOK: Patience = Patience { packages: Duration::from_secs(10), asks: false };

/// What came of it.
#[derive(Debug, Default)]
pub struct Brought {
    /// Is anything new in kmp's own repository?
    pub is_new: bool,
    /// Each in a line: what was refused, and which source could not be looked at.
    pub problems: Vec<String>,
    /// Why builds of a driver, by its package's name, were refused.
    refused: Vec<(String, String)>,
}

impl Brought {
    /// Says of drivers that are missing why those that are there were refused.
    pub fn explain(&self, update: &mut Update) {
        let drivers = update.kernels.iter_mut().flat_map(|kernel| &mut kernel.drivers);
        for driver in drivers.filter(|driver| driver.verdict == DriverVerdict::Missing) {
            for (_, why) in self.refused.iter().filter(|(name, _)| *name == driver.driver) {
                driver.why = format!("{}; {why}", driver.why);
            }
        }
    }
}

/// Judges with further repositories, and without some packages of some: repository and name-\[epoch:\]version-release.arch.
pub type JudgeWith<'j> = &'j dyn Fn(Vec<Source<'_>>, &[(String, String)]) -> Update;

/// A source that has something.
struct Offering<'s> {
    source: &'s records::Source,
    found: FoundAt,
    /// By which it is known as a repository.
    id: String,
    /// Where its metadata is, below the directory of all.
    dir: PathBuf,
}

/// Looks for what is missing by `update`, and brings it.
pub fn bring(
    context: &Context,
    config: &Config,
    update: &Update,
    judge: JudgeWith<'_>,
    patience: Patience,
) -> Result<Brought, String> {
    let mut brought = Brought::default();
    let wanted = wanted(context, update);
    if wanted.drivers.is_empty() || config.download == Answer::No {
        return Ok(brought);
    }
    let database = context.database()?;
    let sources = Sources::read(&context.root, database.as_ref()).map_err(|e| e.to_string())?;
    brought.problems.extend(sources.problems.iter().cloned());
    let mut asked: Vec<&records::Source> =
        wanted.drivers.iter().flat_map(|driver| sources.of(driver)).collect();
    asked.sort_by(|a, b| a.name.cmp(&b.name));
    asked.dedup();
    drop(database);
    if asked.is_empty() || (config.download == Answer::Ask && !agreed(&asked, &wanted, patience.asks)?) {
        return Ok(brought);
    }
    let scratch = tempfile::tempdir().map_err(|e| format!("no temporary directory: {e}"))?;
    let scratch_root = Root::open(scratch.path()).map_err(|e| e.to_string())?;
    let mut offering = Vec::new();
    for (at, source) in asked.into_iter().enumerate() {
        let dir = scratch.path().join(at.to_string());
        fs::create_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        log::info!(
            "asking {} ({})",
            source.label(),
            source.record.urls.first().map(ToString::to_string).unwrap_or_default()
        );
        // What it is for is what is looked for there.
        let own = Wanted {
            drivers: wanted.drivers.iter().filter(|driver| source.record.is_for(driver)).cloned().collect(),
            ..wanted.clone()
        };
        match find::find(source, &own, &Fetcher::new(&context.root, LOOK), &dir) {
            Ok(Some(found)) => offering.push(Offering {
                source,
                found,
                id: format!("source {}", source.name),
                dir: Path::new("/").join(at.to_string()),
            }),
            Ok(None) => log::info!("{} has no build of {}", source.label(), own.drivers.join(", ")),
            Err(why) => brought.problems.push(format!("source {} ({}): {why}", source.name, source.label())),
        }
    }
    take(context, &offering, &scratch_root, judge, patience, &mut brought)?;
    Ok(brought)
}

/// Has it judged what sources offer, and takes what is chosen; of what is refused, the next one.
fn take(
    context: &Context,
    offering: &[Offering<'_>],
    scratch: &Root,
    judge: JudgeWith<'_>,
    patience: Patience,
    brought: &mut Brought,
) -> Result<(), String> {
    if offering.is_empty() {
        return Ok(());
    }
    let fetcher = Fetcher::new(&context.root, patience.packages);
    let own = OwnRepository::of(&context.root);
    let mut done: Vec<(String, String)> = Vec::new();
    let mut refused: Vec<(String, String)> = Vec::new();
    for _ in 0..ROUNDS {
        let more = offering.iter().map(|offering| Source {
            id: offering.id.clone(),
            priority: PRIORITY,
            root: scratch,
            dir: offering.dir.clone(),
            packages: Vec::new(),
        });
        let judged = judge(more.collect(), &refused);
        let mut is_refused = false;
        for build in chosen(&judged) {
            let Some(of) = offering.iter().find(|offering| offering.id == build.repository) else { continue };
            let key = (build.repository.clone(), build.nevra.clone());
            if done.contains(&key) {
                continue;
            }
            match fetch(context, of, &of.source.record, scratch, &build.nevra, &fetcher, &own) {
                Ok(()) => done.push(key),
                Err(why) => {
                    let why = format!("source {} ({}): {why}", of.source.name, of.source.label());
                    brought.problems.push(why.clone());
                    brought.refused.push((build.name.clone(), why));
                    refused.push(key);
                    is_refused = true;
                }
            }
        }
        if !is_refused {
            break;
        }
    }
    if !done.is_empty() {
        write(context, &own)?;
        brought.is_new = true;
        let names: Vec<&str> = done.iter().map(|(_, nevra)| nevra.as_str()).collect();
        log::info!("fetched {}", names.join(", "));
    }
    Ok(())
}

/// Writes the repository's metadata. What is installed meanwhile goes.
pub fn write(context: &Context, own: &OwnRepository) -> Result<(), String> {
    let database = context.database()?;
    let is_installed = |name: &str, evr: &Evr| {
        let Some(database) = &database else { return false };
        let instances = database.by_name(name).unwrap_or_default();
        let mut packages = instances.into_iter().filter_map(|i| database.package(i, &|_| false).ok());
        packages.any(|package| package.evr.compare(evr).is_eq())
    };
    own.write(&|entry| !is_installed(&entry.name, &entry.evr), clock::now())
        .map(drop)
        .map_err(|e| format!("{} cannot be written: {e}", own.dir().display()))
}

/// Builds that would come along, each once.
fn chosen(update: &Update) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for build in
        update.kernels.iter().flat_map(|kernel| &kernel.drivers).filter_map(|driver| driver.build.as_ref())
    {
        if !found.iter().any(|f| f.nevra == build.nevra && f.repository == build.repository) {
            found.push(build.clone());
        }
    }
    found
}

/// Fetches a build whole, and takes it where it is what was offered, and signed.
fn fetch(
    context: &Context,
    of: &Offering<'_>,
    record: &kmp_sources::record::Record,
    scratch: &Root,
    nevra: &str,
    fetcher: &Fetcher,
    own: &OwnRepository,
) -> Result<(), String> {
    let listed =
        listed(scratch, &of.dir, nevra)?.ok_or_else(|| format!("{nevra} is not in its list any more"))?;
    let url = find::url_of(&of.found, &listed)?;
    let local = |e: std::io::Error| format!("{}: {e}", own.dir().display());
    let mut file = own.new_file().map_err(local)?;
    let is_another = || {
        format!(
            "{url} is refused: it is not the file that the source's list names. The server is being changed, or somebody \
             else has changed the file; try again later, and else ask {}",
            whom(of.source)
        )
    };
    let limit = if of.found.has_checksums { listed.size().min(PACKAGE) } else { PACKAGE };
    fetcher.save(&url, file.as_file_mut(), limit).map_err(|error| match error {
        FetchError::TooLarge { .. } if limit < PACKAGE => is_another(),
        error => error.to_string(),
    })?;
    file.as_file_mut().flush().map_err(local)?;
    if of.found.has_checksums && !is_listed(&listed, file.as_file_mut()).map_err(|e| format!("{url}: {e}"))? {
        return Err(is_another());
    }
    let rpm = context.rpm().map_err(ToString::to_string)?;
    let keys = context.trusted_keys()?;
    own::verify(rpm, file.path(), &url.to_string(), &keys, &record.fingerprints)
        .map_err(|refused| refused.0)?;
    let entry = own::entry_of(file.path(), "x").map_err(|e| format!("{url} is refused: {e}"))?;
    if entry.nevra() != nevra {
        return Err(format!("{url} is refused: it is {}, and {nevra} was offered", entry.nevra()));
    }
    let name = format!("{}-{}-{}.{}.rpm", entry.name, entry.evr.version, entry.evr.release, entry.arch);
    own.put(&of.source.name, file, &name).map_err(local)
}

/// Has a file the checksum of the list?
fn is_listed(listed: &Listed, file: &mut File) -> Result<bool, String> {
    file.rewind().map_err(|e| e.to_string())?;
    match listed.checksum().map_err(|e| format!("its list {e}"))? {
        named @ Checksum::Sha256(_) => {
            Ok(named.to_string() == own::checksum(file).map_err(|e| e.to_string())?)
        }
        // The signature is what counts.
        Checksum::Sha512(_) => Ok(true),
    }
}

fn whom(source: &records::Source) -> String {
    let contact = &source.record.contact;
    if contact.is_empty() { source.label().to_owned() } else { format!("{} ({contact})", source.label()) }
}

/// A package of a source's list.
fn listed(scratch: &Root, dir: &Path, nevra: &str) -> Result<Option<Listed>, String> {
    let metadata = MetadataDir::new(scratch, dir);
    let repomd = metadata.repomd().map_err(|e| e.to_string())?;
    let mut found = None;
    let name = |name: &str| nevra.starts_with(name);
    let wanted = WantedPackages { name: &name, capability: &|_, _| false, source: &|_| false, words: &[] };
    metadata
        .packages(&repomd, &wanted, &mut |package| {
            if package.nevra() == nevra {
                found = Some(package.clone());
            }
        })
        .map_err(|e| e.to_string())?;
    Ok(found)
}

/// The drivers that are missing, and in which kernels.
fn wanted(context: &Context, update: &Update) -> Wanted {
    let mut wanted = Wanted::default();
    let lacks = |verdict: DriverVerdict| matches!(verdict, DriverVerdict::Missing | DriverVerdict::Unknown);
    for kernel in &update.kernels {
        let missing = kernel.drivers.iter().filter(|driver| lacks(driver.verdict));
        let before = wanted.drivers.len();
        for driver in missing {
            if !wanted.drivers.contains(&driver.driver) {
                wanted.drivers.push(driver.driver.clone());
            }
        }
        if wanted.drivers.len() > before || kernel.drivers.iter().any(|driver| lacks(driver.verdict)) {
            wanted.kernels.push(self::kernel(kernel));
        }
    }
    let os_release = context.root.read_if_there(Path::new("/etc/os-release"), 1 << 20).ok().flatten();
    let text = os_release.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let of_system = |key| kmp_core::dialect::os_release_value(&text, key).unwrap_or_default();
    let (product, version) = (of_system("NAME"), of_system("VERSION_ID"));
    wanted.product = (!version.is_empty()).then(|| (product.replace(' ', "-"), version));
    wanted
}

fn kernel(fate: &KernelFate) -> Kernel {
    let evr = Evr::parse(&fate.package.evr);
    Kernel {
        release: fate.release.clone(),
        version: format!("{}-{}", evr.version, evr.release),
        arch: fate.package.nevra.rsplit_once('.').map_or("", |(_, arch)| arch).to_owned(),
    }
}

/// Asks whether sources may be asked. Who cannot be asked says no.
fn agreed(asked: &[&records::Source], wanted: &Wanted, may_ask: bool) -> Result<bool, String> {
    let labels: Vec<String> = asked.iter().map(|source| printable(source.label().as_ref())).collect();
    let drivers = wanted.drivers.join(", ");
    if !may_ask || !std::io::stdin().is_terminal() {
        log::info!(
            "{} is not asked for {drivers}: kmp.conf has download = ask, and nobody can be asked",
            labels.join(", ")
        );
        return Ok(false);
    }
    eprint!("No repository has a build of {drivers}. Ask {} for one [y/N]? ", labels.join(" and "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| format!("the answer cannot be read: {e}"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
