// SPDX-License-Identifier: LGPL-2.1-or-later
//! The words of `kmp update` and `kmp hold`.

use clap::ValueHint;

#[derive(Debug, clap::Args)]
pub struct Update {
    /// Only this kernel, of those that repositories have: its release, its version, or its package
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<String>,
    /// Look at this directory, which has a repository's repodata, and not at what the package manager has cached; may be given
    /// more than once
    #[arg(long = "repo", value_name = "[ID=]DIR", value_hint = ValueHint::DirPath)]
    pub repositories: Vec<String>,
    /// The directories of --repo are all repositories that there are: keep what is found (for dnf's plugins)
    #[arg(long, requires = "repositories")]
    pub keep: bool,
    /// Fetch nothing: neither have the package manager refresh its repositories, nor ask the sources of drivers
    #[arg(long)]
    pub offline: bool,
    /// Fetch packages of kernels and drivers where the repositories' lists do not say enough, and look into them
    #[arg(long)]
    pub fetch: bool,
    /// For plugins of package managers: have nothing refreshed, ask nobody, and the sources of drivers for some seconds only
    #[arg(long, conflicts_with = "offline")]
    pub hook: bool,
    /// Change nothing; print what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Then run the distribution's own program: `zypper update`, `dnf upgrade`
    #[arg(long, conflicts_with_all = ["kernel", "repositories", "dry_run", "json"])]
    pub apply: bool,
    /// Take away what earlier runs have written
    #[arg(long, conflicts_with_all = ["kernel", "repositories", "dry_run", "json", "apply"])]
    pub clear: bool,
    /// Print a page for a browser, without script
    #[arg(long, conflicts_with_all = ["json", "apply", "clear"])]
    pub html: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Update {
    /// As `kmp update --kernel KERNEL`.
    pub fn of_kernel(kernel: String) -> Self {
        Self {
            kernel: Some(kernel),
            repositories: Vec::new(),
            keep: false,
            offline: false,
            fetch: false,
            hook: false,
            html: false,
            dry_run: false,
            apply: false,
            clear: false,
            json: false,
        }
    }

    /// Is something to be written? What concerns only a part of what there is would take the rest away.
    pub fn changes(&self) -> bool {
        !self.dry_run && self.kernel.is_none() && (self.repositories.is_empty() || self.keep)
    }
}

#[derive(Debug, clap::Args)]
pub struct Hold {
    /// Let this kernel come once, without the drivers that it costs: its release, or its package
    #[arg(long, value_name = "KERNEL")]
    pub release: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
