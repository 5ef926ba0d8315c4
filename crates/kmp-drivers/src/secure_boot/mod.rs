// SPDX-License-Identifier: LGPL-2.1-or-later
//! Does a kernel know the key that signed a module, and is the signature made with it? Asked before the reboot: afterwards the driver is
//! missing. Pure.

mod verify;

use kmp_core::abi::signature::{KeyTrust, signed_parts};
use kmp_core::abi::{Kernel, Module};
use kmp_core::unpack::{MODULE_LIMIT, inflate};
use sha2::{Digest as _, Sha256};

/// A module's signature in a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleKey {
    /// The signer, as the signature names it.
    pub signer: Option<String>,
    /// The certificate's serial number or the key's id, in hex with colons.
    pub key_id: Option<String>,
    /// Does the kernel know the key? Whether it asks for that is [`Kernel::enforces_signatures`].
    pub trust: KeyTrust,
    /// Is the signature what the key makes of this module? `None`: no certificate of it is at hand, or none that can be used here.
    pub is_genuine: Option<bool>,
    /// Is this very file revoked on the machine?
    pub is_revoked: bool,
}

impl ModuleKey {
    /// Of a module that is signed. `file`: its file's contents, packed or not, where the signature is to be verified.
    pub fn of(kernel: &Kernel, module: &Module, file: Option<&[u8]>) -> Option<Self> {
        let signature = module.signature.signed().filter(|signature| signature.unsupported.is_none())?;
        let bytes = file.and_then(|file| inflate(file, MODULE_LIMIT).ok());
        let is_genuine = || {
            let certificate = kernel.signing.keys.certificate(signature)?;
            let (module, value) = signed_parts(bytes.as_deref()?)?;
            verify::is_made_with(&certificate.key, signature.hash?, module, value)
        };
        // Not a rule of mainline's, but of the kernels of Debian and SUSE (`mod_is_hash_blacklisted`).
        let revoked = &kernel.signing.keys.revoked.files;
        let is_revoked = |bytes: &[u8]| revoked.contains(&Sha256::digest(bytes).into());
        Some(Self {
            is_revoked: !revoked.is_empty() && bytes.as_deref().is_some_and(is_revoked),
            signer: signature.signer.clone(),
            key_id: signature.key_id.clone(),
            trust: kernel.trust(signature),
            is_genuine: is_genuine(),
        })
    }

    /// The verdict in a word of [`KeyTrust::WORDS`].
    pub fn word(&self) -> &'static str {
        let is_bad = self.is_genuine == Some(false) || self.is_revoked;
        if is_bad { KeyTrust::Revoked.word() } else { self.trust.word() }
    }

    /// Why, as a clause.
    pub fn why(&self) -> String {
        if self.is_genuine == Some(false) {
            return "the module was changed after it was signed, or signed with another key than the one that it names: every kernel \
                    that knows the key refuses it"
                .into();
        }
        if self.is_revoked {
            return "this very file is revoked on this machine (dbx, or mokutil --list-enrolled --mokx): another version of it is needed".into();
        }
        self.trust.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kmp_core::abi::SymbolTable;
    use kmp_core::abi::signature::{Certificate, Known, Origin, Revoked};
    use testkit::KernelBuilder;

    use super::*;

    /// A signature of something else.
    #[test]
    fn a_module_that_was_changed_is_not_trusted_whatever_the_kernel_knows() {
        let signature = include_bytes!("../../../kmod-abi/src/testdata/by-issuer.p7");
        let bytes = KernelBuilder::new("6.4.0-1-default").driver("cam").signature(*signature).build();
        let module = Module::parse(&bytes, "cam").unwrap();
        let mut kernel = Kernel::of_symbols("6.4.0-1-default", SymbolTable::unknown());
        let of = |kernel: &Kernel, file| ModuleKey::of(kernel, &module, file).unwrap();
        assert_eq!((of(&kernel, Some(&bytes[..])).word(), of(&kernel, None).is_genuine), ("unknown", None));
        let certificate =
            Certificate::parse(include_bytes!("../../../kmod-abi/src/testdata/key.der")).unwrap();
        let known = Known { certificate, origin: Origin::Enrolled };
        kernel.signing.keys.machine = Arc::new([known]);
        kernel.signing.keys.takes_enrolled = true;
        assert_eq!(of(&kernel, None).word(), "trusted");
        let changed = of(&kernel, Some(&bytes));
        assert_eq!((changed.word(), changed.is_genuine), ("not-trusted", Some(false)));
        assert!(changed.why().contains("changed after it was signed"));
        kernel.signing.keys.machine = Arc::new([]);
        kernel.signing.keys.revoked =
            Arc::new(Revoked { keys: vec![], files: vec![Sha256::digest(&bytes).into()] });
        let revoked = of(&kernel, Some(&bytes));
        assert!(revoked.word() == "not-trusted" && revoked.why().contains("this very file is revoked"));
        assert_eq!(of(&kernel, None).word(), "unknown");
    }
}
