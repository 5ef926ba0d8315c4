// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rows found again by their symbol: a hash table of row numbers, without a copy of any name.

use std::collections::TryReserveError;
use std::hash::{BuildHasher, RandomState};

/// Open addressing. The length is a power of two, and at most half of the slots are used.
#[derive(Clone, Debug)]
pub(super) struct Index {
    slots: Box<[Slot]>,
    hasher: Hasher,
}

/// The number of a row + 1 (0: the slot is free), and a part of its symbol's hash, which tells most other symbols apart without a
/// look at the text.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    row: u32,
    tag: u32,
}

/// Where a symbol is, or where it belongs.
pub(super) struct Place {
    slot: usize,
    tag: u32,
    /// The row that is there.
    pub(super) row: Option<usize>,
}

impl Index {
    /// For up to so many rows.
    pub(super) fn for_rows(rows: usize) -> Result<Self, TryReserveError> {
        let count = (rows * 2 + 2).next_power_of_two();
        let mut slots = Vec::new();
        slots.try_reserve_exact(count)?;
        slots.resize(count, Slot::default());
        Ok(Self { slots: slots.into_boxed_slice(), hasher: Hasher::new() })
    }

    /// Finds `symbol`; `is_its` says of a row whether it is this symbol's.
    pub(super) fn find(&self, symbol: &str, is_its: impl Fn(usize) -> bool) -> Place {
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash(symbol.as_bytes());
        let tag = (hash >> 32) as u32;
        let mut slot = hash as usize & mask;
        loop {
            let held = self.slots[slot];
            match (held.row as usize).checked_sub(1) {
                None => return Place { slot, tag, row: None },
                Some(row) if held.tag == tag && is_its(row) => return Place { slot, tag, row: Some(row) },
                Some(_) => slot = (slot + 1) & mask,
            }
        }
    }

    /// Puts row number `row` where [`Self::find`] was led to. There are fewer than 2^32 rows.
    pub(super) fn set(&mut self, place: &Place, row: usize) {
        self.slots[place.slot] = Slot { row: u32::try_from(row + 1).unwrap_or(0), tag: place.tag };
    }

    /// In bytes.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

/// A multiplying hash with a secret: fast on short names, and whoever writes the names cannot aim at it.
#[derive(Clone, Copy, Debug)]
struct Hasher([u64; 2]);

impl Hasher {
    fn new() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1) | 1])
    }

    fn hash(self, bytes: &[u8]) -> u64 {
        let mix = |state: u64, word: u64| {
            let product = u128::from(state ^ word) * u128::from(self.0[1]);
            (product as u64) ^ ((product >> 64) as u64)
        };
        let mut state = self.0[0] ^ bytes.len() as u64;
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            state = mix(state, chunk.try_into().map_or(0, u64::from_le_bytes));
        }
        let rest = chunks.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        mix(mix(state, rest), self.0[0])
    }
}
