// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the tests and the chores need of the distribution.

/// How a family of distributions installs packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Apt,
    Zypper,
    Dnf,
}

impl Family {
    /// All, each with the name of a distribution of its kind.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Apt, "Debian"), (Self::Zypper, "openSUSE"), (Self::Dnf, "Fedora")];
}

/// What something is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// `cargo xtask demo`, and the benchmark without strace.
    Demo,
    /// The tests, and the benchmark.
    Test,
    /// `cargo xtask releases`.
    Releases,
    /// `cargo xtask judge`, and `cargo xtask kmps`.
    Judge,
    /// `cargo xtask rpm`.
    Rpm,
    /// The step `browser` of `cargo xtask test`.
    Browser,
}

impl Use {
    /// All, each with its purpose in words.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Demo, "the demo, and all that follows"),
        (Self::Test, "the tests"),
        (Self::Rpm, "kmp's own packages (cargo xtask rpm)"),
        (Self::Releases, "the tests in newer Debian releases (cargo xtask releases)"),
        (
            Self::Judge,
            "real kernels, booted, and drivers packaged for them (cargo xtask judge, cargo xtask kmps)",
        ),
        (Self::Browser, "kmp's pages in a browser (cargo xtask test browser): 350 MB"),
    ];
}

/// One thing that is needed. It is there when `program` is found in PATH or an sbin directory, or when the
/// distribution's Python can import what follows `python: `, or /usr/include has what follows `header: `.
#[derive(Debug)]
pub struct Need {
    pub program: &'static str,
    pub of: Use,
    pub apt: &'static str,
    pub zypper: &'static str,
    pub dnf: &'static str,
}

impl Need {
    /// The packages of one family, separated by blanks.
    pub fn packages(&self, family: Family) -> &'static str {
        match family {
            Family::Apt => self.apt,
            Family::Zypper => self.zypper,
            Family::Dnf => self.dnf,
        }
    }
}

/// The packages that have a program, in words, and what to do; empty for a program that is not in [`NEEDS`].
///
/// ```
/// let advice = testkit::packages::advice("lzop");
/// assert!(advice.contains("Debian: lzop"));
/// ```
#[must_use]
pub fn advice(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or(program);
    let Some(need) = NEEDS.iter().find(|need| need.program == name) else { return String::new() };
    let each = Family::ALL.map(|(family, of)| format!("{of}: {}", need.packages(family)));
    format!("Install its package ({}); `cargo xtask test` installs all that the tests need", each.join(", "))
}

/// The same for programs that a shell has not found, by what it said: `sh: 1: lzop: not found`.
///
/// ```
/// assert!(testkit::packages::advice_on("sh: 1: lzop: not found\n").contains("Debian: lzop"));
/// assert_eq!(testkit::packages::advice_on("lzop: the file is not found"), "");
/// ```
#[must_use]
pub fn advice_on(said: &str) -> String {
    let missing = said.lines().filter_map(|line| {
        let line = line.strip_suffix(": command not found").or_else(|| line.strip_suffix(": not found"))?;
        line.rsplit(' ').next()
    });
    missing.map(advice).collect::<Vec<_>>().join("\n")
}

const fn need(
    of: Use,
    program: &'static str,
    apt: &'static str,
    zypper: &'static str,
    dnf: &'static str,
) -> Need {
    Need { program, of, apt, zypper, dnf }
}

/// What zypper only recommends, and no tests of libzypp's commits run without; packages of their own since Debian 13.
pub const BESIDE_ZYPPER: &[&str] = &["libzypp-bin", "libzypp-config"];

/// Everything.
#[rustfmt::skip]
pub const NEEDS: &[Need] = &[
    //    for          program               Debian             openSUSE        Fedora
    // Besides for kmp's crates, to link what cargo builds.
    need(Use::Demo,  "cc",                 "gcc libc6-dev",   "gcc",          "gcc"),
    need(Use::Demo,  "rpm",                "rpm",             "rpm",          "rpm"),
    need(Use::Demo,  "rpmbuild",           "rpm",             "rpm-build",    "rpm-build"),
    need(Use::Demo,  "depmod",             "kmod",            "kmod",         "kmod"),
    need(Use::Demo,  "modinfo",            "kmod",            "kmod",         "kmod"),
    need(Use::Demo,  "unshare",            "util-linux",      "util-linux",   "util-linux"),
    need(Use::Test,  "flock",              "util-linux",      "util-linux",   "util-linux-core"),
    // The sanitizers' runtime comes with gcc, but on Fedora.
    need(Use::Test,  "cc",                 "gcc libc6-dev",   "gcc",          "gcc libasan libubsan"),
    need(Use::Test,  "readelf",            "binutils",        "binutils",     "binutils"),
    need(Use::Test,  "strip",              "binutils",        "binutils",     "binutils"),
    need(Use::Test,  "sqlite3",            "sqlite3",         "sqlite3",      "sqlite"),
    need(Use::Test,  "strace",             "strace",          "strace",       "strace"),
    need(Use::Test,  "shellcheck",         "shellcheck",      "ShellCheck",   "ShellCheck"),
    need(Use::Test,  "codespell",          "codespell",       "codespell",    "codespell"),
    need(Use::Test,  "clang-format",       "clang-format",    "clang",        "clang-tools-extra"),
    need(Use::Test,  "dash",               "dash",            "dash",         "dash"),
    need(Use::Test,  "busybox",            "busybox",         "busybox",      "busybox"),
    need(Use::Test,  "c++",                "g++",             "gcc-c++",      "gcc-c++"),
    need(Use::Test,  "nm",                 "binutils",        "binutils",     "binutils"),
    need(Use::Test,  "chattr",             "e2fsprogs",       "e2fsprogs",    "e2fsprogs"),
    need(Use::Test,  "valgrind",           "valgrind libc6-dbg", "valgrind",  "valgrind"),
    need(Use::Test,  "dracut",             "dracut-core",     "dracut",       "dracut"),
    // With the stub of unified kernel images, for dracut.
    need(Use::Test,  "mksquashfs",         "squashfs-tools systemd-boot-efi", "squashfs systemd-boot", "squashfs-tools systemd-boot-unsigned"),
    need(Use::Test,  "gzip",               "gzip",            "gzip",         "gzip"),
    need(Use::Test,  "lz4",                "lz4",             "lz4",          "lz4"),
    need(Use::Test,  "lzop",               "lzop",            "lzop",         "lzop"),
    need(Use::Test,  "bzip2",              "bzip2",           "bzip2",        "bzip2"),
    need(Use::Test,  "zypper",             "zypper",          "zypper",       "zypper"),
    need(Use::Test,  "dnf",                "dnf",             "dnf",          "dnf"),
    need(Use::Test,  "kernel-install",     "systemd",         "udev",         "systemd-udev"),
    need(Use::Test,  "ostree",             "ostree",          "libostree",    "ostree"),
    // With gpgconf.
    need(Use::Test,  "gpg",                "gpg gpgconf gpg-agent", "gpg2",   "gnupg2"),
    need(Use::Test,  "rpmsign",            "rpm",             "rpm-build",    "rpm-sign"),
    need(Use::Test,  "createrepo_c",       "createrepo-c",    "createrepo_c", "createrepo_c"),
    need(Use::Test,  "python: rpm",        "python3-rpm",     "python3-rpm",  "python3-rpm"),
    need(Use::Test,  "ansible-playbook",   "ansible-core",    "ansible-core", "ansible-core"),
    need(Use::Test,  "python: yaml",       "python3-yaml",    "python3-PyYAML", "python3-pyyaml"),
    need(Use::Test,  "python: jsonschema", "python3-jsonschema", "python3-jsonschema", "python3-jsonschema"),
    need(Use::Test,  "python: pyftpdlib",  "python3-pyftpdlib", "python3-pyftpdlib", "python3-pyftpdlib"),
    need(Use::Test,  "curl",               "curl",            "curl",         "curl"),
    need(Use::Test,  "rpmlint",            "rpmlint",         "rpmlint",      "rpmlint"),
    need(Use::Test,  "make",               "make",            "make",         "make"),
    need(Use::Test,  "patch",              "patch",           "patch",        "patch"),
    need(Use::Test,  "openssl",            "openssl",         "openssl",      "openssl"),
    need(Use::Test,  "cpio",               "cpio",            "cpio",         "cpio"),
    need(Use::Test,  "tar",                "tar",             "tar",          "tar"),
    need(Use::Test,  "xz",                 "xz-utils",        "xz",           "xz"),
    need(Use::Test,  "zstd",               "zstd",            "zstd",         "zstd"),
    need(Use::Test,  "script",             "bsdutils",        "util-linux",   "util-linux-script"),
    need(Use::Test,  "man",                "man-db groff-base", "man",        "man-db"),
    need(Use::Test,  "mandoc",             "mandoc",          "mandoc",       "mandoc"),
    need(Use::Test,  "bash",               "bash",            "bash",         "bash"),
    need(Use::Test,  "zsh",                "zsh",             "zsh",          "zsh"),
    need(Use::Test,  "fish",               "fish",            "fish",         "fish"),
    need(Use::Rpm,   "git",                "git",             "git-core",     "git-core"),
    need(Use::Rpm,   "tar",                "tar",             "tar",          "tar"),
    need(Use::Rpm,   "gzip",               "gzip",            "gzip",         "gzip"),
    need(Use::Rpm,   "cc",                 "gcc libc6-dev",   "gcc",          "gcc"),
    need(Use::Rpm,   "find-debuginfo",     "debugedit",       "debugedit",    "debugedit"),
    need(Use::Rpm,   "file",               "file",            "file",         "file"),
    need(Use::Browser, "chromium",         "chromium fonts-dejavu-core", "chromium dejavu-fonts", "chromium dejavu-sans-fonts"),
    need(Use::Releases, "debootstrap",     "debootstrap",     "debootstrap",  "debootstrap"),
    // Elsewhere since util-linux 2.42.
    need(Use::Releases, "pivot_root",      "util-linux-extra", "util-linux",  "util-linux"),
    need(Use::Judge, "qemu-system-x86_64", "qemu-system-x86", "qemu-x86",     "qemu-system-x86-core"),
    need(Use::Judge, "make",               "make",            "make",         "make"),
    need(Use::Judge, "gcc",                "gcc libc6-dev",   "gcc",          "gcc"),
    need(Use::Judge, "rpmbuild",           "rpm",             "rpm-build",    "rpm-build"),
    need(Use::Judge, "patch",              "patch",           "patch",        "patch"),
    need(Use::Judge, "cpio",               "cpio",            "cpio",         "cpio"),
    need(Use::Judge, "xz",                 "xz-utils",        "xz",           "xz"),
    // To build small kernels, and to sign modules for them.
    need(Use::Judge, "ld",                 "binutils",        "binutils",     "binutils"),
    need(Use::Judge, "flex",               "flex",            "flex",         "flex"),
    need(Use::Judge, "bison",              "bison",           "bison",        "bison"),
    need(Use::Judge, "bc",                 "bc",              "bc",           "bc"),
    need(Use::Judge, "perl",               "perl-base",       "perl-base",    "perl-interpreter"),
    need(Use::Judge, "pahole",             "pahole",          "dwarves",      "dwarves"),
    need(Use::Judge, "openssl",            "openssl",         "openssl",      "openssl"),
    need(Use::Judge, "header: gelf.h",     "libelf-dev",      "libelf-devel", "elfutils-libelf-devel"),
    need(Use::Judge, "header: openssl/cms.h", "libssl-dev",   "libopenssl-devel", "openssl-devel"),
];
