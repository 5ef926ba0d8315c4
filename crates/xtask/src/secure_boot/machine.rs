// SPDX-License-Identifier: LGPL-2.1-or-later
//! A machine with UEFI's firmware that is switched on, and whose first serial port somebody sits at.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::judge::run::Result;

/// How long a machine may run, and how long somebody waits for a screen. An emulated processor is slow.
const LIMIT: Duration = Duration::from_secs(900);

/// A machine's parts.
pub struct Machine<'m> {
    /// The firmware, which does not change.
    pub code: &'m Path,
    /// Its variables, which do.
    pub variables: &'m Path,
    /// The EFI system partition, and the disk with the root file system.
    pub disks: [&'m Path; 2],
    /// Where what it says is kept.
    pub dir: &'m Path,
}

/// What somebody waits to see, and types then.
pub type Step = (&'static str, &'static [u8]);

/// Ends the machine with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine<'_> {
    /// Switches it on, does `steps` at the console, and waits until it goes off. Returns what its second serial port says.
    ///
    /// # Errors
    /// A screen does not come, or the machine does not go off, in time.
    pub fn start(&self, name: &str, steps: &[Step]) -> Result<String> {
        let file = |what: &str| self.dir.join(format!("{name}-{what}"));
        let drive = |path: &Path, more: &str| format!("file={},format=raw,{more}", path.display());
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35,smm=on,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "1G", "-no-reboot"]);
        qemu.args(["-display", "none", "-monitor", "none", "-nic", "none", "-boot", "menu=off"]);
        qemu.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        qemu.arg("-drive").arg(drive(self.code, "if=pflash,unit=0,readonly=on"));
        qemu.arg("-drive").arg(drive(self.variables, "if=pflash,unit=1"));
        for disk in self.disks {
            qemu.arg("-drive").arg(drive(disk, "if=virtio"));
        }
        qemu.args([
            "-device",
            "virtio-net-pci",
            "-device",
            "virtio-serial-pci",
            "-device",
            "virtconsole,chardev=c",
        ]);
        qemu.arg("-chardev").arg(format!("file,id=c,path={}", file("console").display()));
        qemu.args(["-serial", "stdio"]).arg("-serial").arg(format!("file:{}", file("results").display()));
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(file("qemu"))?);
        let mut running = Running(qemu.spawn().map_err(|e| format!("qemu-system-x86_64: {e}"))?);
        let mut keyboard = running.0.stdin.take().ok_or("no keyboard")?;
        let screen = Screen::of(running.0.stdout.take().ok_or("no screen")?, file("screen"))?;
        let start = Instant::now();
        let mut seen = 0;
        for (words, keys) in steps {
            seen = loop {
                if let Some(end) = screen.find(words, seen) {
                    break end;
                }
                if running.0.try_wait()?.is_some() || start.elapsed() > LIMIT {
                    return Err(format!(
                        "{name}: \"{words}\" did not come; see {}",
                        file("screen").display()
                    )
                    .into());
                }
                std::thread::sleep(Duration::from_millis(200));
            };
            // Who is not looked at yet does not take what is typed.
            std::thread::sleep(Duration::from_millis(500));
            keyboard.write_all(keys)?;
            keyboard.flush()?;
        }
        while running.0.try_wait()?.is_none() {
            if start.elapsed() > LIMIT {
                return Err(format!("{name} did not go off in time; see {}", file("screen").display()).into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(String::from_utf8_lossy(&fs::read(file("results"))?).replace('\r', ""))
    }
}

/// All that was to be seen, which is also kept in a file.
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn of(mut from: impl std::io::Read + Send + 'static, kept: PathBuf) -> Result<Self> {
        let mut kept = File::create(kept)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                let _ = kept.write_all(&bytes[..count]);
                if let Ok(mut seen) = shared.lock() {
                    seen.extend(&bytes[..count]);
                }
            }
        });
        Ok(Self(seen))
    }

    /// Where `words` end, behind `from`.
    fn find(&self, words: &str, from: usize) -> Option<usize> {
        let seen = self.0.lock().ok()?;
        let place = seen.get(from..)?.windows(words.len()).position(|part| part == words.as_bytes())?;
        Some(from + place + words.len())
    }
}
