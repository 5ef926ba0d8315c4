// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the fuzzer runs: one program with a target for each reader, chosen by `KMP_FUZZ_TARGET`. (Programs of their own would
//! each be as large: instrumented code that is not used is not left out.)
//!
//! A target fails by a panic, by time (libFuzzer's `-timeout`), or by memory: more than [`memory::bound`] allows for an input
//! of that length. Beside "it comes back, without a panic", targets check what must hold of any input: that two ways to read
//! say the same.
#![no_main]

mod boot;
mod kabi;
mod memory;
mod packages;
mod packed;
mod repositories;
mod settings;
mod sources;
mod tables;
mod trust;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("assignments", settings::assignments),
    ("boot_entry", boot::boot_entry),
    ("boot_image", kabi::boot_image),
    ("btf_types", kabi::btf_types),
    ("bzip2", packed::bzip2),
    ("capability", packages::capability),
    ("catalogue", sources::catalogue),
    ("certificates", trust::certificates),
    ("command_line", packages::command_line),
    ("commit_list", packages::commit_list),
    ("cpio", packed::cpio),
    ("depmod_d", settings::depmod_d),
    ("deps", packages::deps),
    ("dracut_conf", settings::dracut_conf),
    ("extract", repositories::extract),
    ("glob", settings::glob),
    ("grub_cfg", boot::grub_cfg),
    ("gzip", packed::gzip),
    ("hwdata", trust::hwdata),
    ("index", tables::index),
    ("index_cache", tables::index_cache),
    ("initrd", packed::initrd),
    ("kernel_config", settings::kernel_config),
    ("kernel_image", tables::kernel_image),
    ("kmp_conf", settings::kmp_conf),
    ("last_update", settings::last_update),
    ("lz4", packed::lz4),
    ("lz4_legacy", packed::lz4_legacy),
    ("lzma", packed::lzma),
    ("lzop", packed::lzop),
    ("machines", repositories::machines),
    ("modalias", trust::modalias),
    ("modinfo", tables::modinfo),
    ("module", tables::module),
    ("modules_dep", tables::modules_dep),
    ("openpgp", trust::openpgp),
    ("os_release", settings::os_release),
    ("package_listed", sources::package_listed),
    ("primary", repositories::primary),
    ("repo_file", repositories::repo_file),
    ("repomd", repositories::repomd),
    ("rpm_header", packages::rpm_header),
    ("severities", kabi::severities),
    ("signature", tables::signature),
    ("signature_header", trust::signature_header),
    ("source_list", sources::list),
    ("source_record", sources::record),
    ("squashfs", packed::squashfs),
    ("stomp", packages::stomp),
    ("symsets", packages::symsets),
    ("symtypes", kabi::symtypes),
    ("symvers", tables::symvers),
    ("system_map", tables::system_map),
    ("unified_image", boot::unified_image),
    ("updateinfo", repositories::updateinfo),
    ("xz", packed::xz),
    ("zstd", packed::zstd),
    ("zypp_locks", repositories::zypp_locks),
];

static CHOSEN: OnceLock<Target> = OnceLock::new();

/// Finds the target. Without one, prints the names of all, a line each, and ends.
fn choose() {
    let name = std::env::var("KMP_FUZZ_TARGET").unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        for (name, _) in TARGETS {
            println!("{name}");
        }
        std::process::exit(if name.is_empty() { 0 } else { 2 });
    };
    CHOSEN.get_or_init(|| *target);
}

fuzz_target!(init: choose(), |data: &[u8]| {
    let Some(target) = CHOSEN.get() else { return };
    let peak = memory::peak_of(|| target(data));
    let bound = memory::bound(data.len());
    assert!(peak <= bound, "{peak} bytes of memory for {} bytes of input, the bound is {bound}", data.len());
});
