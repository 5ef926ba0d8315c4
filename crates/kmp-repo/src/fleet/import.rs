// SPDX-License-Identifier: LGPL-2.1-or-later
//! What servers that manage machines know of them: their answers to who asks which packages a machine has. Pure.
//!
//! The file has one object: the name of each machine, and the server's answer for it, whole or only the list in it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::line::of_packages;
use super::machine::Machines;
use super::nevra::Nevra;

/// Who knows the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Uyuni, SUSE Multi-Linux Manager: `system.listPackages`, or `system.listInstalledPackages`.
    Uyuni,
    /// Katello, Satellite: `GET /api/hosts/ID/packages`.
    Katello,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<P> {
    /// Uyuni's HTTP API puts its results below `result`, Katello's below `results`.
    Whole {
        #[serde(alias = "results")]
        result: Vec<P>,
    },
    List(Vec<P>),
}

impl<P> Answer<P> {
    fn list(self) -> Vec<P> {
        match self {
            Self::Whole { result } => result,
            Self::List(list) => list,
        }
    }
}

/// A package, as Uyuni names it.
#[derive(Deserialize)]
struct OfUyuni {
    name: String,
    version: String,
    release: String,
    #[serde(default)]
    epoch: Option<String>,
    /// `arch_label` in other calls.
    #[serde(alias = "arch_label")]
    arch: String,
}

/// A package, as Katello names it.
#[derive(Deserialize)]
struct OfKatello {
    #[serde(default)]
    nvrea: Option<String>,
    #[serde(default)]
    nvra: Option<String>,
}

/// Adds the machines of a server's answers. `from`: what the text is called.
///
/// # Errors
/// It is no such file.
pub fn import(server: Server, from: &str, text: &[u8], machines: &mut Machines) -> Result<(), String> {
    match server {
        Server::Uyuni => add(from, text, machines, |package: OfUyuni| {
            let epoch = package.epoch.unwrap_or_default();
            let nevra =
                Nevra::of(&package.name, epoch.trim(), &package.version, &package.release, &package.arch);
            // What is written is looked at as what is read.
            Nevra::parse(&nevra.to_string())
        }),
        Server::Katello => add(from, text, machines, |package: OfKatello| {
            let parsed = |text: Option<String>| Nevra::parse(&text?);
            parsed(package.nvrea).or_else(|| parsed(package.nvra))
        }),
    }
}

fn add<P: for<'de> Deserialize<'de>>(
    from: &str,
    text: &[u8],
    machines: &mut Machines,
    nevra: impl Fn(P) -> Option<Nevra>,
) -> Result<(), String> {
    let answers: BTreeMap<String, Answer<P>> = serde_json::from_slice(text)
        .map_err(|e| format!("{from} is no object of machines and packages: {e}"))?;
    for (name, answer) in answers {
        match of_packages(&name, answer.list().into_iter().filter_map(&nevra)) {
            Ok(machine) => machines.add(machine),
            Err(why) => machines.problem(format!("{from}: {why}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(server: Server, text: &str) -> Vec<String> {
        let mut machines = Machines::default();
        import(server, "list", text.as_bytes(), &mut machines).unwrap();
        let group = machines.groups().next().unwrap();
        let kernels = group.packages.kernels.iter().map(|(kernel, _)| kernel.to_string());
        kernels.chain(group.packages.drivers.iter().map(ToString::to_string)).collect()
    }

    #[test]
    fn answers_of_both_servers() {
        let uyuni = r#"{"web01":{"success":true,"result":[
            {"id":1,"name":"kernel-default","version":"6.4.0","release":"1.1","epoch":" ","arch":"x86_64","installtime":"2026"},
            {"name":"nic-kmp-default","version":"1","release":"1","epoch":"","arch_label":"x86_64"},
            {"name":"bash","version":"5","release":"1","epoch":"","arch":"x86_64"}]}}"#;
        let expected = ["kernel-default-6.4.0-1.1.x86_64", "nic-kmp-default-1-1.x86_64"];
        assert_eq!(packages(Server::Uyuni, uyuni), expected);
        let katello = r#"{"web01":{"total":3,"results":[
            {"id":1,"name":"kernel-core","nvra":"kernel-core-5.14.0-1.el9.x86_64","nvrea":"kernel-core-5.14.0-1.el9.x86_64","rpm_id":7},
            {"id":2,"name":"kmod-nic","nvra":"kmod-nic-1-1.x86_64","nvrea":"2:kmod-nic-1-1.x86_64","upgradable_version":null},
            {"id":3,"name":"odd","nvra":"odd"}]}}"#;
        let expected = ["kernel-core-5.14.0-1.el9.x86_64", "kmod-nic-2:1-1.x86_64"];
        assert_eq!(packages(Server::Katello, katello), expected);
        let mut machines = Machines::default();
        let odd = import(Server::Katello, "list", b"[1", &mut machines).unwrap_err();
        assert!(odd.starts_with("list is no object of machines and packages: "), "{odd}");
    }
}
