// SPDX-License-Identifier: LGPL-2.1-or-later
//! Bounds on the memory and work that an input may take.
//!
//! A module, package, kernel or transaction that would take more is malformed, and the message names the bound. Legitimate input
//! does not reach them: they are several times what the largest known examples take.
//!
//! * **A module**: the names, tables and sections that are read may not add up to more than [`READ_FACTOR`] times its file and
//!   [`READ_LEAST`], so that overlapping sections, or thousands of symbols with one long name, do not multiply. At most
//!   [`MODULE`] bytes of it are kept. (Of amdgpu.ko, with 79,000 sections, half is read and 0.3 MiB are kept.)
//! * **A package**: what is kept of its modules, and its decompressed modules, which may be [`UNPACK_FACTOR`] times the package's
//!   file and [`UNPACK_LEAST`].
//! * **A kernel** without symvers: what is kept of its own modules.
//! * **A transaction**: what is kept of all packages that it installs.

use std::cell::Cell;
use std::fmt;

use kmp_steps as steps;

/// How many times its size may be read from a module.
pub const READ_FACTOR: u64 = 4;

/// How much may be read from any module, in bytes.
pub const READ_LEAST: u64 = 1 << 20;

/// What is kept of a module, in bytes: its symbols, aliases and the like.
pub const MODULE: u64 = 16 << 20;

/// What is kept of a package's modules, in bytes.
pub const PACKAGE: u64 = 64 << 20;

/// What is kept of the modules of a kernel without symvers, in bytes.
pub const KERNEL: u64 = 256 << 20;

/// What is kept of the packages of a transaction, in bytes.
pub const TRANSACTION: u64 = 512 << 20;

/// How many times the size of its package the modules of a package may have, decompressed.
pub const UNPACK_FACTOR: u64 = 64;

/// How many bytes the modules of any package may have, decompressed.
pub const UNPACK_LEAST: u64 = 1 << 30;

/// The longest name of a symbol that is accepted, in bytes. The kernel's limit is 512 (`KSYM_NAME_LEN`).
pub const NAME: usize = 4096;

/// What allocating something takes beside its own size, in bytes.
const ALLOCATION: usize = 16;

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One module.
    Module,
    /// The modules of one package.
    Package,
    /// The modules of one kernel.
    Kernel,
    /// The packages of one transaction.
    Transaction,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Module => "module",
            Scope::Package => "package",
            Scope::Kernel => "kernel",
            Scope::Transaction => "transaction",
        })
    }
}

/// A budget is exceeded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Of memory.
    #[error(
        "symbols, names and aliases of its {scope} take more than {limit} bytes of memory, the limit for a {scope}"
    )]
    Memory {
        /// Whose budget.
        scope: Scope,
        /// In bytes.
        limit: u64,
    },
    /// Of what is read of a module.
    #[error(
        "its sections, tables and names overlap so that more than {limit} bytes would have to be read, the limit for a module of {size} bytes"
    )]
    Read {
        /// In bytes.
        limit: u64,
        /// The module's size, in bytes.
        size: u64,
    },
    /// Of what a payload gives out.
    #[error("its modules unpack to more than {limit} bytes, the limit for a package of {size} bytes")]
    Unpacked {
        /// In bytes.
        limit: u64,
        /// The package's size, in bytes.
        size: u64,
    },
    /// There is not enough memory even for what the budget allows.
    #[error("there is not enough memory to read it")]
    NoMemory,
}

/// What is left of a budget.
#[derive(Clone, Debug)]
pub struct Budget {
    scope: Scope,
    /// The size of the file concerned, in bytes.
    size: u64,
    memory: Account,
    work: Account,
}

#[derive(Clone, Debug)]
struct Account {
    limit: u64,
    left: Cell<u64>,
}

impl Account {
    fn new(limit: u64) -> Self {
        Self { limit, left: Cell::new(limit) }
    }

    fn spend(&self, amount: u64) -> bool {
        let left = self.left.get().checked_sub(amount);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }
}

impl Budget {
    /// For a module whose file, unpacked, has `size` bytes.
    pub fn module(size: usize) -> Self {
        let size = size as u64;
        let work = size.saturating_mul(READ_FACTOR).saturating_add(READ_LEAST);
        Self { scope: Scope::Module, size, memory: Account::new(MODULE), work: Account::new(work) }
    }

    /// For a digest of what is loaded of a module whose file, unpacked, has `size` bytes: each relocation counts with names.
    pub fn digest(size: usize) -> Self {
        let work = (size as u64).saturating_mul(READ_FACTOR * 8).saturating_add(READ_LEAST);
        Self { work: Account::new(work), ..Self::module(size) }
    }

    /// For a package whose file has `size` bytes.
    pub fn package(size: u64) -> Self {
        let work = size.saturating_mul(UNPACK_FACTOR).saturating_add(UNPACK_LEAST);
        Self { scope: Scope::Package, size, memory: Account::new(PACKAGE), work: Account::new(work) }
    }

    /// For a kernel that is known by its own modules only.
    pub fn kernel() -> Self {
        Self { scope: Scope::Kernel, size: 0, memory: Account::new(KERNEL), work: Account::new(u64::MAX) }
    }

    /// For a transaction.
    pub fn transaction() -> Self {
        let (memory, work) = (Account::new(TRANSACTION), Account::new(u64::MAX));
        Self { scope: Scope::Transaction, size: 0, memory, work }
    }

    /// Accounts for reading so many bytes (for a package: of decompressed modules).
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn read(&self, bytes: usize) -> Result<(), Exceeded> {
        steps::count(1);
        if self.work.spend(bytes as u64) {
            return Ok(());
        }
        let (limit, size) = (self.work.limit, self.size);
        Err(match self.scope {
            Scope::Module => Exceeded::Read { limit, size },
            _ => Exceeded::Unpacked { limit, size },
        })
    }

    /// Accounts for keeping something of `bytes` bytes, besides the overhead of its allocation.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn keep(&self, bytes: u64) -> Result<(), Exceeded> {
        if self.memory.spend(bytes) {
            return Ok(());
        }
        Err(Exceeded::Memory { scope: self.scope, limit: self.memory.limit })
    }

    /// Accounts for keeping a `T` with a text of `len` bytes.
    ///
    /// # Errors
    /// [`Exceeded`].
    pub fn keep_with<T>(&self, len: usize) -> Result<(), Exceeded> {
        self.keep((size_of::<T>() + len + ALLOCATION) as u64)
    }
}

impl From<std::collections::TryReserveError> for Exceeded {
    fn from(_: std::collections::TryReserveError) -> Self {
        Exceeded::NoMemory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_gone_and_the_bound_is_named() {
        let budget = Budget::module(1000);
        budget.read(4000).unwrap();
        budget.read(1 << 20).unwrap();
        let error = budget.read(1).unwrap_err().to_string();
        assert!(error.contains("1052576 bytes") && error.contains("a module of 1000 bytes"), "{error}");
        budget.keep(MODULE).unwrap();
        let error = budget.keep_with::<u64>(3).unwrap_err().to_string();
        assert!(error.contains("16777216 bytes of memory"), "{error}");
        let package = Budget::package(10);
        package.read((640 + (1 << 30)) as usize).unwrap();
        assert!(package.read(1).unwrap_err().to_string().contains("a package of 10 bytes"));
    }
}
