// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which packages are versions of one driver. Pure.
//!
//! Packages of one name are. So are packages that are named for the kernel they were built for
//! (`kmod-nvidia-580-6.12.0-55`, of which there is one for each kernel) and bring the same modules, whatever else is in
//! their names: of those the one built for the newest kernel comes first, as with the original.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use rpm_meta::{Evr, vercmp};

/// What of a KMP decides of which driver it is a version.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// The package's name.
    pub package: &'a str,
    /// The release that its modules are installed for.
    pub origin: &'a str,
    /// Their names.
    pub modules: BTreeSet<&'a str>,
}

/// A KMP's place among all versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// Versions of one driver have it in common: their package's name, or, where that names a kernel, the name of the
    /// package among them that was built for the newest one.
    pub name: String,
    /// Are its packages named for their kernels?
    pub is_by_kernel: bool,
}

/// The driver of each member.
pub(crate) fn drivers(members: &[Member<'_>]) -> Vec<Driver> {
    let mut result: Vec<Driver> = members
        .iter()
        .map(|m| Driver { name: m.package.into(), is_by_kernel: is_named_for_kernel(m.package, m.origin) })
        .collect();
    let by_kernel: Vec<usize> = (0..members.len()).filter(|i| result[*i].is_by_kernel).collect();
    // The newest first, so that it gives the name.
    let mut newest_first = by_kernel.clone();
    newest_first.sort_by(|a, b| {
        let (a, b) = (&members[*a], &members[*b]);
        vercmp(b.origin, a.origin).then_with(|| a.package.cmp(b.package))
    });
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut by_package: HashMap<&str, usize> = HashMap::new();
    for index in newest_first {
        let member = &members[index];
        let same = |other: &usize| {
            let other = &members[*other];
            other.modules.is_subset(&member.modules) || member.modules.is_subset(&other.modules)
        };
        let known = by_package.get(member.package).copied();
        let found = known.or_else(|| groups.iter().position(|group| group.iter().any(same)));
        let group = found.unwrap_or(groups.len());
        match groups.get_mut(group) {
            Some(members) => members.push(index),
            None => groups.push(vec![index]),
        }
        by_package.insert(member.package, group);
    }
    for group in groups {
        let name = members[group[0]].package;
        group.iter().for_each(|index| result[*index].name = name.into());
    }
    result
}

/// In which order versions of one driver are tried, by driver, version and origin of each.
pub(crate) fn order(a: (&Driver, &Evr, &str), b: (&Driver, &Evr, &str)) -> Ordering {
    let (version, origin) = (|| b.1.compare(a.1), || vercmp(b.2, a.2));
    let names = a.0.name.cmp(&b.0.name);
    match a.0.is_by_kernel {
        true => names.then_with(origin).then_with(version),
        false => names.then_with(version).then_with(origin),
    }
}

/// Does a package's name contain the release that it was built for, or the beginning of it: the version and at least a
/// number of what comes after its first `-`? Any of `.`, `-`, `_` and `+` may stand for any other.
fn is_named_for_kernel(package: &str, origin: &str) -> bool {
    let words =
        |text: &'_ str| -> Vec<String> { text.split(['.', '-', '_', '+', '~']).map(String::from).collect() };
    let least = match origin.split_once('-') {
        Some((version, _)) => words(version).len() + 1,
        None => return false,
    };
    let (package, origin) = (words(package), words(origin));
    least >= 3 && package.windows(least).any(|at| at == &origin[..least])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_the_kernels_version_and_release_is_for_that_kernel() {
        let el = "5.14.0-503.8.1.el9_5.x86_64";
        for (name, origin, expected) in [
            ("kmod-nvidia-550-5.14.0-503.8.1", el, true),
            ("kmod-nvidia-550.90-5.14.0-503.8.1.el9_5.x86_64", el, true),
            ("kmod-nvidia-5.14.0_503", el, true),
            ("kmod-nvidia-5.14.0-503.9.1", "5.14.0-503.9.1.el9_5.x86_64+rt", true),
            ("foo-kmp-default-6_4_0-1", "6.4.0-1-default", true),
            ("kmod-nvidia-5.14.0", el, false),
            ("kmod-nvidia-5.14.0-570", el, false),
            ("kmod-nvidia-15.14.0-503", el, false),
            ("kmod-nvidia", el, false),
            ("foo-kmp-default", "6.4.0-1-default", false),
            ("foo-1", "1", false),
            ("foo-6.4.0", "6.4.0", false),
        ] {
            assert_eq!(is_named_for_kernel(name, origin), expected, "{name} {origin}");
        }
    }

    #[test]
    fn packages_named_for_kernels_are_one_driver_if_they_have_the_same_modules() {
        let member = |package, origin, modules: &[&'static str]| Member {
            package,
            origin,
            modules: modules.iter().copied().collect(),
        };
        let members = [
            member("kmod-nvidia-550-5.14.0-503.9.1", "5.14.0-503.9.1.el9", &["nvidia", "nvidia_drm"]),
            member("kmod-nvidia-570-5.14.0-503.11.1", "5.14.0-503.11.1.el9", &["nvidia"]),
            member("kmod-other-5.14.0-503.11.1", "5.14.0-503.11.1.el9", &["other"]),
            member("kmod-nvidia", "5.14.0-503.11.1.el9", &["nvidia"]),
        ];
        let found = drivers(&members);
        let names: Vec<&str> = found.iter().map(|d| &*d.name).collect();
        let newest = "kmod-nvidia-570-5.14.0-503.11.1";
        assert_eq!(names, [newest, newest, "kmod-other-5.14.0-503.11.1", "kmod-nvidia"]);
        assert_eq!(found.iter().map(|d| d.is_by_kernel).collect::<Vec<_>>(), [true, true, true, false]);
    }

    #[test]
    fn of_those_the_build_for_the_newest_kernel_comes_first_of_others_the_newest_version() {
        let evr = |version: &str| Evr { version: version.into(), ..Evr::default() };
        let by = |is_by_kernel| Driver { name: "x".into(), is_by_kernel };
        let (old, new) = ((evr("580"), "5.14.0-503.9.1"), (evr("550"), "5.14.0-503.11.1"));
        let compare = |driver: &Driver| order((driver, &old.0, old.1), (driver, &new.0, new.1));
        assert_eq!((compare(&by(true)), compare(&by(false))), (Ordering::Greater, Ordering::Less));
    }
}
