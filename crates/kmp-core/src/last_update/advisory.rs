// SPDX-License-Identifier: LGPL-2.1-or-later
//! Security advisories that a kernel brings.

/// A security advisory, as a repository has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisory {
    /// Its name, such as `SUSE-2026-1`.
    pub id: String,
    /// How bad it is, in its maker's word; empty if it does not say.
    pub severity: String,
    /// The CVEs that it names.
    pub cves: Vec<String>,
}

/// How many CVEs of one, and how many advisories, are named in words.
const NAMED: usize = 3;

impl Advisory {
    /// Its name, how bad it is, and the first of its CVEs.
    pub fn line(&self) -> String {
        let severity = if self.severity.is_empty() { String::new() } else { format!(" ({})", self.severity) };
        let cves = if self.cves.is_empty() { String::new() } else { format!(": {}", some_of(&self.cves)) };
        format!("{}{severity}{cves}", self.id)
    }
}

/// What a kernel that is held keeps back, in a line; `None`: nothing that is known.
pub fn kept_back(advisories: &[Advisory]) -> Option<String> {
    let what = match advisories.len() {
        0 => return None,
        1 => "1 security update".to_owned(),
        many => format!("{many} security updates"),
    };
    let mut lines: Vec<String> = advisories.iter().take(NAMED).map(Advisory::line).collect();
    if let Some(more) = advisories.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    Some(format!("it keeps back {what}: {}", lines.join("; ")))
}

fn some_of(names: &[String]) -> String {
    let first = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_others_counted() {
        let one = |cves: usize| Advisory {
            id: "A-1".into(),
            severity: "important".into(),
            cves: (1..=cves).map(|n| format!("CVE-{n}")).collect(),
        };
        assert_eq!(kept_back(&[]), None);
        let said = kept_back(&[one(5)]).unwrap();
        assert_eq!(said, "it keeps back 1 security update: A-1 (important): CVE-1, CVE-2, CVE-3 and 2 more");
        let said = kept_back(&vec![one(0); 5]).unwrap();
        assert!(said.starts_with("it keeps back 5 ") && said.ends_with("; and 2 more"), "{said}");
        assert_eq!(Advisory { id: "B".into(), ..Advisory::default() }.line(), "B");
    }
}
