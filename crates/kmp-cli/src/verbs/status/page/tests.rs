// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whole screens of `kmp status`.

use kmp_core::survey::Place;

use super::*;

const KERNELS: [&str; 3] =
    ["6.4.0-150600.23.22-default", "6.4.0-150600.23.25-default", "6.4.0-150600.23.30-default"];

const fn standing(state: State, is_fault: bool) -> Standing {
    Standing { state, place: Place::Nowhere, detail: None, is_fault, lacks_key: false }
}

static NATIVE: Standing = standing(State::Native, false);
static LINKED: Standing = standing(State::Linked, false);
static REFUSED: Standing = standing(State::Refused, true);

fn row<'s>(name: &str, cells: &[Option<&'s Standing>]) -> Row<'s> {
    let is_wrong = cells.iter().flatten().any(|s| s.is_fault);
    Row { name: name.into(), cells: cells.to_vec(), is_wrong }
}

fn fault(name: &str, kernel: &str, text: &str) -> Paragraph {
    let state = Some((Colour::Red, "refused".to_string()));
    Paragraph { head: format!("{name} in {kernel}: refused"), state, text: vec![text.into()] }
}

fn report<'s>(releases: &[&'s str], rows: Vec<Row<'s>>, faults: Vec<Paragraph>) -> Report<'s> {
    let kernel = |(at, release): (usize, &&'s str)| Kernel {
        release,
        marks: if at == 1 { vec!["running", "boots next"] } else { Vec::new() },
    };
    Report {
        verdict: vec!["a verdict".into()],
        is_good: faults.is_empty(),
        kernels: releases.iter().enumerate().map(kernel).collect(),
        title: "DRIVER",
        rows,
        faults,
        lists: Vec::new(),
        hints: Vec::new(),
        all: false,
    }
}

fn drawn(width: usize, coloured: bool, report: &Report<'_>) -> String {
    let mut page = Page::with(Some(width), coloured);
    draw(&mut page, report);
    page.into_text()
}

#[test]
fn the_newest_kernel_comes_first_and_what_is_wrong_below() {
    let rows = vec![
        row("cam-kmp-default", &[Some(&NATIVE), Some(&LINKED), Some(&REFUSED)]),
        row("nic-kmp-rt", &[None, Some(&LINKED), Some(&LINKED)]),
    ];
    let why = "cam: usb_alert was 0x1f3a0c11 when it was built, vmlinux has 0x5e9941d2 (and 1 more)";
    let faults = vec![fault("cam-kmp-default-1.0_k6.4.0_150600.23.22-1", KERNELS[2], why)];
    assert_eq!(
        drawn(80, false, &report(&KERNELS, rows, faults)),
        "a verdict

1  6.4.0-150600.23.22-default
2  6.4.0-150600.23.25-default  (running, boots next)
3  6.4.0-150600.23.30-default

DRIVER           3         2         1
cam-kmp-default  refused   linked    native
nic-kmp-rt       linked    linked    -

cam-kmp-default-1.0_k6.4.0_150600.23.22-1 in 6.4.0-150600.23.30-default: refused
  cam: usb_alert was 0x1f3a0c11 when it was built, vmlinux has 0x5e9941d2 (and 1
  more)
"
    );
}

/// Whatever names there are, and however many of all: a screen is enough, no line is wider, and no name is cut.
#[test]
fn a_screen_is_enough_for_any_number() {
    let releases: Vec<String> = (1..=10).map(|n| format!("6.4.0-150600.23.{n}-default")).collect();
    let releases: Vec<&str> = releases.iter().map(String::as_str).collect();
    let long = "nvidia-open-driver-G06-signed-cuda-kmp-64kb";
    let why = ["a reason that is long"; 9].join(" ");
    for (drivers, wrong, kernels) in
        [(30, 0, 10), (30, 1, 10), (30, 30, 10), (1, 1, 10), (30, 30, 2), (300, 150, 5)]
    {
        let cells = |n: usize| -> Vec<Option<&Standing>> {
            (0..kernels)
                .map(|k| Some(if n < wrong && (k + n) % 3 == 2 { &REFUSED } else { &LINKED }))
                .collect()
        };
        let name = |n: usize| if n == 1 { long.to_string() } else { format!("driver{n}-kmp-default") };
        let rows: Vec<Row<'_>> = (0..drivers).map(|n| row(&name(n), &cells(n))).collect();
        let faults = || (0..wrong).map(|n| fault(&name(n), releases[kernels - 1], &why)).collect();
        let mut report = report(&releases[..kernels], rows, faults());
        for width in [80, 200] {
            let text = drawn(width, false, &report);
            assert!(text.lines().count() <= 40, "{}: {text}", text.lines().count());
            for line in text.lines() {
                assert!(line.chars().count() <= width && !line.ends_with(' '), "{line:?}");
            }
            assert!(wrong < 2 || text.contains("kmp status --all lists"), "{text}");
        }
        report.all = true;
        let text = drawn(80, false, &report);
        assert!(report.rows.iter().all(|r| text.contains(&format!("\n{}", r.name))), "{text}");
        let is_cell = |line: &&str| line.contains("  linked") || line.contains("  refused");
        let cells = |line: &str| line.matches("  linked").count() + line.matches("  refused").count();
        let count: usize = text.lines().filter(|l| !l.contains(" in ")).filter(is_cell).map(cells).sum();
        assert!(count >= drivers * kernels, "{count}: {text}");
    }
}

#[test]
fn equal_neighbours_are_one_column_where_there_is_no_room_for_all() {
    let releases: Vec<String> = (1..=10).map(|n| format!("6.4.0-{n}-default")).collect();
    let releases: Vec<&str> = releases.iter().map(String::as_str).collect();
    let mut cells = vec![Some(&LINKED); 10];
    cells[0] = Some(&NATIVE);
    cells[9] = Some(&REFUSED);
    let text = drawn(80, false, &report(&releases, vec![row("cam-kmp-default", &cells)], Vec::new()));
    assert!(
        text.ends_with(
            "\nDRIVER           10        2-9       1\ncam-kmp-default  refused   linked    native\n"
        ),
        "{text}"
    );
}

#[test]
fn colours_change_nothing_but_colours() {
    let rows = || vec![row("foo", &[Some(&NATIVE), None, Some(&REFUSED)])];
    let faults = || vec![fault("foo", KERNELS[2], "gone")];
    let plain = drawn(80, false, &report(&KERNELS, rows(), faults()));
    let mut coloured = drawn(80, true, &report(&KERNELS, rows(), faults()));
    assert!(coloured.contains("\x1b[32mnative\x1b[0m") && coloured.contains("\x1b[31mrefused\x1b[0m"));
    while let Some(start) = coloured.find('\x1b') {
        let end = start + coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=end, "");
    }
    assert_eq!(coloured, plain);
}
