# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plugin of dnf 4: kernels come together with their drivers, or not yet.

`kmp update` judges, by the metadata that dnf has just read; this applies its answer. What goes wrong here keeps no update from
being made: rpm's plugin looks at each transaction once more.
"""

import json
import logging
import os
import subprocess

import dnf

logger = logging.getLogger("dnf.plugin.kmp")

# Commands that bring no newer kernel, or what was there before.
WITHOUT = ("remove", "autoremove", "history", "mark")

# For the answer, in seconds, unless `timeout` in /etc/dnf/plugins/kmp.conf says otherwise.
PATIENCE = 30


class Kmp(dnf.Plugin):
    name = "kmp"

    def __init__(self, base, cli):
        super().__init__(base, cli)
        self.cli = cli
        self.kernels = []
        self.patience = PATIENCE

    def config(self):
        """Called before anything is read."""
        parser = self.read_config(self.base.conf)
        if not parser.has_option("main", "timeout"):
            return
        try:
            self.patience = float(parser.get("main", "timeout"))
        except ValueError as error:
            logger.warning("kmp: timeout in the plugin's configuration: %s", error)

    def sack(self):
        """All metadata is there, and nothing is resolved yet: keeps back kernels whose drivers are not there."""
        self.kernels = []
        if not self._is_wanted():
            return
        try:
            answer = self._ask()
            held = [kernel for kernel in answer["kernels"] if kernel["verdict"] == "held"]
            lines = ["%s is held back: %s" % (kernel["package"], kernel["reason"]) for kernel in held]
            self._hold(answer["exclude"])
        except Exception as error:  # pylint: disable=broad-except
            why = "it has no %s" % error if isinstance(error, LookupError) else error
            logger.warning("kmp: no kernel is held back, as `kmp update` gave no answer: %s", why)
            return
        self.kernels = answer["kernels"]
        for line in lines:
            logger.info("kmp: %s", line)
        for problem in answer.get("problems", ()):
            logger.warning("kmp: %s", problem)

    def resolved(self):
        """Adds the drivers of the kernels that come. Those of kernels that do not are no part of the update."""
        kernels, self.kernels = self.kernels, []
        coming = {str(package) for package in self.base.transaction.install_set}
        wanted = {}
        for kernel in kernels:
            if kernel["package"] in coming:
                for driver in kernel["drivers"]:
                    if driver["verdict"] == "comes-along" and driver["build"] not in coming:
                        wanted[driver["build"]] = kernel["package"]
        packages = self._available(wanted)
        for package in packages:
            logger.info("kmp: %s comes along with %s", package, wanted[str(package)])
            self.base.package_install(package, strict=False)
        if packages:
            self.base.resolve(self.cli.demands.allow_erasing if self.cli else False)
        # dnf's shell resolves more than once.
        self.kernels = kernels

    def _is_wanted(self):
        if not any(True for _ in self.base.repos.iter_enabled()):
            return False
        # dnf-automatic has no command line.
        if self.cli is None:
            return True
        command = self.cli.command
        # What is carried out offline was judged when it was downloaded.
        is_stored = "upgrade" in (getattr(command.opts, "tid", None) or ())
        return self.cli.demands.resolving and not is_stored and not set(WITHOUT) & set(command.aliases)

    def _is_a_part(self):
        options = getattr(self.cli.command, "opts", None) if self.cli else None
        return any(getattr(options, name, None) for name in ("repo", "repos_ed", "repofrompath"))

    def _ask(self):
        command = ["/usr/bin/kmp", "--root", self.base.conf.installroot, "update", "--json", "--offline"]
        for repository in self.base.repos.iter_enabled():
            primary = repository.get_metadata_path("primary")
            if primary:
                directory = os.path.dirname(os.path.dirname(primary))
                command += ["--repo", "%s=%s" % (repository.id, directory)]
        # Of a part of the repositories nothing is to be remembered.
        command.append("--dry-run" if self._is_a_part() else "--keep")
        # Its status says what was found; an answer is one in any case.
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.patience)
        try:
            answer = json.loads(run.stdout)
        except ValueError:
            said = run.stderr.decode(errors="replace").strip().splitlines()
            raise ValueError(said[-1] if said else "what it prints is no JSON") from None
        if answer["version"] != 1:
            raise ValueError("its form is %s, and not 1" % answer["version"])
        return answer

    def _available(self, nevras):
        """Packages of repositories by NAME-[EPOCH:]VERSION-RELEASE.ARCH."""
        names = sorted({nevra.rsplit("-", 2)[0] for nevra in nevras})
        packages = self.base.sack.query().available().filter(name=names) if names else []
        return [package for package in packages if str(package) in nevras]

    def _hold(self, nevras):
        packages = self._available(set(nevras))
        if packages:
            self.base.sack.add_excludes(self.base.sack.query().filter(pkg=packages))
