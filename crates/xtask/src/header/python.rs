// SPDX-License-Identifier: LGPL-2.1-or-later
//! The same for Python: `_abi.py`, which has what ctypes must know of libkmp's numbers, structs and functions. What only a plugin
//! of rpm calls is left out.

use std::path::Path;

use syn::{Fields, FnArg, Item, ItemFn, ItemMod, ItemStruct, ReturnType, Type};

use super::{MODULES, constants, docs, is_c, public_items};

/// For C alone: what rpm's plugin calls.
const WITHOUT: &str = "plugin";

const BEFORE: &str = r#"# SPDX-License-Identifier: LGPL-2.1-or-later
# Made of the library's sources by `cargo xtask header`: change it there.
"""libkmp's numbers, structs and functions, for ctypes. kmp.h says more about each."""

from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from enum import IntEnum, IntFlag


class Number(IntEnum):
    """A number of the library's. Later versions may return some that have no name here."""

    @classmethod
    def _missing_(cls, value):
        if not isinstance(value, int):
            return None
        number = int.__new__(cls, value)
        number._name_ = "UNKNOWN_{}".format(value)
        number._value_ = value
        return number
"#;

/// The module for the library whose Rust files are in `sources`.
pub fn generate(sources: &Path) -> Result<String, String> {
    let modules: Vec<&str> = MODULES.iter().copied().filter(|module| *module != WITHOUT).collect();
    let items = public_items(sources, &modules)?;
    let mut text = BEFORE.to_string();
    for item in &items {
        match item {
            Item::Mod(module) => text.push_str(&numbers(module)?),
            Item::Struct(item) if is_c(item) => text.push_str(&structure(item, &items)?),
            _ => {}
        }
    }
    text.push_str("\n\n# What each function returns, and its parameters.\nFUNCTIONS = {\n");
    for item in &items {
        if let Item::Fn(function) = item {
            text.push_str(&prototype(function, &items)?);
        }
    }
    text.push_str("}\n");
    Ok(text)
}

/// `OpenFlag` for `open_flag`.
fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(word).collect()
}

fn numbers(module: &ItemMod) -> Result<String, String> {
    let name = module.ident.to_string();
    let base = if name.ends_with("_flag") { "IntFlag" } else { "Number" };
    let mut text = format!(
        "\n\nclass {}({base}):\n    \"\"\"{}\"\"\"\n\n",
        camel(&name),
        docs(&module.attrs).join("\n    ")
    );
    for (item, value) in constants(module)? {
        text.push_str(&format!("    {} = {value}  # {}\n", item.ident, docs(&item.attrs).join(" ")));
    }
    Ok(text)
}

fn structure(item: &ItemStruct, items: &[Item]) -> Result<String, String> {
    let Fields::Named(fields) = &item.fields else { return Err(format!("{}: no names", item.ident)) };
    let mut text = format!(
        "\n\nclass {}(Structure):\n    \"\"\"{}\"\"\"\n\n    _fields_ = [\n",
        item.ident,
        docs(&item.attrs).join("\n    ")
    );
    for field in &fields.named {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!(
            "        (\"{name}\", {}),  # {}\n",
            ctype(&field.ty, items)?,
            docs(&field.attrs).join(" ")
        ));
    }
    Ok(text + "    ]\n")
}

fn prototype(function: &ItemFn, items: &[Item]) -> Result<String, String> {
    let name = &function.sig.ident;
    let returned = match &function.sig.output {
        ReturnType::Default => "None".into(),
        ReturnType::Type(_, of) => ctype(of, items)?,
    };
    let mut parameters = Vec::new();
    for parameter in &function.sig.inputs {
        let FnArg::Typed(parameter) = parameter else { return Err(format!("{name}: self")) };
        parameters.push(ctype(&parameter.ty, items)?);
    }
    Ok(format!("    \"{name}\": ({returned}, [{}]),\n", parameters.join(", ")))
}

/// The type of ctypes that is `of` in C.
fn ctype(of: &Type, items: &[Item]) -> Result<String, String> {
    let unknown = || "a type that ctypes is not known to have".to_string();
    match of {
        Type::Path(path) => match path.path.get_ident().ok_or_else(unknown)?.to_string().as_str() {
            "c_int" => Ok("c_int".into()),
            "i64" => Ok("c_int64".into()),
            "u32" => Ok("c_uint32".into()),
            "usize" => Ok("c_size_t".into()),
            other => Err(format!("what is {other} for ctypes?")),
        },
        Type::Ptr(pointer) => {
            let Type::Path(to) = &*pointer.elem else {
                return Ok(format!("POINTER({})", ctype(&pointer.elem, items)?));
            };
            let to = to.path.get_ident().ok_or_else(unknown)?;
            let is_structure =
                items.iter().any(|i| matches!(i, Item::Struct(s) if s.ident == *to && is_c(s)));
            Ok(match to.to_string().as_str() {
                "c_char" => "c_char_p".into(),
                _ if is_structure => format!("POINTER({to})"),
                // A handle.
                _ => "c_void_p".into(),
            })
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::project;

    #[test]
    fn the_committed_module_is_that_of_the_sources() {
        let capi = project().join("crates/kmp-capi");
        let committed = std::fs::read_to_string(capi.join("python/kmp/_abi.py")).unwrap();
        assert!(
            generate(&capi.join("src")).unwrap() == committed,
            "_abi.py is not what its sources say: run `cargo xtask header`"
        );
    }
}
