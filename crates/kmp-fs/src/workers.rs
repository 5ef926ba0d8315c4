// SPDX-License-Identifier: LGPL-2.1-or-later
//! Independent jobs, on as many threads as the caller provides: this crate starts none itself.

/// Runs independent jobs. A program can implement it on a thread pool; where no thread may be started, as inside rpm's
/// process, use [`Serial`].
///
/// ```
/// use kmp_fs::workers::{Serial, map};
///
/// assert_eq!(map(&Serial, &["a", "bc"], |name| name.len()), [1, 2]);
/// ```
pub trait Workers: Sync {
    /// Calls `job` once for each number below `jobs`, in any order, and returns when all are done.
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// Runs one job after the other, on the caller's thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Workers for Serial {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}

/// Runs `job` for each item and returns the results in the items' order.
pub fn map<T: Sync, R: Send>(workers: &dyn Workers, items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let results: Vec<std::sync::Mutex<Option<R>>> =
        items.iter().map(|_| std::sync::Mutex::new(None)).collect();
    workers.run(items.len(), &|i| {
        let result = job(&items[i]);
        if let Ok(mut place) = results[i].lock() {
            *place = Some(result);
        }
    });
    results.into_iter().filter_map(|r| r.into_inner().ok().flatten()).collect()
}
