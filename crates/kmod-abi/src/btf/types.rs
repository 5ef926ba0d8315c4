// SPDX-License-Identifier: LGPL-2.1-or-later
//! The types themselves: what each is, and which others it refers to.
//!
//! Numbers of types and offsets of names of a module's BTF go on where those of its kernel's end, so it is read in the [`Scope`] of
//! the kernel's. Nothing is checked beforehand but that types are whole: a number may lead nowhere, or back to where it came from.

use super::parts::{Parts, Record, u32_at};

/// What is wrong with BTF, as a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(&'static str);

/// `BTF_KIND_*`, those that are types or have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An integer.
    Int,
    /// A pointer.
    Pointer,
    /// An array.
    Array,
    /// A structure.
    Struct,
    /// A union.
    Union,
    /// An enumeration with values of 32 bits.
    Enum,
    /// A structure or union of which only the name is known.
    Forward,
    /// A typedef.
    Typedef,
    /// `volatile`
    Volatile,
    /// `const`
    Const,
    /// `restrict`
    Restrict,
    /// A function.
    Function,
    /// What a function takes and returns.
    Prototype,
    /// A variable.
    Variable,
    /// A section of variables.
    Section,
    /// A floating-point number.
    Float,
    /// A note on a declaration.
    DeclarationTag,
    /// A note on a type.
    TypeTag,
    /// An enumeration with values of 64 bits.
    Enum64,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Int,
            2 => Self::Pointer,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Forward,
            8 => Self::Typedef,
            9 => Self::Volatile,
            10 => Self::Const,
            11 => Self::Restrict,
            12 => Self::Function,
            13 => Self::Prototype,
            14 => Self::Variable,
            15 => Self::Section,
            16 => Self::Float,
            17 => Self::DeclarationTag,
            18 => Self::TypeTag,
            19 => Self::Enum64,
            _ => return None,
        })
    }
}

/// One type.
#[derive(Clone, Copy, Debug)]
pub struct Type<'d> {
    /// What it is.
    pub kind: Kind,
    /// The offset of its name; 0: it has none.
    pub name: u32,
    /// Its size in bytes, or the number of the type that it refers to: by its kind.
    pub size: u32,
    /// Are there bit-fields among its members? Has an enumeration negative values? Is it a forward declaration of a union?
    pub has_flag: bool,
    rows: &'d [u8],
    width: usize,
    big_endian: bool,
}

impl<'d> Type<'d> {
    fn of(record: Record<'d>, big_endian: bool) -> Option<Self> {
        let Record { kind, name, size, has_flag, rows, width } = record;
        Some(Self { kind: Kind::of(kind)?, name, size, has_flag, rows, width, big_endian })
    }

    /// What it has several of, as three numbers each, those that it has not as 0. Of a structure's member name, type and offset
    /// (see [`Self::bits`]); of an enumerator name and value, low half first; of a parameter name and type. Of an array one
    /// row: type of its elements, type of its index, how many; of an integer its encoding; of a variable its linkage.
    pub fn rows(&self) -> impl Iterator<Item = [u32; 3]> + 'd {
        let big_endian = self.big_endian;
        let number = move |row: &[u8], at: usize| u32_at(row, at, big_endian).unwrap_or(0);
        self.rows.chunks_exact(self.width).map(move |row| [number(row, 0), number(row, 4), number(row, 8)])
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Has it no rows?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The offset of a member in bits from the beginning of its structure, and its width, which is 0 unless it is a bit-field.
    pub fn bits(&self, offset: u32) -> (u32, u32) {
        if self.has_flag { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) }
    }
}

/// The types of a kernel's image, or those that a module has beside its kernel's.
#[derive(Clone, Debug)]
pub struct Types<'d> {
    parts: Parts<'d>,
    types: Vec<Type<'d>>,
    /// The number of the first, and the offset of the first name.
    first: u32,
    first_name: u32,
}

impl<'d> Types<'d> {
    /// Reads a `.BTF` section; `base`: of a module, the types of its kernel's image.
    ///
    /// # Errors
    /// It is cut, no BTF, or has types of a kind that is not known.
    pub fn parse(section: &'d [u8], base: Option<&Types<'_>>, big_endian: bool) -> Result<Self, Fault> {
        const MANY: Fault = Fault("it has more types than can be numbered");
        let parts = Parts::of(section, big_endian, base.is_none()).map_err(Fault)?;
        let mut types = Vec::new();
        let mut is_known = true;
        let walked = parts.each_record(|record| match Type::of(record, big_endian) {
            Some(of) => types.push(of),
            None => is_known = false,
        });
        match walked {
            Err(Some(why)) => return Err(Fault(why)),
            Err(None) => return Err(Fault("it has a type of a kind that is not known")),
            Ok(()) if !is_known => return Err(Fault("it has a type of a kind that is not known")),
            Ok(()) => {}
        }
        // Number 0 is void.
        let (first, first_name) = base.map_or(Some((1, 0)), Types::end).ok_or(MANY)?;
        let found = Self { parts, types, first, first_name };
        found.end().ok_or(MANY)?;
        Ok(found)
    }

    fn end(&self) -> Option<(u32, u32)> {
        let types = self.first.checked_add(u32::try_from(self.types.len()).ok()?)?;
        let names = self.first_name.checked_add(u32::try_from(self.parts.strings.len()).ok()?)?;
        Some((types, names))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Its own types, and the number of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Type<'d>)> + '_ {
        (self.first..).zip(self.types.iter().copied())
    }

    /// Is that the number of one of its own?
    pub fn owns(&self, id: u32) -> bool {
        id >= self.first
    }

    fn get(&self, id: u32) -> Option<Type<'d>> {
        self.types.get(id.checked_sub(self.first)? as usize).copied()
    }

    fn name(&self, offset: u32) -> Option<&'d [u8]> {
        let rest = self.parts.strings.get(offset.checked_sub(self.first_name)? as usize..)?;
        rest.split(|b| *b == 0).next()
    }
}

/// Where numbers of types and offsets of names are looked up: in a module's types, and in those of its kernel's image.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'s, 'd> {
    /// Of the image.
    pub image: &'s Types<'d>,
    /// Of the module, unless it is about the image.
    pub module: Option<&'s Types<'d>>,
}

impl<'s, 'd> Scope<'s, 'd> {
    /// Whose types it is about.
    pub fn own(&self) -> &'s Types<'d> {
        self.module.unwrap_or(self.image)
    }

    /// The type of that number. `None`: void, or there is none.
    pub fn get(&self, id: u32) -> Option<Type<'d>> {
        self.module.and_then(|own| own.get(id)).or_else(|| self.image.get(id))
    }

    /// The name at that offset; empty where there is none.
    pub fn name(&self, offset: u32) -> &'d [u8] {
        self.module.and_then(|own| own.name(offset)).or_else(|| self.image.name(offset)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NAMES, btf};
    use super::*;

    #[test]
    fn a_modules_types_go_on_where_the_images_end() {
        for big_endian in [false, true] {
            let image = btf(0, &["", "member", "open_it", "close_it", "foo_int"], big_endian);
            let image = Types::parse(&image, None, big_endian).unwrap();
            let (types, names) = image.end().unwrap();
            let module = btf(names, NAMES, big_endian);
            let module = Types::parse(&module, Some(&image), big_endian).unwrap();
            let scope = Scope { image: &image, module: Some(&module) };
            let (id, first) = module.iter().next().unwrap();
            assert_eq!((id, first.kind, first.size), (types, Kind::Struct, 8));
            assert_eq!(scope.name(first.name), b"structure");
            let [name, of, offset] = first.rows().next().unwrap();
            assert_eq!((scope.name(name), of, first.bits(offset)), (&b"member"[..], 1, (0, 0)));
            // Number 1 is the image's.
            assert_eq!(scope.get(1).unwrap().kind, Kind::Struct);
            assert!(
                scope.get(0).is_none() && scope.get(u32::MAX).is_none() && scope.name(u32::MAX).is_empty()
            );
        }
    }
}
