// SPDX-License-Identifier: LGPL-2.1-or-later
//! Root's rights, or a user namespace that stands in for them.

use std::process::{Command, Stdio};

/// Is this root?
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The words that give a command root's rights in a namespace of its own; none for root.
pub fn namespace() -> Result<Vec<&'static str>, String> {
    if is_root() {
        return Ok(Vec::new());
    }
    let words = vec!["unshare", "-Urm"];
    let works = Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    match works {
        true => Ok(words),
        false => Err("rpm needs the rights of root for a root of its own: run this as root, or allow user \
                      namespaces (unshare -Urm)"
            .into()),
    }
}

/// Runs this chore again where it has root's rights; `None` where it has them.
pub fn again(arguments: &[&str]) -> Result<Option<()>, String> {
    let words = namespace()?;
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let status = Command::new(first).args(rest).arg(program).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(Some(())),
        Ok(status) => Err(format!("failed in the user namespace ({status})")),
        Err(e) => Err(format!("{first}: {e}")),
    }
}
