// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the fuzzer begins with: a few sound inputs for each target, made by the testkit and by the tools that make real ones.

mod repositories;
mod trust;

use kmp_core::index;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::{
    Arch, BtfBuilder, Columns, Compression, CrcStyle, Export, KernelBuilder, ModuleBuilder, PackageBuilder,
    Strip, Symvers, Versions, compress, unified_image,
};

const KREL: &str = "6.4.0-1-default";

/// Shell files and lists, each a seed of its own.
const SHELL: &[&str] = &[
    "# a comment\nadd_drivers+=\" nvme xhci-hcd \"\nomit_drivers='floppy'\n",
    "v=(a 'b c' d) ; w+=\"${v}_$v\"; if [[ -n $w ]]; then export v=\\\n\"x\\\"y\"; fi\n",
    "x=$(ls \"$(pwd)\") y=`id` z=${x:-a} $((1+2)) $1 $?\nINITRD_GENERATOR=\"dracut\" command arg\n",
];
const KMP_CONF: &[&str] = &[
    "# settings\non-lost-driver = abort\nprotect = loaded\ndialect = suse\n\n[nvidia-*]\non-lost-driver = warn\n",
    "protect = foo-kmp-*, bar\n[x\n;c\nnonsense\n",
];
const OS_RELEASE: &[&str] =
    &["NAME=\"openSUSE Tumbleweed\"\nID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", "ID=fedora\n"];
const MODULES_DEP: &[&str] = &[
    "kernel/a/user.ko.zst: kernel/b/used.ko.zst kernel/c/other.ko.zst\nupdates/x.ko:\nweak-updates/updates/y.ko.xz: updates/x.ko\n",
    "/lib/modules/a:b.ko: c.ko\nextra/d.ko.gz:\n",
];
const CONFIG: &[&str] =
    &["CONFIG_MODULE_SIG=y\n# CONFIG_MODULE_FORCE_LOAD is not set\nCONFIG_EXTENDED_MODVERSIONS=y\n"];
const SYSTEM_MAP: &[&str] =
    &["ffffffff81000000 T _text\nffffffff81a00000 r __ksymtab_printk\nffffffff81a0000c r __ksymtab_kfree\n"];
const CAPABILITIES: &[&str] = &[
    "ksym(default:printk) = 27e1a049\nksym(default:module_layout) = 1\nkernel(printk) = 0x27e1a049\nksym(foo) = 0x1\nkmod(a.ko)\n",
];
const FRAMES: &[&str] = &[
    "PLUGINBEGIN\nuserdata:x\n\n\0COMMITBEGIN\n\n{\"TransactionStepList\":[{\"type\":\"+\",\"stage\":\"ok\",\"solvable\":\
     {\"n\":\"foo-kmp-default\",\"v\":\"1.0_k6.4.0_1\",\"r\":\"1\",\"a\":\"x86_64\"}},{\"type\":\"-\",\"solvable\":{\"n\":\
     \"bar\",\"v\":\"1\",\"r\":\"2\",\"a\":\"noarch\"}}]}\0\nCOMMITEND\n\n{\"TransactionStepList\":[]}\0_DISCONNECT\n\n\0",
];
const COMMITS: &[&str] =
    &["M kernel-default-6.4.0-3.x86_64\n- foo-kmp-default-1-1.x86_64\n+ bar-1-1.noarch\n"];
const RECORDS: &[&str] = &[
    "ftp://ftp.example.com/pub/kmp/;Example Inc.\n",
    "url = https://x/a\nlabel = A\npackages = a-kmp-*, b\nfingerprint = 0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567\n\
     contact = a@x\nenabled = yes\n",
];
const LISTS: &[&str] = &[
    "a-1-1.noarch.rpm\r\n/b/b-1%2B1-1.x86_64.rpm\n",
    "<html><a href=\"a-1-1.noarch.rpm\"><a href=b-1-1.i586.rpm>",
];
const CATALOGUES: &[&str] = &[
    "{\"version\":1,\"issuer\":\"X\",\"created\":\"2026-11-26\",\"providers\":[{\"name\":\"a\",\
    \"label\":\"A\",\"contact\":\"c\",\"urls\":[\"https://x/\"],\"fingerprints\":[\"0123456789ABCDEF0123456789ABCDEF01234567\"],\
    \"distributions\":[\"sles 15.*\"],\"packages\":[\"a-*\"],\"vendors\":[\"pci:1af4\"],\"modaliases\":[\"pci:v00001AF4d*\"]}]}",
];
/// A package, and behind it a command line.
const COMMAND_LINES: &[&str] = &[
    "foo-kmp-default-1.0-1.x86_64\nzypper\0-n\0remove\0foo-*\0",
    "foo-1-1.noarch\ndnf\0swap\0[a-f]o?\0\\foo\0[]!x]*[^y\0",
];
/// Two texts with a NUL between.
const BOOT_ENTRIES: &[&str] = &[
    "a+3-1\ntitle x\nsort-key s\nmachine-id 0123\nversion 5@6.4.0-1-default\nlinux /t/6.4.0-1-default/linux\n\
     initrd /a $b /c\noptions root=x rootflags=rw,subvol=@/.snapshots/5/snapshot\n---\nb\nuki /EFI/Linux/x.efi\n",
];
const MENUS: &[&str] = &[
    "menuentry 'a' {\n\tlinux\t/vmlinuz-6.4.0-1-default root=x\n\tinitrd /ucode.img /initrd-6.4.0-1-default $x\n}\n",
];
const GLOBS: &[&str] = &["foo-*-?\0foo-kmp-default-x", "*a*b*\0xaxbx"];
const DEPMOD_D: &[&str] =
    &["6.4.0-1-default\0override foo 6.4.* weak-updates/x\nsearch updates extra weak-updates built-in\n"];
const DRACUT: &[&str] = &[
    "add_drivers+=\" kernel/fs/ext4.ko.zst =drivers/net a.*b nvme-core \"\nomit_drivers=\"x\"\x00010-a.conf\x009-b.conf",
    "\0a~1.x\0a-2",
];

const SYMTYPES: &[&str] = &[
    "s#foo struct foo { int m ; s#foo * next ; u#bar b ; }\nu#bar union bar { UNKNOWN }\nbaz void baz ( s#foo * )\n\0\
     s#foo struct foo { long m ; }\nbaz void baz ( s#foo * )\n",
    "/* a.symtypes */\ns#foo struct foo { int m ; }\nu##bar\nbaz void baz ( s#foo , 'u#b ar' )\n\n/* b.symtypes */\nqux int qux ( )\n",
];
const SEVERITIES: &[&str] = &[
    "# kABI\narch/x86/kvm/* PASS\nvmlinux FAIL\nSYMBOL *_kvm_? PASS # c\nCXL PASS\nkvm_get FAIL\n",
    "[kabi_stablelist]\n\tprintk\n\tkvm_get\n",
];

/// Writes the seeds of all targets, a directory each.
pub fn write(dir: &Path, targets: &[String]) -> Result<(), String> {
    for target in targets {
        let seeds = of(target);
        if seeds.is_empty() {
            return Err(format!("the fuzz target {target} has no seeds (crates/xtask/src/fuzz/seeds.rs)"));
        }
        let dir = dir.join(target);
        let at = |e| format!("{}: {e}", dir.display());
        // Those of an earlier version go.
        match fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(at(e)),
            _ => fs::create_dir_all(&dir).map_err(at)?,
        }
        for (number, bytes) in seeds.iter().enumerate() {
            fs::write(dir.join(number.to_string()), bytes).map_err(at)?;
        }
    }
    Ok(())
}

fn of(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let packed = |command: &[&str]| command.iter().map(|command| pipe(command, &sample())).collect();
    match target {
        "assignments" => texts(SHELL),
        "boot_entry" => texts(BOOT_ENTRIES),
        "boot_image" => boot_images(),
        "btf_types" => btf_types(),
        "bzip2" => packed(&["bzip2 -1"]),
        "capability" => texts(CAPABILITIES),
        "catalogue" => texts(CATALOGUES),
        "command_line" => texts(COMMAND_LINES),
        "commit_list" => texts(COMMITS),
        "cpio" => vec![archive("newc"), archive("crc"), [archive("newc"), archive("newc")].concat()],
        "depmod_d" => texts(DEPMOD_D),
        "deps" => deps(),
        "dracut_conf" => texts(DRACUT),
        "glob" => texts(GLOBS),
        "grub_cfg" => texts(MENUS),
        "gzip" => packed(&["gzip -9", "gzip -1"]),
        "index" => indexes(),
        "index_cache" => index_cache(),
        "initrd" => ["cat", "gzip", "xz --check=crc32", "zstd -3", "lz4 -l", "lz4", "lzop", "lzma", "bzip2"]
            .map(|packer| [&archive("newc")[..], &[0; 8], &pipe(packer, &archive("newc"))].concat())
            .into(),
        "kernel_config" => texts(CONFIG),
        "kernel_image" => modules().into_iter().map(image).collect(),
        "kmp_conf" => texts(KMP_CONF),
        "lz4" => packed(&["lz4 -9", "lz4 -1 -B4 -BD", "lz4 --content-size"]),
        "lz4_legacy" => packed(&["lz4 -l"]),
        "lzma" => packed(&["lzma -0", "lzma -9"]),
        "lzop" => packed(&["lzop -1", "lzop -9"]),
        "modinfo" => {
            vec![b"name=foo\0license=GPL\0\0vermagic=6.4.0 SMP \0parm=a:b=c\0depends=x,y-z\0".to_vec()]
        }
        "module" => modules(),
        "modules_dep" => texts(MODULES_DEP),
        "os_release" => texts(OS_RELEASE),
        "package_listed" | "rpm_header" => packages(),
        "signature" => signed(),
        "source_list" => texts(LISTS),
        "source_record" => texts(RECORDS),
        "squashfs" => ["gzip", "xz", "zstd", "lz4", "lzo"].map(squashfs).into(),
        "stomp" => texts(FRAMES),
        "symsets" => vec![symsets(), compress(&symsets(), Compression::Gz)],
        "symtypes" => texts(SYMTYPES),
        "severities" => texts(SEVERITIES),
        "symvers" => symvers(),
        "system_map" => texts(SYSTEM_MAP),
        "unified_image" => vec![unified(&archive("newc")), unified(&pipe("gzip", &archive("newc")))],
        "xz" => packed(&["xz -0", "xz --check=crc32", "xz --check=sha256 --x86 --lzma2"]),
        "zstd" => packed(&["zstd -3", "zstd -1 --no-check", "zstd -19 --long=20"]),
        "certificates" | "hwdata" | "modalias" | "openpgp" | "signature_header" => trust::of(target),
        other => repositories::of(other),
    }
}

/// An image of squashfs, with modules and a link.
fn squashfs(packer: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let modules = dir.path().join("usr/lib/modules").join(KREL).join("updates");
    fs::create_dir_all(&modules).expect("a temporary directory");
    for (number, module) in self::modules().into_iter().take(2).enumerate() {
        fs::write(modules.join(format!("m{number}.ko")), module).expect("a temporary directory");
    }
    std::os::unix::fs::symlink("m0.ko", modules.join("link.ko")).expect("a temporary directory");
    let image = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = Command::new("mksquashfs");
    command.arg(dir.path()).arg(image.path()).args(["-noappend", "-quiet", "-no-progress", "-comp", packer]);
    assert!(command.status().is_ok_and(|status| status.success()), "mksquashfs");
    fs::read(image.path()).expect("mksquashfs has made it")
}

/// A unified kernel image.
fn unified(initrd: &[u8]) -> Vec<u8> {
    unified_image(&[
        (".osrel", b"ID=test\n"),
        (".uname", KREL.as_bytes()),
        (".linux", b"MZ"),
        (".initrd", initrd),
    ])
}

/// Something that packs, and something that does not.
fn sample() -> Vec<u8> {
    [ModuleBuilder::new("sample").text_size(600).build(), vec![7; 3000], b"abcabcabd".to_vec()].concat()
}

fn modules() -> Vec<Vec<u8>> {
    let base = |arch| {
        ModuleBuilder::new("foo-bar")
            .arch(arch)
            .text_size(32)
            .built_for(KREL)
            .need("printk", 0x1234)
            .need_weak("maybe", None)
            .export("foo_open", 7)
            .export_with(Export::new("foo_ns").crc(8).gpl().namespace("FOO"))
            .alias("pci:v00008086d*")
            .depends("mii,a-b")
            .import_ns("NS")
            .supported("yes")
    };
    let mut all: Vec<Vec<u8>> =
        [Arch::X86_64, Arch::Ppc64le, Arch::S390x, Arch::I386].map(|arch| base(arch).build()).into();
    let x86 = || base(Arch::X86_64);
    all.push(x86().versions(Versions::Both).build());
    all.push(x86().versions(Versions::Extended).strip(Strip::Locals).build());
    all.push(x86().crc_style(CrcStyle::Absolute).strip(Strip::Unneeded).build());
    all.push(x86().signature(pkcs7()).build());
    all
}

/// The file as of a linked image, which is all that makes one for our reader.
fn image(mut module: Vec<u8>) -> Vec<u8> {
    let place = if module.get(5) == Some(&2) { 17 } else { 16 };
    if let Some(kind) = module.get_mut(place) {
        *kind = 2;
    }
    module
}

fn pkcs7() -> &'static [u8] {
    include_bytes!("../../../kmod-abi/src/testdata/issuer.p7")
}

fn signed() -> Vec<Vec<u8>> {
    let blobs = [
        pkcs7(),
        include_bytes!("../../../kmod-abi/src/testdata/keyid.p7"),
        include_bytes!("../../../kmod-abi/src/testdata/org.p7"),
    ];
    blobs.map(|blob| ModuleBuilder::new("m").text_size(8).signature(blob).build()).into()
}

fn symvers() -> Vec<Vec<u8>> {
    let table = Symvers::new()
        .vmlinux("printk", 1)
        .vmlinux_gpl("kfree", 2)
        .module("drivers/net/mii", "mii", 3)
        .add(4, "ns", "fs/x", true, "NS");
    [Columns::Four, Columns::Five, Columns::NamespaceThird]
        .map(|c| table.clone().columns(c).to_text().into_bytes())
        .into()
}

fn packages() -> Vec<Vec<u8>> {
    let kernel = KernelBuilder::new(KREL).export("printk", 1);
    let driver = kernel.driver("foo").need("printk", 1).text_size(16).build();
    let kmp = PackageBuilder::kmp("foo", "default", "1.0", KREL, [("foo.ko", driver)])
        .provides("foo = 1")
        .requires("ksym(default:printk) = 1")
        .symlink("/usr/share/foo", "../foo");
    vec![fs::read(kmp.build().path()).unwrap_or_default()]
}

/// As the target takes them: a path, NUL, the file.
fn deps() -> Vec<Vec<u8>> {
    let module = &modules()[0];
    [
        ("/b/usr/lib/modules/6.4.0-1-default/updates/foo-bar.ko", module.clone()),
        ("/b/usr/lib/modules/6.4.0-1-default/vmlinux", image(module.clone())),
        ("/b/usr/lib/modules/6.4.0-1-default/modules.builtin", b"kernel/a.ko\n".to_vec()),
        ("/b/usr/lib/modules/6.4.0-1-default/symvers", symvers().swap_remove(0)),
        ("/b/usr/lib/modules-load.d/x.conf", b"# c\nfoo bar-baz\n".to_vec()),
    ]
    .map(|(path, file)| [path.as_bytes(), b"\0", &file].concat())
    .into()
}

/// An archive of sets of symbols, not compressed.
fn symsets() -> Vec<u8> {
    let script = "d=symsets-6.4.0-1-default && mkdir $d && printf '0x00000abc\\tprintk\\tvmlinux\\tEXPORT_SYMBOL\\n' \
                  > $d/vmlinux.0123456789abcdef && tar -c $d";
    pipe(script, b"")
}

/// A small initrd.
fn archive(format: &str) -> Vec<u8> {
    let script = format!(
        "d=lib/modules/{KREL} && mkdir -p $d/kernel $d/updates && head -c 300 > $d/updates/own.ko && \
         gzip < $d/updates/own.ko > $d/kernel/ext4.ko.gz && ln $d/updates/own.ko $d/updates/same.ko && \
         ln -s ../updates/own.ko $d/kernel/own.ko && mkdir bin && echo x > bin/sh && \
         find . | LC_ALL=C sort | cpio -o -H {format} --quiet"
    );
    pipe(&script, &sample())
}

/// What a line of shell makes of `input`, run in an empty directory.
fn pipe(script: &str, input: &[u8]) -> Vec<u8> {
    let run = || -> std::io::Result<Vec<u8>> {
        let home = tempfile::tempdir()?;
        let mut file = tempfile::tempfile()?;
        file.write_all(input)?;
        std::io::Seek::rewind(&mut file)?;
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(home.path()).stdin(Stdio::from(file));
        let output = shell.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(output.stdout) } else { Err(std::io::Error::other(said)) }
    };
    run().unwrap_or_else(|e| panic!("{script}: {e}"))
}

/// Files of depmod's in both orders of nodes.
fn indexes() -> Vec<Vec<u8>> {
    let (exports, aliases) =
        (["ext4_mark", "ext4_fs"], ["fs-ext4", "fs-ext3", "pci:v00001AF4d0000100[0-7]sv*"]);
    let facts = index::Facts::new([&exports[..], &[], &aliases, &[], &[]]);
    let module = index::Module { path: b"kernel/fs/ext4.ko", facts: &facts };
    let made = |version| {
        let style = index::Style::of_kmod(version);
        let config = index::depmod_d::Config::default();
        index::Index::make(&[module], index::Lists::default(), &config, "6.4.0", style)
    };
    let files = [30, 34].into_iter().filter_map(|version| made(version).ok()).flat_map(|index| index.files);
    files.filter(|(name, _)| name.ends_with(".bin")).map(|(_, bytes)| bytes).collect()
}

/// What is kept of a kernel's modules, unpacked: of one file of the index and of one module, and why there is nothing.
fn index_cache() -> Vec<Vec<u8>> {
    let start = concat!("kmp-depmod 1 ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();
    let (id, number) = ([1; 32], |n: u32| n.to_le_bytes());
    let text = |text: &str| [&number(u32::try_from(text.len()).unwrap_or(0))[..], text.as_bytes()].concat();
    let program = [start, &id, &number(34), &[9]].concat();
    let file = [&text("modules.dep")[..], &id, &[7; 32]].concat();
    let facts = [2, 4, 4, 4, 4].map(number).concat();
    let module = [&text("kernel/a.ko")[..], &id, &facts, b"e\0n\0"].concat();
    vec![
        [&program[..], &text(""), &number(1), &file, &number(1), &module].concat(),
        [&program[..], &text("why"), &number(0), &number(0)].concat(),
    ]
}

/// Images and modules of two kernels.
fn btf_types() -> Vec<Vec<u8>> {
    let kernel = |size: u32| {
        let mut image = BtfBuilder::image();
        let int = image.int("int", 4);
        let lens = image.structure("lens", size, &[("zoom", int, 0), ("far", int, size - 4)]);
        let to_lens = image.pointer(lens);
        image.function("usb_alert", &[to_lens, int]);
        let mut module = BtfBuilder::module(&image);
        let cam = module.structure("cam", 8, &[("lens", to_lens, 0)]);
        module.function("cam_open", &[cam]);
        [image.build(), module.build()]
    };
    let sections = kernel(8).into_iter().chain(kernel(12));
    let framed = sections
        .flat_map(|s| [u32::try_from(s.len()).expect("it is small").to_le_bytes().to_vec(), s].concat());
    vec![framed.collect()]
}

/// As of x86 and of arm64's zboot.
fn boot_images() -> Vec<Vec<u8>> {
    let mut types = BtfBuilder::image();
    types.int("int", 4);
    let types = types.build();
    let payload = compress(&types, Compression::Zst);
    let length = u32::try_from(payload.len()).expect("it is small");
    let mut x86 = vec![0; 1024];
    x86[0x1f1] = 1;
    x86[0x202..0x206].copy_from_slice(b"HdrS");
    x86[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
    x86.extend(&payload);
    let zboot = [&b"MZ\0\0zimg"[..], &16u32.to_le_bytes(), &length.to_le_bytes(), &payload].concat();
    vec![x86, zboot, [&b"raw"[..], &types].concat()]
}
