// SPDX-License-Identifier: LGPL-2.1-or-later
//! The two files of a registered package.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What is wrong with a file, or with both together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// The TOML.
    #[error("{0}")]
    Toml(String),
    /// Of another form than this kmp knows.
    #[error("it is of form {0}; this kmp knows form 1")]
    Version(u32),
    /// Something in it.
    #[error("{0}")]
    What(String),
}

/// A registered package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The form: 1.
    pub version: u32,
    /// Who is asked; written by people.
    pub provider: Provider,
    /// Where it comes from.
    pub package: Package,
    /// The last build.
    pub build: Build,
    /// The modules of that build.
    #[serde(rename = "module")]
    pub modules: Vec<Module>,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Provider {
    /// The address of a role, not of a person.
    pub contact: String,
    /// May the distributor rebuild the package without asking?
    pub rebuild_without_asking: bool,
}

/// Where the package comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The source package that it was built from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The project of the build service that built it, as the build says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// What that project calls its sources, where it is another name than the source package's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sources: String,
}

impl Package {
    /// Of a package. `disturl`: where a build service has its sources, as the package says.
    pub fn of(name: &str, source: &str, disturl: &str) -> Self {
        let mut package = Self { name: name.into(), source: source.into(), ..Self::default() };
        // obs://SERVICE/PROJECT/REPOSITORY/REVISION-PACKAGE
        let parts: Vec<&str> =
            disturl.strip_prefix("obs://").map(|rest| rest.split('/').collect()).unwrap_or_default();
        if let [_, project, .., last] = parts[..]
            && let Some((_, sources)) = last.split_once('-')
        {
            package.project = project.into();
            if sources != package.source_name() {
                package.sources = sources.into();
            }
        }
        package
    }

    /// The source package's name; the package's, where it names none.
    pub fn source_name(&self) -> &str {
        // NAME-VERSION-RELEASE.src.rpm
        self.source.rsplitn(3, '-').nth(2).unwrap_or(&self.name)
    }
}

/// One build of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// NAME-VERSION-RELEASE.ARCH
    pub nevra: String,
    /// The kernel that it was built for.
    pub kernel: String,
}

/// A module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Module {
    /// Its name, `_` for `-`.
    pub name: String,
    /// As it says itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub license: String,
    /// Namespaces that it imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// The symbols that it can do without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<String>,
    /// What it exports itself, with versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, String>,
    /// What it uses, with the versions that it was built with; empty: it has none of it.
    pub uses: BTreeMap<String, String>,
    /// What it was built for, as it says itself: the kernel's release and its flags.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vermagic: String,
    /// The machine that it was built for, as the kernel calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arch: String,
    /// Has it no versions at all?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unversioned: bool,
    /// Is no more known of it than its package's dependencies say? Such a one is in no registry.
    #[serde(skip)]
    pub is_declared: bool,
}

fn crc(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn shown(crc: u32) -> String {
    format!("0x{crc:08x}")
}

impl Module {
    /// Of a module that was read.
    pub fn of(module: &kmod_abi::Module) -> Self {
        let crcs = |crcs: &kmod_abi::Crcs| crcs.basic.or(crcs.extended);
        let mut uses: BTreeMap<String, String> = module
            .needs
            .iter()
            .map(|need| (need.symbol.to_string(), crcs(&need.crcs).map(shown).unwrap_or_default()))
            .collect();
        uses.extend(crcs(&module.layout).map(|crc| ("module_layout".into(), shown(crc))));
        Self {
            name: module.name.to_string(),
            license: module.license.as_deref().unwrap_or_default().into(),
            imports: module.import_ns.iter().map(ToString::to_string).collect(),
            weak: module.needs.iter().filter(|n| n.weak).map(|n| n.symbol.to_string()).collect(),
            exports: module
                .offers
                .iter()
                .filter_map(|offer| Some((offer.symbol.to_string(), shown(offer.crc?))))
                .collect(),
            uses,
            vermagic: module.vermagic.as_deref().unwrap_or_default().into(),
            arch: module.arch.to_string(),
            unversioned: !(module.has_versions || module.has_extended_versions),
            is_declared: false,
        }
    }

    /// What the dependencies of a package say of its modules together: symbols that it needs and that it has, with their CRCs.
    pub fn declared<'s>(
        name: &str,
        uses: impl IntoIterator<Item = (&'s str, u32)>,
        exports: impl IntoIterator<Item = (&'s str, u32)>,
    ) -> Self {
        let exports: BTreeMap<String, String> =
            exports.into_iter().map(|(s, crc)| (s.into(), shown(crc))).collect();
        let uses = uses.into_iter().filter(|(symbol, _)| !exports.contains_key(*symbol));
        Self {
            name: name.into(),
            license: String::new(),
            imports: Vec::new(),
            weak: Vec::new(),
            uses: uses.map(|(s, crc)| (s.into(), shown(crc))).collect(),
            exports,
            vermagic: String::new(),
            arch: String::new(),
            unversioned: false,
            is_declared: true,
        }
    }

    /// As the judge of kernels takes it: what is not registered is not judged.
    pub fn to_judge(&self) -> kmod_abi::Module {
        let versions = |all: &BTreeMap<String, String>| -> Vec<(Box<str>, u32)> {
            all.iter().filter_map(|(symbol, text)| Some((symbol.as_str().into(), crc(text)?))).collect()
        };
        let mut module = kmod_abi::Module::declared(versions(&self.uses), versions(&self.exports));
        if self.is_declared {
            return kmod_abi::Module { name: self.name.as_str().into(), ..module };
        }
        let bare = self.uses.iter().filter(|(_, version)| version.is_empty());
        module.needs.extend(bare.map(|(symbol, _)| kmod_abi::Need {
            symbol: symbol.as_str().into(),
            weak: false,
            crcs: kmod_abi::Crcs::default(),
        }));
        module.needs.iter_mut().for_each(|need| need.weak = self.weak.iter().any(|w| **w == *need.symbol));
        kmod_abi::Module {
            name: self.name.as_str().into(),
            license: (!self.license.is_empty()).then(|| self.license.as_str().into()),
            import_ns: self.imports.iter().map(|name| name.as_str().into()).collect(),
            is_declared: false,
            // Nor is the form of its exports.
            has_export_flags: true,
            vermagic: (!self.vermagic.is_empty()).then(|| self.vermagic.as_str().into()),
            has_versions: !self.unversioned,
            has_extended_versions: !self.unversioned,
            ..module
        }
    }
}

impl Registration {
    /// Reads `PACKAGE.toml`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Bad> {
        let found: Self = toml::from_str(text).map_err(|e| Bad::Toml(e.to_string().trim_end().into()))?;
        if found.version != 1 {
            return Err(Bad::Version(found.version));
        }
        for module in &found.modules {
            let bare = module.uses.iter().filter(|(_, version)| !version.is_empty());
            for (symbol, version) in bare.chain(&module.exports) {
                if crc(version).is_none() {
                    let name = &module.name;
                    return Err(Bad::What(format!(
                        "{name}: {symbol}: {version:?} is no version (0x1f3a0c11)"
                    )));
                }
            }
        }
        Ok(found)
    }

    /// `PACKAGE.toml`.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn to_toml(&self) -> Result<String, Bad> {
        let text = toml::to_string(self).map_err(|e| Bad::Toml(e.to_string()))?;
        Ok(format!(
            "# Written by kmp registry add. People may edit [provider]; the rest is that of the last build.\n{text}"
        ))
    }

    /// The symbols that it uses of others.
    pub fn symbols(&self) -> BTreeSet<&str> {
        let own: BTreeSet<&str> =
            self.modules.iter().flat_map(|m| m.exports.keys()).map(String::as_str).collect();
        let used = self.modules.iter().flat_map(|m| m.uses.keys()).map(String::as_str);
        used.filter(|symbol| *symbol != "module_layout" && !own.contains(symbol)).collect()
    }

    /// `PACKAGE.symbols`: each symbol once, below the first module that uses it.
    pub fn to_symbols(&self) -> String {
        let mut left = self.symbols();
        let mut text = String::from("[abi_symbol_list]\n");
        for module in &self.modules {
            let own: Vec<&str> = module.uses.keys().map(String::as_str).filter(|s| left.remove(s)).collect();
            if !own.is_empty() {
                text.push_str(&format!("\n# required by {}.ko\n", module.name));
                own.iter().for_each(|symbol| text.push_str(&format!("  {symbol}\n")));
            }
        }
        text
    }

    /// What is wrong with it beside its form, and with its list of symbols (`None`: there is none). `name`: of its files.
    pub fn faults(&self, name: &str, symbols: Option<&str>) -> Vec<String> {
        let mut faults = Vec::new();
        if self.package.name != name {
            faults.push(format!("it is of the package {}, and named for {name}", self.package.name));
        }
        if !self.build.nevra.starts_with(&format!("{}-", self.package.name)) {
            faults.push(format!("its build {} is of another package", self.build.nevra));
        }
        let contact = &self.provider.contact;
        let is_address = contact.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.contains('.'))
            && !contact.contains(|c: char| c.is_whitespace() || c.is_control());
        if !is_address {
            faults.push(format!("contact: {contact:?} is no address"));
        }
        if self.modules.is_empty() {
            faults.push("it has no module".into());
        }
        let Some(symbols) = symbols else {
            faults.push(format!("there is no list of its symbols ({name}.symbols)"));
            return faults;
        };
        let listed: BTreeSet<&str> = symbols
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty() && !line.starts_with('['))
            .collect();
        let own = self.symbols();
        // More may be listed than the last build uses: what somebody relies on only comes.
        let missing: Vec<&str> = own.difference(&listed).copied().collect();
        if !missing.is_empty() {
            faults.push(format!("its list of symbols lacks {}", missing.join(", ")));
        }
        faults
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::registry) fn registration(package: &str, uses: &[(&str, u32)]) -> Registration {
        let uses = uses.iter().map(|(s, c)| ((*s).into(), shown(*c))).collect();
        Registration {
            version: 1,
            provider: Provider { contact: "kmp@acme.example".into(), rebuild_without_asking: true },
            package: Package { name: package.into(), ..Package::default() },
            build: Build { nevra: format!("{package}-1-1.x86_64"), kernel: "6.4.0-21-default".into() },
            modules: vec![Module {
                name: "cam".into(),
                license: "GPL".into(),
                imports: vec!["NS".into()],
                weak: Vec::new(),
                exports: BTreeMap::new(),
                uses,
                vermagic: String::new(),
                arch: String::new(),
                unversioned: false,
                is_declared: false,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let one = registration("cam-kmp-default", &[("printk", 7), ("module_layout", 1), ("a.b", 9)]);
        let text = one.to_toml().unwrap();
        assert_eq!(Registration::parse(&text).unwrap(), one);
        assert_eq!(one.to_symbols(), "[abi_symbol_list]\n\n# required by cam.ko\n  a.b\n  printk\n");
        assert_eq!(one.faults("cam-kmp-default", Some(&one.to_symbols())), Vec::<String>::new());
        let wrong = text.replace("0x00000007", "7");
        assert!(
            Registration::parse(&wrong).unwrap_err().to_string().contains("cam: printk: \"7\" is no version")
        );
        assert_eq!(Registration::parse(&text.replace("version = 1", "version = 2")), Err(Bad::Version(2)));
        assert!(Registration::parse(&text.replace("contact", "kontakt")).is_err());
    }

    #[test]
    fn what_is_wrong_with_it() {
        let mut one = registration("cam-kmp-default", &[("printk", 7)]);
        one.provider.contact = "nobody".into();
        let faults = one.faults("cam", Some("[abi_symbol_list]\n kmalloc # why\n"));
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[2].ends_with("lacks printk"));
    }
}
