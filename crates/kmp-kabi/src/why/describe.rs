// SPDX-License-Identifier: LGPL-2.1-or-later
//! What in a type changed, for people.

use kmod_abi::btf::{Kind, Scope, Type};

use super::graph::Node;

/// What a change of a type means for code that was compiled with the old one. (The kernel refuses its modules all the same.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Every member is where it was, and the size is the same; only the type of a member is another by name, or a hole has
    /// become a member, or a member has another name.
    NothingMoves,
    /// It has become larger, behind all that there was.
    GrowsAtEnd,
    /// Enumerators were added; those that there were have their values.
    OnlyAdded,
    /// Members are elsewhere, or of another size, or gone; enumerators have other values.
    Moves,
    /// It is defined in one of the kernels, and only declared in the other.
    Hidden,
    /// What a typedef stands for is another type.
    Renamed,
}

impl Effect {
    /// A word for programs, which never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::NothingMoves => "nothing-moves",
            Self::GrowsAtEnd => "grows-at-end",
            Self::OnlyAdded => "only-added",
            Self::Moves => "moves",
            Self::Hidden => "hidden",
            Self::Renamed => "renamed",
        }
    }

    /// All words.
    pub const WORDS: [&'static str; 6] =
        ["nothing-moves", "grows-at-end", "only-added", "moves", "hidden", "renamed"];
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NothingMoves => "no offset moves",
            Self::GrowsAtEnd => "it grows at its end, no offset moves",
            Self::OnlyAdded => "values were added, none changed",
            Self::Moves => "offsets or values change",
            Self::Hidden => "only one of the kernels defines it",
            Self::Renamed => "it stands for another type",
        })
    }
}

/// A type that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeChange {
    /// As C has its name.
    pub name: String,
    /// How many symbols it is the nearest for of those that were asked for.
    pub symbols: usize,
    /// What that means.
    pub effect: Effect,
    /// Its sizes in bytes, before and after; `None`: it has none.
    pub sizes: Option<(u32, u32)>,
    /// What changed, a line each: `member upper: type changed from struct a * to struct b *`. At most [`LINES`](Self::LINES).
    pub lines: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl TypeChange {
    /// So many lines are kept.
    pub const LINES: usize = 12;

    pub(super) fn of(name: String, old: (Scope<'_, '_>, &Node), new: (Scope<'_, '_>, &Node)) -> Self {
        let only = |a: &Node, b: &Node| -> Option<u32> {
            let found =
                a.definitions.iter().find(|(digest, _)| b.definitions.iter().all(|(d, _)| d != digest));
            found.or(a.definitions.first()).map(|(_, id)| *id)
        };
        let (before, after) = (only(old.1, new.1), only(new.1, old.1));
        let before = before.and_then(|id| old.0.get(id));
        let after = after.and_then(|id| new.0.get(id));
        let change = |effect, sizes, lines| {
            let mut lines: Vec<String> = lines;
            let more = lines.len().saturating_sub(Self::LINES);
            lines.truncate(Self::LINES);
            Self { name, symbols: 0, effect, sizes, lines, more }
        };
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => ((old.0, before), (new.0, after)),
            (None, _) => return change(Effect::Hidden, None, vec!["defined in the new kernel only".into()]),
            (_, None) => return change(Effect::Hidden, None, vec!["defined in the old kernel only".into()]),
        };
        let sizes = Some((before.1.size, after.1.size));
        match (before.1.kind, after.1.kind) {
            (Kind::Typedef, _) | (_, Kind::Typedef) => {
                let (old, new) = (c(before.0, before.1.size), c(after.0, after.1.size));
                change(Effect::Renamed, None, vec![format!("stands for {new}, before for {old}")])
            }
            (Kind::Enum | Kind::Enum64, _) => {
                let (effect, lines) = enumerators(before, after);
                change(effect, sizes, lines)
            }
            _ => {
                let (effect, lines) = members(before, after);
                change(effect, sizes, lines)
            }
        }
    }
}

type Of<'s, 'd> = (Scope<'s, 'd>, Type<'d>);

fn enumerators(old: Of<'_, '_>, new: Of<'_, '_>) -> (Effect, Vec<String>) {
    let all = |(scope, of): Of<'_, '_>| -> Vec<(String, i64)> {
        let is_64 = of.kind == Kind::Enum64;
        let value = |low: u32, high: u32| match is_64 {
            true => (u64::from(high) << 32 | u64::from(low)) as i64,
            false => i64::from(low as i32),
        };
        of.rows().map(|[name, low, high]| (text(scope.name(name)), value(low, high))).collect()
    };
    let (before, after) = (all(old), all(new));
    let mut lines = Vec::new();
    let mut effect = Effect::OnlyAdded;
    let by_name: std::collections::HashMap<&str, i64> = after.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    for (name, value) in &before {
        match by_name.get(name.as_str()) {
            Some(now) if now == value => continue,
            Some(now) => lines.push(format!("{name}: {now}, before {value}")),
            None => lines.push(format!("{name}: gone")),
        }
        effect = Effect::Moves;
    }
    let known: std::collections::HashSet<&str> = before.iter().map(|(name, _)| name.as_str()).collect();
    let added = after.iter().filter(|(name, _)| !known.contains(name.as_str()));
    lines.extend(added.map(|(name, value)| format!("{name}: added, {value}")));
    if old.1.size != new.1.size {
        effect = Effect::Moves;
        lines.insert(0, sizes(old.1.size, new.1.size));
    }
    (effect, lines)
}

fn sizes(old: u32, new: u32) -> String {
    format!("size: {new} bytes, before {old}")
}

/// A member, those of anonymous structures and unions among those of what they are in.
struct Member {
    name: String,
    /// In bits.
    offset: u64,
    width: u64,
    shown: String,
}

/// So many members are looked at.
const MEMBERS: usize = 20_000;

fn flatten(scope: Scope<'_, '_>, of: &Type<'_>, base: u64, depth: u32, out: &mut Vec<Member>) {
    for [name, id, offset] in of.rows() {
        if out.len() >= MEMBERS {
            return;
        }
        let (bits, width) = of.bits(offset);
        let at = base + u64::from(bits);
        let name = text(scope.name(name));
        match plain(scope, id) {
            Some(inner)
                if name.is_empty() && depth < 16 && matches!(inner.kind, Kind::Struct | Kind::Union) =>
            {
                flatten(scope, &inner, at, depth + 1, out);
            }
            _ => {
                let width = if width > 0 { width.into() } else { size(scope, id).saturating_mul(8) };
                out.push(Member { name, offset: at, width, shown: c(scope, id) });
            }
        }
    }
}

fn members(old: Of<'_, '_>, new: Of<'_, '_>) -> (Effect, Vec<String>) {
    let all = |(scope, of): Of<'_, '_>| {
        let mut out = Vec::new();
        flatten(scope, &of, 0, 0, &mut out);
        out
    };
    let (before, after) = (all(old), all(new));
    let by_name: std::collections::HashMap<&str, &Member> =
        after.iter().map(|m| (m.name.as_str(), m)).collect();
    let known: std::collections::HashSet<&str> = before.iter().map(|m| m.name.as_str()).collect();
    let mut added: Vec<&Member> = after.iter().filter(|m| !known.contains(m.name.as_str())).collect();
    let place = |m: &Member| match m.offset % 8 {
        0 => format!("byte {}", m.offset / 8),
        bit => format!("byte {}, bit {bit}", m.offset / 8),
    };
    let (mut lines, mut moved_lines) = (Vec::new(), Vec::new());
    let mut moves = false;
    for member in &before {
        let name = &member.name;
        let Some(now) = by_name.get(name.as_str()) else {
            let same = |m: &&Member| (m.offset, m.width) == (member.offset, member.width);
            if let Some(at) = added.iter().position(same) {
                let now = added.remove(at);
                lines.push(format!("{name}: at {} is now {}, {}", place(member), now.name, now.shown));
            } else {
                moves = true;
                lines.push(format!("{name}: gone from {}", place(member)));
            }
            continue;
        };
        if now.offset != member.offset {
            moves = true;
            moved_lines.push(format!("{name}: at {}, before at {}", place(now), place(member)));
        }
        if now.width != member.width {
            moves = true;
            lines.push(format!("{name}: {} bits, before {}", now.width, member.width));
        }
        if now.shown != member.shown {
            lines.push(format!("{name}: {}, before {}", now.shown, member.shown));
        }
    }
    let end = u64::from(old.1.size) * 8;
    let is_union = old.1.kind == Kind::Union;
    lines.extend(added.iter().map(|m| {
        let how = if !moves && !is_union && m.offset < end { ", where nothing was" } else { "" };
        format!("{}: added at {}{how}, {}", m.name, place(m), m.shown)
    }));
    let (size, now) = (old.1.size, new.1.size);
    if size != now {
        lines.insert(0, sizes(size, now));
    }
    lines.append(&mut moved_lines);
    if lines.is_empty() {
        lines.push("the types that its members point to are named otherwise".into());
    }
    let effect = match (moves, size.cmp(&now)) {
        (false, std::cmp::Ordering::Equal) => Effect::NothingMoves,
        (false, std::cmp::Ordering::Less) => Effect::GrowsAtEnd,
        _ => Effect::Moves,
    };
    (effect, lines)
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Behind qualifiers and typedefs.
fn plain<'d>(scope: Scope<'_, 'd>, mut id: u32) -> Option<Type<'d>> {
    for _ in 0..32 {
        let of = scope.get(id)?;
        match of.kind {
            Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => id = of.size,
            _ => return Some(of),
        }
    }
    None
}

/// In bytes; 0: not known.
fn size(scope: Scope<'_, '_>, mut id: u32) -> u64 {
    let mut times = 1u64;
    for _ in 0..32 {
        let Some(of) = plain(scope, id) else { return 0 };
        match of.kind {
            Kind::Array => {
                let [element, _, count] = of.rows().next().unwrap_or_default();
                times = times.saturating_mul(count.into());
                id = element;
            }
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Float => {
                return times.saturating_mul(of.size.into());
            }
            // What is compared is whether it is the same.
            Kind::Pointer => return times.saturating_mul(8),
            _ => return 0,
        }
    }
    0
}

/// A type about as C has it, in not much more than a line.
pub(super) fn c(scope: Scope<'_, '_>, id: u32) -> String {
    let mut out = String::new();
    write(scope, id, 0, &mut out);
    if out.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
        out.push_str("...");
    }
    out
}

/// In bytes.
const LONGEST: usize = 160;

fn write(scope: Scope<'_, '_>, mut id: u32, depth: u32, out: &mut String) {
    let mut after = String::new();
    for _ in 0..32 {
        if out.len() + after.len() > LONGEST {
            break;
        }
        let Some(of) = scope.get(id) else {
            out.push_str("void");
            break;
        };
        let name = text(scope.name(of.name));
        match of.kind {
            Kind::Pointer => {
                // One before a qualifier of the pointer itself.
                after.insert_str(
                    0,
                    if after.starts_with(['*', '[']) || after.is_empty() { "*" } else { "* " },
                );
                id = of.size;
                continue;
            }
            Kind::Const => out.push_str("const "),
            Kind::Volatile => out.push_str("volatile "),
            Kind::Restrict | Kind::TypeTag | Kind::Function | Kind::Variable => {}
            Kind::Array => {
                let [element, _, count] = of.rows().next().unwrap_or_default();
                after = format!("{after}[{count}]");
                id = element;
                continue;
            }
            Kind::Prototype => {
                write_prototype(scope, &of, depth, &after, out);
                return;
            }
            Kind::Struct => out.push_str(&named("struct", &name)),
            Kind::Union => out.push_str(&named("union", &name)),
            Kind::Enum | Kind::Enum64 => out.push_str(&named("enum", &name)),
            Kind::Forward => out.push_str(&named(if of.has_flag { "union" } else { "struct" }, &name)),
            _ => out.push_str(&name),
        }
        match of.kind {
            Kind::Const | Kind::Volatile | Kind::Restrict => id = of.size,
            Kind::TypeTag | Kind::Function | Kind::Variable => id = of.size,
            _ => break,
        }
    }
    if after.starts_with('*') {
        out.push(' ');
    }
    out.push_str(&after);
}

fn named(what: &str, name: &str) -> String {
    if name.is_empty() { format!("{what} {{...}}") } else { format!("{what} {name}") }
}

fn write_prototype(scope: Scope<'_, '_>, of: &Type<'_>, depth: u32, after: &str, out: &mut String) {
    if depth > 4 || out.len() > LONGEST {
        out.push_str("(...)");
        return;
    }
    write(scope, of.size, depth + 1, out);
    if !after.is_empty() {
        out.push_str(&format!(" ({after})"));
    }
    out.push('(');
    for (at, [_, parameter, _]) in of.rows().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        if out.len() > LONGEST {
            out.push_str("...");
            break;
        }
        match parameter {
            // Without a type at the end: any number of them.
            0 => out.push_str("..."),
            id => write(scope, id, depth + 1, out),
        }
    }
    out.push(')');
}
