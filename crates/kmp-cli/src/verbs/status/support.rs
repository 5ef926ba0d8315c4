// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status --support`: who supports which driver, as a support engineer wants to have it.

mod html;

use std::borrow::Cow;

#[cfg(test)]
use kmp_core::abi::signature::KeyTrust;
use kmp_core::abi::{Supported, SupportedOnly};
use kmp_core::printable;
use kmp_core::survey::Survey;
use kmp_core::system_log::{Event, Level, Message, SystemLog};
use kmp_core::unpack::MODULE_LIMIT;
use kmp_drivers::devices::word;
use kmp_drivers::secure_boot::ModuleKey;
use kmp_drivers::support::{Loaded, taints, would_set};
use librpm_rt::Provenance;
use serde::Serialize;

use super::chosen::Chosen;
use crate::context::Context;
use crate::output::json;
use crate::output::terminal::{Colour, Page};

/// Who supports the drivers of a system, and how they taint the kernel.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Support {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// How the running kernel is tainted (`/proc/sys/kernel/tainted`); null: not known.
    tainted: Option<Tainted>,
    /// The kernels, oldest first.
    kernels: Vec<Kernel>,
    /// Every third-party module that belongs to a driver.
    modules: Vec<Module>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Tainted {
    /// The number.
    number: u64,
    /// What it says.
    taints: Vec<Taint>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Taint {
    /// The kernel's letter; `?` for a bit of which nothing is known.
    letter: char,
    /// In words.
    meaning: Cow<'static, str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// The release.
    release: String,
    /// What keeps modules without support out of it: the kernel's command line (`unsupported=0`), the running kernel's setting
    /// (`/proc/sys/kernel/unsupported`), or modprobe's (`allow_unsupported_modules 0`). Null: nothing does.
    #[cfg_attr(test, schemars(extend("enum" = ["command-line", "running", "modprobe", null])))]
    supported_only: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Module {
    /// Its name.
    name: String,
    /// Its path as seen inside the root.
    path: String,
    /// Who owns it (`NAME-VERSION-RELEASE`); null: no package.
    package: Option<String>,
    /// Who answers for the package (`Vendor`).
    vendor: Option<String>,
    /// Who built it (`Packager`).
    packager: Option<String>,
    /// What it says: `yes`, by the distributor; `external`, by provider and distributor together; `no`, nothing. Null: it could
    /// not be read.
    #[cfg_attr(test, schemars(extend("enum" = ["yes", "external", "no", null])))]
    supported: Option<&'static str>,
    /// The letters by which it would taint the newest kernel. `E` only where it has no signature: whether the kernel knows a key
    /// is not looked at.
    would_taint: Option<String>,
    /// The letters by which it has tainted the running kernel; null: a module of this name is not loaded.
    taints: Option<String>,
    /// What its signature is worth to the newest kernel. Null: it has none.
    signature: Option<Signature>,
}

/// A module's signature.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Signature {
    /// Who signed it, as the signature says.
    signer: Option<String>,
    /// The certificate's serial number or the key's id, in hexadecimal digits with colons.
    key: Option<String>,
    /// Does the kernel know the key? `after-enrolment`: once somebody has confirmed it at the console (MOK).
    #[cfg_attr(test, schemars(extend("enum" = KeyTrust::WORDS)))]
    trust: &'static str,
    /// Why, as a clause.
    detail: String,
    /// Is it made with that key, of this module? Null: no certificate of the key is at hand.
    genuine: Option<bool>,
}

impl Module {
    /// Who signed it, and what that is worth to the newest kernel.
    fn signed(&self) -> String {
        let Some(Signature { signer, trust, detail, genuine, .. }) = &self.signature else {
            return "not signed".into();
        };
        let by = printable(signer.as_deref().unwrap_or("a key that it names by its number").as_ref());
        let genuine = if *genuine == Some(true) { ", and verified" } else { "" };
        format!("signed by {by}{genuine}; for the newest kernel {}: {detail}", trust.replace('-', " "))
    }
}

impl From<ModuleKey> for Signature {
    fn from(found: ModuleKey) -> Self {
        Self {
            trust: found.word(),
            detail: printable(found.why().as_ref()),
            genuine: found.is_genuine,
            signer: found.signer,
            key: found.key_id,
        }
    }
}

impl Support {
    pub fn look(context: &Context, survey: &Survey, chosen: &Chosen) -> Result<Self, String> {
        let loaded = Loaded::read(&context.root);
        let dialect = survey.inventory.conventions.dialect;
        let database = context.database()?;
        let newest = survey.kernels.last();
        let config = survey.kernels.last().map(|kernel| kernel.kernel.config).unwrap_or_default();
        let mut modules = Vec::new();
        for (_, kmp) in survey.inventory.kmps.each().filter(|(kmp, _)| chosen.has(*kmp)) {
            let made_by = match (&database, kmp.package.instance) {
                (Some(database), Some(instance)) => {
                    database.provenance(instance).map_err(|e| e.to_string())?
                }
                _ => Provenance::default(),
            };
            for found in &kmp.modules {
                let module = survey.module(&found.path).ok();
                modules.push(Module {
                    name: found.name.to_string(),
                    path: json::path(&found.path),
                    package: kmp.is_packaged().then(|| kmp.package.nvr()),
                    vendor: made_by.vendor.clone(),
                    packager: made_by.packager.clone(),
                    supported: module.map(|module| word(module.supported)),
                    would_taint: module.map(|module| would_set(module, &config)),
                    taints: loaded.modules.get(&*found.name).cloned(),
                    signature: newest.zip(module).and_then(|(kernel, module)| {
                        let file = context.root.read(&found.path, MODULE_LIMIT).ok();
                        ModuleKey::of(&kernel.kernel, module, file.as_deref()).map(Signature::from)
                    }),
                });
            }
        }
        let kernel = |kernel: &kmp_core::survey::SurveyedKernel| Kernel {
            release: kernel.kernel.release.clone(),
            supported_only: kernel.kernel.supported_only.map(|why| match why {
                SupportedOnly::Parameter => "command-line",
                SupportedOnly::Running => "running",
                SupportedOnly::Modprobe => "modprobe",
            }),
        };
        Ok(Self {
            version: json::VERSION,
            tainted: loaded.tainted.map(|number| Tainted {
                number,
                taints: taints(number, dialect)
                    .into_iter()
                    .map(|(letter, meaning)| Taint { letter, meaning })
                    .collect(),
            }),
            kernels: survey.kernels.iter().map(kernel).collect(),
            modules,
        })
    }

    /// Writes to the system's log which modules that are in use nobody supports, a line each.
    pub fn log(&self, running: Option<&str>) {
        let mut log = SystemLog::open();
        let is_unsupported = |module: &&Module| module.supported == Some(word(Supported::No));
        for module in self.modules.iter().filter(|module| module.taints.is_some()).filter(is_unsupported) {
            let of = module.package.as_deref().unwrap_or("no package");
            let by = module.vendor.as_deref().map(|vendor| format!(", by {vendor},")).unwrap_or_default();
            log.send(&Message {
                level: Level::Notice,
                event: Some(Event::Unsupported),
                kernel: running,
                package: module.package.as_deref(),
                text: format!("module {} of {of}{by} is in use without support", module.name).into(),
            });
        }
    }

    /// For people: module by module, then what the kernels take.
    pub fn draw(&self, page: &mut Page) {
        for module in &self.modules {
            let package = module.package.as_deref().unwrap_or("of no package");
            let name = page.paint(Colour::Bold, printable(module.name.as_ref()));
            page.wrapped_behind(0, 2, &format!("{name}  {}", printable(package.as_ref())));
            let by = [("vendor", &module.vendor), ("packager", &module.packager)];
            let by: Vec<String> = by
                .into_iter()
                .map(|(what, who)| {
                    format!("{what}: {}", printable(who.as_deref().unwrap_or("none").as_ref()))
                })
                .collect();
            page.wrapped_behind(2, 2, &by.join("; "));
            page.wrapped_behind(2, 2, module.support());
            page.wrapped_behind(2, 2, &module.signed());
            let would = module
                .would_taint
                .as_deref()
                .map(|taint| format!("would taint the kernel with {}", letters(taint)));
            let now = match &module.taints {
                Some(taint) => format!("loaded now, has tainted it with {}", letters(taint)),
                None => "not loaded".into(),
            };
            page.wrapped_behind(2, 2, &would.into_iter().chain([now]).collect::<Vec<_>>().join("; "));
        }
        if self.modules.is_empty() {
            page.line("no third-party drivers are installed");
        }
        self.lines_of_kernels().iter().for_each(|line| page.wrapped_behind(0, 2, line));
        match &self.tainted {
            None => {}
            Some(tainted) if tainted.taints.is_empty() => page.line("the running kernel is not tainted"),
            Some(tainted) => {
                page.line(format!("the running kernel is tainted ({}):", tainted.number));
                for taint in &tainted.taints {
                    page.wrapped_behind(2, 4, &format!("{}  {}", taint.letter, taint.meaning));
                }
            }
        }
    }

    /// Which kernels take no module without support, and why.
    fn lines_of_kernels(&self) -> Vec<String> {
        let line = |kernel: &Kernel| {
            let why = match kernel.supported_only? {
                "command-line" => "unsupported=0 is on the command line",
                "running" => "/proc/sys/kernel/unsupported is 0",
                _ => "modprobe is configured so (allow_unsupported_modules 0)",
            };
            Some(format!("{} takes no module without support: {why}", kernel.release))
        };
        self.kernels.iter().filter_map(line).collect()
    }
}

impl Module {
    /// What it says of its support.
    fn support(&self) -> &'static str {
        match self.supported {
            None => "it could not be read, so its support is not known",
            Some(yes) if yes == word(Supported::Distributor) => {
                "supported by the distributor (supported=yes)"
            }
            Some(external) if external == word(Supported::External) => {
                "supported by provider and distributor together (supported=external)"
            }
            Some(_) => "without support: the module says nothing of it",
        }
    }
}

/// Letters of taints; without any, in a word.
fn letters(letters: &str) -> &str {
    if letters.is_empty() { "nothing" } else { letters }
}
