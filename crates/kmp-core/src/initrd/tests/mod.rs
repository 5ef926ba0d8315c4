// SPDX-License-Identifier: LGPL-2.1-or-later
//! Initrds and configurations as the real programs write and read them.

mod archive;
mod damage;
mod dracut_conf;
mod stripped;
