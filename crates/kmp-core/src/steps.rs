// SPDX-License-Identifier: LGPL-2.1-or-later
//! Steps of work, counted in tests only: what must stay linear is doubled there, and its steps are compared. Time would tell of the
//! machine, too.

/// Notes `steps` steps of work. Nothing outside of tests.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    tests::STEPS.with(|all| all.set(all.get() + steps as u64));
    #[cfg(not(test))]
    let _ = steps;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    thread_local! {
        pub(super) static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    /// How often an input is doubled.
    const DOUBLINGS: u32 = 8;

    /// The steps of `job`, which works in the calling thread.
    pub(crate) fn steps_of(job: impl FnOnce()) -> u64 {
        STEPS.set(0);
        job();
        STEPS.get()
    }

    /// Doubles an input of `first` things eight times. What `prepare` makes of that many things is worked on by `job`, whose steps
    /// may not grow faster than n log n. All of it happens in the calling thread.
    #[track_caller]
    pub(crate) fn grow_linearly<T>(first: usize, prepare: impl Fn(usize) -> T, job: impl Fn(T)) {
        let mut counts = Vec::new();
        for doubling in 0..=DOUBLINGS {
            let input = prepare(first << doubling);
            counts.push(steps_of(|| job(input)));
        }
        assert!(counts[0] > 0, "no step is counted");
        for some in counts.windows(4) {
            // Eight times as many; what is squared would take 64 times the steps.
            assert!(some[3] <= some[0] * 24, "not linear: {counts:?}");
        }
    }
}
