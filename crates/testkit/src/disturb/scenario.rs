// SPDX-License-Identifier: LGPL-2.1-or-later
//! A root before a run that is to be disturbed, and what has to hold after it and after one more run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{CHANGING, Call, Calls, Fault, Run, initrds};
use crate::campaign;
use crate::root::TestRoot;
use crate::tools::Output;

/// Links of each kernel, and what each leads to.
type Links = BTreeMap<String, BTreeMap<PathBuf, (PathBuf, Option<Vec<u8>>)>>;

/// How many calls the quick form disturbs at most: those by which something takes another's place, others of the program's
/// own, and some of the programs that it starts.
const QUICK: [usize; 3] = [10, 10, 4];

/// In each round of a campaign every so many-th call of the programs that it starts is disturbed.
const INSIDE_STEP: usize = 15;

/// So many violations of one scenario say enough.
const ENOUGH: usize = 8;

/// A root before a run that is to be disturbed, and its state kept to start from again and again.
#[derive(Debug)]
pub struct Scenario {
    /// The root.
    pub root: TestRoot,
    name: &'static str,
    kernels: Vec<String>,
    first: Run,
    second: Run,
    /// A copy of all that the run changes.
    before: tempfile::TempDir,
    temporary: tempfile::TempDir,
    /// Calls that fail in every run, such as `renameat2` on a file system that cannot exchange.
    pub always: Vec<&'static str>,
    /// Only calls after strace has printed this.
    pub from: Option<&'static str>,
    /// The run sees the whole set or none of it; not where links are changed one by one.
    pub whole: bool,
    /// What is done with one call after the other.
    pub faults: Vec<Fault>,
    /// What is put back before each run.
    pub kept: Vec<&'static str>,
    /// Files that are no matter after the second run.
    pub ignored: Vec<&'static str>,
    /// The exit statuses that an undisturbed run may have.
    pub good: Vec<i32>,
}

/// What a whole run makes of the root.
struct Undisturbed {
    old: Links,
    new: Links,
    foreign: BTreeMap<PathBuf, String>,
    after: BTreeMap<PathBuf, String>,
    /// The initrds before it.
    initrds: BTreeMap<String, Option<Vec<u8>>>,
    /// Kernels that get a new initrd, or a marker for one.
    needing: BTreeSet<String>,
}

/// What came of one disturbed run.
enum Disturbed {
    /// The call was not made this time.
    NotReached,
    Well,
    /// What does not hold.
    Wrongly(String),
}

const KEPT: [&str; 5] = ["usr/lib/modules", "run", "boot", "var/lib/rpm", "var/cache/kmp"];

impl Scenario {
    /// `first` is disturbed, `second` makes up for it. Both get a `TMPDIR` of their own, which has to be empty at the end.
    pub fn new(name: &'static str, root: TestRoot, kernels: &[&str], first: Run, second: Run) -> Self {
        let before = tempfile::tempdir().expect("a temporary directory");
        let temporary = tempfile::tempdir().expect("a temporary directory");
        for dir in KEPT {
            copy(&root.join(dir), &before.path().join(dir));
        }
        let of_tmp = |run: Run| run.env("TMPDIR", temporary.path());
        Self {
            first: of_tmp(first),
            second: of_tmp(second),
            name,
            root,
            kernels: kernels.iter().map(ToString::to_string).collect(),
            before,
            temporary,
            always: Vec::new(),
            from: None,
            whole: true,
            faults: vec![Fault::Kill],
            kept: KEPT[..3].to_vec(),
            ignored: Vec::new(),
            good: vec![0],
        }
    }

    /// Puts everything back. Indexes are newer than the files that they list, and older than what comes: change times are as
    /// coarse as the kernel's clock ticks, so there is a pause on either side.
    pub fn restore(&self) {
        const TICKS: std::time::Duration = std::time::Duration::from_millis(20);
        for dir in &self.kept {
            empty(&self.root.join(dir));
            copy(&self.before.path().join(dir), &self.root.join(dir));
        }
        std::thread::sleep(TICKS);
        let now = std::time::SystemTime::now();
        for krel in &self.kernels {
            let Ok(entries) = fs::read_dir(self.root.join("usr/lib/modules").join(krel)) else { continue };
            for path in entries.map(|e| e.expect("a directory of ours").path()) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // What depmod reads counts as a change when it is touched.
                let read = name == "modules.order" || name.starts_with("modules.builtin");
                if name.starts_with("modules.") && !read && path.is_file() {
                    let file = fs::File::options().write(true).open(&path).expect("a file of ours");
                    file.set_modified(now).expect("a file of ours");
                }
            }
        }
        std::thread::sleep(TICKS);
    }

    /// The run with nothing but what always fails.
    pub fn undisturbed(&self) -> Output {
        self.strace(&["-e".into(), "trace=none".into()], &[])
    }

    /// The second run.
    pub fn second(&self) -> Output {
        self.second.output(&self.root)
    }

    fn strace(&self, options: &[String], inject: &[String]) -> Output {
        // Not with --seccomp-bpf, which would be three times as fast: strace 6.1 then disturbs no call.
        let mut all = vec!["-f".to_string(), "-qq".into()];
        let always = self.always.iter().map(ToString::to_string);
        for inject in always.chain(inject.iter().cloned()) {
            all.extend(["-e".to_string(), format!("inject={inject}")]);
        }
        all.extend(options.iter().cloned());
        self.first.under_strace(&self.root, &all)
    }

    /// The calls that are disturbed: in the quick form some of those of an undisturbed run that change the disk, in a
    /// campaign all of the program's own, and of others' in each round others.
    fn calls(&self) -> Vec<Call> {
        let log = self.temporary.path().join("trace");
        let options =
            ["-y", "-o", &log.to_string_lossy(), "-e", &format!("trace={CHANGING}")].map(String::from);
        let output = self.strace(&options, &[]);
        assert!(output.status.is_some_and(|s| self.good.contains(&s)), "{output}");
        let text = fs::read(&log).expect("strace's log");
        fs::remove_file(&log).expect("strace's log");
        let text = String::from_utf8_lossy(&text);
        let Some(seed) = campaign::seed() else {
            let Calls { own, inside } = Calls::read(&text, self.from, 12, 0);
            let (places, others) = own.into_iter().partition(|call| call.name.starts_with("rename"));
            return [places, others, inside]
                .into_iter()
                .zip(QUICK)
                .flat_map(|(calls, n)| some(calls, n))
                .collect();
        };
        let first = usize::try_from(seed).unwrap_or_default();
        let Calls { own, inside } = Calls::read(&text, self.from, 4, first);
        own.into_iter().chain(inside.into_iter().skip(first % INSIDE_STEP).step_by(INSIDE_STEP)).collect()
    }

    /// The links of each kernel.
    pub fn links(&self) -> Links {
        let of = |krel: &String| {
            let links = self.root.weak_updates(krel).into_iter();
            let in_the_making =
                |link: &Path| link.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".kmp-"));
            links
                .filter(|(link, _)| !in_the_making(link))
                .map(|(link, target)| {
                    let bytes = fs::read(self.root.join(&target)).ok();
                    (link, (target, bytes))
                })
                .collect()
        };
        self.kernels.iter().map(|krel| (krel.clone(), of(krel))).collect()
    }

    /// Disturbs the run at every call in turn. Returns how many there were.
    ///
    /// # Panics
    /// With all that did not hold.
    pub fn disturb(&self) -> usize {
        self.restore();
        let (old, foreign) = (self.links(), self.foreign());
        let initrds: BTreeMap<_, _> =
            self.kernels.iter().map(|krel| (krel.clone(), initrds::bytes(&self.root, krel))).collect();
        let calls = self.calls();
        let new = self.links();
        let needing = self.kernels.iter().filter(|krel| {
            initrds::is_marked(&self.root, krel) || initrds::bytes(&self.root, krel) != initrds[*krel]
        });
        let needing = needing.cloned().collect();
        let whole = Undisturbed { old, new, foreign, after: self.tree(), initrds, needing };
        assert_ne!(whole.old, whole.new, "the run changes nothing");
        self.restore();
        assert_eq!(self.links(), whole.old);

        // In each round of a campaign each call is disturbed in another way, where there are several.
        let shift = usize::try_from(campaign::seed().unwrap_or_default()).unwrap_or_default();
        let (mut done, mut kills, mut missed) = (0, 0, 0);
        let mut violations = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            let fault = self.faults[(number + shift) % self.faults.len()];
            match self.disturb_once(call, fault, &whole) {
                Disturbed::NotReached => missed += 1,
                other => {
                    done += 1;
                    kills += u64::from(fault == Fault::Kill);
                    if let Disturbed::Wrongly(what) = other {
                        violations.push(format!("after {}: {what}", call.inject(fault)));
                    }
                }
            }
            self.restore();
            if violations.len() >= ENOUGH {
                break;
            }
        }
        assert!(missed <= done / 4, "{missed} calls of {} were not reached", missed + done);
        campaign::figure("calls disturbed", done);
        campaign::figure("kills", kills);
        campaign::figure(&format!("{}: calls disturbed", self.name), done);
        campaign::figure(&format!("{}: violations", self.name), violations.len() as u64);
        println!("{done} calls disturbed, new initrds needed: {:?}", whole.needing);
        assert!(
            violations.is_empty(),
            "{} violations in {done} calls:\n{}",
            violations.len(),
            violations.join("\n\n")
        );
        usize::try_from(done).unwrap_or_default()
    }

    /// One disturbed run, and another to make up for it.
    fn disturb_once(&self, call: &Call, fault: Fault, whole: &Undisturbed) -> Disturbed {
        let log = self.temporary.path().join("log");
        let names =
            self.always.iter().filter_map(|always| always.split(':').next()).chain([call.name.as_str()]);
        let trace = format!("trace={}", names.collect::<Vec<_>>().join(","));
        let options = ["-o", &log.to_string_lossy(), "-e", &trace].map(String::from);
        let first = self.strace(&options, &[call.inject(fault)]);
        let traced = fs::read(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        let traced = String::from_utf8_lossy(&traced);
        if !["killed by SIGKILL", "(INJECTED)"].iter().any(|sign| traced.contains(sign)) {
            return Disturbed::NotReached;
        }
        let told = |what: String| Disturbed::Wrongly(format!("{what}\nfirst {first}"));

        if let Some(what) = self.check_first(fault, &first) {
            return told(what);
        }
        let between = self.links();
        // EPERM and the like from renameat2 or linkat mean: one by one.
        let is_whole = self.whole && fault == Fault::Kill;
        for krel in &self.kernels {
            let (is, was, will) = (&between[krel], &whole.old[krel], &whole.new[krel]);
            let odd = is.iter().find(|(l, to)| was.get(*l) != Some(to) && will.get(*l) != Some(to));
            if let Some((link, _)) = odd {
                return told(format!("{krel}: {} is of no set", link.display()));
            }
            if is_whole && is != was && is != will {
                return told(format!("{krel} is in neither state: {is:?}"));
            }
        }
        if self.foreign() != whole.foreign {
            return told("files of others changed".into());
        }

        let second = self.second.output(&self.root);
        let told = |what: String| Disturbed::Wrongly(format!("{what}\nfirst {first}\nsecond {second}"));
        if second.status != Some(0) {
            return told("the second run fails".into());
        }
        if self.foreign() != whole.foreign {
            return told("files of others changed in the second run".into());
        }
        if let Some(what) = self.check_initrds(whole) {
            return told(what);
        }
        let left = fs::read_dir(self.temporary.path()).expect("a directory of ours").count();
        if left > 0 {
            return told(format!("{left} temporary files are left"));
        }
        let (mut healed, mut after) = (self.tree(), whole.after.clone());
        if fault != Fault::Kill {
            // The same call fails in depmod, which then may leave things out without a word.
            let index =
                |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().starts_with("modules.");
            for (_, state) in healed.iter_mut().chain(&mut after).filter(|(path, _)| index(path)) {
                *state = "an index".into();
            }
        }
        let paths: BTreeSet<_> = healed.keys().chain(after.keys()).collect();
        let differs = paths.into_iter().filter(|p| healed.get(*p) != after.get(*p));
        let differs: Vec<_> = differs
            .map(|p| format!("{}: {:?}, not {:?}", p.display(), healed.get(p), after.get(p)))
            .collect();
        if differs.is_empty() {
            Disturbed::Well
        } else {
            told(format!("after a second run:\n{}", differs.join("\n")))
        }
    }

    fn check_first(&self, fault: Fault, output: &Output) -> Option<String> {
        if output.stderr.contains("panicked") {
            return Some("a panic".into());
        }
        if let Fault::Error(_) = fault {
            // A failed flush to a pipe, or a cleaning up that can wait, need not count.
            if !matches!(output.status, Some(0 | 2)) {
                return Some("an odd exit status".into());
            }
            let mut names =
                self.kernels.iter().map(String::as_str).chain(["/run/kmp", "/run/regenerate-initrd", "rpm"]);
            if output.status == Some(2) && !names.any(|n| output.stderr.contains(n)) {
                return Some("the error names neither kernel nor file".into());
            }
        }
        None
    }

    /// Each kernel that needs an initrd has a new one, or a marker; no other is asked for.
    fn check_initrds(&self, whole: &Undisturbed) -> Option<String> {
        for krel in &self.kernels {
            let is_marked = initrds::is_marked(&self.root, krel);
            if whole.needing.contains(krel) {
                let is_new = initrds::packed(&self.root, krel) == Some(initrds::on_disk(&self.root, krel));
                if !is_marked && !is_new {
                    return Some(format!("the request for the initrd of {krel} is lost"));
                }
            } else if is_marked {
                return Some(format!("{krel} needs no initrd, and has a marker"));
            } else if initrds::bytes(&self.root, krel) != whole.initrds[krel] {
                return Some(format!("{krel} needs no initrd, and has got one"));
            }
        }
        None
    }

    /// All of the root but initrds and markers.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        self.root.tree_of(|path| {
            let initrd = path.starts_with("boot") || path.starts_with("run/regenerate-initrd");
            !initrd && !self.ignored.iter().any(|ignored| path.starts_with(ignored))
        })
    }

    fn foreign(&self) -> BTreeMap<PathBuf, String> {
        self.root.tree_of(|path| {
            let path = path.to_string_lossy();
            path.contains("foreign") && !path.starts_with("run/kmp") && !path.contains("/.kmp-")
        })
    }
}

/// At most so many of a list, from all over it.
fn some<T>(list: Vec<T>, most: usize) -> impl Iterator<Item = T> {
    let all = list.len();
    let is_taken = move |at: usize| at * most / all < (at + 1) * most / all;
    list.into_iter().enumerate().filter(move |(at, _)| is_taken(*at)).map(|(_, one)| one)
}

/// Removes all that is in a directory, but mount points themselves.
fn empty(dir: &Path) {
    for path in fs::read_dir(dir).into_iter().flatten().map(|e| e.expect("a directory of ours").path()) {
        if path.is_dir() && !path.is_symlink() {
            empty(&path);
            let _ = fs::remove_dir(path);
        } else {
            fs::remove_file(path).expect("a file of ours");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let Ok(metadata) = fs::symlink_metadata(from) else { return };
    if metadata.is_symlink() {
        symlink(fs::read_link(from).expect("a link"), to).expect("a place for it");
    } else if metadata.is_dir() {
        fs::create_dir_all(to).expect("a place for it");
        for entry in fs::read_dir(from).expect("a directory of ours") {
            let entry = entry.expect("a directory of ours");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        fs::set_permissions(to, metadata.permissions()).expect("a directory of ours");
    } else {
        fs::copy(from, to).expect("a place for it");
    }
}
