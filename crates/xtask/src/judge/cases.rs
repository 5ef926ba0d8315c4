// SPDX-License-Identifier: LGPL-2.1-or-later
//! The project's own modules: at least one for every rule of the loader.

use std::collections::BTreeMap;

use super::edit::Edit;
use super::fetch::{Fetched, Symvers};

/// A module to build from `tests/judge/module.c`.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The set of modules that it belongs to: these are judged and loaded together.
    pub set: String,
    /// Its name.
    pub name: String,
    /// What is defined before the source.
    pub defines: Vec<(&'static str, String)>,
    /// What is changed afterwards.
    pub edits: Vec<Edit>,
    /// Is it in the set, or only there to build against?
    pub kept: bool,
    /// Built apart from the others (two exporters of one symbol do not build together).
    pub apart: bool,
    /// A copy of this one.
    pub copy_of: Option<&'static str>,
}

/// The in-tree modules that are replaced.
#[derive(Clone, Debug, Default)]
pub struct Replaced {
    /// By one that exports nothing, to the harm of its users.
    pub emptied: Option<String>,
    /// By an in-tree module of another kernel.
    pub moved: Option<String>,
    /// One that nobody uses.
    pub leaf: Option<String>,
}

/// A module that is kept.
pub fn spec(set: &str, name: &str, defines: &[(&'static str, &str)], edits: Vec<Edit>) -> Spec {
    Spec {
        set: set.into(),
        name: name.into(),
        defines: defines.iter().map(|(k, v)| (*k, (*v).to_string())).collect(),
        edits,
        kept: true,
        apart: false,
        copy_of: (defines.is_empty() && name != TEMPLATE).then_some(TEMPLATE),
    }
}

/// What the modules that are nothing but edited copies are made from.
pub const TEMPLATE: &str = "kj_template_of_the_edited_modules_with_a_name_of_55____";

/// The first by name of the symbols that `wanted` is true of.
fn first(table: &Symvers, wanted: impl Fn(&str) -> bool) -> Option<&str> {
    table.keys().map(String::as_str).filter(|s| wanted(s)).min()
}

/// The modules to build for `kernel`. The symbols that they use are chosen by the tables of all kernels.
pub fn all(kernel: &Fetched, kernels: &[Fetched], replaced: &Replaced) -> Vec<Spec> {
    let others: Vec<&Symvers> =
        kernels.iter().filter(|k| k.release != kernel.release).map(|k| &k.symvers).collect();
    let own = &kernel.symvers;
    let builtin = |t: &Symvers, s: &str| t.get(s).is_some_and(|e| e.1 == "vmlinux");
    let everywhere = |s: &str| kernels.iter().all(|k| builtin(&k.symvers, s));
    // A plain name, and no symbol that the compiler has an opinion of.
    let plain = |s: &str| s.len() > 8 && s.len() < 40 && !s.starts_with('_') && own[s].3.is_empty();
    let differs = |s: &str| others.iter().any(|t| t.get(s).is_some_and(|e| e.0 != own[s].0));
    let mut list = Vec::new();

    list.push(Spec { kept: false, ..spec("template", TEMPLATE, &[], vec![]) });
    list.push(spec("plain", "kj_plain", &[], vec![]));
    if let Some(s) = first(own, |s| plain(s) && everywhere(s) && differs(s) && !own[s].2) {
        list.push(spec("crc-differs", "kj_crc", &[("KJ_REF", s)], vec![]));
    }
    let newest_only = |s: &str| others.iter().any(|t| !t.contains_key(s));
    if let Some(s) = first(own, |s| plain(s) && builtin(own, s) && newest_only(s)) {
        list.push(spec("gone", "kj_gone", &[("KJ_REF", s)], vec![]));
        list.push(spec("gone-weak", "kj_gone_weak", &[("KJ_REF", s), ("KJ_WEAK", "1")], vec![]));
    }
    list.push(spec("nobody", "kj_nobody", &[("KJ_REF", "kj_nowhere")], vec![]));
    list.push(spec("weak", "kj_weak", &[("KJ_REF", "kj_nowhere"), ("KJ_WEAK", "1")], vec![]));
    // Newer kernels have it in a header.
    if own.contains_key("jiffies_to_msecs") {
        list.push(spec(
            "weak-bad-crc",
            "kj_weak_crc",
            &[("KJ_REF", "jiffies_to_msecs"), ("KJ_WEAK", "1")],
            vec![Edit::BadCrc("jiffies_to_msecs")],
        ));
    }
    // Of this name since 5.15.
    let printk = if own.contains_key("_printk") { "_printk" } else { "printk" };
    list.push(spec("bad-crc", "kj_badcrc", &[], vec![Edit::BadCrc(printk)]));
    list.push(spec("bad-layout", "kj_layout", &[], vec![Edit::BadCrc("module_layout")]));
    list.push(spec("no-layout-entry", "kj_nolayout", &[], vec![Edit::LoseEntry("module_layout")]));
    list.push(spec("no-entry", "kj_noentry", &[], vec![Edit::LoseEntry(printk)]));
    list.push(spec("no-entries", "kj_noentries", &[], vec![Edit::LoseAllEntries]));
    let remove = |section: &str| Edit::Objcopy(vec!["--remove-section".into(), section.into()]);
    list.push(spec("no-versions", "kj_noversions", &[], vec![remove("__versions")]));
    let bare = vec![remove("__versions"), Edit::Replace("vermagic=".into(), "vermagix=".into())];
    list.push(spec("no-versions-no-vermagic", "kj_bare", &[], bare));
    let replace = |from: &str, to: &str| Edit::Replace(from.into(), to.into());
    list.push(spec("no-vermagic", "kj_novermagic", &[], vec![replace("vermagic=", "vermagix=")]));
    list.push(spec("vermagic-flag", "kj_flag", &[], vec![replace("mod_unload ", "mod_reload ")]));
    list.push(spec(
        "vermagic-release",
        "kj_release",
        &[],
        vec![replace(&format!("vermagic={}", &kernel.release[..1]), "vermagic=9")],
    ));

    // Licences.
    list.push(spec("proprietary", "kj_prop", &[("KJ_LICENSE", "\"Proprietary\"")], vec![]));
    list.push(spec("no-licence", "kj_nolicence", &[], vec![replace("license=", "licence=")]));
    let dual = [("KJ_LICENSE", "\"Dual MIT/GPL\""), ("KJ_REF", "synchronize_rcu")];
    list.push(spec("dual-licence", "kj_dual", &dual, vec![]));
    let gpl = |s: &str| plain(s) && everywhere(s) && kernels.iter().all(|k| k.symvers[s].2) && !differs(s);
    if let Some(s) = first(own, gpl).or_else(|| first(own, |s| plain(s) && everywhere(s) && own[s].2)) {
        let shut = || replace("license=GPL", "license=XYZ");
        list.push(spec("gpl-only", "kj_gplonly", &[("KJ_REF", s)], vec![]));
        list.push(spec("gpl-only-proprietary", "kj_gplprop", &[("KJ_REF", s)], vec![shut()]));
        let weak = [("KJ_REF", s), ("KJ_WEAK", "1")];
        list.push(spec("gpl-only-proprietary-weak", "kj_gplpropweak", &weak, vec![shut()]));
        // The taint of a proprietary exporter is handed on.
        for (set, more) in [("taint", Some(s)), ("taint-plain", None)] {
            let tag = set.replace('-', "_");
            let function = format!("kj_{tag}_function");
            let exporter = [("KJ_EXPORT", function.as_str()), ("KJ_LICENSE", "\"Proprietary\"")];
            list.push(spec(set, &format!("kj_{tag}_exp"), &exporter, vec![]));
            let mut user = vec![("KJ_REF", function.as_str())];
            user.extend(more.map(|s| ("KJ_REF2", s)));
            list.push(spec(set, &format!("kj_{tag}_use"), &user, vec![]));
        }
    }
    let kind = ("KJ_KIND(name)", "EXPORT_SYMBOL_GPL(name)");
    list.push(spec("gpl-export", "kj_gexp", &[("KJ_EXPORT", "kj_gexp_function"), kind], vec![]));
    let shut = vec![replace("license=GPL", "license=XYZ")];
    list.push(spec("gpl-export", "kj_guse_prop", &[("KJ_REF", "kj_gexp_function")], shut));
    list.push(spec("gpl-export", "kj_guse", &[("KJ_REF", "kj_gexp_function")], vec![]));

    // Namespaces.
    let kind = ("KJ_KIND(name)", "EXPORT_SYMBOL_NS_GPL(name, KJ_NS)");
    let kind = match kernel.release.split(['.', '-']).filter_map(|n| n.parse().ok()).collect::<Vec<u32>>() {
        v if v.as_slice() >= &[6, 13][..] => ("KJ_KIND(name)", "EXPORT_SYMBOL_NS_GPL(name, \"KJ_NS\")"),
        _ => kind,
    };
    let import = [("KJ_REF", "kj_ns_function"), ("KJ_IMPORT", "KJ_NS")];
    list.push(spec("namespace", "kj_ns_exp", &[("KJ_EXPORT", "kj_ns_function"), kind], vec![]));
    list.push(spec("namespace", "kj_ns_use", &import, vec![]));
    let unsaid = || replace("import_ns=", "import_nx=");
    list.push(spec("namespace", "kj_ns_not", &import, vec![unsaid()]));
    list.push(spec("namespace", "kj_ns_other", &import, vec![replace("import_ns=KJ_NS", "import_ns=KJ_XX")]));
    // A namespace of modules cannot be imported.
    let named = |s: &str| {
        builtin(own, s) && !own[s].3.is_empty() && !own[s].3.starts_with("module:") && everywhere(s)
    };
    if let Some(s) = first(own, named) {
        let namespace = own[s].3.clone();
        for (name, edits) in [("kj_nsvm", vec![]), ("kj_nsvm_not", vec![unsaid()])] {
            let defines = [("KJ_REF", s), ("KJ_IMPORT", namespace.as_str())];
            list.push(spec(&name.replace('_', "-")[3..], name, &defines, edits));
        }
    }

    // Exporters and users.
    list.push(spec("pair", "kj_exp", &[("KJ_EXPORT", "kj_exp_function")], vec![]));
    list.push(spec("pair", "kj_use", &[("KJ_REF", "kj_exp_function")], vec![]));
    let alone = spec("absent", "kj_alone_exp", &[("KJ_EXPORT", "kj_alone_function")], vec![]);
    list.push(Spec { kept: false, ..alone.clone() });
    list.push(spec("absent", "kj_alone", &[("KJ_REF", "kj_alone_function")], vec![]));
    let weak = [("KJ_REF", "kj_alone_function"), ("KJ_WEAK", "1")];
    list.push(spec("absent-weak", "kj_alone_weak", &weak, vec![]));
    let refused = vec![Edit::BadCrc(printk)];
    list.push(spec("exporter-refused", "kj_bad_exp", &[("KJ_EXPORT", "kj_bad_function")], refused));
    list.push(spec("exporter-refused", "kj_bad_use", &[("KJ_REF", "kj_bad_function")], vec![]));
    let bad = || vec![Edit::BadCrc("kj_other_function")];
    list.push(spec("other-exporter", "kj_other_exp", &[("KJ_EXPORT", "kj_other_function")], vec![]));
    list.push(spec("other-exporter", "kj_other_use", &[("KJ_REF", "kj_other_function")], bad()));
    let strip = || vec![Edit::Objcopy(vec!["--strip-unneeded".into()])];
    list.push(spec("stripped", "kj_strip_exp", &[("KJ_EXPORT", "kj_strip_function")], strip()));
    list.push(spec("stripped", "kj_strip_use", &[("KJ_REF", "kj_strip_function")], strip()));
    let stripped = vec![Edit::Objcopy(vec!["--strip-unneeded".into()])];
    list.push(spec("stripped-ns", "kj_strip_nsexp", &[("KJ_EXPORT", "kj_strip_ns_fn"), kind], stripped));
    let import = [("KJ_REF", "kj_strip_ns_fn"), ("KJ_IMPORT", "KJ_NS")];
    list.push(spec("stripped-ns", "kj_strip_nsuse", &import, strip()));
    list.push(spec("stripped-ns", "kj_strip_nsnot", &import, vec![unsaid()]));
    list.push(spec("two-exporters", "kj_dup1", &[("KJ_EXPORT", "kj_dup_function")], vec![]));
    let second = spec("two-exporters", "kj_dup2", &[("KJ_EXPORT", "kj_dup_function")], vec![]);
    list.push(Spec { apart: true, ..second });
    // Longer names first would be shadowed by nothing: the name's length is all that counts.
    let stand_in = |len: usize| format!("kj_{}", "q".repeat(len - 3));
    if let Some(s) = first(own, |s| plain(s) && everywhere(s) && s.len() == 17 && !own[s].2) {
        let edits = vec![Edit::Replace(stand_in(17), s.into())];
        list.push(spec("exports-of-vmlinux", "kj_dupvm", &[("KJ_EXPORT", &stand_in(17))], edits));
    }

    // Long names: 55 bytes are the most that __versions holds.
    for len in [55, 56, 90] {
        let long = format!("kj_{len}_{}", "l".repeat(len - 6));
        let set = format!("long-{len}");
        list.push(spec(&set, &format!("kj_long{len}_exp"), &[("KJ_EXPORT", &long)], vec![]));
        if len == 55 {
            list.push(spec(&set, "kj_long55_use", &[("KJ_REF", &long)], vec![]));
            let bad = vec![Edit::Objcopy(vec!["--redefine-sym".into(), format!("{long}={}x", &long[..54])])];
            list.push(spec(&set, "kj_long55_not", &[("KJ_REF", &long)], bad));
        } else {
            // modpost refuses to build the user: it is built for another name, and renamed.
            let short = format!("kj_short{len}");
            let rename = vec![Edit::Objcopy(vec!["--redefine-sym".into(), format!("{short}={long}")])];
            list.push(spec(&set, &format!("kj_long{len}_use"), &[("KJ_REF", &short)], rename));
        }
    }
    list.push(spec("long-module-name", &format!("kj_{}", "n".repeat(52)), &[], vec![]));

    // Files.
    for (program, suffix) in [("gzip", ".gz"), ("xz", ".xz"), ("zstd", ".zst")] {
        let set = format!("compressed-{program}");
        let edits = vec![Edit::Compress(program, suffix)];
        list.push(spec(&set, &format!("kj_{program}"), &[], edits));
    }
    list.push(spec("cut", "kj_cut", &[], vec![Edit::Cut(600)]));
    list.push(spec("cut-end", "kj_cutend", &[], vec![Edit::Cut(999)]));
    list.push(spec("empty", "kj_empty", &[], vec![Edit::Cut(0)]));
    list.push(spec("other-machine", "kj_machine", &[], vec![Edit::Header(0x12, 183)]));
    list.push(spec("not-relocatable", "kj_type", &[], vec![Edit::Header(0x10, 2)]));
    let grow = Edit::Grow(".gnu.linkonce.this_module", 64);
    list.push(spec("struct-size", "kj_size", &[], vec![grow]));
    let trailer = b"rubbish\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x07~Module signature appended~\n";
    list.push(spec("bad-signature", "kj_badsig", &[], vec![Edit::Append(trailer.to_vec())]));
    let trailer = b"r\x00\x00\x02\x00\x00\x00\x00\x00\x00\x7f\xff\xff~Module signature appended~\n";
    list.push(spec("bad-signature-size", "kj_badsiglen", &[], vec![Edit::Append(trailer.to_vec())]));

    // In place of in-tree modules.
    if let Some(name) = &replaced.emptied {
        list.push(spec("replace-exporter", name, &[], vec![]));
    }
    if let Some(name) = &replaced.leaf {
        list.push(spec("replace-leaf", name, &[], vec![]));
    }
    list
}

/// How often each module of the kernel is used by others, from modules.dep: name -> (deps, users).
pub fn graph(modules_dep: &str) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let mut graph: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for line in modules_dep.lines() {
        let Some((module, used)) = line.split_once(':') else { continue };
        let user = name_of(module);
        let used: Vec<String> = used.split_whitespace().map(name_of).collect();
        for name in &used {
            graph.entry(name.clone()).or_default().1.push(user.clone());
        }
        graph.entry(user).or_default().0 = used;
    }
    graph
}

/// `kernel/a/foo-bar.ko.xz` is `foo_bar`.
pub fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

/// In-tree modules that suit, present in every kernel: with few users that need little else.
pub fn choose_replaced(kernels: &[Fetched]) -> Replaced {
    let graphs: Vec<_> = kernels
        .iter()
        .map(|k| {
            let dep = k.plain.join("lib/modules").join(&k.release).join("modules.dep");
            graph(&std::fs::read_to_string(dep).unwrap_or_default())
        })
        .collect();
    let everywhere = |name: &str| graphs.iter().all(|g| g.contains_key(name));
    let cost = |name: &str| -> Option<usize> {
        graphs.iter().try_fold(0, |worst: usize, g| {
            let (deps, users) = g.get(name)?;
            let suits = deps.is_empty() && (1..=3).contains(&users.len());
            let needs = users.iter().map(|u| g[u].0.len()).max()?;
            suits.then(|| worst.max(needs * 4 + users.len()))
        })
    };
    let Some(first) = graphs.first() else { return Replaced::default() };
    let mut exporters: Vec<(usize, &String)> =
        first.keys().filter(|n| !n.contains('-')).filter_map(|n| Some((cost(n)?, n))).collect();
    exporters.sort();
    let leaf = first
        .iter()
        .find(|(n, (deps, users))| deps.is_empty() && users.is_empty() && n.len() > 4 && everywhere(n))
        .map(|(n, _)| n.clone());
    let mut exporters = exporters.into_iter().map(|(_, n)| n.clone());
    Replaced { emptied: exporters.next(), moved: exporters.next(), leaf }
}
