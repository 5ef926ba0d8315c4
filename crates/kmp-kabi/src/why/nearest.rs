// SPDX-License-Identifier: LGPL-2.1-or-later
//! How far it is from each type to the nearest that differs.
//!
//! The nearest is the one to name: a kernel's types hang together so much that most symbols reach some that differs, whether their
//! CRC changed or not. Of those that changed four of five have it within three types, of the others hardly one within five.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};

use super::graph::{Graph, Key, OWN, Reference};

/// For a type that leads to one that differs: over how many others, and which is the next on the way.
pub(super) type Distances = HashMap<Reference, (u32, Option<Reference>)>;

/// The names whose definitions are not the same.
pub(super) fn differing(old: &Graph, new: &Graph) -> BTreeSet<Key> {
    let digest = |graph: &Graph, key: &Key| graph.nodes.get(key).map(|node| node.digest);
    let all = old.nodes.keys().chain(new.nodes.keys());
    all.filter(|key| digest(old, key) != digest(new, key)).copied().collect()
}

/// In an image.
pub(super) fn in_image(old: &Graph, differing: &BTreeSet<Key>) -> Distances {
    let mut users: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
    for (key, node) in &old.nodes {
        node.refers.iter().for_each(|to| users.entry(*to).or_default().push(*key));
    }
    let mut found: Distances = differing.iter().map(|key| (*key, (0, None))).collect();
    let mut queue: VecDeque<Key> = differing.iter().copied().collect();
    while let Some(to) = queue.pop_front() {
        let distance = found.get(&to).map_or(0, |(distance, _)| *distance);
        for user in users.get(&to).into_iter().flatten() {
            found.entry(*user).or_insert_with(|| {
                queue.push_back(*user);
                (distance + 1, Some(to))
            });
        }
    }
    found
}

/// In a module, whose own types lead to each other and to the image's; the image's lead to none of its own.
pub(super) fn in_module(old: &Graph, differing: &BTreeSet<Key>, image: &Distances) -> Distances {
    let resolve = |to: Reference| if old.nodes.contains_key(&(to & !OWN)) { to } else { to & !OWN };
    let mut users: BTreeMap<Reference, Vec<Key>> = BTreeMap::new();
    let mut heap = BinaryHeap::new();
    for (key, node) in &old.nodes {
        if differing.contains(key) {
            heap.push(Reverse((0, *key, None)));
            continue;
        }
        for to in node.refers.iter().map(|to| resolve(*to)) {
            if to & OWN != 0 {
                users.entry(to).or_default().push(*key);
            } else if let Some((distance, _)) = image.get(&to) {
                heap.push(Reverse((distance + 1, *key, Some(to))));
            }
        }
    }
    let mut found = Distances::new();
    while let Some(Reverse((distance, key, next))) = heap.pop() {
        if found.contains_key(&(key | OWN)) {
            continue;
        }
        found.insert(key | OWN, (distance, next));
        for user in users.get(&(key | OWN)).into_iter().flatten() {
            if !found.contains_key(&(user | OWN)) {
                heap.push(Reverse((distance + 1, *user, Some(key | OWN))));
            }
        }
    }
    // Only declared before, and defined now, or the other way round.
    let declared = differing.iter().filter(|key| !old.nodes.contains_key(key));
    found.extend(declared.map(|key| (key | OWN, (0, None))));
    found
}

/// The way from the nearest of `from` to the type that differs, both included. Empty: none leads to one.
pub(super) fn path(from: &[Reference], own: &Distances, image: &Distances) -> Vec<Reference> {
    let look = |at: Reference| {
        let of_image = || Some((at & !OWN, *image.get(&(at & !OWN))?));
        if at & OWN != 0 { own.get(&at).map(|found| (at, *found)).or_else(of_image) } else { of_image() }
    };
    let nearest = from.iter().filter_map(|at| look(*at)).min_by_key(|(_, (distance, _))| *distance);
    let mut path = Vec::new();
    let mut next = nearest.map(|(at, _)| at);
    while let Some(at) = next {
        path.push(at);
        next = look(at).and_then(|(_, (_, next))| next);
    }
    path
}
