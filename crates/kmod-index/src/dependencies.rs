// SPDX-License-Identifier: LGPL-2.1-or-later
//! `modules.dep`: what has to be loaded before a module.

use crate::style::Style;
use crate::trie::Writer;
use crate::{Named, Owners, Unsure, shown};

/// The lines of `modules.dep`, without their ends: a module's path, and all that it needs, directly or not, users
/// before what they use.
pub fn lines(modules: &[Named<'_>], owners: &Owners<'_>) -> Result<Vec<Vec<u8>>, Unsure> {
    let direct: Vec<Vec<u32>> = modules.iter().map(|module| direct(module, owners)).collect();
    let numbers = numbers(modules, &direct)?;
    let mut seen = vec![usize::MAX; modules.len()];
    let lines = modules.iter().enumerate().map(|(at, module)| {
        let mut all: Vec<u32> = direct[at].clone();
        all.iter().for_each(|needed| seen[*needed as usize] = at);
        let mut next = 0;
        while next < all.len() {
            for needed in &direct[all[next] as usize] {
                if std::mem::replace(&mut seen[*needed as usize], at) != at {
                    all.push(*needed);
                }
            }
            next += 1;
        }
        all.sort_unstable_by_key(|needed| numbers[*needed as usize]);
        let mut line = [module.path, b":"].concat();
        for needed in all {
            line.push(b' ');
            line.extend_from_slice(modules[needed as usize].path);
        }
        line
    });
    Ok(lines.collect())
}

/// Who exports what a module needs, each once, in the order of the needs. What nobody exports is the kernel's.
fn direct(module: &Named<'_>, owners: &Owners<'_>) -> Vec<u32> {
    let mut direct = Vec::new();
    for need in module.facts.needs() {
        let need = need.strip_prefix(b".").unwrap_or(need);
        if let Some(owner) = owners.get(need)
            && !direct.contains(owner)
        {
            direct.push(*owner);
        }
    }
    direct
}

/// Numbers modules so that each comes before what it needs.
fn numbers(modules: &[Named<'_>], direct: &[Vec<u32>]) -> Result<Vec<u32>, Unsure> {
    let mut users = vec![0_u32; modules.len()];
    direct.iter().flatten().for_each(|needed| users[*needed as usize] += 1);
    let mut ready: Vec<u32> = (0_u32..).take(modules.len()).filter(|at| users[*at as usize] == 0).collect();
    let mut numbers = vec![0; modules.len()];
    let mut number = 0;
    while let Some(at) = ready.pop() {
        numbers[at as usize] = number;
        number += 1;
        for needed in &direct[at as usize] {
            users[*needed as usize] -= 1;
            if users[*needed as usize] == 0 {
                ready.push(*needed);
            }
        }
    }
    match users.iter().position(|count| *count > 0) {
        Some(at) => Err(Unsure::Cycle(shown(&modules[at].name))),
        None => Ok(numbers),
    }
}

/// `modules.dep`.
pub fn text(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text
}

/// `modules.dep.bin`: the same lines, by name.
pub fn binary(modules: &[Named<'_>], lines: &[Vec<u8>], style: Style) -> Result<Vec<u8>, Unsure> {
    let mut writer = Writer::default();
    for (place, (module, line)) in (0_u32..).zip(modules.iter().zip(lines)) {
        writer.insert(module.name.as_slice(), place, line);
    }
    writer.finish(style)
}
