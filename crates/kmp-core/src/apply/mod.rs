// SPDX-License-Identifier: LGPL-2.1-or-later
//! The only part that writes, beside [`run_dir`](crate::run_dir): the switch of a kernel's links, its index, initrds and the markers that
//! ask for them.

mod depmod;
mod fetch;
mod index;
mod initrd;
mod leftovers;
mod private_dir;
pub mod program;
mod read_only;
mod shown;
mod switch;
mod written;

pub use depmod::{Depmod, DepmodError, Place, Written};
pub use fetch::fetch_metadata;
pub use initrd::{
    ALL, Asked, CheckError, Done, Fate, Generator, GeneratorError, InitrdMaker, MARKERS, check_with, mark,
    markers, refresh, unmark,
};

pub use index::forget;
#[cfg(feature = "fuzz")]
pub(crate) use index::fuzz as fuzz_index_cache;
pub use leftovers::{clear, leftovers};
pub use private_dir::clear_temporary;
pub use program::watch_programs;
pub use read_only::is_read_only;

pub use switch::{Wanted, is_index_only, switch};
pub use written::replace;

#[cfg(test)]
mod tests;
