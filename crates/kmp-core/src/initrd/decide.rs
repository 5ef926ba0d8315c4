// SPDX-License-Identifier: LGPL-2.1-or-later
//! Does a kernel need a new initrd? Pure: the rules of `weak-modules2`, in its order, but that modules are compared by what
//! they are, and not by name alone.

use std::fmt;

use super::digest::Digest;
use super::dracut_conf::Drivers;
use crate::dialect::Dialect;

/// A module, in the initrd or on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not there.
    Absent,
    /// It is there, and nobody has to look closer.
    NotRead,
    /// It was read.
    Read(Digest),
    /// It cannot be read, and why.
    Broken(String),
}

/// A module that may make the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its name, `_` for `-`.
    pub name: String,
    /// What a new initrd would get.
    pub installed: State,
    /// What the initrd has.
    pub packed: State,
}

/// The initrd that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// None.
    Missing,
    /// None, as the kernel has no boot entry.
    NoEntry,
    /// One that cannot be read as a whole, and why.
    Unreadable(String),
    /// One with a part that kmp does not look into, and which.
    Closed(String),
    /// It, or a module that it is compared with, could not be looked at now, and why.
    Unknown(String),
    /// One that was read.
    Read(Vec<Compared>),
}

/// All that the decision rests on.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The kernel's release.
    pub release: &'a str,
    /// Why this is no complete system, if so: there is no `/etc/fstab`, there is a `/.buildenv`, or there is no generator.
    pub incomplete: Option<&'a str>,
    /// What the decision rests on and could not be read, if so.
    pub unknown: Option<&'a str>,
    /// Is there an image of the kernel?
    pub has_image: bool,
    /// Who asks for it in any case, if so: a package (`KMP_NEEDS_MKINITRD`), a marker.
    pub forced: Option<&'a str>,
    /// The kernel was installed, or modules of its own came or went.
    pub whole_kernel: bool,
    /// Whose rules. By Red Hat's, those of `weak-modules`, an initrd that is missing is not made, for that is what
    /// `kernel-install` is for; and where links changed, a linked module that is not in the initrd may have to get
    /// in, for dracut to decide.
    pub dialect: Dialect,
    /// Did links of this kernel, or third-party modules in its directory, change?
    pub links_changed: bool,
    /// Looked into last.
    pub drivers: &'a Drivers,
}

/// Why a module makes a new initrd needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The initrd has another build of it.
    Differs,
    /// The initrd has it, and it is not installed any more.
    Gone,
    /// dracut's configuration wants it, and the initrd lacks it.
    Lacking,
    /// It is not in the initrd, and may be new to the kernel.
    New,
    /// It could not be compared.
    Unknown(String),
}

/// The answer's reason; [`Reason::needed`] is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Initrds of kdump kernels are kdump's own affair.
    Kdump,
    /// The system is not complete: somebody has to make the initrds when it is.
    Incomplete(String),
    /// There is nothing that could boot it.
    NoImage,
    /// Somebody asks for it.
    Forced(String),
    /// The kernel itself is new.
    WholeKernel,
    /// There is none.
    Missing,
    /// There is one that cannot be read.
    Unreadable(String),
    /// Modules, by name.
    Changed(Vec<(String, Change)>),
    /// What that depends on could not be read: in doubt it is.
    Unknown(String),
    /// There is none, and somebody else makes it.
    NotMissed,
    /// It has what a new one would have.
    Same,
}

impl Reason {
    /// Is a new initrd needed?
    pub fn needed(&self) -> bool {
        !matches!(self, Self::Kdump | Self::Incomplete(_) | Self::NoImage | Self::NotMissed | Self::Same)
    }

    /// Is it needed for want of knowledge?
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// The modules that make the difference.
    pub fn modules(&self) -> Vec<&str> {
        match self {
            Self::Changed(modules) => modules.iter().map(|(name, _)| name.as_str()).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs => f.write_str("the initrd has another build"),
            Self::Gone => f.write_str("in the initrd, but not installed any more"),
            Self::New => f.write_str("linked, but not in the initrd"),
            Self::Lacking => f.write_str("wanted by dracut's configuration, but not in the initrd"),
            Self::Unknown(why) => write!(f, "cannot be compared ({why})"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kdump => f.write_str("initrds of kdump kernels are left to kdump"),
            Self::Incomplete(why) => f.write_str(why),
            Self::NoImage => f.write_str("there is no kernel image"),
            Self::Forced(who) => write!(f, "{who} asks for it"),
            Self::WholeKernel => f.write_str("the kernel was installed"),
            Self::Missing => f.write_str("there is no initrd"),
            Self::Unreadable(why) => write!(f, "the initrd cannot be read: {why}"),
            Self::Changed(modules) => {
                for (i, (name, change)) in modules.iter().enumerate() {
                    write!(f, "{}{name}: {change}", if i > 0 { "; " } else { "" })?;
                }
                Ok(())
            }
            Self::Unknown(why) => write!(f, "whether it is needed is not known: {why}"),
            Self::NotMissed => f.write_str("there is none to be made anew"),
            Self::Same => f.write_str("the initrd is up to date"),
        }
    }
}

/// Decides. `present` is called only where the initrd has to be looked into.
pub fn decide(facts: &Facts<'_>, present: impl FnOnce() -> Present) -> Reason {
    if facts.release.contains("kdump") {
        return Reason::Kdump;
    }
    if let Some(why) = facts.unknown {
        return Reason::Unknown(why.into());
    }
    if let Some(why) = facts.incomplete {
        return Reason::Incomplete(why.into());
    }
    if !facts.has_image {
        return Reason::NoImage;
    }
    if let Some(who) = facts.forced {
        return Reason::Forced(who.into());
    }
    if facts.whole_kernel {
        return Reason::WholeKernel;
    }
    let modules = match present() {
        Present::Missing if facts.dialect.makes_missing_initrds() => return Reason::Missing,
        Present::Missing | Present::NoEntry => return Reason::NotMissed,
        Present::Unreadable(why) | Present::Closed(why) => return Reason::Unreadable(why),
        Present::Unknown(why) => return Reason::Unknown(why),
        Present::Read(modules) => modules,
    };
    let new = facts.links_changed && facts.dialect.dracut_picks_new_modules();
    let changed = changes(modules, facts.drivers, new);
    if changed.is_empty() { Reason::Same } else { Reason::Changed(changed) }
}

/// What an initrd that was made just now lacks, or has of old. A module on disk that cannot be read is no fault of the initrd. Pure.
pub fn shortfall(mut made: Vec<Compared>, drivers: &Drivers) -> Vec<(String, Change)> {
    made.retain(|m| !matches!((&m.installed, &m.packed), (State::Broken(_), _) | (_, State::NotRead)));
    changes(made, drivers, false)
}

/// The modules that make a difference, by name. `new`: one that is not in the initrd does.
fn changes(modules: Vec<Compared>, drivers: &Drivers, new: bool) -> Vec<(String, Change)> {
    let changes = modules.into_iter().filter_map(|m| Some((change(&m, drivers, new)?, m.name)));
    let mut changed: Vec<(String, Change)> = changes.map(|(change, name)| (name, change)).collect();
    changed.sort_by(|a, b| a.0.cmp(&b.0));
    changed
}

fn change(module: &Compared, drivers: &Drivers, new: bool) -> Option<Change> {
    match (&module.packed, &module.installed) {
        (State::Absent, State::Absent) => None,
        // Only what is not there can be left out: it is loaded where the initrd has it, by whatever configuration that was made.
        (State::Absent, _) if drivers.omitted.contains(&module.name) => None,
        (State::Absent, _) if drivers.wanted.contains(&module.name) => Some(Change::Lacking),
        (State::Absent, _) => new.then_some(Change::New),
        (_, State::Absent) => Some(Change::Gone),
        (State::Read(packed), State::Read(installed)) => {
            (!packed.is_same(installed)).then_some(Change::Differs)
        }
        (State::Broken(why), _) => Some(Change::Unknown(format!("in the initrd: {why}"))),
        (_, State::Broken(why)) => Some(Change::Unknown(why.clone())),
        (State::NotRead, _) | (_, State::NotRead) => Some(Change::Unknown("not read".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unpack::Inflater;

    fn digest(text: &str) -> State {
        State::Read(Digest::of(text.as_bytes(), &mut Inflater::new()).unwrap())
    }

    fn facts(drivers: &Drivers) -> Facts<'_> {
        Facts {
            release: "6.4.0-1-default",
            incomplete: None,
            unknown: None,
            has_image: true,
            forced: None,
            whole_kernel: false,
            dialect: Dialect::Suse,
            links_changed: false,
            drivers,
        }
    }

    fn one(installed: State, packed: State) -> Present {
        Present::Read(vec![Compared { name: "foo".into(), installed, packed }])
    }

    #[test]
    fn each_rule_goes_over_those_after_it() {
        let drivers = Drivers::default();
        let mut facts = Facts {
            release: "6.4.0-1-kdump",
            incomplete: Some("no fstab"),
            unknown: Some("fault"),
            has_image: false,
            forced: Some("foo"),
            whole_kernel: true,
            dialect: Dialect::Suse,
            links_changed: false,
            drivers: &drivers,
        };
        let ask = |facts: &Facts<'_>| decide(facts, || Present::Missing);
        assert_eq!(ask(&facts), Reason::Kdump);
        facts.release = "6.4.0-1-default";
        assert!(ask(&facts).needed() && ask(&facts).is_unknown());
        facts.unknown = None;
        assert_eq!(ask(&facts), Reason::Incomplete("no fstab".into()));
        facts.incomplete = None;
        assert_eq!(ask(&facts), Reason::NoImage);
        facts.has_image = true;
        assert_eq!(ask(&facts), Reason::Forced("foo".into()));
        facts.forced = None;
        assert_eq!(ask(&facts), Reason::WholeKernel);
        facts.whole_kernel = false;
        assert_eq!(ask(&facts), Reason::Missing);
        let answers = [Reason::Kdump, Reason::Incomplete(String::new()), Reason::NoImage, Reason::Same];
        assert!(answers.iter().all(|a| !a.needed()));
        let answers = [
            Reason::Forced(String::new()),
            Reason::WholeKernel,
            Reason::Missing,
            Reason::Unreadable(String::new()),
        ];
        assert!(answers.iter().all(Reason::needed));
    }

    #[test]
    fn an_initrd_that_cannot_be_read_is_made_anew() {
        let drivers = Drivers::default();
        let reason = decide(&facts(&drivers), || Present::Unreadable("cut".into()));
        assert!(reason.needed() && reason.to_string().contains("cut"), "{reason}");
    }

    #[test]
    fn modules_are_compared_by_what_they_are() {
        let drivers = Drivers::default();
        let broken = || State::Broken("cut".into());
        for (installed, packed, expected) in [
            (digest("a"), digest("a"), None),
            (digest("a"), digest("b"), Some(Change::Differs)),
            (State::Absent, digest("a"), Some(Change::Gone)),
            (State::Absent, broken(), Some(Change::Gone)),
            (digest("a"), State::Absent, None),
            (State::Absent, State::Absent, None),
            (digest("a"), broken(), Some(Change::Unknown("in the initrd: cut".into()))),
            (broken(), digest("a"), Some(Change::Unknown("cut".into()))),
            (State::NotRead, digest("a"), Some(Change::Unknown("not read".into()))),
        ] {
            let expected = expected.map_or(Reason::Same, |c| Reason::Changed(vec![("foo".into(), c)]));
            assert_eq!(decide(&facts(&drivers), || one(installed, packed)), expected);
        }
    }

    #[test]
    fn a_new_initrd_has_what_is_installed() {
        let short = |installed, packed| {
            let mut drivers = Drivers::default();
            drivers.wanted.insert("wanted".into());
            let one = |name: &str, installed, packed| Compared { name: name.into(), installed, packed };
            let made = vec![one("foo", installed, packed), one("wanted", State::NotRead, State::Absent)];
            let mut short = shortfall(made, &drivers);
            assert_eq!(short.pop(), Some(("wanted".into(), Change::Lacking)));
            short.pop().map(|(_, change)| change)
        };
        assert_eq!(short(digest("a"), digest("a")), None);
        assert_eq!(short(digest("a"), digest("b")), Some(Change::Differs));
        assert_eq!(short(State::Absent, digest("a")), Some(Change::Gone));
        // Which modules beside the wanted ones get in is for the generator to say.
        assert_eq!(short(digest("a"), State::Absent), None);
        let broken = || State::Broken("cut".into());
        assert_eq!(short(digest("a"), broken()), Some(Change::Unknown("in the initrd: cut".into())));
        assert_eq!(short(broken(), digest("a")), None);
    }

    #[test]
    fn by_red_hats_rules_dracut_decides_where_links_changed() {
        let drivers = Drivers::default();
        let mut facts = Facts { dialect: Dialect::RedHat, links_changed: true, ..facts(&drivers) };
        assert_eq!(decide(&facts, || Present::Missing), Reason::NotMissed);
        let absent = || one(State::NotRead, State::Absent);
        assert_eq!(decide(&facts, absent), Reason::Changed(vec![("foo".into(), Change::New)]));
        assert_eq!(decide(&facts, || one(digest("a"), digest("a"))), Reason::Same);
        facts.links_changed = false;
        assert_eq!(decide(&facts, absent), Reason::Same);
    }

    #[test]
    fn dracuts_configuration_adds_and_omits() {
        let mut drivers = Drivers::default();
        drivers.wanted.insert("foo".into());
        let reason = decide(&facts(&drivers), || one(State::NotRead, State::Absent));
        assert_eq!(reason, Reason::Changed(vec![("foo".into(), Change::Lacking)]));
        assert_eq!(decide(&facts(&drivers), || one(State::Absent, State::Absent)), Reason::Same);
        let mut drivers = Drivers::default();
        drivers.omitted.insert("foo".into());
        let mut facts = Facts { dialect: Dialect::RedHat, links_changed: true, ..facts(&drivers) };
        assert_eq!(decide(&facts, || one(State::NotRead, State::Absent)), Reason::Same);
        assert_eq!(decide(&facts, || one(digest("a"), digest("a"))), Reason::Same);
        // The initrd was made by another configuration, and what it has is loaded.
        facts.dialect = Dialect::Suse;
        for (installed, change) in [(digest("b"), Change::Differs), (State::Absent, Change::Gone)] {
            assert_eq!(
                decide(&facts, || one(installed, digest("a"))),
                Reason::Changed(vec![("foo".into(), change)])
            );
        }
    }
}
