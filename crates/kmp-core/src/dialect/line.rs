// SPDX-License-Identifier: LGPL-2.1-or-later
//! Lines of kernels: the next kernel of a line takes the place of the one before, and a kernel of another line is one
//! more beside it.

use super::Dialect;

/// The line that a kernel belongs to.
///
/// In SUSE's dialect a kernel's package is named for its flavour, and so is its release (`6.4.0-150600.23-default`): that
/// is the line. Red Hat's and its relatives' packages have names of their own for each line (`kernel-core`,
/// `kernel-uek-core`, `kernel-ml-core`, `kernel-rt-core`), which the release does not show; what follows the last `+`
/// of a release is the variant (`+debug`, `+64k`, `+rt`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelLine {
    /// `None`: the packages are not known, or there are none.
    package: Option<Box<str>>,
    variant: Box<str>,
}

/// How two kernels go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// They are of one line.
    Same,
    /// They may be: of one of them the package is not known.
    Perhaps,
    /// They are not.
    Other,
}

impl KernelLine {
    /// How this kernel goes together with another.
    pub fn kinship(&self, other: &Self) -> Kinship {
        match (&self.package, &other.package) {
            _ if self.variant != other.variant => Kinship::Other,
            (Some(one), Some(two)) if one == two => Kinship::Same,
            (Some(_), Some(_)) => Kinship::Other,
            _ => Kinship::Perhaps,
        }
    }
}

impl Dialect {
    /// The line of the kernel `release`, whose files the packages of these names have: the kernel's own first.
    pub fn line<'p>(self, release: &str, packages: impl IntoIterator<Item = &'p str>) -> KernelLine {
        match self {
            Self::Suse => {
                let flavour = release.rsplit_once('-').map_or("", |(_, flavour)| flavour);
                KernelLine { package: Some(flavour.into()), variant: flavour.into() }
            }
            Self::RedHat => {
                let package = packages.into_iter().map(base).min_by_key(|name| name.len());
                KernelLine { package: package.map(Into::into), variant: variant(release).into() }
            }
        }
    }
}

/// The name of a kernel's main package, by that of a part of it: `kernel-rt` for `kernel-rt-modules-extra`.
fn base(package: &str) -> &str {
    const PARTS: &[&str] = &["-core", "-modules", "-uki", "-devel", "-kvm"];
    let at = PARTS.iter().filter_map(|part| {
        let at = package.find(part)?;
        let rest = &package[at + part.len()..];
        (rest.is_empty() || rest.starts_with('-')).then_some(at)
    });
    at.min().map_or(package, |at| &package[..at])
}

/// What follows the last `+`, where that is not a part of the version (`6.1.0-1+local.x86_64`).
fn variant(release: &str) -> &str {
    release.rsplit_once('+').map(|(_, variant)| variant).filter(|v| !v.contains('.')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Dialect::{RedHat, Suse};
    use super::Kinship::{Other, Perhaps, Same};

    #[test]
    fn a_red_hat_kernels_line_is_its_packages_name_and_the_variant() {
        let line = |package: &str, release: &str| {
            RedHat.line(release, package.split(' ').filter(|name| !name.is_empty()))
        };
        let (old, new) = ("5.14.0-503.11.1.el9_5.x86_64", "5.14.0-570.12.1.el9_6.x86_64");
        for (one, two, expected) in [
            ("kernel-core", "kernel-core", Same),
            ("kernel-core kernel-modules-core", "kernel-modules-extra", Same),
            ("kernel-core", "kernel", Same),
            ("kernel-core", "kernel-uek-core", Other),
            ("kernel-core", "kernel-ml-core", Other),
            ("kernel-core", "kernel-lt-core", Other),
            ("kernel-core", "kernel-rt-core", Other),
            ("kernel-core", "kernel-debug-core", Other),
            ("kernel-core", "kernel-64k-core", Other),
            ("kernel-rt-core", "kernel-rt-64k-core", Other),
            ("kernel-rt-core", "kernel-rt-modules-internal", Same),
            ("kernel-uek", "kernel-uek-core", Same),
            ("kernel", "kernel6.12", Other),
            ("kernel-core", "", Perhaps),
            ("", "", Perhaps),
        ] {
            assert_eq!(line(one, old).kinship(&line(two, new)), expected, "{one}, {two}");
            assert_eq!(line(two, old).kinship(&line(one, new)), expected, "{two}, {one}");
        }
        let debug = line("kernel-core", "5.14.0-570.12.1.el9_6.x86_64+debug");
        assert_eq!(line("kernel-core", old).kinship(&debug), Other);
        assert_eq!(line("", old).kinship(&debug), Other);
        assert_eq!(line("", old).kinship(&line("kernel-core", "6.1.0-1+local.x86_64")), Perhaps);
    }

    #[test]
    fn a_suse_kernels_line_is_its_flavour() {
        let line = |release| Suse.line(release, []);
        for (one, two, expected) in [
            ("6.4.0-1-default", "6.4.0-2-default", Same),
            ("6.4.0-1-default", "6.12.3-1-default", Same),
            ("6.4.0-1-default", "6.12.3-1-longterm", Other),
            ("6.4.0-1-default", "6.4.0-2-azure", Other),
            ("6.4.0-1-rt", "6.4.0-2-rt", Same),
            ("6.4.0-1-64kb", "6.4.0-2-default", Other),
        ] {
            assert_eq!(line(one).kinship(&line(two)), expected, "{one}, {two}");
        }
    }
}
