// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a file in `/run/kmp` means.
//!
//! | file | left by | taken away by |
//! | --- | --- | --- |
//! | `check-initrd/KREL` | who is about to change links or index of a kernel, under the lock | who has compared its initrd with what is there now, and has asked for a new one if it needs one |
//! | `needs-initrd/KREL` | who knows that a kernel needs a new initrd whatever is in it | who has asked for it |
//! | `needs-initrd/NAME-VERSION-RELEASE` | a scriptlet with `KMP_NEEDS_MKINITRD`, for all kernels that have the KMP | who has asked for those |
//! | `lock` | whoever changes something, as long as that takes: locked | nobody |
//! | `history` | who adds to the history of runs, as long as that takes: locked | nobody |
//! | `replacing` | who replaces a file that is not ours, as long as that takes: locked | the same |
//! | `transaction` | rpm's plugin, in a transaction that concerns us: locked | the same |
//! | `requests/PID` | a scriptlet, while that is locked | rpm's plugin, which does what was asked for |
//! | `commit` | libzypp's commit plugin: what is coming, locked | the same |
//! | `commit-judged` | rpm's plugin: the commit may go on | libzypp's commit plugin |
//! | `pending/KREL` | who could not change a kernel's links, as its file system is read-only | who has |
//!
//! They are read and written here and nowhere else: each has a file of this module, named for it, which says
//! what is in it. They are opened in one way ([`RunDir`]), which believes only what is ours.
//!
//! To ask for an initrd is to leave a marker in `/run/regenerate-initrd` ([`crate::apply::mark`]), where everybody sees it. These
//! notes are for kmp alone: so nobody takes one between the request and the switch of links for a reason to make an
//! initrd with the old links, and a kill at any moment leaves the note or the marker.

pub mod commit;
mod initrds;
mod lock;
pub(crate) mod notes;
mod open;
mod pending;
pub mod transaction;

/// The directory.
pub const DIRECTORY: &str = "/run/kmp";

pub use initrds::{Check, check, checks, settle_check, settle_wish, wish, wishes};
pub use lock::{Lock, LockError};
pub use notes::Note;
pub use open::{Held, Opened, Remark, RunDir, is_refusal};
pub use pending::{keep_pending, settle_pending};
