// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is decided: which kernels need a new initrd.

use super::*;

#[test]
fn only_kernels_with_the_module_in_their_initrd_get_a_new_one() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    // No initrd has it.
    assert!(!good(root, &["sync"]).stdout.contains("initrd"));
    assert_eq!(machine.calls(), [""; 0]);
    machine.initrd(SAME, &[(LINK, module)]);
    let (two, _) = foo("2");
    root.update(&[&two]);
    let output = ends(root, &["sync", "--dry-run"], 1);
    let due = format!("{SAME}: a new initrd is needed: foo: the initrd has another build\n");
    assert!(output.stdout.contains(&due), "{output}");
    assert!(machine.calls().is_empty() && machine.markers().is_empty());
    let output = good(root, &["sync"]);
    assert!(output.stdout.contains(&format!("{SAME}: a new initrd was made: foo: ")), "{output}");
    assert_eq!(machine.calls(), [made(SAME)]);
    assert!(machine.markers().is_empty());
    // Once is enough.
    good(root, &["sync"]);
    assert!(machine.calls().is_empty());
}

/// bsc#1135854: the same module, packed in another way, is no change; another one is, however it is packed.
#[test]
fn bsc_1135854_packed_in_another_way() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    good(root, &["sync", "--no-initrd"]);
    for compression in Compression::ALL {
        let name = format!("{LINK}{}", compression.suffix());
        machine.initrd(SAME, &[(&name, compress(&module, compression))]);
        let output = good(root, &["initrd", "--dry-run", "--kernel", SAME]);
        assert_eq!(output.stdout, format!("{SAME}: no new initrd: the initrd is up to date\n"));
        machine.initrd(SAME, &[(&name, compress(&foo("2").1, compression))]);
        let output = ends(root, &["initrd", "--dry-run", "--kernel", SAME], 1);
        assert!(output.stdout.contains("foo: the initrd has another build"), "{output}");
    }
}

#[test]
fn a_module_that_goes_and_one_that_dracuts_configuration_wants() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    good(root, &["sync"]);
    root.write("etc/dracut.conf.d/foo.conf", "force_drivers+=\" foo \"\n");
    let output = ends(root, &["initrd", "--dry-run"], 1);
    let lacks = |krel| {
        format!(
            "{krel}: a new initrd is needed: foo: wanted by dracut's configuration, but not in the initrd\n"
        )
    };
    assert_eq!(
        output.stdout,
        format!("{}{}{OTHER}: no new initrd: the initrd is up to date\n", lacks(OLD), lacks(SAME))
    );
    root.write("etc/dracut.conf.d/foo.conf", "omit_drivers+=\" foo \"\n");
    good(root, &["initrd", "--dry-run"]);
    // Made by another configuration, with another build: what it has is loaded.
    machine.initrd(SAME, &[(LINK, foo("2").1)]);
    let output = ends(root, &["initrd", "--dry-run"], 1);
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd is needed: foo: the initrd has another build"))
    );
    root.write("etc/dracut.conf.d/foo.conf", "");
    machine.initrd(SAME, &[(LINK, module)]);
    good(root, &["initrd", "--dry-run"]);
    root.erase(&[one.name()]);
    good(root, &["sync"]);
    assert_eq!(machine.calls(), [made(SAME)]);
}

#[test]
fn json() {
    let machine = Machine::kernels();
    machine.root.write(format!("boot/initrd-{SAME}"), "cut");
    let value = crate::support::json(&machine.root, &["initrd", "--dry-run"]);
    let kernel = &value["kernels"][1];
    assert_eq!(kernel["release"], SAME);
    assert_eq!((&kernel["needed"], &kernel["done"]), (&true.into(), &"due".into()), "{value}");
    assert!(kernel["reason"].as_str().unwrap().contains("cannot be read"), "{value}");
    assert_eq!(value["kernels"][0]["needed"], false);
}

/// boo#1212957, boo#1213822: a kernel without an initrd gets one, also where nothing else is to be done.
#[test]
fn boo_1212957_a_kernel_without_an_initrd() {
    let machine = Machine::kernels();
    let root = &machine.root;
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    let output = good(root, &["initrd"]);
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was made: there is no initrd\n")),
        "{output}"
    );
    assert_eq!(machine.calls(), [made(SAME)]);
    good(root, &["add-kernel", SAME]);
    assert_eq!(machine.calls(), [made(SAME)]);
    // None for kdump, and none where nothing could boot it.
    let kdump = "6.4.0-2-kdump";
    write(&kernel(kdump, 7), root);
    root.write(format!("usr/lib/modules/{kdump}/vmlinuz"), "");
    good(root, &["add-kernel", kdump]);
    std::fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/vmlinuz"))).unwrap();
    good(root, &["add-kernel", OLD]);
    assert!(machine.calls().is_empty());
}

/// bsc#1208179: what a KMP's scriptlet asks for with KMP_NEEDS_MKINITRD is not lost between commands.
#[test]
fn bsc_1208179_a_package_asks_for_an_initrd() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, _) = foo("1");
    root.install(&[&one]);
    machine.wm2(&[("KMP_NEEDS_MKINITRD", "0")], &["--add-kmp", one.nvr()]);
    assert!(machine.calls().is_empty());
    let variables = [("KMP_NEEDS_MKINITRD", "1"), ("INITRD_IN_POSTTRANS", "1")];
    machine.wm2(&variables, &["--add-kmp", one.nvr()]);
    assert_eq!(machine.markers(), [OLD, SAME]);
    // By another command, with nothing of that in its environment.
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.calls(), [made(OLD), made(SAME)]);
    // In a transaction that rpm's plugin looks after only a note is taken; the sync at its end knows nothing else.
    let script = format!(
        "mkdir -p \"$1\"/run/kmp && exec flock \"$1\"/run/kmp/transaction env KMP_TRANSACTION=1 KMP_NEEDS_MKINITRD=1 \
         \"$2\" --root \"$1\" add-kmp {}",
        one.nvr()
    );
    let noted =
        || run(root.command("sh").args(["-c", &script, "sh"]).arg(root.path()).arg(KMP)).expect_success();
    noted();
    assert!(machine.markers().is_empty() && machine.calls().is_empty());
    machine.with(&[("INITRD_IN_POSTTRANS", "1")], &["sync"]).expect_success();
    assert_eq!(machine.markers(), [OLD, SAME]);
    machine.posttrans(&[]).expect_success();
    machine.with(&[("INITRD_IN_POSTTRANS", "1")], &["sync"]).expect_success();
    assert!(machine.markers().is_empty());
}

/// boo#1212957: modules of a kernel's own that come or go in another package. Which of them the initrd wants is for the
/// generator to say, which goes by the hardware: it is asked, whatever is in the initrd that there is.
#[test]
fn boo_1212957_in_tree_modules_that_come_or_go() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let module = kernel(SAME, 7).driver("more_net").need("printk", 1).build();
    let path = "kernel/drivers/net/more-net.ko";
    root.write(format!("usr/lib/modules/{SAME}/{path}"), &module);
    let call = |variables: &[(&str, &str)], verb: &str| {
        let list = format!("/usr/lib/modules/{SAME}/{path}\n");
        let mut command = wm2_command(root, &["--run-in-root", &format!("--{verb}-kernel-modules"), SAME]);
        run(command.envs(variables.iter().copied()).stdin(piped(&list))).expect_success();
        let markers = machine.markers();
        machine.posttrans(&[]).expect_success();
        (markers, machine.calls())
    };
    for present in [vec![], vec![(path, module)]] {
        machine.initrd(SAME, &present);
        for verb in ["add", "remove"] {
            let asked = (vec![SAME.to_string()], vec![made(SAME)]);
            assert_eq!(call(&[("INITRD_IN_POSTTRANS", "1")], verb), asked);
            assert_eq!(call(&[], verb), (vec![], vec![made(SAME)]));
        }
    }
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{SAME}"))).unwrap();
    assert_eq!(call(&[], "remove"), (vec![], vec![]));
}
