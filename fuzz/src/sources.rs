// SPDX-License-Identifier: LGPL-2.1-or-later
//! What providers of drivers say: records, lists of files, catalogues, and packages that are listed by their headers.

use kmp_repo::rpmmd::{Wanted, packages};
use kmp_sources::catalogue::Catalogue;
use kmp_sources::listing;
use kmp_sources::metadata::{Entry, FileFacts, files};
use kmp_sources::record::Record;

/// What was understood is written as it is read.
pub fn record(data: &[u8]) {
    let (record, _) = Record::parse(&String::from_utf8_lossy(data));
    let (again, faults) = Record::parse(&record.to_text());
    assert!(record.urls.is_empty() || faults.is_empty(), "{faults:?}");
    assert_eq!(
        (&record.urls, &record.fingerprints, &record.packages),
        (&again.urls, &again.fingerprints, &again.packages)
    );
}

pub fn list(data: &[u8]) {
    listing::any(data);
}

pub fn catalogue(data: &[u8]) {
    let Ok(catalogue) = Catalogue::read(data) else { return };
    for provider in &catalogue.providers {
        let _ =
            (provider.claims("pci:v00001AF4d00001000sv0sd0bc02sc00i00"), provider.is_for_system("sles 15.6"));
    }
}

/// Metadata that is made of any package can be read again, and says the same.
pub fn package_listed(data: &[u8]) {
    let Ok(entry) = Entry::read(data, "x/y.rpm", FileFacts::default()) else { return };
    let made = files(std::slice::from_ref(&entry), 1);
    let mut read = Vec::new();
    let result =
        packages(made[0].1.as_bytes(), &Wanted::ALL, &mut |package| read.push(package.name().to_owned()));
    // What is larger than any package's is refused by whoever reads.
    if result.is_ok() {
        assert_eq!(read, [entry.name]);
    }
}
