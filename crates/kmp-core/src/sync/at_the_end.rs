// SPDX-License-Identifier: LGPL-2.1-or-later
//! Initrds that were requested in an rpm transaction, made at its end where nobody else makes them: packages of SUSE's
//! kernels and drivers have a %posttrans for it, those of Red Hat count on `weak-modules`, whose work rpm's plugin does.

use std::path::{Path, PathBuf};

use crate::apply::{Done, Generator, MARKERS, markers, unmark};
use crate::config;
use crate::initrd::{Settings, Snapshot, places};
use crate::inventory::ModulesDirs;
use crate::problem::Problem;
use crate::root::Root;
use crate::run_dir::Note;

/// Makes the initrds that are requested now, and were not `before`: those are for who left them. A request that an initrd is
/// newer than is served already, such as by `kernel-install` for a kernel that came. Returns what was done for which kernel.
///
/// # Errors
/// What could not be read. The requests stay.
pub fn make_requested(
    root: &Root,
    settings: &Settings,
    before: &[Note],
) -> Result<Vec<(String, Done)>, Problem> {
    let Ok(dialect) = config::dialect(root, &mut Vec::new())?.known() else { return Ok(Vec::new()) };
    if dialect.makes_initrds_in_posttrans() || settings.in_posttrans {
        return Ok(Vec::new());
    }
    let requested = markers(root)?.into_iter().filter(|marker| !before.contains(marker));
    let dirs = ModulesDirs::find(root)?;
    let mut generator = None;
    let mut done = Vec::new();
    for marker in requested {
        let dir = dirs.path().join(&marker.name);
        let is_there = root.try_exists(&dir).map_err(|e| Problem::unreadable(root.display(&dir), &e))?;
        if !is_there {
            continue;
        }
        let boots = places::find(root, &marker.name, &dir)?;
        let is_newer = |path: &PathBuf| root.metadata(path).is_ok_and(|initrd| marker.is_older_than(&initrd));
        let generator = generator.get_or_insert_with(|| Generator::find(root, settings, false));
        let kernel = (marker.name.as_str(), dir.as_path());
        let is_good = || generator.as_ref().map_or(true, |g| g.is_content(root, dialect, kernel, &boots));
        if boots.files().iter().any(is_newer) && is_good() {
            unmark(root, &marker);
            continue;
        }
        let made = match generator {
            Ok(generator) => {
                generator.make(root, dialect, kernel, Snapshot::Running).map_err(|e| e.to_string())
            }
            Err(why) => Err(why.to_string()),
        };
        let made = match made {
            Ok(said) => {
                unmark(root, &marker);
                Done::Built(said)
            }
            Err(why) => {
                let request = root.display(&Path::new(MARKERS).join(&marker.name));
                Done::Failed(format!("{why}; the request stays in {}", request.display()))
            }
        };
        done.push((marker.name, made));
    }
    Ok(done)
}
