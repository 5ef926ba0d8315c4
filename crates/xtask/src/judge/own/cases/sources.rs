// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules that a compiler makes: who uses whose symbols, and in what order.

use super::BASE;
use crate::judge::cases::{Spec, spec};
use crate::judge::edit::Edit;
use crate::judge::own::kernel::Small;

/// The same symbol is exported by modules that are not built together.
fn apart(spec: Spec) -> Spec {
    Spec { apart: true, ..spec }
}

fn replace(from: &str, to: &str) -> Edit {
    Edit::Replace(from.into(), to.into())
}

/// Of a module that was built as free.
fn proprietary() -> Vec<Edit> {
    vec![replace("license=GPL", "license=XYZ")]
}

const SHUT: (&str, &str) = ("KJ_LICENSE", "\"Proprietary\"");
const GPL_ONLY: (&str, &str) = ("KJ_KIND(name)", "EXPORT_SYMBOL_GPL(name)");
const WEAK: (&str, &str) = ("KJ_WEAK", "1");

pub fn all(small: &Small) -> Vec<Spec> {
    let mut list = needs();
    list.extend(taint(small));
    list.extend(names(small));
    list.extend(namespaces(small));
    list.extend(features());
    list
}

/// Modules that need each other, themselves, or what does not load.
fn needs() -> Vec<Spec> {
    let mut list = vec![
        spec("cycle-of-two", "kj_c2a", &[("KJ_EXPORT", "kj_c2a_f"), ("KJ_REF", "kj_c2b_f")], vec![]),
        spec("cycle-of-two", "kj_c2b", &[("KJ_EXPORT", "kj_c2b_f"), ("KJ_REF", "kj_c2a_f")], vec![]),
        spec("cycle-user", "kj_c2c", &[("KJ_EXPORT", "kj_c2c_f"), ("KJ_REF", "kj_c2d_f")], vec![]),
        spec("cycle-user", "kj_c2d", &[("KJ_EXPORT", "kj_c2d_f"), ("KJ_REF", "kj_c2c_f")], vec![]),
        spec("cycle-user", "kj_c2e", &[("KJ_REF", "kj_c2c_f")], vec![]),
        spec("cycle-user", "kj_c2f", &[], vec![]),
        spec("cycle-weak", "kj_cwa", &[("KJ_EXPORT", "kj_cwa_f"), ("KJ_REF", "kj_cwb_f"), WEAK], vec![]),
        spec("cycle-weak", "kj_cwb", &[("KJ_EXPORT", "kj_cwb_f"), ("KJ_REF", "kj_cwa_f")], vec![]),
        spec("chain", "kj_ch1", &[("KJ_EXPORT", "kj_ch1_f")], vec![]),
        spec("chain", "kj_ch2", &[("KJ_EXPORT", "kj_ch2_f"), ("KJ_REF", "kj_ch1_f")], vec![]),
        spec("chain", "kj_ch3", &[("KJ_EXPORT", "kj_ch3_f"), ("KJ_REF", "kj_ch2_f")], vec![]),
        spec("chain", "kj_ch4", &[("KJ_REF", "kj_ch3_f"), ("KJ_REF2", "kj_ch1_f")], vec![]),
        spec("chain-broken", "kj_cb1", &[("KJ_EXPORT", "kj_cb1_f"), ("KJ_REF", "kj_nowhere")], vec![]),
        spec("chain-broken", "kj_cb2", &[("KJ_EXPORT", "kj_cb2_f"), ("KJ_REF", "kj_cb1_f")], vec![]),
        spec("chain-broken", "kj_cb3", &[("KJ_REF", "kj_cb2_f")], vec![]),
        spec("chain-broken", "kj_cb4", &[("KJ_REF", "kj_cb1_f"), WEAK], vec![]),
        spec("weak-exporter-loads", "kj_we1", &[("KJ_EXPORT", "kj_we1_f")], vec![]),
        spec("weak-exporter-loads", "kj_we2", &[("KJ_REF", "kj_we1_f"), WEAK], vec![]),
        spec("weak-gpl-only", "kj_wg1", &[("KJ_EXPORT", "kj_wg1_f"), GPL_ONLY], vec![]),
        spec("weak-gpl-only", "kj_wg2", &[("KJ_REF", "kj_wg1_f"), WEAK], proprietary()),
        spec("init-fails", "kj_if1", &[("KJ_EXPORT", "kj_if1_f"), ("KJ_FAILS", "1")], vec![]),
        spec("init-fails", "kj_if2", &[("KJ_REF", "kj_if1_f")], vec![]),
        // The same export from two that are never loaded together.
        spec("two-exporters-alone", "kj_da1", &[("KJ_EXPORT", "kj_da_f")], vec![]),
        apart(spec("two-exporters-alone", "kj_da2", &[("KJ_EXPORT", "kj_da_f")], vec![])),
        // One of them is needed by who exports the same.
        spec(
            "two-exporters-together",
            "kj_dt1",
            &[("KJ_EXPORT", "kj_dt_f"), ("KJ_EXPORT2", "kj_dt_g")],
            vec![],
        ),
        apart(spec(
            "two-exporters-together",
            "kj_dt2",
            &[("KJ_EXPORT", "kj_dt_f"), ("KJ_REF", "kj_dt_g")],
            vec![],
        )),
        spec("two-exporters-of-need", "kj_dn1", &[("KJ_EXPORT", "kj_dn_f")], vec![]),
        apart(spec("two-exporters-of-need", "kj_dn2", &[("KJ_EXPORT", "kj_dn_f")], vec![])),
        spec("two-exporters-of-need", "kj_dn3", &[("KJ_REF", "kj_dn_f")], vec![]),
        // What an in-tree module exports, too.
        spec("exports-of-in-tree", "kj_ei", &[("KJ_EXPORT", "unload_nls")], vec![]),
        spec("uses-in-tree", "kj_ui", &[("KJ_REF", "unload_nls")], vec![]),
    ];
    // Itself: it imports by another name what it exports.
    let own = vec![replace("kj_self_g", "kj_self_f")];
    let defines = [("KJ_EXPORT", "kj_self_f"), ("KJ_REF", "kj_self_g")];
    list.push(spec("needs-itself", "kj_self", &defines, own));
    list
}

/// Licences that pass through exporters; the order of symbols matters to the kernel.
fn taint(small: &Small) -> Vec<Spec> {
    // A GPL-only symbol of the kernel that no header gives an opinion of.
    let is_plain = |s: &str| s.len() > 8 && !s.starts_with('_') && small.kernel.symvers[s].3.is_empty();
    let of_image = |s: &str| small.kernel.symvers[s].1 == "vmlinux" && small.kernel.symvers[s].2;
    let mut all: Vec<&String> = small.kernel.symvers.keys().filter(|s| is_plain(s) && of_image(s)).collect();
    all.sort();
    let Some(gpl) = all.first().map(|s| s.as_str()) else { return Vec::new() };
    vec![
        spec("taint-order", "kj_to1", &[("KJ_EXPORT", "kj_to1_f"), SHUT], vec![]),
        spec("taint-order", "kj_to2", &[("KJ_REF", "kj_to1_f"), ("KJ_REF2", gpl)], vec![]),
        spec("taint-order", "kj_to3", &[("KJ_REF", gpl), ("KJ_REF2", "kj_to1_f")], vec![]),
        // Of exporters that are themselves tainted by others.
        spec("taint-handed-on", "kj_th1", &[("KJ_EXPORT", "kj_th1_f"), SHUT], vec![]),
        spec("taint-handed-on", "kj_th2", &[("KJ_EXPORT", "kj_th2_f"), ("KJ_REF", "kj_th1_f")], vec![]),
        spec("taint-handed-on", "kj_th3", &[("KJ_REF", "kj_th2_f"), ("KJ_REF2", gpl)], vec![]),
        spec("taint-handed-on", "kj_th4", &[("KJ_REF", gpl), ("KJ_REF2", "kj_th2_f")], vec![]),
        spec("taint-handed-on", "kj_th5", &[("KJ_REF", "kj_th2_f")], vec![]),
        // Weak uses count as well.
        spec("taint-weak", "kj_tw1", &[("KJ_EXPORT", "kj_tw1_f"), SHUT], vec![]),
        spec("taint-weak", "kj_tw2", &[("KJ_REF", "kj_tw1_f"), WEAK, ("KJ_REF2", gpl)], vec![]),
        // GPL-only exports of a module.
        spec("taint-gpl-module", "kj_tg1", &[("KJ_EXPORT", "kj_tg1_f"), GPL_ONLY], vec![]),
        spec("taint-gpl-module", "kj_tg2", &[("KJ_EXPORT", "kj_tg2_f"), SHUT], vec![]),
        spec("taint-gpl-module", "kj_tg3", &[("KJ_REF", "kj_tg1_f"), ("KJ_REF2", "kj_tg2_f")], vec![]),
        spec("taint-gpl-module", "kj_tg4", &[("KJ_REF", "kj_tg2_f"), ("KJ_REF2", "kj_tg1_f")], vec![]),
        spec("proprietary-pair", "kj_pp1", &[("KJ_EXPORT", "kj_pp1_f"), SHUT], vec![]),
        spec("proprietary-pair", "kj_pp2", &[("KJ_REF", "kj_pp1_f"), SHUT], vec![]),
        // By name, whatever they say themselves.
        spec("named-driverloader", "driverloader", &[("KJ_REF", gpl)], vec![]),
        spec("named-lve", "lve", &[("KJ_REF", gpl)], vec![]),
        spec("named-ndiswrapper", "ndiswrapper", &[("KJ_REF", gpl)], vec![]),
        spec("named-driverloader-plain", "kj_dl", &[], vec![]),
    ]
}

/// Names that are taken.
fn names(small: &Small) -> Vec<Spec> {
    let builtin = std::fs::read_to_string(small.kernel.modules.join("modules.builtin")).unwrap_or_default();
    let names = builtin.lines().filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"));
    let mut list: Vec<Spec> = names
        .take(2)
        .map(|name| {
            let name = name.replace('-', "_");
            spec(&format!("built-in-{name}"), &name, &[], vec![])
        })
        .collect();
    // In place of modules of the kernel.
    list.push(spec("in-place-of-a-leaf", "nls_ascii", &[], vec![]));
    list.push(spec("in-place-of-an-exporter", "nls_base", &[], vec![]));
    list.push(spec("name-of-a-digit", "8kj", &[], vec![]));
    list
}

fn namespaces(small: &Small) -> Vec<Spec> {
    if small.series() < (6, 16) {
        return Vec::new();
    }
    // modpost refuses those who may not: they may, until the exporter's list is another.
    let exporter = |name: &str, names: &str, instead: &str| {
        let kind = format!("EXPORT_SYMBOL_FOR_MODULES(name, \"{names}\")");
        let function = format!("{name}_f");
        let edits = if names == instead { vec![] } else { vec![replace(names, instead)] };
        spec("for-modules", name, &[("KJ_EXPORT", &function), ("KJ_KIND(name)", &kind)], edits)
    };
    vec![
        exporter("kj_fm1", "kj_fm_use1,kj_fm_use2,kj_fm_use4", "kj_fm_use1,kj_fm_use2,kj_fm_else"),
        exporter("kj_fm2", "kj_fm_use*", "kj_fm_use*"),
        exporter("kj_fm3", "kj_fm_use5", "kj_nobody_"),
        exporter("kj_fm4", "kj_fm_dash", "kj-fm-dash"),
        spec("for-modules", "kj_fm_use1", &[("KJ_REF", "kj_fm1_f")], vec![]),
        spec("for-modules", "kj_fm_use2", &[("KJ_REF", "kj_fm1_f"), ("KJ_REF2", "kj_fm2_f")], vec![]),
        spec("for-modules", "kj_fm_use3", &[("KJ_REF", "kj_fm2_f")], vec![]),
        spec("for-modules", "kj_fm_use4", &[("KJ_REF", "kj_fm1_f")], vec![]),
        spec("for-modules", "kj_fm_use5", &[("KJ_REF", "kj_fm3_f")], vec![]),
        spec("for-modules", "kj_fm_dash", &[("KJ_REF", "kj_fm4_f")], vec![]),
    ]
}

/// What a module can have in it.
fn features() -> Vec<Spec> {
    let with = |set: &str, name: &str, define: &'static str| spec(set, name, &[(define, "1")], vec![]);
    vec![
        with("parameter", "kj_param", "KJ_PARAM"),
        with("per-cpu", "kj_percpu", "KJ_PERCPU"),
        with("per-cpu-too-large", "kj_percpul", "KJ_PERCPU_LARGE"),
        with("live-patch", "kj_livepatch", "KJ_LIVEPATCH"),
        with("device-table", "kj_table", "KJ_TABLE"),
        with("no-exit", "kj_noexit", "KJ_NO_EXIT"),
        with("no-init", "kj_noinit", "KJ_NO_INIT"),
        with("large-data", "kj_large", "KJ_LARGE"),
        Spec { copy_of: Some(BASE), ..spec("base-user", BASE, &[], vec![]) },
        spec("base-user", "kj_bu1", &[("KJ_REF", "kj_base_function"), ("KJ_REF2", "kj_base_gpl")], vec![]),
        spec("base-user", "kj_bu2", &[("KJ_REF", "kj_base_gpl")], proprietary()),
    ]
}
