// SPDX-License-Identifier: LGPL-2.1-or-later
//! dracut's own reading of its configuration, by its function for the files' order and by bash, beside ours.

use std::process::Command;

use testkit::TestRoot;

use crate::assignments::Assignments;
use crate::initrd::Drivers;
use crate::initrd::dracut_conf::files;
use crate::root::Root;

const VARIABLES: [&str; 4] = ["drivers", "add_drivers", "force_drivers", "omit_drivers"];

/// The function of dracut that sorts configuration files, and then what dracut does with them.
const SCRIPT: &str = r#"
eval "$(sed -n '/^dropindirs_sort()/,/^}/p' "$(command -v dracut)")"
unset drivers add_drivers force_drivers omit_drivers
cd "$1" || exit 1
[ ! -f etc/dracut.conf ] || . etc/dracut.conf
for f in $(dropindirs_sort .conf etc/dracut.conf.d usr/lib/dracut/dracut.conf.d); do
    echo "/$f" >&3
    [ ! -e "$f" ] || . "$f"
done
printf '%s\0' "$drivers" "$add_drivers" "$force_drivers" "$omit_drivers"
"#;

/// What dracut reads: its files in their order, and the values.
fn dracut(root: &TestRoot) -> (Vec<String>, Vec<String>) {
    let order = root.home().join("order");
    let output = Command::new("bash")
        .args(["-c", &format!("exec 3>'{}'; {SCRIPT}", order.display()), "bash"])
        .arg(root.path())
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
    let values = String::from_utf8(output.stdout).unwrap();
    let values = values.split_terminator('\0').map(Into::into).collect();
    let order = std::fs::read_to_string(order).unwrap();
    (order.lines().map(Into::into).collect(), values)
}

#[track_caller]
fn same(root: &TestRoot) -> Vec<String> {
    let opened = Root::open(&root.path()).unwrap();
    let (order, values) = dracut(root);
    let ours = files(&opened).files;
    let mut read = Assignments::default();
    for file in &ours {
        if let Ok(text) = opened.read(file, 1 << 20) {
            read.read(std::str::from_utf8(&text).unwrap());
        }
    }
    let order_of_ours: Vec<_> = ours[1..].iter().map(|f| f.display().to_string()).collect();
    assert_eq!(order_of_ours, order);
    let words =
        |text: &str| text.split([' ', '\n']).filter(|w| !w.is_empty()).map(String::from).collect::<Vec<_>>();
    for (variable, value) in VARIABLES.iter().zip(&values) {
        assert_eq!(words(read.get(variable)), words(value), "{variable}");
    }
    values
}

#[test]
fn order_and_values_are_dracuts() {
    let root = TestRoot::new();
    root.write("etc/dracut.conf", "add_drivers+=\" first \"\nomit_drivers=\"gone\"\n");
    for (dir, name, text) in [
        ("usr/lib/dracut", "01-dist.conf", "hostonly=\"yes\"\nadd_drivers+=\" dist \"\n"),
        ("usr/lib/dracut", "50-both.conf", "add_drivers+=\" overridden \"\n"),
        ("etc", "50-both.conf", "add_drivers+=' both '  # a comment\nforce_drivers+=\" f1 \\\n f2 \"\n"),
        ("etc", "9-nine.conf", "add_drivers+=\" nine \"\n"),
        ("etc", "10-ten.conf", "add_drivers+=\" ten \"; omit_drivers+=\" two-words\"\n"),
        ("etc", "08-x.conf", "x=earlier\n"),
        ("etc", "10-Ten.conf", "add_drivers+=\" $x-$undefined${x} \"\n"),
        ("etc", "010-ten.conf", "if [[ -n $add_drivers ]]; then\n  drivers+=\" in_if \"\nfi\n"),
        ("etc", "1.5~rc.conf", "drivers+=\" tilde \"\n"),
        ("etc", "1.5.conf", "drivers+=\" release \"\n"),
        ("etc", "a_b.conf", "# drivers=none\nexport drivers+=\" a_b \"\n"),
        ("etc", "a-b.conf", "drivers+=\" \\\"quoted\\\" 'x' \"\n"),
        ("etc", "a.b.conf", "drivers+=\" dots\"\n"),
        ("etc", "ab.conf", "force_drivers=\"only ab\"\n"),
        (
            "etc",
            "space.conf",
            "drivers+=\" form\u{c}feed no\u{a0}break \"\n: \u{c}x; x=a\u{3000}b\ndrivers+=\" $x \"\n",
        ),
        ("etc", ".hidden.conf", "drivers=hidden\n"),
        ("etc", "not-conf", "drivers=no\n"),
    ] {
        root.write(format!("{dir}/dracut.conf.d/{name}"), text);
    }
    root.symlink("etc/dracut.conf.d/zz-lost.conf", "/nowhere");
    let values = same(&root);
    assert!(values[0].contains("in_if") && values[2] == "only ab", "{values:?}");
}

#[test]
fn many_names_are_sorted_alike() {
    let root = TestRoot::new();
    let mut seed = 7_u64;
    let pieces = ["1", "01", "10", "9", "a", "B", "-", "_", ".", "~", ".x", "0"];
    for i in 0..200 {
        let mut name = String::new();
        for _ in 0..4 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            name.push_str(pieces[seed as usize % pieces.len()]);
        }
        if !name.starts_with('.') {
            root.write(format!("etc/dracut.conf.d/{name}.conf"), format!("drivers+=' d{i} '\n"));
        }
    }
    same(&root);
}

#[test]
fn names_of_drivers() {
    let root = TestRoot::new();
    root.write(
        "etc/dracut.conf",
        "add_drivers+=' nvme-core =drivers/net kernel/fs/ext4.ko.zst a.*b '\nforce_drivers='x y'\n\
         omit_drivers='y z-z .*/w.*'\n",
    );
    let mut problems = Vec::new();
    let drivers = Drivers::load(&Root::open(&root.path()).unwrap(), &mut problems);
    assert_eq!(drivers.wanted.into_iter().collect::<Vec<_>>(), ["ext4", "nvme_core", "x", "y"]);
    assert_eq!(drivers.omitted.into_iter().collect::<Vec<_>>(), ["z_z"]);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn nothing_is_run() {
    let root = TestRoot::new();
    let trap = root.home().join("trap");
    root.write(
        "etc/dracut.conf.d/x.conf",
        format!(
            "add_drivers+=\" a $(touch {0}) b \"\nforce_drivers=`touch {0}`\ntouch {0}\n",
            trap.display()
        ),
    );
    let mut problems = Vec::new();
    let drivers = Drivers::load(&Root::open(&root.path()).unwrap(), &mut problems);
    assert_eq!(drivers.wanted.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains("x.conf: line 1: "), "{problems:?}");
    assert!(!trap.exists());
}

#[test]
fn values_that_double_are_named_and_end_their_file_only() {
    let root = TestRoot::new();
    root.write(
        "etc/dracut.conf",
        format!("a=xxxxxxxx\n{}add_drivers+=\" late \"\n", "a=\"$a$a\"\n".repeat(40)),
    );
    root.write("etc/dracut.conf.d/x.conf", "\u{a0}add_drivers+=\" none \"\nadd_drivers+=\" next \"\n\u{c}\n");
    let mut problems = Vec::new();
    let drivers = Drivers::load(&Root::open(&root.path()).unwrap(), &mut problems);
    assert_eq!(drivers.wanted.into_iter().collect::<Vec<_>>(), ["next"]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains("dracut.conf: line "), "{problems:?}");
    assert!(problems[0].to_string().contains("left out"), "{problems:?}");
}
