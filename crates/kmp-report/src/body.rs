// SPDX-License-Identifier: LGPL-2.1-or-later
//! What follows the verdict: headings, tables, lists, and parts that are folded.

use std::fmt::Write as _;

use crate::Inline;
use crate::inline::escape;

/// Parts, one below the other.
#[derive(Clone, Debug, Default)]
pub struct Body(String);

impl Body {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The heading of what follows.
    pub fn heading(&mut self, text: impl AsRef<str>) {
        self.element("h2", &Inline::from(text));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: impl Into<Inline>) {
        self.element("p", &text.into());
    }

    /// A list.
    pub fn list(&mut self, items: impl IntoIterator<Item = Inline>) {
        self.0.push_str("<ul>\n");
        items.into_iter().for_each(|item| self.element("li", &item));
        self.0.push_str("</ul>\n");
    }

    /// A table. Without rows it is left out.
    pub fn table(&mut self, table: Table) {
        if !table.rows.is_empty() {
            table.write(&mut self.0);
        }
    }

    /// A part that the reader unfolds; what is in it is printed.
    pub fn folded(&mut self, summary: impl Into<Inline>, inside: Self) {
        self.0.push_str("<details>");
        self.element("summary", &summary.into());
        self.0.push_str(&inside.0);
        self.0.push_str("</details>\n");
    }

    fn element(&mut self, name: &str, text: &Inline) {
        let _ = writeln!(self.0, "<{name}>{}</{name}>", text.html());
    }

    pub(crate) fn html(&self) -> &str {
        &self.0
    }
}

/// A table; on a narrow screen a block for each row.
#[derive(Clone, Debug, Default)]
pub struct Table {
    head: Vec<String>,
    numbers: Vec<usize>,
    rows: Vec<Vec<Inline>>,
}

impl Table {
    /// With these columns.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// A column, counted from 0, that has numbers.
    #[must_use]
    pub fn number(mut self, column: usize) -> Self {
        self.numbers.push(column);
        self
    }

    /// One more row; cells that are missing at its end are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Inline>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn write(&self, out: &mut String) {
        let class = |column| if self.numbers.contains(&column) { " class=\"n\"" } else { "" };
        out.push_str("<table><thead><tr>");
        for (column, name) in self.head.iter().enumerate() {
            let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(column), Inline::from(name).html());
        }
        out.push_str("</tr></thead><tbody>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for (column, name) in self.head.iter().enumerate() {
                let _ = write!(out, "<td{} data-label=\"", class(column));
                escape(name, out);
                let _ = write!(out, "\">{}</td>", row.get(column).map_or("", Inline::html));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_their_order() {
        let mut inside = Body::new();
        inside.list([Inline::code("a<b"), "c".into()]);
        let mut table = Table::new(["driver", "<n>"]).number(1);
        table.row(["cam".into(), "7".into()]);
        table.row(["nic".into()]);
        let mut body = Body::new();
        body.heading("Types & more");
        body.table(table);
        body.table(Table::new(["nothing"]));
        body.folded("more", inside);
        assert_eq!(
            body.html(),
            "<h2>Types &amp; more</h2>\n\
             <table><thead><tr><th scope=\"col\">driver</th><th scope=\"col\" class=\"n\">&lt;n&gt;</th></tr></thead><tbody>\n\
             <tr><td data-label=\"driver\">cam</td><td class=\"n\" data-label=\"&lt;n&gt;\">7</td></tr>\n\
             <tr><td data-label=\"driver\">nic</td><td class=\"n\" data-label=\"&lt;n&gt;\"></td></tr>\n\
             </tbody></table>\n\
             <details><summary>more</summary>\n<ul>\n<li><code>a&lt;b</code></li>\n<li>c</li>\n</ul>\n</details>\n"
        );
    }
}
