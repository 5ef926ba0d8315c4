// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whatever a repository lists, and however much of it: the memory that reading it takes is bounded. A program of its own, for it
//! counts what is allocated.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]
#![allow(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kmp_repo::kept::Writer;
use kmp_repo::offer::CONCERNED;
use kmp_repo::rpmmd::{Error, advisories, packages};

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

/// A document of a beginning, and of a part that is repeated so often; then it ends.
struct Repeated {
    start: &'static str,
    again: String,
    times: usize,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut len = 0;
        while len < buffer.len() && (self.times > 0 || !self.start.is_empty()) {
            let piece = if self.start.is_empty() { self.again.as_bytes() } else { self.start.as_bytes() };
            let taken = (piece.len() - self.at).min(buffer.len() - len);
            buffer[len..len + taken].copy_from_slice(&piece[self.at..self.at + taken]);
            len += taken;
            self.at += taken;
            if self.at == piece.len() {
                self.at = 0;
                if self.start.is_empty() { self.times -= 1 } else { self.start = "" }
            }
        }
        Ok(len)
    }
}

/// The most bytes that reading takes.
const BOUND: usize = 96 << 20;

/// One after the other: what is counted is the whole program's.
#[test]
fn a_hundred_million_of_anything_take_bounded_memory() {
    let package = "<metadata><package><name>kernel-default</name><format><rpm:provides>";
    let entry = "<rpm:entry name=\"ksym(default:a)\" flags=\"EQ\" ver=\"1\"/>";
    let many = |entries: usize, of: &str| {
        format!(
            "<package><name>kernel-default</name><format><rpm:provides>{}</rpm:provides></format></package>",
            of.repeat(entries)
        )
    };
    let update = "<updates><update type='security'><id>A</id>";
    let kernel = "<package name='kernel-default' version='1' release='1' arch='x86_64'/>";
    let advisory = format!(
        "<update type='security'><id>A</id><pkglist><collection>{kernel}</collection></pkglist></update>"
    );
    let hundred_million = 100_000_000;
    for (start, again, times) in [
        // Of one package, however little each of them says.
        (package, entry.to_owned(), hundred_million),
        (package, "<rpm:entry/>".to_owned(), hundred_million),
        // Of packages that may all be real, of which none is more than others.
        ("<metadata>", many(20_000, entry), 20),
        ("<metadata>", many(20_000, "<rpm:entry/>"), 20),
        ("<metadata>", many(0, ""), 50_000),
        (update, format!("<pkglist><collection>{kernel}</collection></pkglist>"), 50_000),
        (update, "<references><reference id='CVE-1' type='cve'/></references>".to_owned(), 50_000),
        ("<updates>", advisory, 50_000),
    ] {
        let what = format!("{start}{}", again.chars().take(80).collect::<String>());
        let before = NOW.load(Relaxed);
        PEAK.store(before, Relaxed);
        let input = BufReader::new(Repeated { start, again, times, at: 0 });
        let mut writer = Writer::default();
        let error = if start.starts_with("<metadata") {
            packages(input, &CONCERNED, &mut |package| writer.package(package)).unwrap_err()
        } else {
            advisories(input, &mut |advisory| writer.advisory(&advisory)).unwrap_err()
        };
        // It is refused, or read to where it is cut off.
        assert!(matches!(error, Error::TooLarge { .. } | Error::Cut { .. }), "{what}: {error}");
        let peak = PEAK.load(Relaxed) - before;
        assert!(peak < BOUND, "{what}: {peak} bytes");
    }
}
