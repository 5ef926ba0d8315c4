// SPDX-License-Identifier: LGPL-2.1-or-later
//! A page of HTML without script, and a feed (Atom, RFC 4287).

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::{Item, Remedy, State, rfc3339};

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60em;margin:1em auto;padding:0 1em;color:#111;background:#fff}\
    code{overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;\
    padding:.3em .5em;border-bottom:1px solid #888;overflow-wrap:anywhere}";

fn verdict(item: &Item<'_>) -> &'static str {
    match (item.state, item.remedy()) {
        (State::Fits, _) => "loads",
        (State::Unknown, _) => "not known",
        (_, Some(Remedy::Source)) => "stops: the source must change",
        _ => "stops: a rebuild suffices",
    }
}

/// What becomes of these packages with a kernel. It can be read on a phone, and printed.
pub fn page(items: &[&Item<'_>], kernel: &str, due: Option<&str>, why: &[String]) -> String {
    let stops = items.iter().filter(|item| item.remedy().is_some()).count();
    let due = due.map(|due| format!(", due {due}")).unwrap_or_default();
    let title = format!("Kernel {kernel}{due}: {stops} of {} registered packages stop", items.len());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title><style>{STYLE}</style></head>\n\
         <body><h1>{0}</h1>\n",
        escape(&title)
    );
    if !why.is_empty() {
        out.push_str("<h2>Why, most likely</h2>\n<ul>\n");
        why.iter().for_each(|line| out.push_str(&format!("<li>{}</li>\n", escape(line))));
        out.push_str("</ul>\n");
    }
    out.push_str("<h2>Packages</h2>\n<table><tr><th>provider</th><th>package</th><th>verdict</th></tr>\n");
    for item in items {
        let package = &item.registration.package.name;
        let (provider, package, verdict) = (escape(item.provider), escape(package), verdict(item));
        let _ =
            writeln!(out, "<tr><td>{provider}</td><td><code>{package}</code></td><td>{verdict}</td></tr>");
    }
    out.push_str("</table>\n");
    for item in items.iter().filter(|item| !item.findings.is_empty()) {
        let build = &item.registration.build.nevra;
        let _ = writeln!(
            out,
            "<details><summary><code>{}</code>: {}</summary>\n<ul>",
            escape(build),
            item.findings.len()
        );
        for finding in &item.findings {
            let reason = finding.reason.to_string();
            let _ = writeln!(out, "<li><code>{}</code>: {}</li>", escape(&finding.module), escape(&reason));
        }
        out.push_str("</ul></details>\n");
    }
    out.push_str("</body></html>\n");
    out
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
        assert!(!text.contains("<b>") && text.contains("0 of 1 registered packages stop"));
        let entry = Entry { id: "acme/6.4".into(), title: "<t>".into(), text: "a < b".into(), seconds: 60 };
        let text = feed(&[entry]);
        assert!(text.contains(
            "<id>urn:kmp-registry:acme_6.4</id><title>&lt;t&gt;</title><updated>1970-01-01T00:01:00Z"
        ));
    }
}
