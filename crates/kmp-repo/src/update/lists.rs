// SPDX-License-Identifier: LGPL-2.1-or-later
//! What concerns drivers in a repository's lists: as it was kept, or read anew.

use super::offers::Source;
use crate::kept::{Cache, Extract, Key, Writer};
use crate::offer::CONCERNED;
use crate::repository::{MetadataDir, RepositoryError};
use crate::rpmmd::Repomd;

/// About how many bytes of memory a repository's advisories may take. Of a distribution's they take less than one million.
const MOST_ADVISORIES: usize = 16 << 20;

/// What `take` makes of an extract, and the extract. Where what is kept is of no use to it, the lists are read.
pub(super) fn extract<T>(
    source: &Source<'_>,
    cache: &Cache<'_>,
    take: &mut dyn FnMut(&Extract) -> Option<T>,
) -> Result<(T, Extract), RepositoryError> {
    let dir = MetadataDir::new(source.root, &source.dir);
    let (repomd, key) = dir.summed_repomd()?;
    if let Some(kept) = cache.load(&key)
        && let Some(taken) = take(&kept)
    {
        return Ok((taken, kept));
    }
    let too_large = || RepositoryError::TooLarge { path: source.dir.clone() };
    let (bytes, is_whole) = read(&dir, &repomd, &key, &source.id)?;
    let bytes = bytes.ok_or_else(too_large)?;
    if is_whole {
        cache.keep(&key, &bytes);
    }
    let extract = Extract::open(bytes, &key).ok_or_else(too_large)?;
    let taken = take(&extract).ok_or_else(too_large)?;
    Ok((taken, extract))
}

/// Reads the lists. The extract, `None` if it is too large; and whether it has all that it should.
fn read(
    dir: &MetadataDir<'_>,
    repomd: &Repomd,
    key: &Key,
    id: &str,
) -> Result<(Option<Vec<u8>>, bool), RepositoryError> {
    let mut writer = Writer::default();
    dir.packages(repomd, &CONCERNED, &mut |package| writer.package(package))?;
    let (mut advisories, mut memory) = (Vec::new(), 0);
    let read = dir.advisories(repomd, &mut |advisory| {
        memory += advisory.memory();
        if memory < MOST_ADVISORIES {
            advisories.push(advisory);
        }
    });
    // What they said counts once their checksum agreed.
    match &read {
        Ok(()) => advisories.iter().for_each(|advisory| writer.advisory(advisory)),
        // All is judged without them.
        Err(e) => {
            log::warn!("repository {id}: {e}; which security updates a held kernel keeps back is not known")
        }
    }
    Ok((writer.finish(key), read.is_ok()))
}
