// SPDX-License-Identifier: LGPL-2.1-or-later
//! A page, and a feed (Atom, RFC 4287).

use std::fmt::Write as _;

use kmp_report::{Body, Document, Inline, Table, Tone};
use quick_xml::escape::escape;

use super::{Item, Remedy, State, rfc3339};

/// How a package stands, in words.
pub fn verdict(item: &Item<'_>) -> (Tone, &'static str) {
    match (item.state, item.remedy()) {
        (State::Fits, _) => (Tone::Good, "loads"),
        (State::Unknown, _) => (Tone::Warning, "not known"),
        (State::StoppedBefore, Some(Remedy::Source)) => {
            (Tone::Bad, "loads in neither kernel: the source must change")
        }
        (State::StoppedBefore, _) => (Tone::Bad, "loads in neither kernel: a rebuild suffices"),
        (_, Some(Remedy::Source)) => (Tone::Bad, "stops loading: the source must change"),
        _ => (Tone::Bad, "stops loading: a rebuild suffices"),
    }
}

/// So many reasons are shown; the rest is folded.
const SOME: usize = 10;

/// What becomes of these packages with a kernel.
pub fn page(items: &[&Item<'_>], kernel: &str, due: Option<&str>, why: &[String]) -> String {
    let stops = items.iter().filter(|item| item.remedy().is_some()).count();
    let unknown = items.iter().filter(|item| item.state == State::Unknown).count();
    let due = due.map(|due| format!(", due {due}")).unwrap_or_default();
    let (tone, words) = match (stops, unknown) {
        (0, 0) => (Tone::Good, "all registered packages load".into()),
        (0, _) => (Tone::Warning, format!("{unknown} of {} registered packages are not known", items.len())),
        _ => (Tone::Bad, format!("{stops} of {} registered packages stop loading", items.len())),
    };
    let mut body = Body::new();
    body.heading("Packages");
    body.table(packages(items));
    if !why.is_empty() {
        body.heading("Why, most likely");
        let (first, rest) = why.split_at(why.len().min(SOME));
        body.list(first.iter().map(Inline::from));
        if !rest.is_empty() {
            let mut inside = Body::new();
            inside.list(rest.iter().map(Inline::from));
            body.folded(format!("{} more", rest.len()), inside);
        }
    }
    let with_findings: Vec<_> = items.iter().filter(|item| !item.findings.is_empty()).collect();
    if !with_findings.is_empty() {
        body.heading("Reasons");
    }
    for item in with_findings {
        let mut inside = Body::new();
        inside.list(
            item.findings
                .iter()
                .map(|finding| Inline::code(&finding.module).and(": ").and(finding.reason.to_string())),
        );
        let count = item.findings.len();
        let reasons = if count == 1 { ": 1 reason".into() } else { format!(": {count} reasons") };
        body.folded(Inline::code(&item.registration.build.nevra).and(reasons), inside);
    }
    Document::new(format!("Registered drivers and kernel {kernel}{due}"), tone, words).body(body).to_html()
}

/// A row for each package.
pub fn packages(items: &[&Item<'_>]) -> Table {
    let mut table = Table::new(["package", "provider", "verdict", "registered build"]);
    for item in items {
        let (tone, words) = verdict(item);
        let build = &item.registration.build;
        table.row([
            Inline::code(&item.registration.package.name),
            item.provider.into(),
            Inline::toned(tone, words),
            Inline::code(&build.nevra).and_note(format!("for kernel {}", build.kernel)),
        ]);
    }
    table
}

/// One message of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is known by: never again used for another.
    pub id: String,
    /// In one line.
    pub title: String,
    /// The text.
    pub text: String,
    /// When it was written first, in seconds since 1970.
    pub seconds: u64,
}

/// All messages that there were, as a feed.
pub fn feed(entries: &[Entry]) -> String {
    let newest = entries.iter().map(|entry| entry.seconds).max().unwrap_or(0);
    let urn = |id: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let id: String = id.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        format!("urn:kmp-registry:{id}")
    };
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <id>urn:kmp-registry:feed</id>\n<title>Registered drivers and kernels that come</title>\n\
         <updated>{}</updated>\n<author><name>kmp registry</name></author>\n",
        rfc3339(newest)
    );
    for entry in entries {
        let _ = writeln!(
            out,
            "<entry><id>{}</id><title>{}</title><updated>{}</updated><content type=\"text\">{}</content></entry>",
            urn(&entry.id),
            escape(&entry.title),
            rfc3339(entry.seconds),
            escape(&entry.text)
        );
    }
    out.push_str("</feed>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::registration;
    use super::*;

    #[test]
    fn names_of_others_are_text() {
        let mut cam = registration("cam", &[]);
        cam.package.name = "<b>cam".into();
        let item = Item { provider: "a&b", registration: &cam, state: State::Fits, findings: Vec::new() };
        let text = page(&[&item], "6.4", None, &["struct <x>".into()]);
        assert!(
            text.contains("&lt;b&gt;cam") && text.contains("a&amp;b") && text.contains("struct &lt;x&gt;")
        );
        assert!(!text.contains("<b>") && text.contains("all registered packages load"));
        let entry = Entry { id: "acme/6.4".into(), title: "<t>".into(), text: "a < b".into(), seconds: 60 };
        let text = feed(&[entry]);
        assert!(text.contains(
            "<id>urn:kmp-registry:acme_6.4</id><title>&lt;t&gt;</title><updated>1970-01-01T00:01:00Z"
        ));
    }
}
