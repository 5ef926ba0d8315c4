// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why a symbol's CRC changed, by the types (BTF) in both kernels' images and modules: the nearest type that differs.
//!
//! **Never certain.** A CRC is made of what one source file saw of each type; BTF has every definition. So BTF does not predict
//! which CRCs change, but for those that did the nearest differing type is most likely the cause.

mod describe;
mod graph;
mod nearest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kmod_abi::btf::{Scope, Types};
use kmod_abi::name::module_name;

pub use describe::{Effect, TypeChange};
use graph::{Graph, Key, Keys, OWN, Reference};

/// The `.BTF` section of something, and whether it is big endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Is it big endian?
    pub big_endian: bool,
}

/// A kernel's types.
pub trait Kernel {
    /// Of its image.
    fn image(&self) -> &Section;

    /// Of the module with this name (`_` for `-`). `None`: it has none, or cannot be read.
    fn module(&self, name: &str) -> Option<Section>;
}

/// A symbol whose CRC changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'w> {
    /// Its name.
    pub symbol: &'w str,
    /// Who exported it.
    pub old: &'w str,
    /// Who exports it.
    pub new: &'w str,
}

/// Why a symbol's CRC changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Most likely because of a type: its place in [`Explained::types`], and over which others the symbol leads to it, the
    /// type itself last.
    Type {
        /// Its place.
        at: usize,
        /// As C has their names.
        path: Vec<String>,
    },
    /// Most likely because of its own declaration: as it was, and as it is.
    Declaration {
        /// As it was.
        old: String,
        /// As it is.
        new: String,
    },
    /// The types say nothing of it: assembly, and variables before pahole lists them.
    NotThere,
    /// All types that it leads to are the same.
    NothingDiffers,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// Types that are the nearest for some symbol, those with the most symbols first.
    pub types: Vec<TypeChange>,
    /// For each symbol that was asked for.
    pub causes: BTreeMap<String, Cause>,
    /// How many named types of the image differ.
    pub differing: usize,
    /// How many named types of modules differ that the image has not, each counted once.
    pub differing_in_modules: usize,
}

impl Explained {
    /// How many causes are known: a type, or a declaration.
    pub fn known(&self) -> usize {
        self.causes.values().filter(|c| matches!(c, Cause::Type { .. } | Cause::Declaration { .. })).count()
    }
}

/// Why there is nothing to say of two kernels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The types of an image cannot be read.
    #[error("the types (BTF) of the {0} kernel cannot be read: {1}")]
    Types(&'static str, String),
    /// They cannot be those of a kernel.
    #[error("the types (BTF) of the {0} kernel refer to each other as those of no kernel do")]
    TooIntricate(&'static str),
}

/// Explains each symbol that is asked for.
///
/// # Errors
/// The types of an image cannot be read. Those of a module that cannot be read explain nothing.
pub fn explain<'w>(
    old: &dyn Kernel,
    new: &dyn Kernel,
    wanted: impl IntoIterator<Item = Wanted<'w>>,
) -> Result<Explained, Fault> {
    let wanted: Vec<Wanted<'w>> = wanted.into_iter().collect();
    let names: HashSet<&[u8]> = wanted.iter().map(|w| w.symbol.as_bytes()).collect();
    let is_wanted = |name: &[u8]| names.contains(name);
    let mut keys = Keys::default();
    let (old_types, new_types) = (parse("old", old.image())?, parse("new", new.image())?);
    let old_scope = Scope { image: &old_types, module: None };
    let new_scope = Scope { image: &new_types, module: None };
    let old_graph = Graph::read(old_scope, &mut keys, is_wanted).ok_or(Fault::TooIntricate("old"))?;
    let new_graph = Graph::read(new_scope, &mut keys, is_wanted).ok_or(Fault::TooIntricate("new"))?;
    let differing = nearest::differing(&old_graph, &new_graph);
    let distances = nearest::in_image(&old_graph, &differing);
    let image = Pair { old: (old_scope, &old_graph), new: (new_scope, &new_graph) };

    let mut work = Work { keys, found: BTreeMap::new(), causes: BTreeMap::new() };
    // Each pair of modules is read once.
    let mut pairs: BTreeMap<(String, String), Vec<Wanted<'w>>> = BTreeMap::new();
    for one in wanted {
        pairs.entry((by_name(one.old), by_name(one.new))).or_default().push(one);
    }
    let mut in_modules = BTreeSet::new();
    let nothing = nearest::Distances::new();
    for ((old_name, new_name), wanted) in pairs {
        let read =
            |kernel: &dyn Kernel, name: &str| (!name.is_empty()).then(|| kernel.module(name)).flatten();
        let (old_section, new_section) = (read(old, &old_name), read(new, &new_name));
        let (old_own, new_own) = (of_module(&old_section, &old_types), of_module(&new_section, &new_types));
        if old_own.is_none() && new_own.is_none() {
            work.explain(&image, None, &wanted, &nothing, &distances);
            continue;
        }
        let old_scope = Scope { image: &old_types, module: old_own.as_ref() };
        let new_scope = Scope { image: &new_types, module: new_own.as_ref() };
        let mut graph = |scope: Scope<'_, '_>| match scope.module {
            Some(_) => Graph::read(scope, &mut work.keys, is_wanted).unwrap_or_default(),
            None => Graph::default(),
        };
        let (old_own, new_own) = (graph(old_scope), graph(new_scope));
        let effective = |own: &Graph, image: &Graph, key: &Key| {
            own.nodes.get(key).or_else(|| image.nodes.get(key)).map(|node| node.digest)
        };
        let differs: BTreeSet<Key> = (old_own.nodes.keys().chain(new_own.nodes.keys()))
            .filter(|key| effective(&old_own, &old_graph, key) != effective(&new_own, &new_graph, key))
            .copied()
            .collect();
        in_modules.extend(differs.iter().copied().filter(|key| !differing.contains(key)));
        let own_distances = nearest::in_module(&old_own, &differs, &distances);
        let module = Pair { old: (old_scope, &old_own), new: (new_scope, &new_own) };
        work.explain(&image, Some(&module), &wanted, &own_distances, &distances);
    }
    Ok(work.finish(differing.len(), in_modules.len()))
}

fn parse<'d>(which: &'static str, section: &'d Section) -> Result<Types<'d>, Fault> {
    Types::parse(&section.bytes, None, section.big_endian).map_err(|e| Fault::Types(which, e.to_string()))
}

/// Types that cannot be read are none: they explain nothing.
fn of_module<'d>(section: &'d Option<Section>, image: &Types<'_>) -> Option<Types<'d>> {
    let section = section.as_ref()?;
    Types::parse(&section.bytes, Some(image), section.big_endian).ok()
}

/// The name of a module that a symvers names by its path; empty: the image.
fn by_name(exporter: &str) -> String {
    let last = exporter.rsplit('/').next().unwrap_or(exporter);
    match last {
        "vmlinux" | "vmlinux.o" | "built-in" | "built-in.a" => String::new(),
        _ => module_name(format!("{last}.ko").as_ref()).unwrap_or_default(),
    }
}

/// The same thing of both kernels.
struct Pair<'p> {
    old: (Scope<'p, 'p>, &'p Graph),
    new: (Scope<'p, 'p>, &'p Graph),
}

struct Work {
    keys: Keys,
    /// For the name of a type: what it is like, and how many symbols it is the nearest for.
    found: BTreeMap<Key, TypeChange>,
    causes: BTreeMap<String, (Option<Key>, Cause)>,
}

impl Work {
    fn explain(
        &mut self,
        image: &Pair<'_>,
        module: Option<&Pair<'_>>,
        wanted: &[Wanted<'_>],
        own: &nearest::Distances,
        distances: &nearest::Distances,
    ) {
        for one in wanted {
            let name = one.symbol.as_bytes();
            let old = module.and_then(|m| Some((m.old.0, m.old.1.shapes.get(name)?)));
            let old = old.or_else(|| Some((image.old.0, image.old.1.shapes.get(name)?)));
            let new = module.and_then(|m| Some((m.new.0, m.new.1.shapes.get(name)?)));
            let new = new.or_else(|| Some((image.new.0, image.new.1.shapes.get(name)?)));
            let (key, cause) = match (old, new) {
                (Some((old_scope, old)), Some((new_scope, new))) if old.digest != new.digest => {
                    let texts = (describe::c(old_scope, old.id), describe::c(new_scope, new.id));
                    (None, Cause::Declaration { old: texts.0, new: texts.1 })
                }
                (Some((_, old)), Some(_)) => match nearest::path(&old.refers, own, distances) {
                    path if path.is_empty() => (None, Cause::NothingDiffers),
                    path => self.by_type(&path, image, module),
                },
                _ => (None, Cause::NotThere),
            };
            self.causes.insert(one.symbol.into(), (key, cause));
        }
    }

    fn by_type(
        &mut self,
        path: &[Reference],
        image: &Pair<'_>,
        module: Option<&Pair<'_>>,
    ) -> (Option<Key>, Cause) {
        let names = path.iter().map(|at| self.keys.text(at & !OWN)).collect();
        let Some(last) = path.last() else { return (None, Cause::NothingDiffers) };
        let key = last & !OWN;
        let keys = &self.keys;
        let change = self.found.entry(key).or_insert_with(|| {
            let own = module.filter(|_| last & OWN != 0);
            let of = |own: Option<(Scope<'_, '_>, &Graph)>, image: (Scope<'_, '_>, &Graph)| {
                let all = own.into_iter().chain([image]);
                all.into_iter().find_map(|(_, graph)| graph.nodes.get(&key)).cloned().unwrap_or_default()
            };
            let old = of(own.map(|pair| pair.old), image.old);
            let new = of(own.map(|pair| pair.new), image.new);
            let scopes = own.map_or((image.old.0, image.new.0), |pair| (pair.old.0, pair.new.0));
            TypeChange::of(keys.text(key), (scopes.0, &old), (scopes.1, &new))
        });
        change.symbols += 1;
        (Some(key), Cause::Type { at: 0, path: names })
    }

    fn finish(self, differing: usize, differing_in_modules: usize) -> Explained {
        let mut types: Vec<(Key, TypeChange)> = self.found.into_iter().collect();
        types.sort_by(|(_, a), (_, b)| (b.symbols, &a.name).cmp(&(a.symbols, &b.name)));
        let places: HashMap<Key, usize> = types.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
        let place = |(symbol, (key, cause)): (String, (Option<Key>, Cause))| {
            let cause = match (cause, key.and_then(|key| places.get(&key))) {
                (Cause::Type { path, .. }, Some(at)) => Cause::Type { at: *at, path },
                (other, _) => other,
            };
            (symbol, cause)
        };
        Explained {
            types: types.into_iter().map(|(_, change)| change).collect(),
            causes: self.causes.into_iter().map(place).collect(),
            differing,
            differing_in_modules,
        }
    }
}
