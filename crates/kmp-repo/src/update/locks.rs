// SPDX-License-Identifier: LGPL-2.1-or-later
//! Locks of libzypp's (`/etc/zypp/locks`), for versions of it that know no rules with a condition. Pure.
//!
//! The file is the user's own, and libzypp writes it anew without comments. So ours are known by a second name in them, which no
//! package has.

use super::{KernelFate, KernelVerdict, Update};

/// The second name.
const OURS: &str = "kmp-hold";

/// Is a kernel locked: as it is held back, or as it needs a build that this libzypp would not bring with it?
pub fn is_locked(kernel: &KernelFate) -> bool {
    kernel.verdict == KernelVerdict::Held || kernel.not_by_itself().next().is_some()
}

/// The file with locks for the kernels that have to stay away, and without those that earlier runs have left; all else stays as it is.
/// `None`: nothing changes.
pub fn locks(file: &str, update: &Update) -> Option<String> {
    let mut text = without_ours(file);
    for kernel in update.kernels.iter().filter(|k| is_locked(k)) {
        let (name, evr) = (&kernel.line, &kernel.package.evr);
        let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^-:".contains(c));
        if is_word(name) && is_word(evr) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text += &format!(
                "\ntype: package\nversion: == {evr}\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: {name}\nsolvable_name: {OURS}\n\n"
            );
        }
    }
    (text != file).then_some(text)
}

/// A lock is what stands between empty lines.
fn without_ours(file: &str) -> String {
    let mut kept = String::new();
    let mut lock = String::new();
    let (mut is_ours, mut had_ours) = (false, false);
    for line in file.split_inclusive('\n') {
        if line.trim().is_empty() {
            if !is_ours {
                kept += &lock;
                kept += line;
            }
            // The empty line before it is its own as well.
            if is_ours && kept.ends_with("\n\n") {
                kept.pop();
            }
            lock.clear();
            had_ours |= is_ours;
            is_ours = false;
        } else {
            lock += line;
            is_ours |= line
                .split_once(':')
                .is_some_and(|(key, name)| key.trim() == "solvable_name" && name.trim() == OURS);
        }
    }
    if !is_ours {
        kept += &lock;
    }
    if (had_ours || is_ours) && kept.trim().is_empty() { String::new() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::super::settle::tests::held;
    use super::*;

    #[test]
    fn ours_come_and_go_and_those_of_the_user_stay_as_they_are() {
        let users = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: bar\n\n";
        for file in ["", users, &users[..users.len() - 2], &format!("# x\n{users}{users}")] {
            let with = locks(file, &held()).unwrap();
            assert!(with.starts_with(file) && with.contains("solvable_name: kernel-default\n"), "{with}");
            assert_eq!(locks(&with, &held()), None, "{with}");
            let without = locks(&with, &Update::default()).unwrap();
            assert_eq!(without.trim_end(), file.trim_end(), "{with}");
            // As libzypp writes it: in another order, with more empty lines.
            let again = format!("\n\n{}\n\n{file}", &with[file.len()..]);
            assert!(!locks(&again, &Update::default()).unwrap().contains(OURS), "{again}");
        }
        assert_eq!(locks(users, &Update::default()), None);
    }

    #[test]
    fn a_kernel_stays_away_that_needs_a_build_which_would_not_come_by_itself() {
        let mut update = held();
        let build = Some(update.kernels[0].package.clone());
        update.kernels[0].verdict = KernelVerdict::Comes;
        assert_eq!(locks("", &update), None);
        for (is_update, is_locked) in [(true, false), (false, true)] {
            let driver = &mut update.kernels[0].drivers[0];
            (driver.build, driver.is_update) = (build.clone(), is_update);
            assert_eq!(locks("", &update).is_some(), is_locked);
        }
    }
}
