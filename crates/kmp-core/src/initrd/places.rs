//! Where a kernel and its initrd are.

use std::path::{Component, Path, PathBuf};

use crate::root::{FileType, Root};

/// Names of kernel images, as `weak-modules2` looks for them.
const IMAGES: &[&str] = &["vmlinuz", "image", "vmlinux", "linux", "bzImage", "uImage", "Image", "zImage"];

/// Where boot partitions are that a boot loader of the Boot Loader Specification reads.
const BOOT: &[&str] = &["/boot", "/boot/efi", "/efi"];

/// Files that name the directory of this system's entries there.
const TOKENS: &[&str] = &["/etc/kernel/entry-token", "/etc/machine-id"];

/// Is there an image of this kernel, in its directory `dir` or in `/boot`?
pub fn has_image(root: &Root, release: &str, dir: &Path) -> bool {
    let boot = |name: &&str| root.exists(&Path::new("/boot").join(format!("{name}-{release}")));
    IMAGES.iter().any(|name| root.exists(&dir.join(name)) || boot(name))
}

/// Is it `vmlinuz-` or the like: what stands before the release in an image's name?
pub fn is_image_prefix(prefix: &str) -> bool {
    prefix.strip_suffix('-').is_some_and(|image| IMAGES.contains(&image))
}

/// The initrd of a kernel: SUSE's and Red Hat's names, the kernel's directory, then the newest of a boot loader's entries.
pub fn find(root: &Root, release: &str, dir: &Path) -> Option<PathBuf> {
    let boot = Path::new("/boot");
    let named = [
        boot.join(format!("initrd-{release}")),
        boot.join(format!("initramfs-{release}.img")),
        dir.join("initrd"),
        dir.join("initramfs.img"),
    ];
    named.into_iter().find(|path| root.exists(path)).or_else(|| newest_entry(root, release))
}

/// `/boot/efi/TOKEN/RELEASE/initrd*`.
fn newest_entry(root: &Root, release: &str) -> Option<PathBuf> {
    let mut found: Vec<(i128, PathBuf)> = Vec::new();
    for token in TOKENS.iter().filter_map(|file| token(root, file)) {
        for boot in BOOT {
            let dir = Path::new(boot).join(&token).join(release);
            for entry in root.read_dir(&dir).unwrap_or_default() {
                let is_initrd = entry.name.as_encoded_bytes().starts_with(b"initrd");
                let path = dir.join(&entry.name);
                if let Some(stat) =
                    root.metadata(&path).ok().filter(|s| is_initrd && s.kind() == FileType::File)
                {
                    found.push((stat.mtime_ns, path));
                }
            }
        }
    }
    found.into_iter().max().map(|(_, path)| path)
}

/// The first word of a small file, if it can be a directory's name.
fn token(root: &Root, file: &str) -> Option<String> {
    let text = String::from_utf8(root.read(Path::new(file), 4096).ok()?).ok()?;
    let word = text.split_whitespace().next()?;
    let mut components = Path::new(word).components();
    let is_name = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    is_name.then(|| word.into())
}
