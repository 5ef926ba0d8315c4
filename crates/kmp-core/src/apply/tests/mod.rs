// SPDX-License-Identifier: LGPL-2.1-or-later
//! The writers, in throwaway roots.

mod switch;
