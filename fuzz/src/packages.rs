// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages: their files' headers, their dependencies, and libzypp's word on those of a commit.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;

use kmp_core::abi::capability::{SymbolCapability, table};
use kmp_core::abi::{Facts, image_exports};
use kmp_core::deps::{self, Circumstances, Content, Entry, read_symsets, redhat, suse};
use kmp_core::guest::CommandLine;
use kmp_core::run_dir::commit::{self, StepKind};
use librpm_rt::Librpm;
use nix::sys::memfd::{MFdFlags, memfd_create};

#[path = "../../crates/kmp-cli/src/host/zypp/frames.rs"]
mod frames;

/// librpm's parser and ours on what it makes of a package file.
pub fn rpm_header(data: &[u8]) {
    let rpm = Librpm::load().expect("librpm is there");
    let mut file = File::from(memfd_create("fuzz.rpm", MFdFlags::MFD_CLOEXEC).expect("a file in memory"));
    file.write_all(data).and_then(|()| file.rewind()).expect("memory is written");
    let Ok(mut package) = rpm.package_from_fd(file.as_fd()) else { return };
    let _ = package.contents(&|_| true);
    let _ = package.read_files(&|_| true, 1 << 20, &mut |_, _| ControlFlow::Continue(()));
}

/// `NAME = VERSION`, a line each, as packages provide symbols.
pub fn capability(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pairs = text.lines().filter_map(|line| line.split_once(" = "));
    let found: Vec<SymbolCapability<'_>> =
        pairs.filter_map(|(name, version)| SymbolCapability::parse(name, version)).collect();
    let symbols = table(found.iter().copied());
    assert!(symbols.len() <= found.len());
}

pub fn symsets(data: &[u8]) {
    let _ = read_symsets(data);
}

/// A path, NUL, and the file: what the generators make of a package with this one file.
pub fn deps(data: &[u8]) {
    let Some(at) = data.iter().position(|b| *b == 0) else { return };
    let (path, file) = (&data[..at], &data[at + 1..]);
    let Some(kind) = deps::kind(path) else { return };
    let content = match &kind {
        deps::Kind::Module => Facts::parse(file).map(Content::Module),
        deps::Kind::Image(_) => {
            image_exports(file).map(|exports| Content::Image { exports, builtin: Some(file.to_vec()) })
        }
        _ => Ok(Content::Text(file.to_vec())),
    };
    let Ok(content) = content else { return };
    let entries = [Entry { path: path.to_vec(), kind, content }];
    let known = Circumstances { package: Some("foo-kmp-default".into()), ..Circumstances::default() };
    suse::provides(&entries, &known);
    suse::requires(&entries, &[], &known);
    suse::supplements(&entries, &known);
    redhat::provides(&entries, &known);
    redhat::release(&entries, &known);
    redhat::requires(&entries, b"", &known);
}

/// All frames of an input.
pub fn stomp(data: &[u8]) {
    let mut input = io::BufReader::new(data);
    let mut count = 0;
    while let Ok(Some((_, body))) = frames::read(&mut input) {
        // What the commit plugin writes is what rpm's plugin reads.
        let list = frames::steps(&body);
        assert_eq!(commit::parse(&list).map(|steps| steps.len()), Some(list.lines().count()));
        frames::has_done_something(&body);
        count += 1;
        assert!(count <= data.len());
    }
}

/// The list of what a commit brings.
pub fn commit_list(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(steps) = commit::parse(&text) else { return };
    let line = |step: &commit::Step| {
        let kind = match step.kind {
            StepKind::Update => '+',
            StepKind::Beside => 'M',
            StepKind::Erase => '-',
        };
        format!("{kind} {}\n", step.nevra)
    };
    assert_eq!(steps.iter().map(line).collect::<String>(), text);
}

/// A package on the first line, and a command line behind it.
pub fn command_line(data: &[u8]) {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (nevra, words) = (String::from_utf8_lossy(&data[..end]), &data[end..]);
    CommandLine::Words(words.to_vec()).names(&nevra);
    let named = [b"rm\0", nevra.as_bytes()].concat();
    let is_name =
        nevra.len() <= 4096 && !nevra.starts_with('-') && !nevra.contains(['\0', '*', '?', '[', '\\']);
    assert!(!is_name || CommandLine::Words(named).names(&nevra));
}
