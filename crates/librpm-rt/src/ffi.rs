// SPDX-License-Identifier: LGPL-2.1-or-later
//! librpm's functions and constants, as its headers declare them, and how they are looked up.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr::NonNull;

use crate::Error;

/// Declares C types that are only ever pointed to.
macro_rules! opaque {
    ($($name:ident),*) => {
        $(#[repr(C)]
        pub(crate) struct $name {
            _private: [u8; 0],
        })*
    };
}

opaque!(
    Ts,
    Db,
    MatchIter,
    IndexIter,
    Hdr,
    Td,
    LogRec,
    Fd,
    Keyring,
    KeyringIter,
    Pubkey,
    Pool,
    Files,
    FileIter
);

/// rpmlog.h
pub(crate) type LogCallback = unsafe extern "C" fn(*mut LogRec, *mut c_void) -> c_int;

/// rpmdb.h: the primary index, keyed by header instance.
pub(crate) const RPMDBI_PACKAGES: i32 = 0;

/// rpmtag.h
pub(crate) mod tag {
    pub(crate) const PUBKEYS: i32 = 266;
    pub(crate) const DSAHEADER: i32 = 267;
    pub(crate) const RSAHEADER: i32 = 268;
    /// Since rpm 6: a list.
    pub(crate) const OPENPGP: i32 = 278;
    pub(crate) const NAME: i32 = 1000;
    pub(crate) const VERSION: i32 = 1001;
    pub(crate) const RELEASE: i32 = 1002;
    pub(crate) const EPOCH: i32 = 1003;
    pub(crate) const ARCH: i32 = 1022;
    pub(crate) const PACKAGER: i32 = 1015;
    pub(crate) const POSTIN: i32 = 1024;
    pub(crate) const FILEDIGESTS: i32 = 1035;
    pub(crate) const FILEFLAGS: i32 = 1037;
    pub(crate) const SOURCERPM: i32 = 1044;
    pub(crate) const VENDOR: i32 = 1011;
    pub(crate) const PROVIDENAME: i32 = 1047;
    pub(crate) const REQUIREFLAGS: i32 = 1048;
    pub(crate) const REQUIRENAME: i32 = 1049;
    pub(crate) const REQUIREVERSION: i32 = 1050;
    pub(crate) const TRIGGERNAME: i32 = 1066;
    pub(crate) const TRIGGERFLAGS: i32 = 1068;
    pub(crate) const OBSOLETENAME: i32 = 1090;
    pub(crate) const PROVIDEFLAGS: i32 = 1112;
    pub(crate) const PROVIDEVERSION: i32 = 1113;
    pub(crate) const OBSOLETEFLAGS: i32 = 1114;
    pub(crate) const OBSOLETEVERSION: i32 = 1115;
    pub(crate) const DIRINDEXES: i32 = 1116;
    pub(crate) const BASENAMES: i32 = 1117;
    pub(crate) const DIRNAMES: i32 = 1118;
    pub(crate) const DISTURL: i32 = 1123;
    pub(crate) const PAYLOADFORMAT: i32 = 1124;
    pub(crate) const PAYLOADCOMPRESSOR: i32 = 1125;
    pub(crate) const POSTTRANS: i32 = 1152;
    pub(crate) const FILEDIGESTALGO: i32 = 5011;
    pub(crate) const SUPPLEMENTNAME: i32 = 5052;
    pub(crate) const FILETRIGGERNAME: i32 = 5069;
    pub(crate) const FILETRIGGERFLAGS: i32 = 5072;
    pub(crate) const TRANSFILETRIGGERNAME: i32 = 5079;
    pub(crate) const TRANSFILETRIGGERFLAGS: i32 = 5082;
    /// PAYLOADDIGEST, in rpm 6 PAYLOADSHA256.
    pub(crate) const PAYLOADDIGEST: i32 = 5092;
    pub(crate) const PAYLOADDIGESTALGO: i32 = 5093;
}

/// header.h: a tag's data may point into the header.
pub(crate) const HEADERGET_MINMEM: u32 = 1;
/// rpmlog.h: error and worse.
pub(crate) const RPMLOG_ERR: c_int = 3;
/// rpmlog.h: error and worse, as a mask: emerg, alert, crit, err.
pub(crate) const RPMLOG_MASK_ERRORS: c_uint = 0b1111;
/// rpmts.h: NODSAHEADER, NORSAHEADER, NODSA, NORSA. Header digests are still checked (they find damage);
/// signatures were checked at installation, and checking them here would load the keyring.
pub(crate) const RPMVSF_MASK_NOSIGNATURES: u32 = 1 << 10 | 1 << 11 | 1 << 18 | 1 << 19;
/// rpmts.h: NODSAHEADER and NORSAHEADER alone. librpm loads no keys while all four are set.
pub(crate) const RPMVSF_NO_HEADER_SIGNATURES: u32 = 1 << 10 | 1 << 11;
/// rpmts.h: every digest and signature of a package file, those of rpm 6 too (bits that an older one has no use for).
pub(crate) const RPMVSF_NO_DIGESTS_OR_SIGNATURES: u32 = 0x000f_ff00;
/// rpmtypes.h: read, and nothing is to be said of it.
pub(crate) const RPMRC_OK: c_int = 0;
/// rpmtypes.h: of a package file: it does not begin like one. Not every version says so in its log.
pub(crate) const RPMRC_NOTFOUND: c_int = 1;
/// rpmtypes.h: read; signed by a key that is not trusted, or that rpm does not have.
pub(crate) const RPMRC_NOTTRUSTED: c_int = 3;
pub(crate) const RPMRC_NOKEY: c_int = 4;
/// rpmtypes.h: of a package file: it is not what its digests or its signature say.
pub(crate) const RPMRC_FAIL: c_int = 2;
/// rpmpgp.h: SHA-256, as everybody counts hash functions.
pub(crate) const PGPHASHALGO_SHA256: u32 = 8;
/// rpmts.h: nothing is left unverified.
pub(crate) const RPMVSF_ALL: u32 = 0;
/// rpmds.h: a trigger that is run when what it names is installed.
pub(crate) const RPMSENSE_TRIGGERIN: u32 = 1 << 16;
/// rpmfiles.h: in the order of the payload, hard links as they come.
pub(crate) const RPMFI_ITER_READ_ARCHIVE: c_int = 3;
/// rpmfiles.h: for the administrator to change.
pub(crate) const RPMFILE_CONFIG: u32 = 1;
/// rpmfiles.h: owned, but not in the payload.
pub(crate) const RPMFILE_GHOST: u32 = 1 << 6;
/// rpmfiles.h: of each file only what reading the payload needs; not loaded are class, dependencies, languages, user and group
/// (bits 1 to 5), capabilities, digests, times, colours, verify flags and signatures.
pub(crate) const RPMFI_LEAST: u32 = 0b11_1110 | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 15 | 1 << 16 | 1 << 18;
/// rpmarchive.h: the payload's end.
pub(crate) const RPMERR_ITER_END: c_int = -1;
/// rpmmacro.h: above all files, below nothing.
pub(crate) const RMIL_CMDLINE: c_int = -7;

/// Makes the table of functions, and the code that fills it.
macro_rules! functions {
    (
        $(#[$doc:meta])*
        $table:ident
        needed { $(fn $need:ident($($narg:ty),* $(; $ndots:tt)?) $(-> $nret:ty)?;)* }
        optional { $(fn $opt:ident($($oarg:ty),*) $(-> $oret:ty)?;)* }
    ) => {
        $(#[$doc])*
        #[allow(non_snake_case, reason = "the names are librpm's")]
        pub(crate) struct $table {
            $(pub(crate) $need: unsafe extern "C" fn($($narg),* $(, $ndots)?) $(-> $nret)?,)*
            $(pub(crate) $opt: Option<unsafe extern "C" fn($($oarg),*) $(-> $oret)?>,)*
        }

        impl $table {
            /// Looks up every function in the loaded library `handle`.
            pub(crate) fn look_up(handle: NonNull<c_void>, soname: &str) -> Result<Self, Error> {
                let find = |name: &std::ffi::CStr| {
                    // SAFETY: the handle is a loaded library that is never closed; the name ends in NUL.
                    NonNull::new(unsafe { libc::dlsym(handle.as_ptr(), name.as_ptr()) })
                };
                let missing = |symbol| Error::MissingSymbol { symbol, soname: soname.to_owned() };
                Ok($table {
                    $($need: {
                        let name = stringify!($need);
                        let symbol = find(&c_name(name)).ok_or_else(|| missing(name))?;
                        // SAFETY: it is this function; its type is copied from rpm's headers (4.14 to 6).
                        unsafe { std::mem::transmute::<
                            NonNull<c_void>, unsafe extern "C" fn($($narg),* $(, $ndots)?) $(-> $nret)?
                        >(symbol) }
                    },)*
                    $($opt: find(&c_name(stringify!($opt))).map(|symbol| {
                        // SAFETY: it is this function; its type is copied from rpm's headers (4.14 to 6).
                        unsafe { std::mem::transmute::<
                            NonNull<c_void>, unsafe extern "C" fn($($oarg),*) $(-> $oret)?
                        >(symbol) }
                    }),)*
                })
            }
        }
    };
}

/// A function's name for dlsym. Rust identifiers hold no NUL.
fn c_name(name: &str) -> std::ffi::CString {
    std::ffi::CString::new(name).unwrap_or_default()
}

functions! {
    /// librpm's functions. Those that not every version has are optional.
    Functions
    needed {
        fn rpmReadConfigFiles(*const c_char, *const c_char) -> c_int;
        fn rpmExpandNumeric(*const c_char) -> c_int;
        fn rpmExpand(*const c_char; ...) -> *mut c_char;
        fn rpmPushMacro(*mut c_void, *const c_char, *const c_char, *const c_char, c_int) -> c_int;
        fn rpmPopMacro(*mut c_void, *const c_char) -> c_int;
        fn rpmlogSetCallback(Option<LogCallback>, *mut c_void) -> Option<LogCallback>;
        fn rpmlogRecMessage(*mut LogRec) -> *const c_char;
        fn rpmlogRecPriority(*mut LogRec) -> c_int;
        fn rpmlogGetNrecs() -> c_int;
        fn rpmlogMessage() -> *const c_char;
        fn rpmvercmp(*const c_char, *const c_char) -> c_int;
        fn rpmtsCreate() -> *mut Ts;
        fn rpmtsFree(*mut Ts) -> *mut Ts;
        fn rpmtsSetRootDir(*mut Ts, *const c_char) -> c_int;
        fn rpmtsSetVSFlags(*mut Ts, u32) -> u32;
        fn rpmtsOpenDB(*mut Ts, c_int) -> c_int;
        fn rpmtsGetRdb(*mut Ts) -> *mut Db;
        fn rpmtsInitIterator(*mut Ts, i32, *const c_void, usize) -> *mut MatchIter;
        fn rpmdbNextIterator(*mut MatchIter) -> *mut Hdr;
        fn rpmdbGetIteratorOffset(*mut MatchIter) -> c_uint;
        fn rpmdbGetIteratorCount(*mut MatchIter) -> c_int;
        fn rpmdbFreeIterator(*mut MatchIter) -> *mut MatchIter;
        fn rpmdbIndexIteratorInit(*mut Db, i32) -> *mut IndexIter;
        fn rpmdbIndexIteratorNext(*mut IndexIter, *mut *const c_void, *mut usize) -> c_int;
        fn rpmdbIndexIteratorNumPkgs(*mut IndexIter) -> c_uint;
        fn rpmdbIndexIteratorPkgOffset(*mut IndexIter, c_uint) -> c_uint;
        fn rpmdbIndexIteratorFree(*mut IndexIter) -> *mut IndexIter;
        fn headerGet(*mut Hdr, i32, *mut Td, u32) -> c_int;
        fn headerGetString(*mut Hdr, i32) -> *const c_char;
        fn headerGetNumber(*mut Hdr, i32) -> u64;
        fn headerGetAsString(*mut Hdr, i32) -> *mut c_char;
        fn headerIsEntry(*mut Hdr, i32) -> c_int;
        fn rpmtdNew() -> *mut Td;
        fn rpmtdFree(*mut Td) -> *mut Td;
        fn rpmtdFreeData(*mut Td);
        fn rpmtdCount(*mut Td) -> u32;
        fn rpmtdSetIndex(*mut Td, c_int) -> c_int;
        fn rpmtdGetString(*mut Td) -> *const c_char;
        fn rpmtdNextString(*mut Td) -> *const c_char;
        fn rpmtdNextUint32(*mut Td) -> *mut u32;
    }
    optional {
        fn rpmdbIndexKeyIteratorInit(*mut Db, i32) -> *mut IndexIter;
        fn rpmlogGetNrecsByMask(c_uint) -> c_int;
        fn rpmsqSetInterruptSafety(c_int);
    }
}

functions! {
    /// Functions for package files, looked up when the first is opened.
    PackageFunctions
    needed {
        fn fdDup(c_int) -> *mut Fd;
        fn Fdopen(*mut Fd, *const c_char) -> *mut Fd;
        fn Fclose(*mut Fd) -> c_int;
        fn Ferror(*mut Fd) -> c_int;
        fn Fstrerror(*mut Fd) -> *const c_char;
        fn rpmKeyringNew() -> *mut Keyring;
        fn rpmKeyringFree(*mut Keyring) -> *mut Keyring;
        fn rpmtsSetKeyring(*mut Ts, *mut Keyring) -> c_int;
        fn rpmtsGetKeyring(*mut Ts, c_int) -> *mut Keyring;
        fn rpmReadPackageFile(*mut Ts, *mut Fd, *const c_char, *mut *mut Hdr) -> c_int;
        fn headerFree(*mut Hdr) -> *mut Hdr;
        fn headerIsSource(*mut Hdr) -> c_int;
        fn rpmfilesNew(*mut Pool, *mut Hdr, i32, u32) -> *mut Files;
        fn rpmfilesFree(*mut Files) -> *mut Files;
        fn rpmfilesFC(*mut Files) -> u32;
        fn rpmfilesFN(*mut Files, c_int) -> *mut c_char;
        fn rpmfilesFSize(*mut Files, c_int) -> u64;
        fn rpmfilesFMode(*mut Files, c_int) -> u16;
        fn rpmfilesFFlags(*mut Files, c_int) -> u32;
        fn rpmfilesFLinks(*mut Files, c_int, *mut *const c_int) -> u32;
        fn rpmfiNewArchiveReader(*mut Fd, *mut Files, c_int) -> *mut FileIter;
        fn rpmfiFree(*mut FileIter) -> *mut FileIter;
        fn rpmfiNext(*mut FileIter) -> c_int;
        fn rpmfiFX(*mut FileIter) -> c_int;
        fn rpmfiArchiveHasContent(*mut FileIter) -> c_int;
        fn rpmfiArchiveRead(*mut FileIter, *mut c_void, usize) -> isize;
    }
    optional {
        fn rpmfileStrerror(c_int) -> *mut c_char;
        fn rpmKeyringInitIterator(*mut Keyring, c_int) -> *mut KeyringIter;
        fn rpmKeyringIteratorNext(*mut KeyringIter) -> *mut Pubkey;
        fn rpmKeyringIteratorFree(*mut KeyringIter) -> *mut KeyringIter;
        fn rpmPubkeyBase64(*mut Pubkey) -> *mut c_char;
    }
}
