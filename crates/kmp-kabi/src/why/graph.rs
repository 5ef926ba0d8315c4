// SPDX-License-Identifier: LGPL-2.1-or-later
//! The named types of an image or a module: what each is like, and which others it refers to.
//!
//! Types of two kernels are compared by what stands in their definitions, other named types by name alone; so a type differs if it
//! was edited itself, and not for what it refers to. Numbers of types, names of parameters and the linkage of functions mean
//! nothing for it. A name may have several definitions: then they are compared as a set.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use kmod_abi::btf::{Kind, Scope, Type};

/// What kind of name a type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    Struct,
    Union,
    Enum,
    Typedef,
}

impl Class {
    /// That of a type that is defined, or declared, by its name.
    pub fn of(kind: Kind, has_flag: bool) -> Option<Self> {
        Some(match kind {
            Kind::Struct => Self::Struct,
            Kind::Union => Self::Union,
            Kind::Enum | Kind::Enum64 => Self::Enum,
            Kind::Typedef => Self::Typedef,
            Kind::Forward if has_flag => Self::Union,
            Kind::Forward => Self::Struct,
            _ => return None,
        })
    }

    fn place(self) -> usize {
        match self {
            Self::Struct => 0,
            Self::Union => 1,
            Self::Enum => 2,
            Self::Typedef => 3,
        }
    }
}

/// Names of types as numbers, the same for all that is compared.
#[derive(Debug, Default)]
pub(super) struct Keys {
    known: [HashMap<Box<[u8]>, Key>; 4],
    names: Vec<(Class, Box<[u8]>)>,
}

/// The name of a type.
pub(super) type Key = u32;

impl Keys {
    pub fn key(&mut self, class: Class, name: &[u8]) -> Key {
        if let Some(key) = self.known[class.place()].get(name) {
            return *key;
        }
        let key = u32::try_from(self.names.len()).unwrap_or(OWN - 1) & !OWN;
        self.known[class.place()].insert(name.into(), key);
        self.names.push((class, name.into()));
        key
    }

    /// As C has it: `struct net_device`.
    pub fn text(&self, key: Key) -> String {
        let Some((class, name)) = self.names.get(key as usize) else { return String::new() };
        let name = String::from_utf8_lossy(name);
        match class {
            Class::Struct => format!("struct {name}"),
            Class::Union => format!("union {name}"),
            Class::Enum => format!("enum {name}"),
            Class::Typedef => name.into_owned(),
        }
    }
}

/// A name that something refers to; with [`OWN`], of a type that a module has beside its image's.
pub(super) type Reference = u32;

/// See [`Reference`].
pub(super) const OWN: u32 = 1 << 31;

/// A named type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Of all its definitions.
    pub digest: u64,
    pub refers: Vec<Reference>,
    /// The digest of each definition, and its number.
    pub definitions: Vec<(u64, u32)>,
}

/// What a function takes and returns, or of what type a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub digest: u64,
    pub refers: Vec<Reference>,
    /// The number of the type.
    pub id: u32,
}

/// All of an image, or of a module.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub nodes: BTreeMap<Key, Node>,
    /// Functions and variables that were asked for.
    pub shapes: HashMap<Box<[u8]>, Shape>,
}

/// So many steps are taken for each type, and for all at least. Anonymous types that refer to each other, as no compiler makes
/// them, could otherwise take for ever.
const STEPS_EACH: u64 = 256;
const STEPS_LEAST: u64 = 1 << 20;

/// So deep anonymous types may lie in each other.
const DEEPEST: u32 = 64;

impl Graph {
    /// Reads the own types of a scope. `None`: they refer to each other as those of no kernel do.
    pub fn read(scope: Scope<'_, '_>, keys: &mut Keys, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Self> {
        let own = scope.own();
        let steps = (own.len() as u64).saturating_mul(STEPS_EACH).saturating_add(STEPS_LEAST);
        let mut reader = Reader { scope, keys, steps, refers: Vec::new() };
        let mut graph = Self::default();
        for (id, of) in own.iter() {
            let name = scope.name(of.name);
            if name.is_empty() {
                continue;
            }
            match of.kind {
                Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef => {
                    let Some(class) = Class::of(of.kind, of.has_flag) else { continue };
                    let digest = reader.digest(|reader, hasher| reader.contents(&of, hasher, 0))?;
                    let node = graph.nodes.entry(reader.keys.key(class, name)).or_default();
                    node.refers.append(&mut reader.refers);
                    node.definitions.push((digest, id));
                }
                Kind::Function | Kind::Variable if is_wanted(name) => {
                    let digest = reader.digest(|reader, hasher| reader.refer(of.size, hasher, 0))?;
                    let refers = std::mem::take(&mut reader.refers);
                    let shape = Shape { digest, refers, id: of.size };
                    // Of functions of one name, static ones among them, the first.
                    graph.shapes.entry(name.into()).or_insert(shape);
                }
                _ => {}
            }
        }
        for node in graph.nodes.values_mut() {
            node.refers.sort_unstable();
            node.refers.dedup();
            node.definitions.sort_unstable();
            node.definitions.dedup_by_key(|(digest, _)| *digest);
            let mut hasher = DefaultHasher::new();
            node.definitions.iter().for_each(|(digest, _)| digest.hash(&mut hasher));
            node.digest = hasher.finish();
        }
        Some(graph)
    }
}

struct Reader<'r, 's, 'd> {
    scope: Scope<'s, 'd>,
    keys: &'r mut Keys,
    steps: u64,
    refers: Vec<Reference>,
}

impl Reader<'_, '_, '_> {
    fn digest(&mut self, of: impl FnOnce(&mut Self, &mut DefaultHasher) -> Option<()>) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        of(self, &mut hasher)?;
        Some(hasher.finish())
    }

    fn step(&mut self) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        Some(())
    }

    /// A type where another refers to it. `None`: too many steps.
    fn refer(&mut self, mut id: u32, hasher: &mut DefaultHasher, depth: u32) -> Option<()> {
        loop {
            self.step()?;
            let Some(of) = self.scope.get(id) else {
                0u8.hash(hasher);
                return Some(());
            };
            let name = self.scope.name(of.name);
            if let Some(class) = Class::of(of.kind, of.has_flag).filter(|_| !name.is_empty()) {
                (class, name).hash(hasher);
                let own = if self.scope.module.is_some_and(|m| m.owns(id)) { OWN } else { 0 };
                self.refers.push(self.keys.key(class, name) | own);
                return Some(());
            }
            // Of it there is no more to be said in C.
            if !matches!(of.kind, Kind::TypeTag | Kind::Function | Kind::Variable) {
                of.kind.hash(hasher);
            }
            id = match of.kind {
                Kind::Pointer | Kind::Volatile | Kind::Const | Kind::Restrict => of.size,
                Kind::TypeTag | Kind::Function | Kind::Variable => of.size,
                Kind::Array => {
                    let [element, _, count] = of.rows().next().unwrap_or_default();
                    count.hash(hasher);
                    element
                }
                Kind::Prototype => {
                    if depth > DEEPEST {
                        return Some(());
                    }
                    of.len().hash(hasher);
                    for [_, parameter, _] in of.rows() {
                        self.refer(parameter, hasher, depth + 1)?;
                    }
                    of.size
                }
                Kind::Int | Kind::Float => {
                    let encoding = of.rows().next().unwrap_or_default()[0];
                    (name, of.size, encoding).hash(hasher);
                    return Some(());
                }
                _ if depth > DEEPEST => return Some(()),
                _ => return self.contents(&of, hasher, depth + 1),
            };
        }
    }

    /// What is in a structure, a union, an enumeration; what a typedef is for.
    fn contents(&mut self, of: &Type<'_>, hasher: &mut DefaultHasher, depth: u32) -> Option<()> {
        match of.kind {
            Kind::Struct | Kind::Union => {
                (of.kind, of.size).hash(hasher);
                for [name, member, offset] in of.rows() {
                    (self.scope.name(name), of.bits(offset)).hash(hasher);
                    self.refer(member, hasher, depth)?;
                }
            }
            Kind::Enum | Kind::Enum64 => {
                of.size.hash(hasher);
                for [name, low, high] in of.rows() {
                    self.step()?;
                    (self.scope.name(name), low, high).hash(hasher);
                }
            }
            Kind::Typedef => self.refer(of.size, hasher, depth)?,
            _ => {}
        }
        Some(())
    }
}
