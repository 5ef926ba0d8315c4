// SPDX-License-Identifier: LGPL-2.1-or-later
//! How a report looks. The browser test (`tests/browser`) measures contrast and widths.

/// Light, dark as the reader has it, and printed. On a narrow screen a row of a table becomes a block, each cell behind the name of
/// its column. Long names break anywhere: nothing is wider than the screen.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1b1b1b;--bg:#fff;--dim:#555;--line:#b4b4b4;--soft:#f2f3f5;--good:#0a6127;--warn:#734800;--bad:#a4071a}
@media (prefers-color-scheme:dark){:root{--fg:#e9e9e9;--bg:#151617;--dim:#b3b3b3;--line:#5a5a5a;--soft:#222426;--good:#74d490;--warn:#f0b648;--bad:#ff918a}}
@media print{:root{color-scheme:light;--fg:#000;--bg:#fff;--dim:#444;--line:#999;--soft:#fff;--good:#0a6127;--warn:#734800;--bad:#a4071a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:.5rem 1rem 2rem;font:1rem/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);overflow-wrap:anywhere}
h1{margin:.4rem 0;font-size:1.05rem;font-weight:600;color:var(--dim)}
h2{margin:1.6rem 0 .4rem;font-size:1.15rem}
.verdict{margin:.4rem 0 .8rem;padding:.6rem .9rem;border-left:.4rem solid var(--line);background:var(--soft)}
.verdict p{margin:.2rem 0}
.verdict strong{font-size:1.5rem;line-height:1.2}
.verdict.good{border-color:var(--good)}.verdict.warn{border-color:var(--warn)}.verdict.bad{border-color:var(--bad)}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.dim,small{color:var(--dim)}
.verdict p:not(:first-child){color:var(--fg)}
small{display:block;font-size:.875rem}
code{font:.92em ui-monospace,monospace}
table{width:100%;border-collapse:collapse;margin:.4rem 0}
th,td{padding:.3rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-size:.875rem;color:var(--dim);overflow-wrap:break-word}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
details{margin:.3rem 0;border:1px solid var(--line);border-radius:.3rem;padding:.3rem .7rem}
summary{cursor:pointer}
ul{margin:.4rem 0;padding-left:1.2rem}
@media (max-width:40rem){
thead{display:none}
table,tbody,tr,td{display:block}
tr{padding:.4rem 0;border-bottom:1px solid var(--line)}
td{padding:.1rem 0;border:0}
td.n{text-align:left;white-space:normal}
td:empty{display:none}
td:not(:first-child)::before{content:attr(data-label) ': ';color:var(--dim)}
}
@media print{details{border:0;padding:0}details::details-content{content-visibility:visible;block-size:auto}tr,li{break-inside:avoid}}
";
