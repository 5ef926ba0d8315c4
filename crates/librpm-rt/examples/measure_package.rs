// SPDX-License-Identifier: LGPL-2.1-or-later
//! Measures the reading of package files. Arguments: package files.
//!
//! `cargo run --release -p librpm-rt --example measure_package FILE.rpm...`

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use librpm_rt::{Error, Librpm};

fn timed<T>(what: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    let value = call();
    println!("{:>10.3} ms  {what}", start.elapsed().as_secs_f64() * 1e3);
    value
}

fn main() -> Result<(), Error> {
    let rpm = timed("load librpm and its configuration", Librpm::load)?;
    for path in std::env::args_os().skip(1) {
        let path = Path::new(&path);
        println!("{}", path.display());
        let mut file = timed("open, and read the header", || rpm.open_package(path))?;
        let contents = timed("name, files, Provides, Requires, Obsoletes", || file.contents(&|_| true))?;
        let (provides, files) = (contents.package.provides.len(), contents.package.files.len());
        println!("{provides} Provides, {} Requires, {files} files", contents.requires.len());
        timed("list the payload's files", || {
            file.read_files(&|_| false, 0, &mut |_, _| ControlFlow::Continue(()))
        })?;
        let mut first = 0;
        timed("the payload up to its first file", || {
            file.read_files(&|_| true, 1 << 30, &mut |_, contents| {
                first = contents.len();
                ControlFlow::Break(())
            })
        })?;
        let mut all = 0;
        timed("the whole payload", || {
            file.read_files(&|_| true, 1 << 30, &mut |_, contents| {
                all += contents.len();
                ControlFlow::Continue(())
            })
        })?;
        println!("{first} of {all} bytes");
    }
    Ok(())
}
