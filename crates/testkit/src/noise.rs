// SPDX-License-Identifier: LGPL-2.1-or-later
//! Seeded pseudo-random numbers and bytes: the same seed gives the same test, always.

/// A small generator (splitmix64).
#[derive(Debug, Clone)]
pub struct Noise(u64);

impl Noise {
    /// With a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    /// So many bytes.
    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// True in `share` of all calls, 0.0 to 1.0.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) / ((1u64 << 53) as f64) < share
    }

    /// Puts them in another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

/// A number that depends on nothing but the bytes (FNV-1a).
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// Bytes that compress about as well as machine code does: two and a half times, roughly.
pub(crate) fn code_like(size: usize, seed: u64) -> Vec<u8> {
    let mut noise = Noise::new(seed);
    let idioms: Vec<Vec<u8>> = (0..256.min(size / 4 + 1))
        .map(|_| {
            let length = 6 + noise.below(11);
            let bytes = [noise.next().to_le_bytes(), noise.next().to_le_bytes()].concat();
            bytes[..length].to_vec()
        })
        .collect();
    let mut bytes = Vec::with_capacity(size + 16);
    while bytes.len() < size {
        // Idioms that come again and again, with operands that never come twice.
        let idiom: &Vec<u8> = noise.pick(&idioms);
        bytes.extend_from_slice(idiom);
        if noise.chance(0.6) {
            bytes.extend_from_slice(&noise.next().to_le_bytes()[..4]);
        }
    }
    bytes.truncate(size);
    bytes
}
