use crate::support::*;
use crate::packages::*;
fn look(mode: Mode) {
    let site = Site::new(mode);
    site.root().write("usr/lib/zypp/plugins/commit/kmp", "#!/bin/sh\necho START >>/frames; tee -a /frames | /usr/bin/kmp zypp-commit-plugin; echo END $? >>/frames");
    make_executable(&site.root().join("usr/lib/zypp/plugins/commit/kmp"));
    let new = kernel(NEW, 8);
    let say = |w: &str| format!("echo {w} $(readlink /proc/$PPID/exe) K=$KMP_TRANSACTION Z=$ZYPP_IS_RUNNING S=$ZYPP_SINGLE_RPMTRANS C=$ZYPP_CLASSIC_RPMTRANS $(ls /usr/lib/modules/{NEW}/weak-updates/updates) PP=$PPID $(readlink /proc/$(sed -n 's/PPid:.//p' /proc/$PPID/status)/exe) >>/said");
    let k = telling(&new).scriptlet("post", &say("kpost")).scriptlet("posttrans", &say("kposttrans")).build();
    let o = plain_kmp("oldbar", "2.0", &new).tag("Obsoletes", "bar-kmp-default").scriptlet("post", &say("opost")).build();
    let d = kmp("foo", "2.0", &new, 8).scriptlet("post", &say("dpost")).scriptlet("posttrans", &say("dposttrans")).build();
    site.offer(&[&k]);
    println!("{}", site.zypper(&["install", "kernel-default"]));
    site.offer(&[&d, &o]);
    println!("{}", site.zypper(&["dup"]));
    println!("{}", site.run(&["sh", "-c", "cat /said; cat /depmod.log; find /run"]));
    println!("{}", site.zypper(&["install", "kernel-default", "-foo-kmp-default", "oldbar-kmp-default"]));
    println!("{}", site.zypper(&["remove", "foo-kmp-default", "oldbar-kmp-default"]));
    println!("{}", site.run(&["sh", "-c", "tr '\\0' '@' </frames; echo; cat /depmod.log; cat /var/log/zypper.log | grep -i 'plugin\\|comm.*env\\|Executing .*rpm'"]));
}
#[test]
fn classic() { look(Mode::Classic) }
#[test]
fn single() { look(Mode::Single) }
