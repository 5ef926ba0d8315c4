//! The only part that writes: the lock, the switch of a kernel's links, depmod.

mod depmod;
mod leftovers;
mod lock;
mod switch;

pub use depmod::{Depmod, DepmodError};
pub use leftovers::{PREFIX, clear, leftovers};
pub use lock::{Lock, LockError};
pub use switch::{Wanted, switch};

#[cfg(test)]
mod tests;
