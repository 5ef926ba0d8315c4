// SPDX-License-Identifier: LGPL-2.1-or-later
//! Steps of work, counted in tests only.
//!
//! What has to stay linear is given an input that is doubled again and again, and its steps are compared: time would depend on the
//! machine, too. Code calls [`count`] in its loops; it does nothing in optimised builds. Not a feature for tests: with it, all
//! crates above would be built once more for them.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

/// Notes `steps` steps of work in the calling thread. Without debug assertions it does nothing.
#[inline]
pub fn count(steps: usize) {
    if cfg!(debug_assertions) {
        counted::STEPS.with(|all| all.set(all.get() + steps as u64));
    }
}

pub use counted::{grow_linearly, steps_of};

mod counted {
    use std::cell::Cell;

    thread_local! {
        pub(super) static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    /// How often an input is doubled.
    const DOUBLINGS: u32 = 8;

    /// The steps of `job`, which works in the calling thread.
    pub fn steps_of(job: impl FnOnce()) -> u64 {
        STEPS.set(0);
        job();
        STEPS.get()
    }

    /// Doubles an input of `first` things eight times. What `prepare` makes of that many things is worked on by `job`, whose steps
    /// may not grow faster than n log n. All of it happens in the calling thread.
    ///
    /// # Panics
    /// Where they do, or where no step was counted.
    #[track_caller]
    pub fn grow_linearly<T>(first: usize, prepare: impl Fn(usize) -> T, job: impl Fn(T)) {
        let mut counts = Vec::new();
        for doubling in 0..=DOUBLINGS {
            let input = prepare(first << doubling);
            counts.push(steps_of(|| job(input)));
        }
        assert!(counts[0] > 0, "no step is counted: the build has no debug assertions");
        for some in counts.windows(4) {
            // Eight times as many; what is squared would take 64 times the steps.
            assert!(some[3] <= some[0] * 24, "not linear: {counts:?}");
        }
    }
}
