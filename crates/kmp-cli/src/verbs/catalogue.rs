// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp catalogue make`: for the distributor who keeps a catalogue of providers.

use std::fs;
use std::path::Path;

use kmp_core::{clock, printable};
use kmp_drivers::date::day;
use kmp_sources::catalogue::{Catalogue, LIMIT, Provider, VERSION};

use crate::args::{self, CatalogueVerb};
use crate::outcome::Outcome;

/// What makes a package of it, to be signed: `rpmbuild -bb`, `rpmsign --addsign`.
const SPEC: &str = "# Written by kmp catalogue make. rpmbuild -bb --define \"_sourcedir $PWD\" kmp-catalogue.spec; then rpmsign --addsign\n\
Name:           kmp-catalogue\nVersion:        @VERSION@\nRelease:        1\nSummary:        Providers of kernel drivers, for kmp\n\
License:        CC0-1.0\nSource:         catalogue.json\nBuildArch:      noarch\n\n%description\n\
Who has drivers for which devices, where, and by which keys they are signed. None is used before somebody agrees:\n\
kmp sources list, kmp sources enable.\n\n%install\n\
install -D -m 644 %{SOURCE0} %{buildroot}/usr/share/kmp/catalogue/catalogue.json\n\n%files\n%dir /usr/share/kmp\n\
%dir /usr/share/kmp/catalogue\n/usr/share/kmp/catalogue/catalogue.json\n";

pub fn run(args: &args::Catalogue, quiet: bool) -> Result<Outcome, String> {
    let CatalogueVerb::Make { issuer, dir, providers } = &args.what;
    let mut read = Vec::new();
    for path in providers {
        let shown = printable(path.as_os_str());
        let bytes = fs::read(path).map_err(|e| format!("{shown}: {e}"))?;
        if bytes.len() as u64 > LIMIT {
            return Err(format!("{shown} has more than {LIMIT} bytes"));
        }
        let provider: Provider = serde_json::from_slice(&bytes).map_err(|e| format!("{shown}: {e}"))?;
        provider.check().map_err(|why| format!("{shown}: {why}"))?;
        read.push(provider);
    }
    read.sort();
    let created = day(clock::now());
    let catalogue =
        Catalogue { version: VERSION, issuer: issuer.clone(), created: created.clone(), providers: read };
    let mut text = serde_json::to_string_pretty(&catalogue).map_err(|e| e.to_string())?;
    text.push('\n');
    // As whoever gets it reads it.
    Catalogue::read(text.as_bytes())?;
    let spec = SPEC.replace("@VERSION@", &created.replace('-', ""));
    fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", printable(dir.as_os_str())))?;
    for (name, text) in [("catalogue.json", &text), ("kmp-catalogue.spec", &spec)] {
        let path = Path::new(dir).join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", printable(path.as_os_str())))?;
    }
    if !quiet {
        println!(
            "{} providers. Only a package that is signed is believed: build kmp-catalogue.spec, and sign the package.",
            catalogue.providers.len()
        );
    }
    Ok(Outcome::Good)
}
