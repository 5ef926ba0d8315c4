// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status --support --html`: the same as a page, to be sent to who supports the system.

use kmp_core::abi::Supported;
use kmp_drivers::devices::word;
use kmp_report::{Body, Document, Inline, Table, Tone};

use super::{Module, Support, letters};

impl Support {
    /// The page.
    pub fn page(&self) -> String {
        let without: Vec<&Module> =
            self.modules.iter().filter(|module| module.is_without_support()).collect();
        let (tone, verdict) = match (self.modules.len(), without.len()) {
            (0, _) => (Tone::Good, "no third-party drivers are installed".to_string()),
            (_, 0) => (Tone::Good, "every third-party module is supported".to_string()),
            (all, some) => {
                (Tone::Warning, format!("{some} of {all} third-party modules are without support"))
            }
        };
        let mut document = Document::new("Support of this system's drivers", tone, verdict);
        for line in self.lines_of_kernels() {
            document = document.note(Inline::toned(Tone::Warning, line));
        }
        document = document.note(match &self.tainted {
            None => "It is not known whether the running kernel is tainted.".to_string(),
            Some(tainted) if tainted.taints.is_empty() => "The running kernel is not tainted.".to_string(),
            Some(tainted) => format!("The running kernel is tainted ({}).", tainted.number),
        });
        let mut body = Body::new();
        body.heading("Modules");
        let mut table = Table::new(["module", "package", "vendor", "packager", "support", "taints"]);
        for module in &self.modules {
            let tone = if module.is_without_support() { Tone::Warning } else { Tone::Plain };
            let would = module.would_taint.as_deref().map_or("not known", letters);
            let now = match &module.taints {
                Some(taint) => format!("loaded now: {}", letters(taint)),
                None => "not loaded".into(),
            };
            let none = || Inline::toned(Tone::Dim, "none");
            let text = |text: &Option<String>| text.as_deref().map_or_else(none, Inline::from);
            table.row([
                Inline::code(&module.name).and_note(&module.path),
                module.package.as_ref().map_or_else(none, Inline::code),
                text(&module.vendor),
                text(&module.packager),
                Inline::toned(tone, module.support()).and_note(module.signed()),
                Inline::from(would).and_note(now),
            ]);
        }
        body.table(table);
        if let Some(tainted) = self.tainted.as_ref().filter(|tainted| !tainted.taints.is_empty()) {
            body.heading("Taints of the running kernel");
            body.list(
                tainted
                    .taints
                    .iter()
                    .map(|taint| Inline::code(taint.letter.to_string()).and(" ").and(taint.meaning.as_ref())),
            );
        }
        document.body(body).to_html()
    }
}

impl Module {
    fn is_without_support(&self) -> bool {
        let yes = [Supported::Distributor, Supported::External].map(word);
        self.supported.is_none_or(|says| !yes.contains(&says))
    }
}
