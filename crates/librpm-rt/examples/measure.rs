// SPDX-License-Identifier: LGPL-2.1-or-later
//! Measures the ways to find a few packages among many. Argument: a root directory with an rpm database.
//!
//! `cargo run --release -p librpm-rt --example measure ROOT`; `sh examples/many-packages.sh ROOT` makes such a root.

use std::path::PathBuf;
use std::time::Instant;

use librpm_rt::{Error, Librpm};

fn timed<T>(what: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    let value = call()?;
    println!("{:>10.3} ms  {what}", start.elapsed().as_secs_f64() * 1e3);
    Ok(value)
}

fn main() -> Result<(), Error> {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let rpm = timed("load librpm and its configuration", Librpm::load)?;
    let database = timed("open", || rpm.open(&root))?;
    println!("{} by {}", database.path().display(), rpm.soname());

    let modules = b"/usr/lib/modules/";
    let names = timed("names of module directories, by the index's keys", || {
        database.dir_names(&|dir| dir.starts_with(modules))
    })?;
    let dirs = timed("the same with owners, by the index and its entries", || database.dirs_below(modules))?;
    println!("{} names, {} directories", names.len(), dirs.len());
    timed("owners of 100 directories, 20 of which are owned", || {
        (0..100).try_for_each(|n| {
            let dir = format!("/usr/lib/modules/6.4.0-{n}-default/updates/");
            database.owners_of_dir(dir.as_bytes()).map(drop)
        })
    })?;
    let kmps = timed("load the packages that own module directories", || {
        let load = |instance: &u32| database.package(*instance, &|dir| dir.starts_with(modules));
        dirs.iter().flat_map(|dir| &dir.owners).map(load).collect::<Result<Vec<_>, _>>()
    })?;
    println!("{} packages, {} files", kmps.len(), kmps.iter().map(|kmp| kmp.files.len()).sum::<usize>());
    for name in database.by_name("big")? {
        timed("load a package of 10,000 files, none kept", || database.package(name, &|_| false))?;
        timed("load a package of 10,000 files, all kept", || database.package(name, &|_| true))?;
    }
    let all = timed("instances of all packages", || database.all())?;
    timed("load all packages, no files", || {
        all.iter().try_for_each(|instance| database.package(*instance, &|_| false).map(drop))
    })?;
    timed("load all packages, no files, again (librpm remembers checked digests)", || {
        all.iter().try_for_each(|instance| database.package(*instance, &|_| false).map(drop))
    })?;
    println!("{} packages", all.len());
    Ok(())
}
