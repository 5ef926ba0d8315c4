// SPDX-License-Identifier: LGPL-2.1-or-later
//! A case: operations that are done on both sides, and what becomes of them.

use std::ffi::OsStr;
use std::ops::Add;

use testkit::{KernelBuilder, Package, run};

use crate::distribution::{Distribution, RED_HAT, SUSE, kernel};
use crate::sides::{Original, Peers, Seen, Side};

/// How often the sides were compared, and with what result.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    operations: usize,
    agreements: usize,
    /// Operations that differed, by the defect that the case names.
    defects: Vec<&'static str>,
}

impl Add<&Figures> for Figures {
    type Output = Self;

    fn add(mut self, other: &Self) -> Self {
        self.operations += other.operations;
        self.agreements += other.agreements;
        self.defects.extend(&other.defects);
        self
    }
}

impl Figures {
    /// Of one operation.
    pub fn of(is_compared: bool, defect: Option<&'static str>) -> Self {
        let agreements = usize::from(is_compared && defect.is_none());
        Self { operations: 1, agreements, defects: defect.into_iter().collect() }
    }

    /// In words.
    pub fn said(&self, original: Original, peers: &Peers) -> String {
        if peers.of(original).is_none() {
            let why = format!("{} is not set", original.variable());
            return format!(
                "{} operations as written down; NOT COMPARED with the original: {why}",
                self.operations
            );
        }
        let mut defects = self.defects.clone();
        defects.sort_unstable();
        defects.dedup();
        format!(
            "{} operations: {} agree with the original, {} differ by its defects ({})",
            self.operations,
            self.agreements,
            self.defects.len(),
            defects.join(", ")
        )
    }
}

pub struct Case {
    original: Original,
    /// Where the original is at home.
    pub distribution: &'static Distribution,
    sides: Vec<Side>,
    figures: Figures,
    /// The defect that the sides may differ by now, and whether they have.
    defect: Option<(&'static str, bool)>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Case {
    pub fn new(original: Original, peers: &Peers) -> Self {
        let mut sides = vec![Side::new(original, None)];
        sides.extend(peers.of(original).map(|peer| Side::new(original, Some(peer))));
        let distribution = match original {
            Original::WeakModules2 | Original::Regenerate => SUSE,
            Original::WeakModules => RED_HAT,
        };
        let figures = Figures::default();
        Self { original, distribution, sides, figures, defect: None, variables: Vec::new() }
    }

    pub fn figures(&self) -> Figures {
        self.figures.clone()
    }

    /// Sets a variable for the programs.
    pub fn variable(&mut self, name: &'static str, value: &'static str) {
        self.variables.push((name, value));
    }

    /// What is done in `operations` differs by a defect of the original, and what is seen does so at least once.
    #[track_caller]
    pub fn by_defect(&mut self, defect: &'static str, operations: impl FnOnce(&mut Self)) {
        self.defect = Some((defect, false));
        operations(self);
        let (_, differed) = self.defect.take().unwrap();
        assert!(differed || self.sides.len() == 1, "names defect {defect}, but both sides are the same");
    }

    /// The same where each original has a defect of its own, or none.
    #[track_caller]
    pub fn by_defect_of(&mut self, defects: &[(Original, &'static str)], operations: impl FnOnce(&mut Self)) {
        match defects.iter().find(|(original, _)| *original == self.original) {
            Some((_, defect)) => self.by_defect(defect, operations),
            None => operations(self),
        }
    }

    /// The program, with a list on stdin. Returns the status of ours.
    #[track_caller]
    pub fn call(&mut self, args: &[&str], list: &str) -> Option<i32> {
        let mut seen: Vec<(Seen, String)> = Vec::new();
        for side in &self.sides {
            let output = side.call(args, &self.variables, list);
            seen.push((side.see(output.status), output.to_string()));
        }
        self.figures.operations += 1;
        let (ours, we_said) = &seen[0];
        let Some((peer, said)) = seen.get(1) else { return ours.status };
        match (&mut self.defect, ours == peer) {
            (_, true) => self.figures.agreements += 1,
            (Some((defect, differed)), false) => {
                *differed = true;
                self.figures.defects.push(defect);
            }
            (None, false) => panic!(
                "{args:?} differs\nours: {ours:#?}\nthe original: {peer:#?}\nwe said: {we_said}\nit said: {said}"
            ),
        }
        ours.status
    }

    /// The same as a package's scriptlet does it; ours says that all went well.
    #[track_caller]
    fn tell(&mut self, args: &[&str], list: &str) {
        assert_eq!(self.call(args, list), Some(0), "{args:?}");
    }

    /// What ours has: all links of a kernel, each by its path below `weak-updates/` and the release that it leads to.
    #[track_caller]
    pub fn has(&self, krel: &str, expected: &[(&str, &str)]) {
        let links = expected.iter().map(|(path, origin)| self.link(path, origin));
        self.has_exactly(krel, &links.collect::<Vec<_>>());
    }

    /// The same by the names of modules, each in a package of its own name.
    #[track_caller]
    pub fn has_modules(&self, krel: &str, expected: &[(&str, &str)]) {
        let path = self.distribution.link;
        let links = expected.iter().map(|(name, origin)| self.link(&path(name, name), origin));
        self.has_exactly(krel, &links.collect::<Vec<_>>());
    }

    fn link(&self, path: &str, origin: &str) -> String {
        format!("weak-updates/{path} -> {}", (self.distribution.target)(origin, path))
    }

    #[track_caller]
    pub fn has_exactly(&self, krel: &str, expected: &[String]) {
        let found: Vec<String> = self.sides[0]
            .root
            .weak_updates(krel)
            .iter()
            .map(|(link, target)| format!("{} -> {}", link.display(), target.display()))
            .collect();
        assert_eq!(found, expected, "links of {krel}");
    }

    /// Ours asks for the initrds of these kernels, and no others.
    #[track_caller]
    pub fn wants_initrds(&self, expected: &[&str]) {
        assert_eq!(self.sides[0].see(None).markers, expected);
    }

    /// A file in both roots.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        self.sides.iter().for_each(|side| side.root.write(path, bytes));
    }

    pub fn delete(&self, path: &str) {
        for side in &self.sides {
            let path = side.root.join(path);
            match path.is_dir() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false => std::fs::remove_file(path).unwrap(),
            }
        }
    }

    /// Three kernels are there, the last of which does not take what was built for the first.
    pub fn kernels_there(&self) -> [KernelBuilder; 3] {
        let d = self.distribution;
        let kernels = [kernel(d.old, 7), kernel(d.same, 7), kernel(d.other, 8)];
        kernels.iter().for_each(|k| self.kernel_is_there(k));
        kernels
    }

    /// A kernel is there; nobody is told.
    pub fn kernel_is_there(&self, kernel: &KernelBuilder) {
        self.sides.iter().for_each(|side| {
            kernel.write(&side.root.path());
        });
    }

    #[track_caller]
    pub fn add_kernel(&mut self, kernel: &KernelBuilder) {
        self.kernel_is_there(kernel);
        self.tell(&["--add-kernel", kernel.krel()], "");
    }

    /// As the kernel packages of both distributions do it: SUSE's tell when the files are gone, Red Hat's before.
    #[track_caller]
    pub fn remove_kernel(&mut self, kernel: &KernelBuilder) {
        if self.original == Original::WeakModules {
            self.tell(&["--remove-kernel", kernel.krel()], "");
        }
        for side in &self.sides {
            for (path, _) in kernel.files() {
                std::fs::remove_file(side.root.join(path)).unwrap();
            }
            // depmod's, which are ghosts of the package.
            let dir = side.root.join(kernel.dir());
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    std::fs::remove_file(entry.path()).unwrap();
                }
            }
            run(side.root.command("find").arg(side.root.join(kernel.dir())).args([
                "-mindepth",
                "1",
                "-type",
                "d",
                "-empty",
                "-delete",
            ]));
        }
        if self.original == Original::WeakModules2 {
            self.tell(&["--remove-kernel", kernel.krel()], "");
        }
    }

    /// Packages are there; nobody is told.
    pub fn package_is_there(&self, packages: &[&Package]) {
        let options = ["-i", "--noscripts", "--nodeps", "--ignorearch", "--oldpackage", "--replacefiles"];
        let options = options.iter().map(OsStr::new);
        let files = packages.iter().map(|p| p.path().as_os_str());
        for side in &self.sides {
            side.root.rpm(options.clone().chain(files.clone())).expect_success();
        }
    }

    /// A package comes, and its %post tells of it.
    #[track_caller]
    pub fn install(&mut self, package: &Package) {
        self.package_is_there(&[package]);
        self.added(package);
    }

    #[track_caller]
    pub fn erase(&mut self, package: &Package) {
        let list = self.modules(package);
        self.sides.iter().for_each(|side| side.root.erase(&[package.nvr()]));
        self.removed(package, &list);
    }

    /// `rpm -U`: the new package comes and its %post runs, then the old one goes and its %postun runs. What is done in
    /// between may differ by `defect`.
    #[track_caller]
    pub fn update(&mut self, old: &Package, new: &Package, defect: Option<&'static str>) {
        let list = self.modules(old);
        self.package_is_there(&[new]);
        match defect {
            Some(defect) => self.by_defect(defect, |c| c.added(new)),
            None => self.added(new),
        }
        self.sides.iter().for_each(|side| side.root.erase(&[old.nvr()]));
        self.removed(old, &list);
    }

    /// `rpm --reinstall`: %post, then %postun, of the same package.
    #[track_caller]
    pub fn reinstall(&mut self, package: &Package) {
        let list = self.modules(package);
        self.added(package);
        self.removed(package, &list);
    }

    #[track_caller]
    fn added(&mut self, package: &Package) {
        match self.original {
            Original::WeakModules2 | Original::Regenerate => self.tell(&["--add-kmp", package.nvr()], ""),
            Original::WeakModules => {
                let list = self.modules(package);
                self.tell(&["--add-modules"], &list)
            }
        }
    }

    #[track_caller]
    fn removed(&mut self, package: &Package, list: &str) {
        match self.original {
            Original::WeakModules2 | Original::Regenerate => {
                self.tell(&["--remove-kmp", package.nvr()], list)
            }
            Original::WeakModules => self.tell(&["--remove-modules"], list),
        }
    }

    /// The modules of an installed package, as its scriptlets list them.
    fn modules(&self, package: &Package) -> String {
        let listed = self.sides[0].root.rpm(["-ql", package.nvr()]).expect_success();
        let lines = listed.stdout.lines().filter(|line| line.contains(".ko"));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

/// A case's name and what it does.
pub type Named = (&'static str, fn(&mut Case));
