// SPDX-License-Identifier: LGPL-2.1-or-later

use super::*;
use kmp_steps::steps_of;

fn value(text: &str) -> String {
    let mut read = Assignments::default();
    read.read(text);
    read.get("v").to_string()
}

#[test]
fn values() {
    for (text, expected) in [
        ("v=a", "a"),
        ("  v='a b'\"c\"d\\ e", "a bcd e"),
        ("v=a\nv+=\" b \"\nv+=c", "a b c"),
        ("v=a#b # c", "a#b"),
        ("#v=a", ""),
        ("v=a; w=b", "a"),
        ("v=\"a \\\n b\"", "a  b"),
        ("v=a\\\nb", "ab"),
        ("v='a\nb'", "a\nb"),
        ("w=x\nv=\"$w-${w}_$unknown\"", "x-x_"),
        ("v=a\nv=\"$v b\"", "a b"),
        ("v=a command", ""),
        ("v=a w=b", "a"),
        ("export v=a", "a"),
        ("if [ -e /x ]; then v=a; fi", "a"),
        ("[[ $x ]] && v=a", "a"),
        ("echo v=a", ""),
        ("v=(a 'b c'\n d)", "a b c d "),
        ("v+=(a)", "a "),
        ("v='$w `x` $(y)'", "$w `x` $(y)"),
        ("v=\"\\$w \\a\"", "$w \\a"),
        ("v=", ""),
        ("v=a\r", "a"),
        ("9v=a", ""),
        ("v = a", ""),
        ("v=\"a", "a"),
        ("v=1$", "1$"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn nothing_is_run_and_the_lines_are_told() {
    let mut read = Assignments::default();
    let lines =
        read.read("v=\"a $(touch /tmp/x; echo \")\") b\"\nv+=`id`\nw=${v:-c}\nv+=' c'\nu=$((1+2))d\n");
    assert_eq!((read.get("v"), read.get("w"), read.get("u")), ("a  b c", "", "d"));
    assert_eq!(lines, [1, 2, 3, 5].map(LeftOut::NotRun));
}

/// How many steps it takes to read a text.
fn steps(text: &str) -> usize {
    let steps = steps_of(|| {
        let mut read = Assignments::default();
        let mut reader = Reader::new(text, &mut read);
        reader.file();
        assert_eq!(reader.rest.peek(), None, "{text:?}");
    });
    usize::try_from(steps).unwrap()
}

/// The most steps that a text may take: each character is taken once, looked at before, and seen once more where it may be
/// a variable's name.
fn most(text: &str) -> usize {
    3 * text.chars().count() + 1
}

#[test]
fn white_space_that_parts_no_words_is_read_like_letters() {
    for space in ['\u{a0}', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{3000}', '\u{0}', '\u{feff}'] {
        for (text, expected) in [
            (format!("{space}"), ""),
            (format!("{space}v=a"), ""),
            (format!("v=a\n{space}\n"), "a"),
            (format!("v=a {space}"), ""),
            (format!("v=(a{space})"), &*format!("a{space} ")),
            (format!("v={space}"), &*format!("{space}")),
            (format!("if {space}; then v=a; fi"), "a"),
            (format!("v=$w{space}"), &*format!("{space}")),
        ] {
            assert_eq!(value(&text), expected, "{text:?}");
        }
    }
}

#[test]
fn every_text_is_read_to_its_end_in_steps_bounded_by_its_length() {
    let pieces = [
        "v", "=", "+=", "\"", "'", "\\", "$", "(", ")", "{", "}", "`", "\n", " ", "\r", "#", ";", "<", "ä",
        "\u{a0}", "\u{b}", "\u{c}", "\u{0}", "\u{85}", "\u{3000}", "\u{fffd}",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            text.push_str(pieces[seed as usize % pieces.len()]);
        }
        assert!(steps(&text) <= most(&text), "{text:?}");
    }
    // What is repeated costs as much each time.
    for piece in
        pieces.into_iter().chain(["v=(", "${", "${v", "$(", "v=`", "v+=\"$v", "vv", "v+", "v=a ", "a\\"])
    {
        for times in [1 << 8, 1 << 11, 1 << 14] {
            let text = piece.repeat(times);
            assert!(steps(&text) <= most(&text), "{times} times {piece:?}");
        }
    }
}

#[test]
fn values_that_double_are_bounded_and_what_comes_after_is_left_out_by_name() {
    let mut read = Assignments::default();
    let text = format!("a=xxxxxxxx\n{}b=late\n", "a=\"$a$a\"\n".repeat(40));
    let left_out = read.read(&text);
    assert!(read.get("a").len() <= EXPANDED && read.get("a").len() > EXPANDED / 4);
    assert_eq!(read.get("b"), "");
    let [LeftOut::Rest(line)] = left_out[..] else { panic!("{left_out:?}") };
    assert!((15..25).contains(&line), "{line}");
    // A long value that is put into one variable after the other.
    let mut read = Assignments::default();
    let text = format!("a={}\n{}", "x".repeat(1 << 16), "b=$a\n".repeat(1000));
    assert!(matches!(read.read(&text)[..], [LeftOut::Rest(_)]));
    assert!(read.expanded <= EXPANDED);
    // And over files.
    assert!(matches!(read.read("c=1\nc=$a\n")[..], [LeftOut::Rest(2)]));
    assert_eq!(read.get("c"), "1");
}
