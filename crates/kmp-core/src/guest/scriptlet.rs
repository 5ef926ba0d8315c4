// SPDX-License-Identifier: LGPL-2.1-or-later
//! When the links are due in a transaction, by its scriptlets, and what these are given to know of it. Pure.

/// After the last package and before the first script that may make an initrd. A transaction may have but
/// file triggers.
const AT_THE_END: &[&str] =
    &["%posttrans(", "%postuntrans(", "%transfiletriggerin(", "%transfiletriggerpostun("];

const TRIGGERS: &str = "%transfiletrigger";

/// Are the links due before this scriptlet (as rpm calls it: `%posttrans(NAME-VERSION-RELEASE.ARCH)`)?
/// `more_comes`: other calls of rpm follow in the same commit; the last of them has triggers of its own, or
/// the commit plugin does what they would.
pub fn is_due_before(scriptlet: &str, more_comes: bool) -> bool {
    AT_THE_END.iter().any(|kind| scriptlet.starts_with(kind))
        && !(more_comes && scriptlet.starts_with(TRIGGERS))
}

/// What is in the environment of a scriptlet that relies on the plugin: `NAME=VALUE`
/// ([`run_dir::transaction`](crate::run_dir::transaction)).
pub fn environment(more_comes: bool) -> &'static std::ffi::CStr {
    if more_comes { c"KMP_TRANSACTION=more" } else { c"KMP_TRANSACTION=1" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_dir::transaction::{MORE, VARIABLE};

    #[test]
    fn links_are_due_after_the_last_package() {
        for (scriptlet, alone, in_the_middle) in [
            ("%posttrans(foo-1-1.noarch)", true, true),
            ("%postuntrans(foo-1-1.noarch)", true, true),
            ("%transfiletriggerin(foo-1-1.noarch)", true, false),
            ("%transfiletriggerpostun(foo-1-1.noarch)", true, false),
            ("%transfiletriggerun(foo-1-1.noarch)", false, false),
            ("%post(foo-1-1.noarch)", false, false),
            ("%pretrans(foo-1-1.noarch)", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_due_before(scriptlet, false), alone, "{scriptlet}");
            assert_eq!(is_due_before(scriptlet, true), in_the_middle, "{scriptlet}");
        }
    }

    #[test]
    fn the_environment_is_that_of_the_protocol() {
        assert_eq!(environment(true).to_str().unwrap(), format!("{VARIABLE}={MORE}"));
        assert_eq!(environment(false).to_str().unwrap(), format!("{VARIABLE}=1"));
    }
}
