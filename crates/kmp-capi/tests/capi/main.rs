// SPDX-License-Identifier: LGPL-2.1-or-later
//! libkmp as its users see it: the shared library, the header, programs in C and Python.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unsafe_code, reason = "the C API is called as C calls it")]

mod arguments;
mod both;
mod header;
mod library;
mod plugin;
mod python;
mod status;
