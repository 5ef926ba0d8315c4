// SPDX-License-Identifier: LGPL-2.1-or-later
//! Values made of what the testkit builds, for tests of the pure middle.

use testkit::{KernelBuilder, ModuleBuilder};

use crate::abi::{Kernel, KernelConfig, Module, SymbolTable, Traits};

/// The module as read from its bytes.
pub(crate) fn parse(module: &ModuleBuilder) -> Module {
    Module::parse(&module.build(), "file_name").unwrap()
}

/// The kernel with what its files would say of it.
pub(crate) fn kernel(kernel: &KernelBuilder) -> Kernel {
    let symbols = SymbolTable::parse(kernel.full_symvers().to_text().into_bytes()).unwrap();
    Kernel {
        traits: Traits::of(&parse(&kernel.driver("sample"))),
        config: KernelConfig { extended_versions: Some(false), ..KernelConfig::default() },
        ..Kernel::of_symbols(kernel.krel(), symbols)
    }
}
