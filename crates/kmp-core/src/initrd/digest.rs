// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module is, in 32 bytes.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::abi;
use crate::unpack::{DecompressError, Inflater, MODULE_LIMIT};

/// What tells one module from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256 of the inflated file.
    whole: [u8; 32],
    /// SHA-256 of what the kernel loads of it, of an unsigned module. dracut strips unsigned modules, which
    /// changes the file and not what is loaded.
    loaded: Option<[u8; 32]>,
}

impl Digest {
    /// That of a module file, packed or not.
    ///
    /// # Errors
    /// It cannot be unpacked.
    pub fn of<'a>(file: impl Into<Cow<'a, [u8]>>, inflater: &mut Inflater) -> Result<Self, DecompressError> {
        let module = inflater.inflate(file, MODULE_LIMIT)?;
        let mut loaded = Sha256::new();
        let is_known = abi::loaded_parts(&module, &mut |part| loaded.update(part));
        Ok(Self { whole: Sha256::digest(&module).into(), loaded: is_known.then(|| loaded.finalize().into()) })
    }

    /// Do both do the same in a kernel?
    pub fn is_same(&self, other: &Self) -> bool {
        self.whole == other.whole || (self.loaded.is_some() && self.loaded == other.loaded)
    }
}
