// SPDX-License-Identifier: LGPL-2.1-or-later
//! The time.

use std::time::SystemTime;

/// Now, in seconds since 1970; 0 where the clock is set to before.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
