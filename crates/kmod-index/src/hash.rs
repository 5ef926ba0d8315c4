// SPDX-License-Identifier: LGPL-2.1-or-later
//! The order of depmod's hash tables, in which it writes what has no other order.
//!
//! The function is Paul Hsieh's SuperFastHash; 16 bits at a time are read in the machine's byte order, which is why
//! big-endian machines have another order. In a bucket names are sorted.

/// In the order of buckets, in a bucket by name. `buckets` is a power of two.
pub fn sorted<T>(items: impl IntoIterator<Item = T>, buckets: u32, name: impl Fn(&T) -> &[u8]) -> Vec<T> {
    let keyed = items.into_iter().map(|item| (hash(name(&item)) & (buckets - 1), item));
    let mut keyed: Vec<(u32, T)> = keyed.collect();
    keyed.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then_with(|| name(one).cmp(name(other))));
    keyed.into_iter().map(|(_, item)| item).collect()
}

fn hash(text: &[u8]) -> u32 {
    let pair = |at: usize| u32::from(u16::from_ne_bytes([text[at], text[at + 1]]));
    let signed = |at: usize| i32::from(text[at].cast_signed()).cast_unsigned();
    // No name is as long as 4 GiB.
    let mut hash = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let whole = text.len() & !3;
    for at in (0..whole).step_by(4) {
        hash = hash.wrapping_add(pair(at));
        let other = (pair(at + 2) << 11) ^ hash;
        hash = (hash << 16) ^ other;
        hash = hash.wrapping_add(hash >> 11);
    }
    match text.len() & 3 {
        3 => {
            hash = hash.wrapping_add(pair(whole));
            hash ^= hash << 16;
            hash ^= signed(whole + 2) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        2 => {
            hash = hash.wrapping_add(pair(whole));
            hash ^= hash << 11;
            hash = hash.wrapping_add(hash >> 17);
        }
        1 => {
            hash = hash.wrapping_add(signed(whole));
            hash ^= hash << 10;
            hash = hash.wrapping_add(hash >> 1);
        }
        _ => {}
    }
    hash ^= hash << 3;
    hash = hash.wrapping_add(hash >> 5);
    hash ^= hash << 4;
    hash = hash.wrapping_add(hash >> 17);
    hash ^= hash << 25;
    hash.wrapping_add(hash >> 6)
}
