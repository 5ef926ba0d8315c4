// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask header`: writes `kmp.h`, and the same for Python's ctypes, from kmp-capi's public items and their comments. Not by
//! cbindgen, which puts all constants first and all functions last, and comments above constants and members only.

mod python;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::{
    Attribute, Expr, ExprLit, Fields, FnArg, GenericArgument, Item, ItemConst, ItemFn, ItemMod, ItemStruct,
    ItemType, Lit, LitInt, Meta, Pat, PathArguments, PointerMutability, ReturnType, Type, TypeFnPtr,
    Visibility,
};

use crate::install::project;

/// Whose public items the header has, in its order.
const MODULES: &[&str] = &[
    "error",
    "handle",
    "kernels",
    "status",
    "check",
    "plan",
    "sync",
    "transaction",
    "plugin",
    "report",
    "json",
    "names",
];

const FIRST: &str = "/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made of the library's sources by `cargo xtask header`: change it there. */
";

const BEFORE: &str = "#ifndef KMP_H
#define KMP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {
#endif
";

const AFTER: &str = "
#ifdef __cplusplus
}
#endif
#endif
";

/// Writes both, and says so where that changed one.
pub fn run() -> Result<(), String> {
    let capi = project().join("crates/kmp-capi");
    let sources = capi.join("src");
    let made = [
        (capi.join("include/kmp.h"), generate(&sources)?),
        (capi.join("python/kmp/_abi.py"), python::generate(&sources)?),
    ];
    for (path, text) in made {
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        println!("{}", path.display());
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// The header of the library whose Rust files are in `sources`: a module of constants is a block of numbers, a
/// `repr(C)` struct is one, any other struct a handle.
fn generate(sources: &Path) -> Result<String, String> {
    let library = parse(sources, "lib")?;
    let items = public_items(sources, MODULES)?;

    let mut types = Types::default();
    let mut handles = Vec::new();
    for item in &items {
        if let Item::Type(item) = item {
            types.insert(item.ident.to_string(), format!("{}_t", c_name(&item.ident.to_string())));
        }
        let Item::Struct(item) = item else { continue };
        let (name, of) = (item.ident.to_string(), c_name(&item.ident.to_string()));
        if is_c(item) {
            types.insert(name, format!("struct {of}"));
        } else {
            handles.push(format!("{}typedef struct {of} {of}_t;\n", comment(&docs(&item.attrs))));
            types.insert(name, format!("{of}_t"));
        }
    }
    // A handle may be a parameter of what comes before the file that defines it.
    let mut blocks = vec![handles.concat()];
    for item in &items {
        blocks.push(match item {
            Item::Mod(module) => numbers(module)?,
            Item::Struct(item) if is_c(item) => structure(item, &types)?,
            Item::Fn(function) => prototype(function, &types)?,
            Item::Type(callback) => function_type(callback, &types)?,
            _ => continue,
        });
    }
    Ok(format!("{FIRST}{}{BEFORE}\n{}{AFTER}", comment(&headings(&docs(&library.attrs))), blocks.join("\n")))
}

fn parse(sources: &Path, module: &str) -> Result<syn::File, String> {
    let path = sources.join(format!("{module}.rs"));
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    syn::parse_file(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The public items of some modules, in their order.
fn public_items(sources: &Path, modules: &[&str]) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    for module in modules {
        items.extend(parse(sources, module)?.items.into_iter().filter(is_public));
    }
    Ok(items)
}

fn is_public(item: &Item) -> bool {
    let visibility = match item {
        Item::Mod(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Type(item) => &item.vis,
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}

/// Is it laid out as C does?
fn is_c(item: &ItemStruct) -> bool {
    item.attrs.iter().any(|a| a.path().is_ident("repr"))
}

/// `kmp` for `Kmp`, `kmp_report` for `Report`.
fn c_name(name: &str) -> String {
    let name = name.to_lowercase();
    if name == "kmp" { name } else { format!("kmp_{name}") }
}

/// The comment of an item, line by line.
fn docs(attributes: &[Attribute]) -> Vec<String> {
    let line = |attribute: &Attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { return None };
        let text = text.value();
        meta.path.is_ident("doc").then(|| text.strip_prefix(' ').unwrap_or(&text).to_string())
    };
    attributes.iter().filter_map(line).collect()
}

/// Headings as they are in C, with what is below them shifted to the right.
fn headings(lines: &[String]) -> Vec<String> {
    let mut below = false;
    let line = |line: &String| match line.strip_prefix("# ") {
        Some(heading) => {
            below = true;
            heading.to_string()
        }
        None if below && !line.is_empty() => format!("  {line}"),
        None => line.clone(),
    };
    lines.iter().map(line).collect()
}

fn comment(lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        [line] => format!("/* {line} */\n"),
        lines => {
            let body: String =
                lines.iter().map(|l| format!(" * {l}").trim_end().to_string() + "\n").collect();
            format!("/*\n{body} */\n")
        }
    }
}

/// Lines of code with comments behind them, these in one column.
fn beside(lines: &[(String, Vec<String>)]) -> String {
    let width = lines.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
    let line = |(code, docs): &(String, Vec<String>)| format!("{code:width$} /* {} */\n", docs.join(" "));
    lines.iter().map(line).collect()
}

/// A module of constants. Their names begin with the module's where they would not tell enough.
fn numbers(module: &ItemMod) -> Result<String, String> {
    let of = module.ident.to_string();
    let prefix = match of.as_str() {
        "level" | "policy" | "removal" | "verdict" => format!("KMP_{}_", of.to_uppercase()),
        _ => "KMP_".into(),
    };
    let mut lines = Vec::new();
    for (item, value) in constants(module)? {
        let suffix = if declare(&item.ty, "", &Types::default())?.starts_with("uint") { "u" } else { "" };
        lines.push((format!("#define {prefix}{} {value}{suffix}", item.ident), docs(&item.attrs)));
    }
    Ok(comment(&docs(&module.attrs)) + &beside(&lines))
}

/// The constants of a module, with their values.
fn constants(module: &ItemMod) -> Result<Vec<(&ItemConst, &LitInt)>, String> {
    let items = module.content.iter().flat_map(|(_, items)| items);
    let constants = items.filter_map(|item| if let Item::Const(item) = item { Some(item) } else { None });
    constants
        .map(|item| match &*item.expr {
            Expr::Lit(ExprLit { lit: Lit::Int(value), .. }) => Ok((item, value)),
            _ => Err(format!("{}: not a number", item.ident)),
        })
        .collect()
}

fn structure(item: &ItemStruct, types: &Types) -> Result<String, String> {
    let Fields::Named(fields) = &item.fields else { return Err(format!("{}: no names", item.ident)) };
    let mut lines = Vec::new();
    for field in &fields.named {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        lines.push((format!("\t{};", declare(&field.ty, &name, types)?), docs(&field.attrs)));
    }
    let name = c_name(&item.ident.to_string());
    Ok(format!("{}struct {name} {{\n{}}};\n", comment(&docs(&item.attrs)), beside(&lines)))
}

fn prototype(function: &ItemFn, types: &Types) -> Result<String, String> {
    let (signature, mut parameters) = (&function.sig, Vec::new());
    for parameter in &signature.inputs {
        let FnArg::Typed(parameter) = parameter else { return Err(format!("{}: self", signature.ident)) };
        let Pat::Ident(name) = &*parameter.pat else { return Err(format!("{}: a pattern", signature.ident)) };
        parameters.push(declare(&parameter.ty, &name.ident.to_string(), types)?);
    }
    let parameters = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
    let name = format!("{}({parameters})", signature.ident);
    let declared = match &signature.output {
        ReturnType::Default => format!("void {name}"),
        ReturnType::Type(_, of) => declare(of, &name, types)?,
    };
    Ok(format!("{}{declared};\n", comment(&docs(&function.attrs))))
}

/// `Option<extern "C" fn(...)>`: a pointer to a function of the caller's.
fn function_type(callback: &ItemType, types: &Types) -> Result<String, String> {
    let function = callback_of(&callback.ty).ok_or_else(|| format!("{}: no function", callback.ident))?;
    let mut parameters = Vec::new();
    for parameter in &function.inputs {
        let name = parameter.name.as_ref().map(|(name, _)| name.to_string()).unwrap_or_default();
        parameters.push(declare(&parameter.ty, &name, types)?);
    }
    let name = c_name(&callback.ident.to_string());
    Ok(format!("{}typedef void (*{name}_t)({});\n", comment(&docs(&callback.attrs)), parameters.join(", ")))
}

fn callback_of(of: &Type) -> Option<&TypeFnPtr> {
    let Type::Path(path) = of else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(Type::FnPtr(function)) => Some(function),
        _ => None,
    }
}

/// The library's own types: by their name in Rust that in C.
type Types = BTreeMap<String, String>;

/// A declaration of `name` as the C type that `of` is.
fn declare(of: &Type, name: &str, types: &Types) -> Result<String, String> {
    qualified(of, name, false, types)
}

/// As [`declare`]; `is_const`: of something that a `*const` leads to.
fn qualified(of: &Type, name: &str, is_const: bool, types: &Types) -> Result<String, String> {
    let path = match of {
        Type::Ptr(pointer) => {
            let name = if is_const { format!("*const {name}") } else { format!("*{name}") };
            let to_const = matches!(pointer.mutability, PointerMutability::Const(_));
            return qualified(&pointer.elem, &name, to_const, types);
        }
        Type::Path(path) => &path.path,
        _ => return Err(format!("what is {name} in C?")),
    };
    let of = path.get_ident().map(ToString::to_string).unwrap_or_default();
    let base = match of.as_str() {
        "c_char" => "char",
        "c_int" => "int",
        "c_void" => "void",
        "i64" => "int64_t",
        "u32" => "uint32_t",
        "usize" => "size_t",
        _ => types.get(&of).ok_or_else(|| format!("what is {of} in C?"))?,
    };
    Ok(format!("{}{base} {name}", if is_const { "const " } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> String {
        fs::read_to_string(project().join("crates/kmp-capi/include/kmp.h")).unwrap()
    }

    #[test]
    fn the_committed_header_is_that_of_the_sources() {
        let made = generate(&project().join("crates/kmp-capi/src")).unwrap();
        assert!(made == committed(), "kmp.h is not what its sources say: run `cargo xtask header`");
    }

    #[test]
    fn every_function_tells_its_errors_and_who_frees_what_it_makes() {
        let (header, mut names) = (committed(), Vec::new());
        for (docs, code) in header.split("\n/*").filter_map(|block| block.split_once("*/\n")) {
            let Some(code) =
                code.lines().next().filter(|code| code.ends_with(");") && !code.starts_with("typedef "))
            else {
                continue;
            };
            let name = code.split_once('(').unwrap().0.rsplit([' ', '*']).next().unwrap();
            names.push(name.to_string());
            let cannot_fail = [
                "kmp_builds_drivers",
                "kmp_concerns",
                "kmp_plugin_is_named",
                "kmp_plugin_judge",
                "kmp_report_verdict",
            ]
            .contains(&name);
            if code.starts_with("int ") && !cannot_fail {
                assert!(docs.contains("KMP_E_ARGUMENT"), "{name} does not name its errors");
            }
            if code.contains(" **out)") {
                assert!(docs.contains("*out is freed with kmp_"), "{name} does not say who frees *out");
            }
            if code.starts_with("const char *") {
                assert!(docs.contains("Never NULL;"), "{name} does not say whose its text is");
            }
        }
        // None was overlooked: they are those that the library exports.
        let exports = fs::read_to_string(project().join("crates/kmp-capi/exports.txt")).unwrap();
        names.sort();
        assert_eq!(names, exports.lines().map(|l| l.split('@').next().unwrap()).collect::<Vec<_>>());
    }
}
