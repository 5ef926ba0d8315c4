// SPDX-License-Identifier: LGPL-2.1-or-later
//! What somebody asks a plan about, as it is typed. Pure.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::abi::name::module_name;

/// What is asked. Nothing at all: what it would be like to run the newest installed kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Package files that come, all in one transaction.
    pub files: Vec<PathBuf>,
    /// Releases of installed kernels that are to run.
    pub kernels: BTreeSet<String>,
    /// Installed KMPs that are erased: name, NAME-VERSION-RELEASE, or that with the architecture.
    pub erased: Vec<String>,
}

/// A name that is none of what a plan is asked about, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoQuestion {
    /// A module file: what a package would change is asked, and whether a module loads is another question.
    #[error("{0} is a module file, which rpm does not install; whether it would load says: kmp check {0}")]
    Module(String),
    /// Neither a file by its form nor text.
    #[error(
        "{0} is neither a package file nor a kernel; a package file needs a / in its name or ends in .rpm"
    )]
    Neither(String),
}

impl Question {
    /// By names: a package file has a `/` in it or ends in `.rpm`, a KMP that is erased has `@` before it, what else there is
    /// is a kernel's release.
    ///
    /// # Errors
    /// [`NoQuestion`].
    pub fn of_names(names: &[OsString]) -> Result<Self, NoQuestion> {
        let mut question = Self::default();
        for name in names {
            let path = Path::new(name);
            let is_package = path.extension().is_some_and(|e| e == "rpm");
            let is_module = !is_package && path.file_name().and_then(module_name).is_some();
            match name.to_str() {
                _ if is_module => return Err(NoQuestion::Module(crate::printable(name))),
                _ if is_package || path.components().count() > 1 => question.files.push(path.into()),
                Some(text) if text.len() > 1 && text.starts_with('@') => {
                    question.erased.push(text[1..].into())
                }
                Some(release) => {
                    question.kernels.insert(release.into());
                }
                None => return Err(NoQuestion::Neither(crate::printable(name))),
            }
        }
        Ok(question)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_is_typed_is_known_by_its_form() {
        let of = |names: &[&str]| Question::of_names(&names.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&[]), Ok(Question::default()));
        let all = of(&["a.rpm", "./b", "@foo-kmp-default", "6.4.0-1-default", "@a.rpm"]).unwrap();
        assert_eq!(all.files, [Path::new("a.rpm"), Path::new("./b"), Path::new("@a.rpm")]);
        assert_eq!(all.erased, ["foo-kmp-default"]);
        assert_eq!(all.kernels.into_iter().collect::<Vec<_>>(), ["6.4.0-1-default"]);
        for module in ["cam.ko", "./x/cam.ko.xz"] {
            assert_eq!(of(&[module]), Err(NoQuestion::Module(module.into())));
        }
        let no_text = OsStr::from_bytes(b"\xff").to_os_string();
        assert!(matches!(Question::of_names(&[no_text]), Err(NoQuestion::Neither(_))));
    }
}
