// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rules about a module as a whole: architecture, vermagic, size of `struct module`, signature, versions at all.

use super::{Candidate, Reason, Rule, Warning, World};
use crate::btf::{self, Match};
use crate::signature::{KeyTrust, NAME_IS_LISTED, RUNNING_HAS_IT, Signature};
use crate::{Export, Feature, Module, Release, Sections, SignatureState, Supported, SupportedOnly};

/// `EM_X86_64`.
const X86_64: u16 = 62;

impl World<'_> {
    /// The rules that concern no single symbol.
    pub(super) fn whole_module(&self, module: &Module) -> Vec<Reason> {
        let kernel = self.kernel;
        if module.is_declared {
            return self.layout(module).into_iter().collect();
        }
        let mut reasons = Vec::new();
        if let Some(arch) = kernel.traits.arch
            && arch != module.arch
        {
            let detail = format!("built for {}, the kernel is for {arch}", module.arch);
            reasons.push(Reason::new(Rule::Architecture, detail));
        }
        reasons.extend(self.sections(module));
        reasons.extend(self.vermagic(module));
        if let Some(size) = kernel.traits.struct_size
            && size != module.struct_size
            && kernel.has(Feature::StructSize)
        {
            let detail = format!("its struct module has {} bytes, the kernel's {size}", module.struct_size);
            reasons.push(Reason::new(Rule::StructSize, detail));
        }
        reasons.extend(self.signature(module));
        if let Some(ns) = module.import_ns.iter().find(|n| n.starts_with("module:"))
            && kernel.has(Feature::ModuleNamespaces)
        {
            let detail = format!("imports the namespace {ns}, which cannot be imported");
            reasons.push(Reason::new(Rule::Namespace, detail));
        }
        if self.has_modversions && !kernel.config.force_load && !self.versions_count(module) {
            let detail = "built without symbol versions (no __versions)";
            reasons.push(Reason::new(Rule::NoVersion, detail));
        }
        reasons.extend(self.layout(module));
        reasons.extend(self.export_form(module));
        reasons.extend(self.btf(module).err().map(|detail| Reason::new(Rule::Btf, detail)));
        reasons.extend(self.support(module));
        reasons
    }

    /// `mod_sysfs_setup` of SUSE's kernels.
    fn support(&self, module: &Module) -> Option<Reason> {
        let why = match self.kernel.supported_only.filter(|_| module.supported == Supported::No)? {
            SupportedOnly::Parameter => "unsupported=0 is on its command line",
            SupportedOnly::Running => "/proc/sys/kernel/unsupported is 0",
            SupportedOnly::Modprobe => return None,
        };
        let detail = format!("not supported by the distributor, and the kernel takes no such module: {why}");
        Some(Reason::new(Rule::Support, detail))
    }

    /// SUSE's modprobe may be configured to load only what is supported; insmod loads the others.
    pub(super) fn support_warning(&self, module: &Module) -> Option<Warning> {
        let is_kept_out = self.kernel.supported_only == Some(SupportedOnly::Modprobe)
            && module.supported == Supported::No
            && !module.is_declared;
        is_kept_out.then_some(Warning::Unsupported)
    }

    /// `btf_module_notify`: why the kernel refuses its types; else a warning, where it may.
    fn btf(&self, module: &Module) -> Result<Option<Warning>, String> {
        let kernel = self.kernel;
        let Some(btf) = module.sections.btf.as_ref().filter(|_| kernel.config.strict_btf) else {
            return Ok(None);
        };
        if let Some(why) = btf.fault {
            return Err(format!("its .BTF cannot be read: {why} (remove the section)"));
        }
        if btf.has_unknown_kind && self.is_known() {
            return Err(
                "its .BTF has a type of a kind that the kernel does not know (remove the section)".into()
            );
        }
        let (base, has_bases) = (btf.own_base, kernel.has(Feature::BtfBase));
        if let Some(base) = base.filter(|_| has_bases) {
            if let Some(why) = base.fault {
                return Err(format!("its .BTF.base cannot be read: {why} (remove the section .BTF)"));
            }
            if btf::matches(btf, base.names) == Match::No {
                return Err(
                    "its .BTF was made for another base than its .BTF.base (remove the section .BTF)".into(),
                );
            }
            // Whether the kernel has each type is not looked at; the one that it was built for has.
            let built_for = module.vermagic.as_deref().and_then(|vermagic| vermagic.split(' ').next());
            return Ok((built_for != Some(&*kernel.release)).then_some(Warning::BtfBase));
        }
        match kernel.traits.btf_names.map(|names| btf::matches(btf, names)) {
            // Red Hat's kernels have newer BPF than their release says.
            Some(Match::No) if base.is_some() && kernel.config.is_red_hats => Ok(Some(Warning::Btf)),
            Some(Match::No) => Err(
                "its .BTF was made for another kernel's types (remove the section, or build for this kernel)"
                    .into(),
            ),
            Some(Match::Unlikely) => Ok(Some(Warning::Btf)),
            Some(Match::Yes) | None => Ok(None),
        }
    }

    /// What is likely only: the kernel may find something wrong with its BTF.
    pub(super) fn btf_warning(&self, module: &Module) -> Option<Warning> {
        self.btf(module).ok().flatten()
    }

    /// What is wrong with sections to this kernel.
    fn sections(&self, module: &Module) -> Option<Reason> {
        let (kernel, sections) = (self.kernel, &module.sections);
        let malformed = |detail: String| Some(Reason::new(Rule::Malformed, detail));
        if let Some(what) = sections.repeated.filter(|_| kernel.has(Feature::StructSize)) {
            return malformed(format!("it has more than one {what}"));
        }
        // kobject_init_and_add
        if sections.has_no_name && kernel.traits.has_names_in_place {
            return malformed("its struct module has no name in it".into());
        }
        // add_sect_attrs
        if let Some(name) = sections.doubled.as_deref()
            && kernel.config.kallsyms
            && kernel.has(Feature::SectionFiles)
        {
            return malformed(format!("it has two sections {name} that are loaded"));
        }
        // module_enforce_rwx_sections
        if let Some(name) =
            sections.writable_code.as_deref().filter(|_| kernel.config.strict_rwx == Some(true))
        {
            return malformed(format!("its section {name} is both writable and executable"));
        }
        // percpu_modalloc; PERCPU_MODULE_RESERVE, of which other modules have used some.
        if kernel.config.percpu_reserve.is_some_and(|reserve| sections.percpu > reserve)
            && module.arch.machine == X86_64
        {
            let size = sections.percpu;
            return malformed(format!(
                "its per-cpu data has {size} bytes, more than the kernel has for all modules"
            ));
        }
        // Of a newer kernel it is not known which relocations it knows.
        if let Some(why) = sections.bad_relocation.as_deref()
            && Release::of(&kernel.release).is_none_or(|release| release <= Sections::KNOWN)
        {
            return malformed(why.into());
        }
        // klp_apply_section_relocs, by apply_relocations
        if let Some(name) = sections.nameless_patch.as_deref()
            && kernel.config.live_patches == Some(true)
            && kernel.has(Feature::PatchRelocations)
        {
            return malformed(format!(
                "{name} has relocations of a live patch, and does not say in its name what they patch"
            ));
        }
        // klp_module_coming: the name by which live patches mean the kernel itself
        if module.own_name() == "vmlinux"
            && kernel.config.live_patches == Some(true)
            && kernel.has(Feature::PatchRelocations)
        {
            return malformed("kernels with live patches take no module named vmlinux".into());
        }
        // check_modinfo_livepatch
        if module.is_live_patch && kernel.config.live_patches == Some(false) {
            return malformed("it is a live patch, and the kernel takes none (CONFIG_LIVEPATCH)".into());
        }
        None
    }

    /// `module_sig_check`.
    fn signature(&self, module: &Module) -> Option<Reason> {
        let kernel = self.kernel;
        let refused = match &module.signature {
            SignatureState::Broken(why) if kernel.config.signatures => {
                let detail = format!("its signature cannot be read: {why}");
                return Some(Reason::new(Rule::Signature, detail));
            }
            SignatureState::Unsigned => "not signed".to_string(),
            SignatureState::Signed(Signature { unsupported: Some(why), .. }) => {
                format!("its signature counts as none: {why}")
            }
            SignatureState::Signed(signature) if self.lacks_digest(signature) => {
                let digest = signature.hash.unwrap_or_default();
                format!(
                    "its signature counts as none: it is made with {digest}, which the kernel does not have"
                )
            }
            SignatureState::Signed(_) | SignatureState::Broken(_) => return None,
        };
        let takes_signed_only = "and the kernel takes signed modules only";
        let detail = match kernel.signing.enforced {
            _ if kernel.config.signatures_enforced => format!("{refused}, {takes_signed_only}"),
            Some(why) => format!("{refused}, {takes_signed_only}: {why}"),
            None => return None,
        };
        Some(Reason::new(Rule::Signature, detail))
    }

    /// Is it one of the releases of which is known what they have?
    fn is_known(&self) -> bool {
        Release::of(&self.kernel.release).is_some_and(|release| release <= Sections::KNOWN)
    }

    /// `ENOPKG`. Of a newer kernel it is not known by which options it has digests.
    fn lacks_digest(&self, signature: &Signature) -> bool {
        let digests = self.kernel.config.digests.filter(|_| self.is_known() && signature.is_of_digest);
        digests.zip(signature.hash).is_some_and(|(digests, hash)| !digests.has(hash))
    }

    /// Does the kernel know the key that signed it (`ENOKEY`)?
    pub(super) fn key(&self, module: &Module) -> Option<KeyTrust> {
        let signature = module.signature.signed().filter(|signature| signature.unsupported.is_none())?;
        (!module.is_declared).then(|| self.kernel.trust(signature))
    }

    /// What follows from that where signatures are enforced.
    pub(super) fn key_warning(&self, module: &Module, key: Option<&KeyTrust>) -> Option<Warning> {
        let (kernel, signature, key) = (self.kernel, module.signature.signed()?, key?);
        if !kernel.enforces_signatures() {
            return None;
        }
        let signer = signature.signer.as_deref().filter(|signer| !signer.is_empty());
        let signer = signer.or(signature.key_id.as_deref()).unwrap_or("somebody");
        match key {
            KeyTrust::Trusted(_) | KeyTrust::Unknown(RUNNING_HAS_IT | NAME_IS_LISTED) => None,
            KeyTrust::Unknown(_) => Some(Warning::Signer { signer: signer.into() }),
            KeyTrust::AfterEnrolment => Some(Warning::Enrolment { signer: signer.into() }),
            KeyTrust::NotTrusted(_) | KeyTrust::Revoked => {
                let why = kernel.signing.enforced.map(|why| format!(": {why}")).unwrap_or_default();
                let detail = format!(
                    "signed by {signer}, and the kernel takes only modules signed with a key that it knows{why}; {key}"
                );
                Some(Warning::Untrusted { reason: Reason::new(Rule::Signature, detail) })
            }
        }
    }

    /// `check_export_symbol_sections`; before 7.1 `check_export_symbol_versions`, which does not know flags.
    fn export_form(&self, module: &Module) -> Option<Reason> {
        let has_exports = module.offers.iter().any(|offer| self.sees(module, offer));
        if has_exports && !module.has_export_flags && self.kernel.has(Feature::ExportFlags) {
            let detail =
                "its exports have no flags (no __kflagstab), as it was built for a kernel before 7.1";
            return Some(Reason::new(Rule::ExportForm, detail));
        }
        let wants_versions = self.has_modversions && !self.kernel.config.force_load;
        (module.lacks_export_crcs && wants_versions)
            .then(|| Reason::new(Rule::ExportForm, "its exports have no versions (no __kcrctab)"))
    }

    /// kmod goes by the name of the file, the kernel by the module's own (`mod_sysfs_init`).
    pub(super) fn built_in(&self, candidate: &Candidate<'_>) -> Option<Reason> {
        let names = [candidate.name, candidate.module.own_name()];
        let name = names.into_iter().find(|name| self.kernel.builtin.contains(*name))?;
        let detail = format!("the kernel has {name} built in, so that no module of that name is ever loaded");
        Some(Reason::new(Rule::BuiltIn, detail))
    }

    /// `same_magic`: with a `__versions` section, everything after the release; else all of it. Extended
    /// versions alone do not count here (`info->index.vers`).
    fn vermagic(&self, module: &Module) -> Option<Reason> {
        let ours = self.kernel.traits.vermagic.as_deref()?;
        let is_seen = !module.sections.modinfo_not_loaded || self.kernel.has(Feature::AnyModinfo);
        let Some(theirs) = module.vermagic.as_deref().filter(|_| is_seen) else {
            let detail = "has no vermagic".to_string();
            return (!self.kernel.config.force_load).then(|| Reason::new(Rule::Vermagic, detail));
        };
        fn flags(vermagic: &str) -> &str {
            vermagic.find(' ').map_or("", |at| &vermagic[at..])
        }
        let same = if module.has_versions && self.has_modversions {
            flags(ours) == flags(theirs)
        } else {
            ours == theirs
        };
        (!same).then(|| {
            Reason::new(
                Rule::Vermagic,
                format!("vermagic is '{}', should be '{}'", theirs.trim(), ours.trim()),
            )
        })
    }

    /// `check_modstruct_version`.
    pub(super) fn layout(&self, module: &Module) -> Option<Reason> {
        if !self.has_modversions || !self.versions_count(module) {
            return None;
        }
        // No entry for it: the loader warns and goes on.
        let wanted = self.wanted(module, module.layout)?;
        match self.kernel.symbols.get("module_layout") {
            Some(Export { crc: Some(offered), .. }) if offered == wanted => None,
            Some(Export { crc: Some(offered), .. }) => {
                let detail = format!(
                    "struct module is laid out differently: module_layout was {wanted:#010x} when it was built, \
                     the kernel has {offered:#010x}"
                );
                let reason = Reason::on(Rule::ModuleLayout, "module_layout", detail);
                Some(Reason { wanted: Some(wanted), offered: Some(offered), ..reason })
            }
            Some(Export { crc_known: true, .. }) => None,
            _ => {
                let detail = "the kernel's version of module_layout is not known".into();
                let reason = Reason::on(Rule::UnknownCrc, "module_layout", detail);
                Some(Reason { wanted: Some(wanted), ..reason })
            }
        }
    }
}
