// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers are shown: all of them, or those that were named. Pure.

use std::collections::HashSet;
use std::path::Path;

use kmp_core::abi::name::{module_name, normalized};
use kmp_core::ids::KmpId;
use kmp_core::inventory::Inventory;
use kmp_core::printable;
use kmp_core::survey::Survey;

use super::drivers::Loose;

/// What was named; nothing: everything is shown.
#[derive(Debug, Default)]
pub struct Chosen(Option<Named>);

#[derive(Debug, Default)]
struct Named {
    kmps: HashSet<KmpId>,
    /// Names of modules that no package owns.
    modules: HashSet<String>,
}

impl Chosen {
    /// By names of drivers, of packages (with version and release, if wished) and of modules, and by paths of modules.
    ///
    /// # Errors
    /// A name that nothing has.
    pub fn of(survey: &Survey, names: &[String]) -> Result<Self, String> {
        if names.is_empty() {
            return Ok(Self::default());
        }
        let mut named = Named::default();
        for name in names {
            let (kmps, module) = find(&survey.inventory, name);
            let is_loose =
                survey.kernels.iter().flat_map(|k| survey.unpackaged_in(k)).any(|(m, _)| *m.name == *module);
            if kmps.is_empty() && !is_loose {
                return Err(unknown(&survey.inventory, name));
            }
            named.kmps.extend(kmps);
            named.modules.extend(is_loose.then_some(module));
        }
        Ok(Self(Some(named)))
    }

    /// Was something named?
    pub fn is_narrow(&self) -> bool {
        self.0.is_some()
    }

    /// Is this KMP shown?
    pub fn has(&self, kmp: KmpId) -> bool {
        self.0.as_ref().is_none_or(|named| named.kmps.contains(&kmp))
    }

    /// Is this module shown, which no package owns?
    pub fn has_loose(&self, module: &Loose<'_>) -> bool {
        self.0.as_ref().is_none_or(|named| named.modules.contains(module.name))
    }
}

/// The KMPs that a name means, and the module that it would be the name of.
fn find(inventory: &Inventory, name: &str) -> (Vec<KmpId>, String) {
    let file = Path::new(name).file_name().unwrap_or_default();
    let module = module_name(file).unwrap_or_else(|| normalized(name));
    let mut kmps = inventory.kmps_named(name);
    if kmps.is_empty() {
        kmps.extend(inventory.kmps.each().filter(|(_, kmp)| kmp.driver.name == name).map(|(id, _)| id));
    }
    if kmps.is_empty() {
        kmps = inventory.kmps_with_module(&module);
    }
    (kmps, module)
}

fn unknown(inventory: &Inventory, name: &str) -> String {
    if let Some(why) = inventory.why_no_kmp(name) {
        return why;
    }
    let shown = printable(name.as_ref());
    match Path::new(name).extension() {
        Some(end) if end == "rpm" => {
            format!("{shown} is a package file, and this shows what is installed; type: kmp plan {shown}")
        }
        _ => format!("there is no KMP and no third-party module {shown}{}", inventory.did_you_mean(&shown)),
    }
}
