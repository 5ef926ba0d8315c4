// SPDX-License-Identifier: LGPL-2.1-or-later
//! What could not be read is unknown: its links stay, whatever they are.

use std::path::Path;

use testkit::ModuleBuilder;

use super::{Decision, Installed, id, kmps, place};
use crate::abi::ModuleFault;
use crate::ids::Id;
use crate::plan::{Held, KernelPlan};

fn unread(package: &'static str, version: u32, file: &str) -> Installed {
    let mut kmp = Installed::new(package, version, &[]);
    kmp.modules.push((file.into(), Err(ModuleFault::Unread("cannot be read: EIO".into()))));
    kmp
}

/// The plan where the KMPs in `linked` have all their links.
fn plan(installed: &[Installed], linked: &[usize], whole: Option<&str>) -> KernelPlan {
    let place = place();
    let all = kmps(installed);
    let links = linked.iter().map(|k| id(*k));
    let links = links.flat_map(|k| all[k].modules.iter().map(move |m| (&*m.link, &*m.target, k)));
    let mut site = place.site();
    site.held = Held::new(whole.map(Into::into), true, links.collect());
    site.plan(&all)
}

fn linked(plan: &KernelPlan) -> Vec<(&Path, usize)> {
    plan.links.iter().map(|(link, (_, kmp))| (link.as_path(), kmp.place())).collect()
}

fn driver(name: &str) -> ModuleBuilder {
    place().driver(name)
}

#[test]
fn an_unread_kmp_keeps_the_links_that_it_has_and_gets_none() {
    let installed =
        [unread("foo-kmp-default", 2, "foo.ko"), Installed::new("bar-kmp-default", 1, &[driver("bar")])];
    let bar = (Path::new("updates/bar.ko"), 1);
    assert_eq!(linked(&plan(&installed, &[0], None)), [bar, (Path::new("updates/foo.ko"), 0)]);
    let none = plan(&installed, &[], None);
    assert_eq!(linked(&none), [bar]);
    assert_eq!(none.decisions, [Decision::Unknown, Decision::Link]);
    assert!(none.verdicts[id(0)].iter().all(|v| v.is_unknown()));
}

#[test]
fn an_older_version_stays_linked_and_does_not_take_an_unread_ones_place() {
    let installed =
        [unread("foo-kmp-default", 2, "foo.ko"), Installed::new("foo-kmp-default", 1, &[driver("foo")])];
    assert_eq!(linked(&plan(&installed, &[1], None)), [(Path::new("updates/foo.ko"), 1)]);
    assert_eq!(linked(&plan(&installed, &[0], None)), [(Path::new("updates/foo.ko"), 0)]);
    assert_eq!(linked(&plan(&installed, &[], None)), []);
}

#[test]
fn what_may_need_an_unread_module_stays_too_and_what_is_refused_anyway_goes() {
    let user = driver("user").need("from_foo", 1);
    let refused = driver("refused").need("printk", 99);
    let installed = [
        unread("foo-kmp-default", 1, "foo.ko"),
        Installed::new("refused-kmp-default", 1, &[refused]),
        Installed::new("user-kmp-default", 1, &[user]),
    ];
    let plan = plan(&installed, &[0, 1, 2], None);
    assert_eq!(plan.decisions, [Decision::Unknown, Decision::DoesNotFit, Decision::Unknown]);
    assert_eq!(linked(&plan), [(Path::new("updates/foo.ko"), 0), (Path::new("updates/user.ko"), 2)]);
}

#[test]
fn a_kernel_of_which_something_is_unread_keeps_all() {
    let installed = [
        Installed::new("bar-kmp-default", 1, &[driver("bar")]),
        Installed::new("foo-kmp-default", 1, &[driver("foo").need("absent", 1)]),
    ];
    let plan = plan(&installed, &[1], Some("symvers: cannot be read"));
    assert_eq!(plan.decisions, [Decision::Unknown, Decision::Unknown]);
    assert_eq!(linked(&plan), [(Path::new("updates/foo.ko"), 1)]);
}
