// SPDX-License-Identifier: LGPL-2.1-or-later
//! What becomes of drivers, in a line for each kernel and one for each driver. Pure.

use super::driver_line::{Form, NAMED, fails, listed, would_load};
use super::kernels::Role;
use super::lost::Weight;
use super::outlook::{Fate, Outlook, Prospect};

impl Outlook {
    /// One line for people: how many drivers stay, come and are lost.
    pub fn summary(&self) -> String {
        let count = |is: &dyn Fn(&Fate) -> bool| self.drivers.iter().filter(|d| is(&d.fate)).count();
        let names = |is: &dyn Fn(&Fate) -> bool| {
            let names: Vec<_> =
                self.drivers.iter().filter(|d| is(&d.fate)).map(|d| d.package.clone()).collect();
            listed(names.into_iter())
        };
        let stay = count(&|fate| *fate == Fate::Stays);
        let total = count(&|fate| !matches!(fate, Fate::Fails(_)));
        let of = |weight: Weight, is_made: bool, fate: &Fate| matches!(fate, Fate::Lost(lost) if lost.weight == weight && lost.made_by.is_some() == is_made);
        let is_lost = |fate: &Fate| matches!(fate, Fate::Lost(lost) if lost.weight > Weight::None);
        let is_own = |fate: &Fate| of(Weight::None, false, fate);
        let to_be_made = |fate: &Fate| of(Weight::None, true, fate);
        let drivers = if total == 1 { "driver stays" } else { "drivers stay" };
        let mut text = match total {
            0 => format!("kernel {}: no third-party driver", self.release),
            _ => format!("kernel {}: {stay} of {total} {drivers}", self.release),
        };
        let verb = |n: usize, one: &'static str, many: &'static str| if n == 1 { one } else { many };
        let mut add = |is: &dyn Fn(&Fate) -> bool, one, many| {
            let n = count(is);
            if n > 0 {
                text = format!("{text}, {n} {}: {}", verb(n, one, many), names(is));
            }
        };
        add(&is_lost, "lost", "lost");
        add(&|fate| matches!(fate, Fate::Comes(_)), "comes along", "come along");
        add(&|fate| *fate == Fate::Goes, "goes", "go");
        add(&to_be_made, "is built on this machine", "are built on this machine");
        add(&is_own, "the kernel has itself", "the kernel has itself");
        add(&|fate| matches!(fate, Fate::Unknown(_)), "is not known", "are not known");
        let breaks = |fate: &Fate| matches!(fate, Fate::Fails(reasons) if would_load(reasons));
        let refused = |fate: &Fate| matches!(fate, Fate::Fails(_)) && !breaks(fate);
        add(&refused, "that comes is refused", "that come are refused");
        add(
            &breaks,
            "that comes breaks others and is not linked",
            "that come break others and are not linked",
        );
        text
    }

    /// What the next boot will be like, for people; `None` for a kernel that is not booted next.
    pub fn next_boot(&self) -> Option<String> {
        let kernel = match self.role {
            Role::Comes => format!("the new kernel {}", self.release),
            Role::Asked | Role::Stays | Role::Goes => format!("kernel {}", self.release),
        };
        let lost: Vec<String> = self.lost().map(|d| d.package.clone()).collect();
        let what = match lost.len() {
            0 => "with every driver that works now".into(),
            _ => format!("without {}", listed(lost.into_iter())),
        };
        self.boots_next.then(|| format!("{kernel}, {what}"))
    }
}

impl Prospect {
    /// One line for people: what becomes of it in a kernel.
    pub fn line(&self, kernel: &str) -> String {
        self.line_in(kernel, Form::Whole(NAMED))
    }

    /// The same in another form, which matters where it is lost.
    pub fn line_in(&self, kernel: &str, form: Form) -> String {
        let modules = listed(self.modules.iter().cloned());
        let nvr = &self.nvr;
        match &self.fate {
            Fate::Stays => format!("{nvr} ({modules}) stays"),
            Fate::Comes(None) => format!("{nvr} ({modules}) comes along"),
            Fate::Comes(Some(old)) => format!("{nvr} ({modules}) comes along, in the place of {old}"),
            Fate::Goes => format!("{nvr} ({modules}) is erased, as asked for"),
            Fate::Unknown(why) => {
                format!("{nvr} ({modules}): whether it works with kernel {kernel} is not known: {why}")
            }
            Fate::Fails(reasons) => {
                let (fails, reasons) = (fails(reasons), listed(reasons.iter().map(|r| r.detail.clone())));
                format!("{nvr} ({modules}) comes, and {fails} kernel {kernel}: {reasons}")
            }
            Fate::Lost(lost) => lost.line_in(form),
        }
    }
}
