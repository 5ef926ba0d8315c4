// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reports in HTML: a file of its own, without script and without anything from elsewhere, which can be read on a phone, and printed.
//!
//! Pure: values in, text out. Names of others (of packages, symbols, kernels) come in as text only, so none of them can become
//! markup: there is no way to put markup in.
//!
//! ```
//! use kmp_report::{Body, Document, Inline, Table, Tone};
//!
//! let mut body = Body::new();
//! let mut table = Table::new(["type", "exports"]).number(1);
//! table.row([Inline::code("struct <b>"), "12".into()]);
//! body.table(table);
//! let page = Document::new("two kernels", Tone::Bad, "12 breaks").body(body).to_html();
//! assert!(page.contains("<code>struct &lt;b&gt;</code>"));
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod body;
mod document;
mod inline;
mod style;

pub use body::{Body, Table};
pub use document::Document;
pub use inline::{Inline, Tone};
