// SPDX-License-Identifier: LGPL-2.1-or-later
//! Names of things by their places in lists, each kind of thing with a type of its own: so that no KMP is taken for a kernel, or
//! one that comes for one that is installed.
//!
//! An id is good for the list that it was taken from (an inventory's, a survey's, a transaction's), and for what lies beside that
//! list item by item, as [`KernelPlan::decisions`](crate::plan::KernelPlan::decisions) does.
//!
//! ```
//! use kmp_core::ids::{KmpId, List};
//!
//! let names: List<KmpId, &str> = ["foo-kmp-default", "bar-kmp-default"].into_iter().collect();
//! let bar = names.ids().find(|id| names[*id].starts_with("bar")).unwrap();
//! assert_eq!(names[bar], "bar-kmp-default");
//! ```

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Index, IndexMut};

/// The place of an item in a [`List`].
pub trait Id: Copy {
    /// The id of the item at a place, counted from 0.
    fn at(place: usize) -> Self;

    /// The place.
    fn place(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(usize);

        impl Id for $name {
            fn at(place: usize) -> Self {
                Self(place)
            }

            fn place(self) -> usize {
                self.0
            }
        }
    )*};
}

ids! {
    /// A KMP that is installed ([`Inventory::kmps`](crate::inventory::Inventory::kmps)); in a plan, one of those that are planned.
    KmpId
    /// A KMP that a transaction brings ([`Transaction::kmps`](crate::guard::Transaction::kmps)).
    IncomingId
    /// A KMP that there will be after a transaction: one that stays, or one that comes.
    AfterId
    /// A release directory ([`Inventory::releases`](crate::inventory::Inventory::releases)), a kernel's or not.
    ReleaseId
    /// A kernel that verdicts are about ([`Checked::releases`](crate::check::Checked::releases)).
    KernelId
}

/// A list whose items are found by ids of one kind. All that a slice can do it can, but for being asked by a bare number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<I, T> {
    items: Vec<T>,
    ids: PhantomData<fn() -> I>,
}

impl<I: Id, T> List<I, T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self { items: Vec::new(), ids: PhantomData }
    }

    /// Adds an item at the end; its id.
    pub fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::at(self.items.len() - 1)
    }

    /// The ids of all items, in their order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.items.len()).map(I::at)
    }

    /// The items with their ids.
    pub fn each(&self) -> impl DoubleEndedIterator<Item = (I, &T)> + ExactSizeIterator {
        self.items.iter().enumerate().map(|(place, item)| (I::at(place), item))
    }

    /// Keeps the items that `keep` accepts. Ids that were taken before are void.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }
}

impl<I, T> Default for List<I, T> {
    fn default() -> Self {
        Self { items: Vec::new(), ids: PhantomData }
    }
}

impl<I, T> From<Vec<T>> for List<I, T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, ids: PhantomData }
    }
}

impl<I, T> FromIterator<T> for List<I, T> {
    fn from_iter<A: IntoIterator<Item = T>>(items: A) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<I, T> Extend<T> for List<I, T> {
    fn extend<A: IntoIterator<Item = T>>(&mut self, items: A) {
        self.items.extend(items);
    }
}

impl<I, T> IntoIterator for List<I, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'l, I, T> IntoIterator for &'l List<I, T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'l, I, T> IntoIterator for &'l mut List<I, T> {
    type Item = &'l mut T;
    type IntoIter = std::slice::IterMut<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter_mut()
    }
}

impl<I: Id, T> Index<I> for List<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.items[id.place()]
    }
}

impl<I: Id, T> IndexMut<I> for List<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.place()]
    }
}

impl<I, T: PartialEq, const N: usize> PartialEq<[T; N]> for List<I, T> {
    fn eq(&self, other: &[T; N]) -> bool {
        self.items == other
    }
}

impl<I, T> Deref for List<I, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<I, T> DerefMut for List<I, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}
