// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is printed: for people on a terminal, and for programs as JSON.

pub mod advisory;
pub mod count;
pub mod initrd_lines;
pub mod json;
pub mod messages;
pub mod progress;
pub mod signatures;
pub mod terminal;
pub mod verdict_lines;
pub mod when;
