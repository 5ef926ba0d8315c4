// SPDX-License-Identifier: LGPL-2.1-or-later
//! Architecture, size of struct module, signature.

use testkit::{Arch, KernelBuilder};

use super::{KREL, broken, judge, kernel, parse, reasons};
use crate::btf::tests::{NAMES, base, btf};
use crate::signature::Keys;
use crate::{
    Digests, Enforced, Kernel, KernelConfig, Module, Rule, SupportedOnly, Traits, Warning, builtin_names,
};

/// The header checks, `elf_check_arch`.
#[test]
fn class_byte_order_and_machine_must_be_the_kernels() {
    for ours in Arch::ALL {
        let builder = KernelBuilder::new(KREL).arch(ours);
        let kernel = kernel(&builder);
        for theirs in Arch::ALL {
            let expected = if ours == theirs { vec![] } else { vec![Rule::Architecture] };
            assert_eq!(broken(&kernel, &builder.driver("foo").arch(theirs)), expected);
        }
    }
}

/// `elf_validity_check` since 6.4: "section size must match the kernel's built struct module size".
#[test]
fn struct_size_counts_where_the_kernel_checks_it() {
    for (release, checked) in [
        ("6.4.0-150600.21-default", true),
        ("6.10.1-1-default", true),
        ("6.3.9-1-default", false),
        ("5.14.21-150500.55-default", false),
        ("5.14.0-570.el9.x86_64", true),
        ("4.18.0-477.el8.x86_64", false),
    ] {
        let builder = KernelBuilder::new(release);
        let expected = if checked { vec![Rule::StructSize] } else { vec![] };
        for size in [1216, 1344] {
            let module = builder.driver("foo").struct_module_size(Some(size));
            assert_eq!(broken(&kernel(&builder), &module), expected, "{release}");
        }
    }
}

/// What is not known of a kernel is not checked.
#[test]
fn traits_that_are_not_known_are_not_checked() {
    let builder = KernelBuilder::new(KREL);
    let kernel = Kernel { traits: Traits::default(), ..kernel(&builder) };
    let module = builder.driver("foo").arch(Arch::S390x).struct_module_size(Some(8)).vermagic("other");
    assert_eq!(broken(&kernel, &module), []);
}

/// `module_sig_check`: an unsigned module is refused where signatures are enforced; whose key is trusted
/// is the kernel's secret.
#[test]
fn unsigned_modules_are_refused_where_signatures_are_enforced() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    let unsigned = builder.driver("foo");
    let signed = builder.driver("foo").signature(*include_bytes!("../testdata/issuer.p7"));
    kernel.config.signatures = true;
    assert_eq!(broken(&kernel, &unsigned), []);
    kernel.config.signatures_enforced = true;
    assert_eq!(broken(&kernel, &unsigned), [Rule::Signature]);
    assert_eq!(broken(&kernel, &signed), []);
}

/// `is_module_sig_enforced`, `LOCKDOWN_MODULE_SIGNATURE`: it may be the machine that has signatures enforced.
#[test]
fn the_machine_may_enforce_signatures_and_know_keys() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    kernel.config.signatures = true;
    kernel.signing.enforced = Some(Enforced::SecureBoot);
    let found = reasons(&kernel, &builder.driver("foo"));
    assert!(found[0].rule == Rule::Signature && found[0].detail.contains("Secure Boot"), "{found:?}");
    let signed = builder.driver("foo").signature(*include_bytes!("../testdata/issuer.p7"));
    let warnings = |kernel: &Kernel| judge(kernel, std::slice::from_ref(&signed)).remove(0).warnings;
    let unknown = [Warning::Signer { signer: "Example Drivers signing key".into() }];
    assert_eq!(warnings(&kernel), unknown);
    // Not of a key that the machine has, or that the kernel's own modules are signed with.
    let mut listed = kernel.clone();
    listed.signing.keys.listed =
        [Box::from("1 asymmetri Example Drivers signing key: 12ab: X509.rsa []")].into();
    assert_eq!(warnings(&listed), []);
    let mut own = kernel.clone();
    own.traits = Traits::of(&parse(&signed));
    assert_eq!(warnings(&own), []);
    // Where all keys are known, it is refused, and linked all the same: the key may be enrolled.
    let mut known = kernel.clone();
    known.signing.keys = Keys { image: Some([].into()), is_machine_complete: true, ..Keys::default() };
    let verdict = judge(&known, std::slice::from_ref(&signed)).remove(0);
    assert_eq!((verdict.fits(), verdict.loads()), (true, Some(false)));
    let why = &verdict.untrusted().unwrap().detail;
    assert!(why.contains("Example Drivers") && why.contains("Secure Boot is on; its key"), "{why}");
    // And only where it matters.
    kernel.signing.enforced = None;
    assert_eq!(warnings(&kernel), []);
}

/// ENOPKG: what the kernel cannot verify is no signature, and no fault.
#[test]
fn a_signature_that_no_kernel_can_verify_counts_as_none() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    kernel.config.signatures = true;
    let old =
        [&[0; 20][..], &[0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 20], b"~Module signature appended~\n"].concat();
    let old = builder.driver("foo").trailer(old);
    assert_eq!(broken(&kernel, &old), []);
    kernel.config.signatures_enforced = true;
    assert_eq!(broken(&kernel, &old), [Rule::Signature]);
}

/// `mod_check_sig`: EBADMSG is fatal, enforced or not, in a kernel that looks at signatures.
#[test]
fn a_broken_signature_is_refused_by_kernels_that_look_at_signatures() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    let damaged = [&[0xff; 12][..], b"~Module signature appended~\n"].concat();
    let module = builder.driver("foo").trailer(damaged);
    assert_eq!(broken(&kernel, &module), []);
    kernel.config.signatures = true;
    assert_eq!(broken(&kernel, &module), [Rule::Signature]);
    kernel.config.signatures_enforced = true;
    assert_eq!(broken(&kernel, &module), [Rule::Signature]);
}

/// ENOPKG: kernels have not all digests, by their configuration.
#[test]
fn a_digest_that_the_kernel_does_not_have_is_no_signature() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    let signed = builder.driver("foo").signature(*include_bytes!("../testdata/issuer.p7"));
    for (config, expected) in [
        ("CONFIG_CRYPTO_SHA512=y\n", vec![Rule::Signature]),
        ("CONFIG_CRYPTO_SHA256=m\n", vec![]),
        ("CONFIG_CRYPTO_SHA256_ARM64=y\n", vec![]),
    ] {
        let on = "CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\n";
        kernel.config = KernelConfig::parse(format!("{on}{config}").as_bytes());
        assert_eq!(broken(&kernel, &signed), [], "{config}");
        kernel.config.signatures_enforced = true;
        assert_eq!(broken(&kernel, &signed), expected, "{config}");
    }
    // Of kernels to come it is not known by which options they have digests.
    kernel.config.digests = Some(Digests::default());
    kernel.release = "9.0.0-1-default".into();
    assert_eq!(broken(&kernel, &signed), []);
}

/// Where no signatures are read, what looks like one may be the end of the module.
#[test]
fn a_marker_alone_takes_nothing_away() {
    let builder = KernelBuilder::new(KREL);
    let kernel = kernel(&builder);
    for record in [[0, 0, 9, 1, 1, 0, 0, 0, 0, 0, 3, 0], [0, 0, 1, 99, 99, 0, 0, 0, 0, 0, 3, 0]] {
        let module = builder.driver("foo").trailer([&record[..], b"~Module signature appended~\n"].concat());
        assert_eq!(broken(&kernel, &module), [], "{record:?}");
    }
}

/// `mod_sysfs_setup` of SUSE's kernels; and SUSE's modprobe, which only a warning is about.
#[test]
fn the_machine_may_take_supported_modules_only() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    let found = |kernel: &Kernel, supported: &str| {
        let verdict = judge(kernel, &[builder.driver("foo").supported(supported)]).remove(0);
        (verdict.reasons.into_iter().map(|r| r.rule).collect::<Vec<_>>(), verdict.warnings)
    };
    assert_eq!(found(&kernel, "no"), (vec![], vec![]));
    for (why, rules, warnings) in [
        (SupportedOnly::Parameter, vec![Rule::Support], vec![]),
        (SupportedOnly::Running, vec![Rule::Support], vec![]),
        (SupportedOnly::Modprobe, vec![], vec![Warning::Unsupported]),
    ] {
        kernel.supported_only = Some(why);
        assert_eq!(found(&kernel, "no"), (rules, warnings));
        assert_eq!(found(&kernel, "external"), (vec![], vec![]));
        assert_eq!(found(&kernel, "yes"), (vec![], vec![]));
    }
}

#[test]
fn a_kernel_is_known_by_any_of_its_modules() {
    let module: Module = parse(&KernelBuilder::new(KREL).driver("foo"));
    let traits = Traits::of(&module);
    assert_eq!(traits.arch, Some(module.arch));
    assert_eq!(traits.vermagic, module.vermagic);
    assert_eq!(traits.struct_size, Some(testkit::STRUCT_MODULE_SIZE as u64));
}

/// `mod_sysfs_init` finds `/sys/module/NAME`; modprobe does not even try.
#[test]
fn a_module_that_the_kernel_has_built_in_is_never_loaded() {
    let builder = KernelBuilder::new(KREL);
    let mut kernel = kernel(&builder);
    kernel.builtin = builtin_names(b"kernel/drivers/net/foo-bar.ko\nkernel/fs/ext4/ext4.ko\n\n");
    assert_eq!(kernel.builtin.len(), 2);
    assert_eq!(broken(&kernel, &builder.driver("foo_bar")), [Rule::BuiltIn]);
    assert_eq!(broken(&kernel, &builder.driver("foo-bar")), [Rule::BuiltIn]);
    assert_eq!(broken(&kernel, &builder.driver("foo")), []);
}

/// `btf_module_notify`: types that go on where another kernel's end. Kernels that take such modules all the same are most.
#[test]
fn types_go_on_where_the_kernels_end() {
    let builder = KernelBuilder::new(KREL);
    let with = |base: u32| builder.driver("foo").section(".BTF", btf(base, NAMES, false));
    let config = |text: &str| KernelConfig::parse(format!("CONFIG_MODVERSIONS=y\n{text}").as_bytes());
    let mut kernel = kernel(&builder);
    kernel.traits = Traits::of(&parse(&with(1000)));
    let strict = "CONFIG_DEBUG_INFO_BTF_MODULES=y\n";
    kernel.config = config(strict);
    assert_eq!(broken(&kernel, &with(1000)), []);
    assert_eq!(broken(&kernel, &builder.driver("foo")), []);
    assert_eq!(broken(&kernel, &with(2000)), [Rule::Btf]);
    let unlikely = judge(&kernel, &[with(998)]).remove(0);
    assert!(unlikely.fits() && unlikely.warnings == [Warning::Btf]);
    assert_eq!(broken(&kernel, &builder.driver("foo").section(".BTF", *b"rubbish")), [Rule::Btf]);
    // Of a kernel whose own types are not known as well.
    let unknown = Kernel { traits: Traits { btf_names: None, ..kernel.traits.clone() }, ..kernel.clone() };
    assert_eq!(broken(&unknown, &builder.driver("foo").section(".BTF", *b"rubbish")), [Rule::Btf]);
    assert_eq!(broken(&unknown, &with(2000)), []);
    for lenient in ["", &format!("{strict}CONFIG_MODULE_ALLOW_BTF_MISMATCH=y\n")] {
        kernel.config = config(lenient);
        assert_eq!(broken(&kernel, &with(2000)), []);
    }
}

/// `btf_parse_base`: since 6.11 a module may bring the types of the kernel that it uses.
#[test]
fn types_may_have_a_base_of_their_own() {
    let judged = |release: &str, config: &str, section: Vec<u8>, own: Vec<u8>| {
        let builder = KernelBuilder::new(release);
        let module = builder.driver("foo").section(".BTF", section).section_not_loaded(".BTF.base", own);
        let mut kernel = kernel(&builder);
        kernel.traits.btf_names = Some(1_000_000);
        let config = format!("CONFIG_MODVERSIONS=y\nCONFIG_DEBUG_INFO_BTF_MODULES=y\n{config}");
        kernel.config = KernelConfig::parse(config.as_bytes());
        let of = |module| {
            let verdict = judge(&kernel, &[module]).remove(0);
            (verdict.reasons.into_iter().map(|r| r.rule).collect::<Vec<_>>(), verdict.warnings)
        };
        [of(module.clone()), of(module.built_for("6.11.0-2-default"))]
    };
    let (new, old) = ("6.11.0-1-default", "6.10.0-1-default");
    let sound = || btf(9, NAMES, false);
    let fits = (vec![], vec![]);
    assert_eq!(judged(new, "", sound(), base(4, 1)), [fits.clone(), (vec![], vec![Warning::BtfBase])]);
    let refused = (vec![Rule::Btf], vec![]);
    assert_eq!(judged(new, "", sound(), base(2, 1)), [refused.clone(), refused.clone()]);
    assert_eq!(judged(new, "", sound(), vec![]), [refused.clone(), refused.clone()]);
    assert_eq!(judged(new, "", btf(2000, NAMES, false), base(4, 1)), [refused.clone(), refused.clone()]);
    // Before, the base is not looked at; what Red Hat's kernels do their release does not say.
    let far = || btf(2_000_000, NAMES, false);
    assert_eq!(judged(old, "", far(), base(4, 1))[0], refused);
    let red_hats = "CONFIG_RHEL_DIFFERENCES=y\n";
    assert_eq!(judged(old, red_hats, far(), base(4, 1))[0], (vec![], vec![Warning::Btf]));
    assert_eq!(judged(new, "CONFIG_MODULE_ALLOW_BTF_MISMATCH=y\n", sound(), vec![])[0], fits);
}
