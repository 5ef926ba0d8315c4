// SPDX-License-Identifier: LGPL-2.1-or-later
//! Work on all cores that this process may use.

use std::sync::OnceLock;
use std::thread::available_parallelism;

use kmp_core::workers::{Serial, Workers};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// As many threads as there are cores for us, by the process's affinity and its cgroup; one where no more can be had. No
/// variable of the environment changes that.
pub struct Cores;

impl Workers for Cores {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        match pool() {
            Some(pool) if jobs > 1 => pool.install(|| (0..jobs).into_par_iter().for_each(job)),
            _ => Serial.run(jobs, job),
        }
    }
}

/// Made at the first use. `None`: the one thread that there is does everything.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let make = || {
        let cores = available_parallelism().map_or(1, usize::from);
        if cores == 1 {
            return None;
        }
        let pool = ThreadPoolBuilder::new().num_threads(cores).build();
        pool.map_err(|e| log::info!("all is done by one thread, as there are no more: {e}")).ok()
    };
    POOL.get_or_init(make).as_ref()
}
