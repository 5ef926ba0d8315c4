// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which dialect is used, and what a distribution that is of no known family means.

use std::path::{Path, PathBuf};

use super::Dialect;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;

/// Which dialect is used below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one: the configuration or the distribution says so.
    Known(Dialect),
    /// Neither says so.
    Unknown(UnknownDistribution),
}

impl Which {
    /// The dialect, for what acts on it.
    ///
    /// # Errors
    /// The distribution is not known.
    pub fn known(self) -> Result<Dialect, UnknownDistribution> {
        match self {
            Self::Known(dialect) => Ok(dialect),
            Self::Unknown(unknown) => Err(unknown),
        }
    }

    /// The dialect for what only reads: SUSE's where none is known. Who uses it reports [`Self::unknown`], too.
    pub fn for_reading(&self) -> Dialect {
        match self {
            Self::Known(dialect) => *dialect,
            Self::Unknown(_) => Dialect::Suse,
        }
    }

    /// Why none is known, if so.
    pub fn unknown(&self) -> Option<&UnknownDistribution> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(unknown) => Some(unknown),
        }
    }
}

/// A distribution that is neither of SUSE's nor of Red Hat's family: whose conventions are used only its administrator knows.
/// No link is changed for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}, so it is not known whose conventions are used for links; set \"dialect = suse\" or \"dialect = redhat\" in /etc/kmp.conf",
    said(.file.as_ref(), id)
)]
pub struct UnknownDistribution {
    /// The os-release file that was read, as seen from outside the root; `None`: there is none.
    pub file: Option<PathBuf>,
    /// Its `ID`; empty where it has none.
    pub id: String,
}

impl UnknownDistribution {
    /// As what is left out of account.
    pub fn problem(&self, root: &Root) -> Problem {
        let file = self.file.clone().unwrap_or_else(|| root.display(Path::new("/etc/os-release")));
        Problem::new(file, self.to_string())
    }
}

fn said(file: Option<&PathBuf>, id: &str) -> String {
    match (file, id) {
        (None, _) => "there is no os-release file".into(),
        (Some(_), "") => "the os-release file has no ID of a known distribution".into(),
        (Some(_), id) => {
            format!(
                "the distribution \"{}\" is neither of SUSE's nor of Red Hat's family",
                printable(id.as_ref())
            )
        }
    }
}
