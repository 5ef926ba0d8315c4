// SPDX-License-Identifier: LGPL-2.1-or-later
//! Does this module load in this kernel, and if not, every reason.
//!
//! The rules are the kernel's: `load_module` and what it calls in `kernel/module/main.c` and
//! `kernel/module/version.c` of Linux 5.x to 6.x.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;

use super::{Crcs, Export, Kernel, Licensing, Module, ModuleFault, Need, Offer, SignatureState, name};
use kmp_steps as steps;

/// What a module is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Not known: the module, or what it depends on, could not be read.
    Unread,
    /// Not a module at all.
    Malformed,
    /// Other class, byte order or machine.
    Architecture,
    /// The flags of vermagic differ, or, without versions, any of it.
    Vermagic,
    /// Other size of `struct module`.
    StructSize,
    /// The kernel takes signed modules only, or cannot read the signature.
    Signature,
    /// The module has no versions at all.
    NoVersion,
    /// Other version of `module_layout`.
    ModuleLayout,
    /// Nobody exports a symbol.
    UnknownSymbol,
    /// It is not known whether or with which version the kernel exports a symbol.
    UnknownCrc,
    /// A symbol has another version.
    Crc,
    /// A symbol is for GPL-compatible modules only.
    License,
    /// A symbol's namespace is not imported.
    Namespace,
    /// Another module, or the kernel, exports the same symbol.
    DuplicateExport,
    /// It needs a module that does not fit.
    Depends,
    /// It loads, but is not linked, because an in-tree module would then no longer load.
    Breaks,
}

impl Rule {
    /// The name in `--json` and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Unread => "unread",
            Rule::Malformed => "malformed",
            Rule::Architecture => "architecture",
            Rule::Vermagic => "vermagic",
            Rule::StructSize => "struct-size",
            Rule::Signature => "signature",
            Rule::NoVersion => "no-version",
            Rule::ModuleLayout => "module-layout",
            Rule::UnknownSymbol => "unknown-symbol",
            Rule::UnknownCrc => "unknown-crc",
            Rule::Crc => "crc",
            Rule::License => "license",
            Rule::Namespace => "namespace",
            Rule::DuplicateExport => "duplicate-export",
            Rule::Depends => "depends",
            Rule::Breaks => "breaks",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One reason why a module does not fit a kernel. Displayed, it is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule that is broken.
    pub rule: Rule,
    /// The symbol concerned.
    pub symbol: Option<Box<str>>,
    /// The version that the module was built with.
    pub wanted: Option<u32>,
    /// The version that there is.
    pub offered: Option<u32>,
    /// Who exports the symbol: `vmlinux`, an in-tree module's path, or a module's name.
    pub exporter: Option<Box<str>>,
    /// All of it in words.
    pub detail: String,
}

impl Reason {
    /// A reason that concerns no symbol.
    pub fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, symbol: None, wanted: None, offered: None, exporter: None, detail: detail.into() }
    }

    fn on(rule: Rule, symbol: &str, detail: String) -> Self {
        Self { symbol: Some(symbol.into()), ..Self::new(rule, detail) }
    }

    fn by(mut self, exporter: &str) -> Self {
        self.exporter = Some(exporter.into());
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// What else is to be known of a module, whether it loads or not. Displayed, it is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// It takes the place of an in-tree module, and an in-tree user of that one no longer loads.
    Breaks {
        /// The in-tree user.
        user: Box<str>,
        /// Why the user does not load any more.
        reason: Reason,
    },
    /// An in-tree module exports one of its symbols, too: the kernel refuses the one of the two that comes second.
    MayClash {
        /// The in-tree module.
        with: Box<str>,
        /// The first such symbol.
        symbol: Box<str>,
    },
}

impl Warning {
    /// The name in `--json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Breaks { .. } => "breaks",
            Self::MayClash { .. } => "may-clash",
        }
    }

    /// The in-tree module concerned.
    pub fn module(&self) -> &str {
        match self {
            Self::Breaks { user, .. } => user,
            Self::MayClash { with, .. } => with,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaks { user, reason } => write!(f, "breaks the in-tree module {user}: {}", reason.detail),
            Self::MayClash { with, symbol } => {
                write!(
                    f,
                    "may clash with the in-tree module {with} if both are loaded: each exports {symbol}"
                )
            }
        }
    }
}

/// What the judge says of one module: it fits, or every reason why not, those of the whole module first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Empty when it fits.
    pub reasons: Vec<Reason>,
    /// What else is to be known: each in-tree module once.
    pub warnings: Vec<Warning>,
}

impl Verdict {
    /// Would the kernel load it?
    pub fn fits(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Is there no verdict, because something could not be read? That of a module which would be refused anyway is one.
    pub fn is_unknown(&self) -> bool {
        !self.fits() && self.reasons.iter().all(|r| r.rule == Rule::Unread)
    }

    /// What it breaks becomes a reason not to link it.
    pub fn refuse_breaks(&mut self) {
        for warning in std::mem::take(&mut self.warnings) {
            match warning {
                Warning::Breaks { user, reason } => {
                    let detail = format!("the in-tree module {user} would no longer load: {}", reason.detail);
                    self.reasons.push(Reason { rule: Rule::Breaks, detail, ..reason });
                }
                other => self.warnings.push(other),
            }
        }
    }

    /// The verdict on what there are no contents of.
    pub fn of_fault(fault: &ModuleFault) -> Self {
        let rule = if fault.is_unread() { Rule::Unread } else { Rule::Malformed };
        Self { reasons: vec![Reason::new(rule, fault.to_string())], ..Self::default() }
    }

    /// None, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { reasons: vec![Reason::new(Rule::Unread, why)], ..Self::default() }
    }
}

/// Why a module is in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To be judged; it takes the place of an in-tree module of its name.
    Judged,
    /// To be judged, but the in-tree module of its name is the one that is loaded: it serves nobody else.
    Inert,
    /// An in-tree module that uses exports of a module that is replaced: where it would not load any
    /// more, the module that replaces it breaks it.
    InTreeUser,
    /// It stands for modules that could not be read: whether they export what nobody else does is unknown.
    Unread,
}

/// A module of the set that is judged together.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The module's name by its file, with `_` for `-`: the name that modprobe and depmod go by.
    pub name: &'a str,
    /// Its contents.
    pub module: &'a Module,
    /// Its part.
    pub role: Role,
}

/// One line of an explanation: a symbol that a module uses, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolLine {
    /// The symbol.
    pub symbol: Box<str>,
    /// It may be missing.
    pub weak: bool,
    /// The version that the module was built with.
    pub wanted: Option<u32>,
    /// The version that there is.
    pub offered: Option<u32>,
    /// Who exports it; `None`: nobody.
    pub exporter: Option<Box<str>>,
    /// Its namespace.
    pub namespace: Option<Box<str>>,
    /// GPL-only?
    pub gpl_only: bool,
    /// What is wrong with it.
    pub reason: Option<Reason>,
}

/// A kernel with its in-tree modules and a set of modules beside or in place of them.
///
/// Modules that come earlier in the set win where two export the same symbol, as the first one loaded
/// does in the kernel.
#[derive(Debug)]
pub struct World<'a> {
    kernel: &'a Kernel,
    in_tree: Option<&'a HashSet<Box<str>>>,
    set: Vec<Candidate<'a>>,
    by_name: HashMap<&'a str, usize>,
    offers: HashMap<&'a str, (usize, &'a Offer)>,
    /// Proprietary, or a user of a proprietary module's symbols.
    tainted: Vec<bool>,
    /// How many modules of the set are known by their package's dependencies only.
    declared: usize,
    /// Could some modules that may be there not be read?
    has_unread: bool,
}

/// Who offers a symbol.
enum Provider<'w> {
    Kernel(Export<'w>),
    Candidate(usize, &'w Offer),
    /// An in-tree exporter that is not there: replaced by a candidate, or not installed.
    Gone(Export<'w>, Option<usize>),
    Nobody,
}

impl<'a> World<'a> {
    /// Puts a world together. `in_tree` has the names (with `_` for `-`) of the in-tree modules on disk;
    /// without it, every exporter in the kernel's table is taken to be there.
    pub fn new(kernel: &'a Kernel, in_tree: Option<&'a HashSet<Box<str>>>, set: Vec<Candidate<'a>>) -> Self {
        let mut by_name = HashMap::new();
        let mut offers = HashMap::new();
        for (i, candidate) in set.iter().enumerate() {
            // Of two files with one name only the first is ever loaded.
            if candidate.role == Role::Inert || *by_name.entry(candidate.name).or_insert(i) != i {
                continue;
            }
            for offer in &candidate.module.offers {
                offers.entry(&*offer.symbol).or_insert((i, offer));
            }
        }
        let has_unread = set.iter().any(|c| c.role == Role::Unread);
        let declared = set.iter().filter(|c| c.module.is_declared && c.role != Role::Unread).count();
        let mut world =
            Self { kernel, in_tree, set, by_name, offers, tainted: Vec::new(), declared, has_unread };
        world.tainted = world.taints();
        world
    }

    /// The verdict on each module of the set, in its order.
    pub fn judge(&self) -> Vec<Verdict> {
        self.judge_those((0..self.set.len()).collect())
    }

    /// The verdicts on the modules of the set that are `wanted`, and on those that these depend on; the
    /// others' are empty.
    pub fn judge_only(&self, wanted: impl IntoIterator<Item = usize>) -> Vec<Verdict> {
        // Whom an in-tree user blames shows only when the user is judged.
        let users = (0..self.set.len()).filter(|i| self.set[*i].role == Role::InTreeUser);
        self.judge_those(wanted.into_iter().chain(users).collect())
    }

    fn judge_those(&self, mut pending: VecDeque<usize>) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::default(); self.set.len()];
        let mut providers: Vec<BTreeMap<usize, &str>> = vec![BTreeMap::new(); self.set.len()];
        let mut broken: Vec<(usize, usize, Reason)> = Vec::new();
        let mut seen = vec![false; self.set.len()];
        while let Some(i) = pending.pop_front() {
            if std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let candidate = &self.set[i];
            if candidate.role == Role::Unread {
                continue;
            }
            let mut reasons = self.whole_module(candidate.module);
            let uses = &mut providers[i];
            for need in &candidate.module.needs {
                let provider = self.provider(&need.symbol);
                let reason = self.symbol(i, need, &provider);
                let culprit = match provider {
                    Provider::Candidate(p, _) => {
                        uses.entry(p).or_insert(&*need.symbol);
                        Some(p)
                    }
                    Provider::Gone(_, by) => by,
                    _ => None,
                };
                if let (Role::InTreeUser, Some(p), Some(reason)) = (candidate.role, culprit, &reason)
                    && self.set[p].role == Role::Judged
                    && !matches!(reason.rule, Rule::UnknownCrc | Rule::Unread)
                {
                    broken.push((i, p, reason.clone()));
                }
                reasons.extend(reason);
            }
            // What shuts a GPL module out of GPL-only symbols is the taint that it inherits.
            if candidate.role == Role::InTreeUser
                && candidate.module.is_gpl()
                && let Some(reason) = reasons.iter().find(|r| r.rule == Rule::License)
            {
                let culprits =
                    uses.keys().filter(|p| self.tainted[**p] && self.set[**p].role == Role::Judged);
                broken.extend(culprits.map(|p| (i, *p, reason.clone())));
            }
            let mut warnings = Vec::new();
            self.exports(i, &mut reasons, &mut warnings);
            verdicts[i] = Verdict { reasons, warnings };
            pending.extend(uses.keys());
        }
        broken.sort_by_key(|(user, ..)| *user);
        for (user, p, reason) in broken {
            let user = self.set[user].name;
            let warnings = &mut verdicts[p].warnings;
            if !warnings.iter().any(|w| matches!(w, Warning::Breaks { user: known, .. } if **known == *user))
            {
                warnings.push(Warning::Breaks { user: user.into(), reason });
            }
        }
        self.close(&mut verdicts, &providers);
        verdicts
    }

    /// Symbol by symbol, what module `index` of the set uses and gets. `module_layout` comes first.
    pub fn explain(&self, index: usize) -> Vec<SymbolLine> {
        let module = self.set[index].module;
        let layout = Need { symbol: "module_layout".into(), weak: false, crcs: module.layout };
        let checks_layout = self.kernel.has_modversions() && has_any_versions(module);
        let needs = checks_layout.then_some(&layout).into_iter().chain(&module.needs);
        needs
            .map(|need| {
                let provider = self.provider(&need.symbol);
                let reason = if std::ptr::eq(need, &raw const layout) {
                    self.layout(module)
                } else {
                    self.symbol(index, need, &provider)
                };
                let (offered, exporter, namespace, gpl_only) = match provider {
                    Provider::Kernel(e) => (
                        e.crc,
                        Some(e.exporter.into()),
                        (!e.namespace.is_empty()).then(|| e.namespace.into()),
                        e.licensing == Licensing::GplOnly,
                    ),
                    Provider::Candidate(p, o) => {
                        (o.crc, Some(self.set[p].name.into()), o.namespace.clone(), o.gpl)
                    }
                    Provider::Gone(..) | Provider::Nobody => (None, None, None, false),
                };
                SymbolLine {
                    symbol: need.symbol.clone(),
                    weak: need.weak,
                    wanted: self.wanted(module, need.crcs),
                    offered,
                    exporter,
                    namespace,
                    gpl_only,
                    reason,
                }
            })
            .collect()
    }

    /// The rules that concern no single symbol.
    fn whole_module(&self, module: &Module) -> Vec<Reason> {
        let kernel = self.kernel;
        if module.is_declared {
            return self.layout(module).into_iter().collect();
        }
        let mut reasons = Vec::new();
        if let Some(arch) = kernel.traits.arch
            && arch != module.arch
        {
            let detail = format!("built for {}, the kernel is for {arch}", module.arch);
            reasons.push(Reason::new(Rule::Architecture, detail));
        }
        reasons.extend(self.vermagic(module));
        if let Some(size) = kernel.traits.struct_size
            && size != module.struct_size
            && kernel.checks_struct_size()
        {
            let detail = format!("its struct module has {} bytes, the kernel's {size}", module.struct_size);
            reasons.push(Reason::new(Rule::StructSize, detail));
        }
        match &module.signature {
            SignatureState::Unsigned if kernel.config.signatures_enforced => {
                let detail = "not signed, and the kernel takes signed modules only";
                reasons.push(Reason::new(Rule::Signature, detail));
            }
            SignatureState::Broken(why) if kernel.config.signatures => {
                reasons.push(Reason::new(Rule::Signature, format!("its signature cannot be read: {why}")));
            }
            _ => {}
        }
        if let Some(ns) = module.import_ns.iter().find(|n| n.starts_with("module:"))
            && kernel.knows_module_namespaces()
        {
            let detail = format!("imports the namespace {ns}, which cannot be imported");
            reasons.push(Reason::new(Rule::Namespace, detail));
        }
        if kernel.has_modversions() && !kernel.config.force_load && !self.versions_count(module) {
            let detail = "built without symbol versions (no __versions)";
            reasons.push(Reason::new(Rule::NoVersion, detail));
        }
        reasons.extend(self.layout(module));
        reasons
    }

    /// `same_magic`: with a `__versions` section, everything after the release; else all of it. Extended
    /// versions alone do not count here (`info->index.vers`).
    fn vermagic(&self, module: &Module) -> Option<Reason> {
        let ours = self.kernel.traits.vermagic.as_deref()?;
        let Some(theirs) = module.vermagic.as_deref() else {
            let detail = "has no vermagic".to_string();
            return (!self.kernel.config.force_load).then(|| Reason::new(Rule::Vermagic, detail));
        };
        fn flags(vermagic: &str) -> &str {
            vermagic.find(' ').map_or("", |at| &vermagic[at..])
        }
        let same = if module.has_versions && self.kernel.has_modversions() {
            flags(ours) == flags(theirs)
        } else {
            ours == theirs
        };
        (!same).then(|| {
            Reason::new(
                Rule::Vermagic,
                format!("vermagic is '{}', should be '{}'", theirs.trim(), ours.trim()),
            )
        })
    }

    /// `check_modstruct_version`.
    fn layout(&self, module: &Module) -> Option<Reason> {
        if !self.kernel.has_modversions() || !self.versions_count(module) {
            return None;
        }
        // No entry for it: the loader warns and goes on.
        let wanted = self.wanted(module, module.layout)?;
        match self.kernel.symbols.get("module_layout") {
            Some(Export { crc: Some(offered), .. }) if offered == wanted => None,
            Some(Export { crc: Some(offered), .. }) => {
                let detail = format!(
                    "struct module is laid out differently: module_layout was {wanted:#010x} when it was built, \
                     the kernel has {offered:#010x}"
                );
                let reason = Reason::on(Rule::ModuleLayout, "module_layout", detail);
                Some(Reason { wanted: Some(wanted), offered: Some(offered), ..reason })
            }
            Some(Export { crc_known: true, .. }) => None,
            _ => {
                let detail = "the kernel's version of module_layout is not known".into();
                let reason = Reason::on(Rule::UnknownCrc, "module_layout", detail);
                Some(Reason { wanted: Some(wanted), ..reason })
            }
        }
    }

    /// `resolve_symbol`, for symbol `need` of module `user` of the set.
    fn symbol(&self, user: usize, need: &Need, provider: &Provider<'_>) -> Option<Reason> {
        let module = self.set[user].module;
        let symbol = &*need.symbol;
        let wanted = self.wanted(module, need.crcs);
        let missing = |rule, detail| {
            // Not found is fine for a weak symbol.
            (!need.weak).then(|| Reason { wanted, ..Reason::on(rule, symbol, detail) })
        };
        let (crc, crc_known, gpl, namespace, exporter) = match *provider {
            Provider::Nobody | Provider::Gone(..) if self.has_unread => {
                return missing(
                    Rule::Unread,
                    format!("whether anybody exports {symbol} is not known: a module could not be read"),
                );
            }
            // A module of which only its package's dependencies are known may export it.
            Provider::Nobody | Provider::Gone(..) if self.others_may_offer(user) => {
                return missing(
                    Rule::UnknownCrc,
                    format!("it is not known whether anybody exports {symbol}"),
                );
            }
            Provider::Nobody if self.kernel.symbols.is_complete() => {
                return missing(Rule::UnknownSymbol, format!("nobody exports {symbol}"));
            }
            Provider::Nobody => {
                return missing(
                    Rule::UnknownCrc,
                    format!("it is not known whether the kernel exports {symbol}"),
                );
            }
            Provider::Gone(e, by) => {
                let why = match by {
                    Some(_) => "is replaced by one that does not export it",
                    None => "is not installed",
                };
                let detail = format!("nobody exports {symbol}: {} {why}", e.exporter);
                return missing(Rule::UnknownSymbol, detail).map(|r| r.by(e.exporter));
            }
            Provider::Kernel(e) => {
                (e.crc, e.crc_known, e.licensing == Licensing::GplOnly, e.namespace, e.exporter)
            }
            Provider::Candidate(p, o) => {
                let namespace = o.namespace.as_deref().unwrap_or("");
                (o.crc, true, o.gpl, namespace, self.set[p].name)
            }
        };
        // find_symbol does not show GPL-only symbols to a proprietary module; a weak one is then missing.
        if gpl && !module.is_gpl() {
            let license = module.license.as_deref().unwrap_or("unspecified");
            let detail = format!("{symbol} is for GPL modules only, the licence is '{license}'");
            return missing(Rule::License, detail).map(|r| r.by(exporter));
        }
        if gpl && self.tainted[user] {
            let detail =
                format!("{symbol} is for GPL modules only, and it uses a proprietary module's symbols");
            return missing(Rule::License, detail).map(|r| r.by(exporter));
        }
        if self.kernel.has_modversions() && self.versions_count(module) {
            if !crc_known && wanted.is_some() {
                let detail = format!("the version with which the kernel exports {symbol} is not known");
                return Some(Reason { wanted, ..Reason::on(Rule::UnknownCrc, symbol, detail).by(exporter) });
            }
            if let (Some(w), Some(o)) = (wanted, crc)
                && w != o
            {
                let detail = format!("{symbol} was {w:#010x} when it was built, {exporter} has {o:#010x}");
                let reason = Reason::on(Rule::Crc, symbol, detail).by(exporter);
                return Some(Reason { wanted, offered: crc, ..reason });
            }
        }
        if !self.may_use(module, namespace) {
            let detail = format!("{symbol} is in the namespace {namespace}, which it does not import");
            return Some(Reason::on(Rule::Namespace, symbol, detail).by(exporter));
        }
        None
    }

    fn others_may_offer(&self, user: usize) -> bool {
        self.declared > usize::from(self.set[user].module.is_declared)
    }

    /// `verify_namespace_is_imported`.
    fn may_use(&self, module: &Module, namespace: &str) -> bool {
        if module.is_declared || namespace.is_empty() || self.kernel.config.missing_namespaces_allowed {
            return true;
        }
        if let Some(names) = namespace.strip_prefix("module:")
            && self.kernel.knows_module_namespaces()
        {
            return names.split(',').any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => module.name.starts_with(&name::normalized(start)),
                None => *module.name == name::normalized(pattern),
            });
        }
        module.import_ns.binary_search_by(|n| (**n).cmp(namespace)).is_ok()
    }

    /// `verify_exported_symbols`: the kernel looks at what is loaded. The kernel image always is; of in-tree modules those
    /// are that modprobe loads before it: those that it needs, directly or by way of others, and its soft dependencies. Whether
    /// any other is loaded is not known here.
    fn exports(&self, index: usize, reasons: &mut Vec<Reason>, warnings: &mut Vec<Warning>) {
        if self.by_name.get(self.set[index].name) != Some(&index) {
            return;
        }
        for offer in &self.set[index].module.offers {
            let symbol = &*offer.symbol;
            let in_kernel = self.kernel.symbols.get(symbol).filter(|e| {
                e.is_builtin()
                    || match self.in_tree_exporter(e) {
                        None => true,
                        // An in-tree user of what is replaced is there itself.
                        Some(Some(by)) => by != index && self.set[by].role == Role::InTreeUser,
                        Some(None) => false,
                    }
            });
            let other = || {
                let (first, _) = self.offers.get(symbol)?;
                let is_third_party = self.set[*first].role != Role::InTreeUser;
                (*first < index && is_third_party).then(|| self.set[*first].name)
            };
            let owner = match in_kernel.map(|e| (e.is_builtin(), e.exporter)) {
                Some((true, image)) => image,
                Some((false, exporter)) => {
                    let name = name::of_exporter(exporter);
                    if !self.is_loaded_with(index, &name) {
                        if !warnings.iter().any(|w| w.module() == name) {
                            let with = name.into_boxed_str();
                            warnings.push(Warning::MayClash { with, symbol: symbol.into() });
                        }
                        continue;
                    }
                    exporter
                }
                None => match other() {
                    Some(other) => other,
                    None => continue,
                },
            };
            let detail = format!("exports {symbol}, which {owner} exports already");
            reasons.push(Reason::on(Rule::DuplicateExport, symbol, detail).by(owner));
        }
    }

    /// Is the in-tree module `name` there whenever module `index` of the set is: does this one need it, or a module that
    /// needs it?
    fn is_loaded_with(&self, index: usize, name: &str) -> bool {
        let mut pending = vec![index];
        let mut seen = HashSet::from([index]);
        while let Some(at) = pending.pop() {
            let module = self.set[at].module;
            if module.depends.iter().chain(&module.softdeps).any(|d| **d == *name) {
                return true;
            }
            for need in module.needs.iter().filter(|need| !need.weak) {
                match self.provider(&need.symbol) {
                    Provider::Candidate(p, _) if self.set[p].name == name => return true,
                    Provider::Candidate(p, _) if seen.insert(p) => pending.push(p),
                    Provider::Kernel(e) if !e.is_builtin() && name::of_exporter(e.exporter) == name => {
                        return true;
                    }
                    _ => {}
                }
            }
        }
        false
    }

    /// Adds `Depends` to the users of what does not fit, until nothing changes: user after user, again and again, but only to those
    /// of what has been found not to fit meanwhile.
    fn close(&self, verdicts: &mut [Verdict], providers: &[BTreeMap<usize, &str>]) {
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); providers.len()];
        for (user, uses) in providers.iter().enumerate() {
            uses.keys().filter(|p| **p != user).for_each(|p| users[*p].push(user));
        }
        // In the order in which they are to be added: the turn, the user, the module that it uses.
        let mut pending: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
        for p in (0..verdicts.len()).filter(|p| !verdicts[*p].fits()) {
            pending.extend(users[p].iter().map(|user| (0, *user, p)));
        }
        while let Some((turn, user, p)) = pending.pop_first() {
            steps::count(1);
            let (rule, why) = match verdicts[p].is_unknown() {
                true => (Rule::Unread, "of which nothing is known"),
                false => (Rule::Depends, "which does not fit"),
            };
            // What was only unknown, and is refused now, is told once more.
            if verdicts[user].fits() || (verdicts[user].is_unknown() && rule != Rule::Unread) {
                let next = |of: &usize| (turn + usize::from((*of, user) <= (user, p)), *of, user);
                pending.extend(users[user].iter().map(next));
            }
            let (exporter, symbol) = (self.set[p].name, providers[user][&p]);
            let detail = format!("needs {exporter} (for {symbol}), {why}");
            verdicts[user].reasons.push(Reason::on(rule, symbol, detail).by(exporter));
        }
    }

    /// Which module of the set, or of the kernel, does the loader find `symbol` in?
    fn provider(&self, symbol: &str) -> Provider<'_> {
        steps::count(1);
        let known = self.kernel.symbols.get(symbol);
        if let Some(export) = known
            && export.is_builtin()
        {
            return Provider::Kernel(export);
        }
        if let Some((index, offer)) = self.offers.get(symbol) {
            return Provider::Candidate(*index, offer);
        }
        match known {
            None => Provider::Nobody,
            Some(export) => match self.in_tree_exporter(&export) {
                None => Provider::Kernel(export),
                Some(replaced_by) => Provider::Gone(export, replaced_by),
            },
        }
    }

    /// `None`: the in-tree module that exports it is there. Else who replaces it, if anybody.
    fn in_tree_exporter(&self, export: &Export<'_>) -> Option<Option<usize>> {
        let name = name::of_exporter(export.exporter);
        if let Some(index) = self.by_name.get(name.as_str()) {
            return Some(Some(*index));
        }
        match self.in_tree {
            Some(there) if !there.contains(name.as_str()) => Some(None),
            _ => None,
        }
    }

    /// Is the module's record of versions one that this kernel reads?
    fn versions_count(&self, module: &Module) -> bool {
        module.has_versions || (module.has_extended_versions && self.kernel.reads_extended_versions())
    }

    fn wanted(&self, module: &Module, crcs: Crcs) -> Option<u32> {
        if module.has_extended_versions && self.kernel.reads_extended_versions() {
            crcs.extended
        } else {
            crcs.basic
        }
    }

    fn taints(&self) -> Vec<bool> {
        let mut tainted: Vec<bool> = self.set.iter().map(|c| !c.module.is_gpl()).collect();
        if !self.kernel.inherits_taint() || !tainted.contains(&true) {
            return vec![false; tainted.len()];
        }
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); tainted.len()];
        for (i, candidate) in self.set.iter().enumerate() {
            for need in &candidate.module.needs {
                if let Provider::Candidate(p, _) = self.provider(&need.symbol) {
                    users[p].push(i);
                }
            }
        }
        let mut pending: Vec<usize> = (0..tainted.len()).filter(|i| tainted[*i]).collect();
        while let Some(p) = pending.pop() {
            for &user in &users[p] {
                if !std::mem::replace(&mut tainted[user], true) {
                    pending.push(user);
                }
            }
        }
        tainted
    }
}

fn has_any_versions(module: &Module) -> bool {
    module.has_versions || module.has_extended_versions
}
