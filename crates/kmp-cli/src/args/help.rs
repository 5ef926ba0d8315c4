// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `--help` shows besides what clap makes of the definitions: verbs in groups, and examples.

use clap::{Command, CommandFactory};

use super::Args;

/// The heading of the options that every verb has.
pub const GLOBAL: &str = "Options of every verb";

/// Verbs that people call seldom: packages do.
const FOR_PACKAGES: &[&str] = &["add-kernel", "remove-kernel", "add-kmp", "remove-kmp", "deps", "divert"];

/// Two lines to type for each verb, and what they do.
const EXAMPLES: &[(&str, [(&str, &str); 2])] = &[
    (
        "status",
        [("kmp status", "Are my drivers in place?"), ("kmp status --all", "Each build, and every reason")],
    ),
    (
        "check",
        [
            ("kmp check ./cam.ko", "Would this module load in the kernels here?"),
            ("kmp check --symvers Module.symvers ./cam.ko", "... in a kernel that is not here?"),
        ],
    ),
    (
        "plan",
        [
            ("kmp plan kernel-default-6.4.0-25.1.x86_64.rpm", "Would this kernel cost me a driver?"),
            ("kmp plan @cam-kmp-default", "What if this KMP were removed?"),
        ],
    ),
    (
        "update",
        [
            ("kmp update", "Which kernel may the next update bring, and with which drivers?"),
            ("kmp update --dry-run --repo new=/srv/repo", "... from this directory?"),
        ],
    ),
    (
        "hold",
        [
            ("kmp hold", "Which kernels are held back, since when, and why?"),
            ("kmp hold --release 6.4.0-25-default", "Let one come without its drivers"),
        ],
    ),
    (
        "explain",
        [
            ("kmp explain cam", "Why is the module refused?"),
            ("kmp explain cam --kernel 6.4.0-25-default", "... by this kernel?"),
        ],
    ),
    (
        "sync",
        [
            ("kmp sync --dry-run", "What would be changed?"),
            ("kmp --root /mnt sync", "Correct the links in an image"),
        ],
    ),
    (
        "initrd",
        [
            ("kmp initrd --dry-run", "Which kernels need a new initrd, and why?"),
            ("kmp initrd --kernel 6.4.0-25-default", "Make that of one kernel, if it needs one"),
        ],
    ),
    (
        "history",
        [
            ("kmp history --since yesterday", "What has changed since yesterday, and who has changed it?"),
            ("kmp history 12", "All that run 12 has done"),
        ],
    ),
    (
        "devices",
        [
            ("kmp devices", "Which devices have no driver, and which have one of a KMP?"),
            ("kmp devices --all", "... and all others"),
        ],
    ),
    (
        "doctor",
        [
            ("kmp doctor", "Is all as it should be: kernels, links, indexes, initrds, packages?"),
            ("kmp doctor ./cam-kmp-default-1.0-1.x86_64.rpm", "Is this package as it should be?"),
        ],
    ),
    (
        "key",
        [
            (
                "kmp key import acme.asc",
                "Let rpm take packages that are signed with this key, after a look at it",
            ),
            ("kmp key list", "Which keys does rpm trust, and which drivers did they sign?"),
        ],
    ),
    (
        "sources",
        [
            ("kmp sources list", "Where do newer drivers come from, beside the repositories?"),
            ("kmp sources enable acme", "Take them from this provider"),
        ],
    ),
    (
        "medium",
        [
            ("kmp medium add /dev/sr0", "What is on this driver medium, and is it to be trusted?"),
            (
                "kmp medium make out cam-kmp-default-1.0-1.x86_64.rpm --key acme.asc --source ftp://ftp.acme.example/kmp",
                "Make one",
            ),
        ],
    ),
    (
        "catalogue",
        [
            ("kmp catalogue make --issuer 'My Linux' out acme.json", "A catalogue of one provider"),
            ("kmp catalogue make --issuer 'My Linux' out providers/*.json", "... of many"),
        ],
    ),
    (
        "new",
        [
            ("kmp new --suse hello", "A package that builds at once, to begin with"),
            (
                "kmp new --redhat --from-dkms /usr/src/v4l2loopback-0.12.7",
                "A package of a driver that is built by dkms",
            ),
        ],
    ),
    (
        "kabi",
        [
            (
                "kmp kabi diff --rules severities symvers-6.4.0-21.gz symvers-6.4.0-25.gz",
                "What does the new build break that was promised?",
            ),
            (
                "kmp kabi exposure --rules kabi_stablelist_x86_64 ./cam.ko",
                "What does this module use that nobody has promised?",
            ),
        ],
    ),
    (
        "registry",
        [
            (
                "kmp registry add --provider acme --contact kmp@acme.example cam-kmp-default-1.0-1.x86_64.rpm",
                "Register a driver",
            ),
            (
                "kmp registry check --old symvers-old.gz --new symvers-new.gz --out reports",
                "Which registered drivers stop loading, and what are their makers to be sent?",
            ),
        ],
    ),
    (
        "facts",
        [
            ("kmp facts", "What does this machine have of kernels and drivers?"),
            ("kmp facts --json", "... in a line, for kmp fleet"),
        ],
    ),
    (
        "fleet",
        [
            (
                "kmp fleet --machines facts/ --repo /srv/repo --kernel-from kernel-default-6.4.0-25.1.x86_64.rpm",
                "Would this kernel cost one of our machines a driver?",
            ),
            (
                "kmp fleet --from uyuni --machines packages.json --repo base=/srv/base --repo drivers=/srv/drivers",
                "... and any newer kernel, by what a server knows of the machines?",
            ),
        ],
    ),
    (
        "rebuild-list",
        [
            (
                "kmp rebuild-list --for mock --new symvers-new.gz --sources srpms",
                "Which registered drivers does a rebuild mend, and in which order?",
            ),
            (
                "kmp rebuild-list --for obs --project Kernel:kmp --repo /srv/repo --new kernel-default-6.4.0-25.1.x86_64.rpm",
                "... and which of a repository?",
            ),
        ],
    ),
    (
        "add-kernel",
        [
            ("kmp add-kernel 6.4.0-25-default", "In %post of a kernel"),
            ("kmp add-kernel", "The running kernel was installed by hand"),
        ],
    ),
    (
        "remove-kernel",
        [
            ("kmp remove-kernel 6.4.0-21-default", "In %postun of a kernel"),
            ("kmp --root /mnt remove-kernel 6.4.0-21-default", "The same for an image"),
        ],
    ),
    (
        "add-kmp",
        [
            ("kmp add-kmp cam-kmp-default-1.0-1", "In %post of a KMP"),
            ("kmp --root /mnt add-kmp cam-kmp-default-1.0-1", "The same for an image"),
        ],
    ),
    (
        "remove-kmp",
        [
            ("kmp remove-kmp cam-kmp-default-1.0-1", "In %postun of a KMP"),
            ("kmp --root /mnt remove-kmp cam-kmp-default-1.0-1", "The same for an image"),
        ],
    ),
    (
        "deps",
        [
            ("find \"$PWD\" -name '*.ko' | kmp deps --provides", "What a package of these would provide"),
            ("rpm -ql cam-kmp-default | kmp deps --requires", "What an installed one requires"),
        ],
    ),
    (
        "divert",
        [
            ("kmp divert weak-modules2", "Take the place of SUSE's command"),
            ("kmp divert --restore", "Put all of the distribution's commands back"),
        ],
    ),
];

/// The command line with its help.
pub fn command() -> Command {
    let mut command = Args::command();
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_string()).collect();
    for name in names {
        let examples = EXAMPLES.iter().find(|(verb, _)| *verb == name);
        if let Some((_, examples)) = examples {
            command = command.mut_subcommand(name, |verb| verb.after_help(text(examples)));
        }
    }
    let groups = format!(
        "Verbs:\n{}  help           Print this message, or the help of a verb\n\nFor packages and their scriptlets:\n{}",
        list(&command, false),
        list(&command, true)
    );
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}\n{GLOBAL}:\n{{options}}{{after-help}}\n"
    ))
}

fn text(examples: &[(&str, &str)]) -> String {
    let lines: Vec<String> = examples.iter().map(|(line, what)| format!("  {line}\n      {what}")).collect();
    format!("Examples:\n{}", lines.join("\n"))
}

fn list(command: &Command, for_packages: bool) -> String {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let is_wanted = |verb: &&Command| FOR_PACKAGES.contains(&verb.get_name()) == for_packages;
    let about = |verb: &Command| verb.get_about().map(ToString::to_string).unwrap_or_default();
    verbs.filter(is_wanted).map(|verb| format!("  {:<13}  {}\n", verb.get_name(), about(verb))).collect()
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn each_verb_has_two_examples_that_it_understands() {
        for verb in command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(EXAMPLES.iter().any(|(name, _)| *name == verb.get_name()), "{}", verb.get_name());
        }
        for (verb, examples) in EXAMPLES {
            for (line, _) in examples {
                let words = line.rsplit('|').next().unwrap_or(line).split_whitespace();
                let matches = command().try_get_matches_from(words).unwrap_or_else(|e| panic!("{line}: {e}"));
                assert_eq!(matches.subcommand_name(), Some(*verb), "{line}");
                Args::from_arg_matches(&matches).unwrap();
            }
        }
    }

    #[test]
    fn help_has_every_verb_in_its_group() {
        let help = command().render_help().to_string();
        let (people, packages) = help.split_once("For packages and their scriptlets:").unwrap();
        assert!(people.contains("\n  status ") && !people.contains("\n  add-kmp "), "{help}");
        assert!(packages.contains("\n  add-kmp ") && packages.contains("--root <DIR>"), "{help}");
    }
}
