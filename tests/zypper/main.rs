// SPDX-License-Identifier: LGPL-2.1-or-later
//! The real zypper and dnf, in throwaway roots with a repository on disk; systemd's kernel-install, and images of ostree's.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

/// Tests in both of libzypp's modes. Only newer versions have the second, and the newest no more than that.
macro_rules! in_both_modes {
    ($($case:ident),* $(,)?) => {
        mod classic {
            $(#[test]
            fn $case() {
                if crate::support::has_classic_mode() {
                    super::$case(crate::support::Mode::Classic);
                }
            })*
        }
        mod single {
            $(#[test]
            fn $case() {
                if crate::support::has_single_mode() {
                    super::$case(crate::support::Mode::Single);
                }
            })*
        }
    };
}

#[path = "../plugin/support.rs"]
#[expect(dead_code, reason = "what concerns rpm alone")]
mod packages;
mod support;
mod system;
use support as site;

mod before;
mod broken;
mod dnf_plugins;
mod dnf_sources;
mod image;
mod kernel_install;
mod managers;
mod originals;
mod packagekit;
mod screens;
mod sources;
mod stopped;
mod updates;
mod whole_updates;
