// SPDX-License-Identifier: LGPL-2.1-or-later
//! Metadata of repositories, and what is kept of it.

use kmp_repo::kept;
use kmp_repo::rpmmd::{Wanted, advisories, packages};

const PRIMARY: &[&str] = &[
    "<metadata xmlns:rpm=\"r\" packages=\"1\"><package type=\"rpm\"><name>nic-kmp-default</name>\
    <arch>x86_64</arch><version epoch=\"1\" ver=\"1.0_k6.4.0_1\" rel=\"1.1\"/><checksum type=\"sha256\" pkgid=\"YES\">00ff\
    </checksum><size package=\"9\"/><location href=\"x86_64/nic.rpm\"/><format><rpm:vendor>A &amp; B</rpm:vendor>\
    <rpm:sourcerpm>nic.src.rpm</rpm:sourcerpm><rpm:header-range start=\"4504\" end=\"9000\"/><rpm:provides>\
    <rpm:entry name=\"kmod(nic.ko)\"/></rpm:provides><rpm:requires><rpm:entry name=\"ksym(default:foo)\" flags=\"EQ\" \
    epoch=\"0\" ver=\"aaaa\"/></rpm:requires><rpm:supplements><rpm:entry name='modalias(kernel-default:pci:v*)'/>\
    </rpm:supplements></format></package></metadata>",
];
const UPDATEINFO: &[&str] = &[
    "<updates><update from=\"a\" type=\"security\" version=\"1\"><id>S-1</id><severity>important</severity>\
    <references><reference href=\"x\" id=\"CVE-2026-1\" type=\"cve\"/></references><pkglist><collection>\
    <package name=\"kernel-default\" epoch=\"0\" version=\"6.4.0\" release=\"2\" arch=\"x86_64\"><filename>k</filename></package>\
    </collection></pkglist></update></updates>",
];
const LAST_UPDATE: &[&str] = &[
    "kmp-update-1\t9\nkernel\tkernel-default\tkernel-default-6-2.x86_64\t6-2-default\t7\t\tno build\n\
    driver\tnic\tmissing\t\t\twhy\nadvisory\tS-1\timportant\tCVE-2026-1 CVE-2026-2\nreleased\tkernel-default-6-3.x86_64\n",
];
const ZYPP_LOCKS: &[&str] =
    &["\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: bar\n\n\
    type: package\nversion: == 6-2\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: kernel-default\n\
    solvable_name: kmp-hold\n\n"];
const MACHINES: &[&str] = &[
    "{\"version\":1,\"machine\":\"a\",\"dialect\":\"suse\",\"kernels\":[{\"release\":\"6.4.0-1-default\",\"packages\":\
    [\"kernel-default-6.4.0-1.1.x86_64\"]}],\"kmps\":[{\"package\":\"nic-kmp-default-2:1-1.x86_64\",\"modules\":[{\"name\":\"nic\",\
    \"loaded\":true,\"holds_root\":true,\"holds_network\":false}]}]}\n\n{\"machine\":\"b\",\"packages\":[\"kernel-core-5.14.0-1.el9.x86_64\",\
    \"0:kmod-nic-1-1.x86_64\",\"bash-5-1.x86_64\"]}\n{\"machine\":\"a\",\"kernels\":[\"kernel-default-6.4.0-1.1.x86_64\"]}\n",
    "{\"web01\":{\"success\":true,\"result\":[{\"name\":\"kernel-default\",\"version\":\"6.4.0\",\"release\":\"1.1\",\"epoch\":\" \",\
    \"arch\":\"x86_64\"}]},\"web02\":[{\"name\":\"nic-kmp-default\",\"version\":\"1\",\"release\":\"1\",\"arch_label\":\"x86_64\"}]}",
    "{\"web01\":{\"results\":[{\"nvra\":\"kernel-core-5.14.0-1.el9.x86_64\"},{\"nvrea\":\"2:kmod-nic-1-1.x86_64\"}]}}",
];
const REPO_FILE: &[&str] =
    &["# x\n[a]\nname=A # b\nbaseurl=http://x/#y\n  http://z\nenabled=1\npriority = 50\n[b]\nx\n"];
const REPOMD: &[&str] = &["<repomd><revision>1</revision><data type=\"primary\"><checksum type=\"sha256\">\
    0000000000000000000000000000000000000000000000000000000000000005</checksum><location href=\"repodata/primary.xml.zst\"/>\
    <size>10</size><open-size>20</open-size></data></repomd>"];

/// For a target; nothing where it is another's.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let texts = match target {
        "extract" => return vec![extract()],
        "last_update" => LAST_UPDATE,
        "machines" => MACHINES,
        "primary" => PRIMARY,
        "repo_file" => REPO_FILE,
        "repomd" => REPOMD,
        "updateinfo" => UPDATEINFO,
        "zypp_locks" => ZYPP_LOCKS,
        _ => return Vec::new(),
    };
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// What is kept of the lists above, without its beginning, which has the checksum.
fn extract() -> Vec<u8> {
    let mut writer = kept::Writer::default();
    for text in PRIMARY {
        packages(text.as_bytes(), &Wanted::ALL, &mut |package| writer.package(package)).expect("a list");
    }
    for text in UPDATEINFO {
        advisories(text.as_bytes(), &mut |advisory| writer.advisory(&advisory)).expect("a list");
    }
    let whole = writer.finish(&[0; 32]).expect("a small one");
    whole.get(kept::BEGINNING..).unwrap_or_default().to_vec()
}
