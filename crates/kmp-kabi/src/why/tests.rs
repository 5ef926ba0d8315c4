// SPDX-License-Identifier: LGPL-2.1-or-later
//! Types made by hand.

use testkit::BtfBuilder as Made;

use super::*;

fn section(made: &Made) -> Section {
    Section { bytes: made.build(), big_endian: false }
}

struct Known(Section, Vec<(&'static str, Section)>);

impl Kernel for Known {
    fn image(&self) -> &Section {
        &self.0
    }

    fn module(&self, name: &str) -> Option<Section> {
        self.1.iter().find(|(of, _)| *of == name).map(|(_, section)| section.clone())
    }
}

fn causes(old: &Known, new: &Known, wanted: &[(&str, &str)]) -> Explained {
    let wanted = wanted.iter().map(|(symbol, exporter)| Wanted { symbol, old: exporter, new: exporter });
    explain(old, new, wanted).unwrap()
}

fn path(explained: &Explained, symbol: &str) -> String {
    match &explained.causes[symbol] {
        Cause::Type { path, .. } => path.join(" > "),
        other => format!("{other:?}"),
    }
}

/// An image, and a module, with `inner` in the middle; in the new ones it has one more member, or a moved one.
fn kernel(inner: &[(&str, u32)], size: u32, is_new: bool) -> Known {
    let mut image = Made::image();
    let int = image.int("int", 4);
    let members: Vec<_> = inner.iter().map(|(name, byte)| (*name, int, *byte)).collect();
    let inner = image.structure("inner", size, &members);
    let to_inner = image.pointer(inner);
    // It points to itself, as lists do.
    let own = image.next_id() + 1;
    let to_own = image.pointer(own);
    let outer = image.structure("outer", 16, &[("next", to_own, 0), ("inner", to_inner, 8)]);
    let to_outer = image.pointer(outer);
    let far = image.structure("far", 8, &[("outer", to_outer, 0)]);
    image.function("takes_outer", &[to_outer]);
    image.function("takes_inner", &[to_inner, int]);
    image.function("takes_int", &[int]);
    let long = image.int("long", 8);
    image.function("declared", &[if is_new { long } else { int }]);
    let mut module = Made::module(&image);
    let to_far = module.pointer(far);
    let cam = module.structure("cam", 8, &[("far", to_far, 0)]);
    let to_cam = module.pointer(cam);
    module.function("cam_open", &[to_cam]);
    let mut other = Made::module(&image);
    let lens = other.structure("lens", if is_new { 8 } else { 4 }, &[("zoom", int, 0)]);
    let to_lens = other.pointer(lens);
    other.function("lens_open", &[to_lens, to_far]);
    Known(section(&image), vec![("cam", section(&module)), ("lens", section(&other))])
}

#[test]
fn the_nearest_type_that_differs_is_named_with_the_way_to_it() {
    let old = kernel(&[("a", 0), ("b", 4)], 16, false);
    let new = kernel(&[("a", 0), ("b", 4), ("c", 8)], 16, true);
    let wanted = [
        ("takes_outer", "vmlinux"),
        ("takes_inner", "vmlinux"),
        ("takes_int", "vmlinux"),
        ("declared", "vmlinux"),
        ("assembly", "vmlinux"),
        ("cam_open", "drivers/media/cam"),
        ("lens_open", "drivers/media/lens"),
    ];
    let found = causes(&old, &new, &wanted);
    assert_eq!(path(&found, "takes_inner"), "struct inner");
    assert_eq!(path(&found, "takes_outer"), "struct outer > struct inner");
    assert_eq!(path(&found, "cam_open"), "struct cam > struct far > struct outer > struct inner");
    assert_eq!(path(&found, "lens_open"), "struct lens");
    assert_eq!(found.causes["takes_int"], Cause::NothingDiffers);
    assert_eq!(found.causes["assembly"], Cause::NotThere);
    let Cause::Declaration { old, new } = &found.causes["declared"] else { panic!("{:?}", found.causes) };
    assert_eq!((old.as_str(), new.as_str()), ("void(int)", "void(long)"));
    let types: Vec<_> = found.types.iter().map(|t| (t.name.as_str(), t.symbols, t.effect)).collect();
    assert_eq!(types, [("struct inner", 3, Effect::NothingMoves), ("struct lens", 1, Effect::GrowsAtEnd)]);
    assert_eq!(found.types[0].lines, ["c: added at byte 8, where nothing was, int"]);
    assert_eq!((found.differing, found.differing_in_modules, found.known()), (1, 1, 5));
}

#[test]
fn what_changed_in_a_structure() {
    let of = |before: &[(&str, u32)], after: &[(&str, u32)], sizes: (u32, u32)| {
        let (old, new) = (kernel(before, sizes.0, false), kernel(after, sizes.1, false));
        let found = causes(&old, &new, &[("takes_inner", "vmlinux")]);
        (found.types[0].effect, found.types[0].lines.clone())
    };
    let (effect, lines) = of(&[("a", 0), ("b", 4)], &[("b", 0), ("a", 4)], (8, 8));
    assert_eq!(effect, Effect::Moves);
    assert_eq!(lines, ["a: at byte 4, before at byte 0", "b: at byte 0, before at byte 4"]);
    let (effect, lines) = of(&[("a", 0), ("b", 4)], &[("a", 0), ("c", 4)], (8, 8));
    assert_eq!((effect, lines), (Effect::NothingMoves, vec!["b: at byte 4 is now c, int".into()]));
    let (effect, lines) = of(&[("a", 0)], &[("a", 0), ("b", 4)], (4, 8));
    let expected = ["size: 8 bytes, before 4", "b: added at byte 4, int"];
    assert_eq!((effect, lines), (Effect::GrowsAtEnd, expected.map(String::from).to_vec()));
    let (effect, lines) = of(&[("a", 0), ("b", 4)], &[("a", 0)], (8, 8));
    assert_eq!((effect, lines), (Effect::Moves, vec!["b: gone from byte 4".into()]));
}

#[test]
fn types_that_lie_in_each_other_for_ever_come_to_an_end() {
    // An anonymous structure of 2,000 members, each of which is the next such structure.
    let mut image = Made::image();
    for _ in 0..60 {
        let next = image.next_id() + 1;
        image.structure("", 8, &vec![("", next, 0); 2_000]);
    }
    image.structure("end", 8, &[("", 1, 0)]);
    let of = |image: &Made| Known(section(image), Vec::new());
    let wanted = Wanted { symbol: "x", old: "vmlinux", new: "vmlinux" };
    assert_eq!(explain(&of(&image), &of(&image), [wanted]).unwrap_err(), Fault::TooIntricate("old"));
    // A pointer to itself, a typedef of itself, an array of itself, a structure in itself.
    let mut image = Made::image();
    image.pointer(1);
    image.add("", 8, 0, 2, &[]);
    image.add("", 3, 0, 0, &[3, 3, 9]);
    image.structure("", 8, &[("", 4, 0)]);
    image.function("x", &[4]);
    let found = explain(&of(&image), &of(&image), [wanted]).unwrap();
    assert_eq!(found.causes["x"], Cause::NothingDiffers);
    image.function("y", &[1, 2, 3]);
    let wanted = Wanted { symbol: "y", old: "vmlinux", new: "vmlinux" };
    assert!(explain(&of(&image), &of(&image), [wanted]).is_err());
}
