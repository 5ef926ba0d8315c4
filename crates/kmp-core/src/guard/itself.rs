// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a kernel has of its own in the place of a driver. Pure.

use std::cell::OnceCell;
use std::rc::Rc;

use super::given::Given;
use super::incoming::InTree;
use super::kernels::Will;
use crate::glob;

/// What a kernel has of its own.
pub(super) struct Itself<'i> {
    kernel: &'i Will<'i>,
    read: OnceCell<Option<Rc<InTree>>>,
    given: &'i Given<'i>,
}

impl<'i> Itself<'i> {
    pub(super) fn of(kernel: &'i Will<'i>, given: &'i Given<'i>) -> Self {
        Self { kernel, read: OnceCell::new(), given }
    }

    fn read(&self) -> Option<&InTree> {
        let read =
            || self.kernel.role.runs_next().then(|| (self.given.in_tree)(self.kernel.release)).flatten();
        self.read.get_or_init(read).as_deref()
    }

    /// Has it a module of that name, or built in?
    pub(super) fn has_named(&self, name: &str) -> bool {
        self.kernel.site.in_tree.is_some_and(|t| t.contains(name))
            || self.read().is_some_and(|t| t.builtin.contains(name))
    }

    /// How many of these aliases its own modules claim, and which modules those are.
    pub(super) fn claims(&self, aliases: &[&str]) -> (usize, Vec<String>) {
        let Some(own) = (!aliases.is_empty()).then(|| self.read()).flatten() else { return (0, Vec::new()) };
        let mut by: Vec<String> = Vec::new();
        let claimed = aliases.iter().filter(|alias| {
            let found = own.aliases.iter().find(|(pattern, _)| glob::matches(pattern, alias));
            if let Some((_, module)) = found
                && !by.iter().any(|name| *name == **module)
            {
                by.push(module.to_string());
            }
            found.is_some()
        });
        (claimed.count(), by)
    }
}
