// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a plugin of rpm needs: hook by hook, from the first to the last of a transaction.
//!
//! The plugin gives what rpm alone knows, and does what it is answered. No function here fails: a fault of
//! ours is a warning, and the transaction goes on.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::null_mut;

use kmp_core::guest;

use crate::report::verdict;
use crate::transaction::Transaction;
use crate::{arg, ret};

mod judge;
mod run;
mod voice;

use run::Run;
use voice::Voice;

/// What a plugin of rpm knows of a transaction. For one thread at a time.
#[derive(Debug)]
pub struct Plugin {
    voice: Voice,
    run: Run,
}

/// How urgent a message is, by the numbers of syslog(3) and rpm's log.
pub mod level {
    use std::ffi::c_int;

    /// why a transaction is stopped
    pub const ERROR: c_int = 3;
    /// a driver would be lost, or a fault of ours
    pub const WARNING: c_int = 4;
    /// something to know
    pub const NOTICE: c_int = 5;
    /// for those who want to know all
    pub const INFO: c_int = 6;
}

/// Hears messages for people, each a line that is safe to print (on a terminal some lines), at one of the levels. It must not call the
/// library.
pub type Say = Option<extern "C" fn(context: *mut c_void, level: c_int, text: *const c_char)>;

/// Flags of kmp_plugin_begin().
pub mod plugin_flag {
    /// the transaction is only tested: nothing will be changed
    pub const TEST_ONLY: u32 = 1;
    /// the transaction runs no scripts: nothing of the root is run
    pub const NO_SCRIPTS: u32 = 2;
}

/// Begins a plugin's life. What there is to say goes to say, with context; what matters also to the system's
/// log, unless the transaction is for another root than "/". *out is freed with kmp_plugin_free().
/// KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_new(say: Say, context: *mut c_void, out: *mut *mut Plugin) -> c_int {
    ret::make(out, || Ok(Plugin::new(Voice::new(say, context))))
}

/// Ends it, and takes back what scriptlets rely on.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_free(plugin: *mut Plugin) {
    ret::value((), || arg::free(plugin));
}

/// A transaction begins (tsm_pre), in this root; NULL is "/". flags: KMP_TEST_ONLY, KMP_NO_SCRIPTS. All that was known of one
/// before is forgotten.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_begin(plugin: *mut Plugin, root: *const c_char, flags: u32) {
    let is_set = |flag: u32| flags & flag != 0;
    hook(plugin, (), |plugin| {
        plugin.begin(path_of(root), is_set(plugin_flag::TEST_ONLY), is_set(plugin_flag::NO_SCRIPTS));
    });
}

/// A package of the transaction, "NAME-VERSION-RELEASE.ARCH". concerns: has it a file for which
/// kmp_concerns() is 1? All are to be named before kmp_plugin_describe().
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_element(plugin: *mut Plugin, nevra: *const c_char, concerns: c_int) {
    hook(plugin, (), |plugin| {
        plugin.element(&arg::optional(nevra).unwrap_or_default().to_string_lossy(), concerns != 0);
    });
}

/// Has the transaction to be judged? If so, *out is a description to be filled with the packages that concern
/// us; else it is NULL. policy: the macro %_kmp_policy, or NULL; the environment variable KMP_POLICY goes
/// over it. *out is freed with kmp_transaction_free(). KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_describe(
    plugin: *mut Plugin,
    policy: *const c_char,
    out: *mut *mut Transaction,
) -> c_int {
    ret::answer(|| {
        arg::give(out, null_mut())?;
        arg::exclusive(plugin, "plugin")?;
        let policy = arg::optional(policy).map(CStr::to_string_lossy);
        let transaction = hook(plugin, None, |plugin| plugin.describe(policy.as_deref()));
        transaction.map_or(Ok(()), |transaction| arg::give(out, Box::into_raw(Box::new(transaction))))
    })
}

/// Has somebody asked for the package "NAME-VERSION-RELEASE.ARCH" to be erased? rpm's transaction does not
/// say; command lines do. 1 or 0.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_is_named(plugin: *mut Plugin, nevra: *const c_char) -> c_int {
    hook(plugin, 0, |plugin| {
        c_int::from(plugin.is_named(&arg::optional(nevra).unwrap_or_default().to_string_lossy()))
    })
}

/// Judges what kmp_plugin_describe() gave, NULL included, together with what else is pending in the same
/// commit of libzypp, and says what would be lost. KMP_VERDICT_GOOD: let it go on; KMP_VERDICT_ABORT: stop
/// it. Scripts and links follow only after this.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_judge(plugin: *mut Plugin, transaction: *mut Transaction) -> c_int {
    hook(plugin, verdict::GOOD, |plugin| {
        match plugin.allows(arg::exclusive(transaction, "transaction").ok()) {
            true => verdict::GOOD,
            false => verdict::ABORT,
        }
    })
}

/// A package was installed or erased, or that failed and may have left files (psm_post).
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_changed(plugin: *mut Plugin) {
    hook(plugin, (), Plugin::changed);
}

/// A scriptlet is about to run (scriptlet_pre), "%posttrans(...)" or the like, chrooted where rpm has another
/// root. Before the first that may make an initrd the links are made right.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_scriptlet(plugin: *mut Plugin, scriptlet: *const c_char) {
    hook(plugin, (), |plugin| {
        plugin.scriptlet(&arg::optional(scriptlet).unwrap_or_default().to_string_lossy());
    });
}

/// What belongs into the environment of a scriptlet (scriptlet_fork_post), for putenv(3): "NAME=VALUE", or ""
/// if nothing does. Allocates nothing. Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_environment(plugin: *const Plugin) -> *const c_char {
    let of = || arg::shared(plugin, "plugin").ok().and_then(Plugin::environment);
    ret::value(c"", || of().unwrap_or_default()).as_ptr()
}

/// The transaction is over (tsm_post), and not chrooted, in this root; NULL is "/". Links that are due yet
/// are made, and so are initrds that nobody else makes, unless KMP_NO_SCRIPTS was set.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_end(plugin: *mut Plugin, root: *const c_char) {
    hook(plugin, (), |plugin| plugin.end(path_of(root)));
}

/// Says that something of ours did not work: the first time in a transaction as a warning, then for those who
/// want to know all.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plugin_fault(plugin: *mut Plugin, what: *const c_char, why: *const c_char) {
    hook(plugin, (), |plugin| {
        let [what, why] = [what, why].map(|text| arg::optional(text).unwrap_or_default().to_string_lossy());
        plugin.voice.fault(&what, &why);
    });
}

/// Is this file of a package a source of drivers for dkms or akmods? What it replaces is built anew on the
/// machine, then: KMP_REMOVAL_NAMED. 1 or 0; NULL: 0.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_builds_drivers(path: *const c_char) -> c_int {
    ret::value(0, || c_int::from(arg::optional(path).is_some_and(|p| guest::builds_drivers(p.to_bytes()))))
}

fn path_of<'a>(root: *const c_char) -> &'a Path {
    arg::path(root, "root").unwrap_or(Path::new("/"))
}

/// Runs what a hook does. A fault inside is a warning, and gives `otherwise`.
fn hook<T>(plugin: *mut Plugin, otherwise: T, call: impl FnOnce(&mut Plugin) -> T) -> T {
    let done = ret::value(None, || {
        let plugin = arg::exclusive(plugin, "plugin").ok()?;
        let done = ret::guarded(|| call(plugin));
        done.map_err(|error| plugin.voice.fault("rpm's plugin", &error.text)).ok()
    });
    done.unwrap_or(otherwise)
}
