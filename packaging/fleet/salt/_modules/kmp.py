# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a minion has of kernels and drivers, and whether its drivers are in place.

The configuration value ``kmp:command`` says how kmp is called; the default is ``kmp``.
"""

import json

from salt.exceptions import CommandExecutionError

__virtualname__ = "kmp"


def __virtual__():
    if __salt__["cmd.which"](_command()[0]):
        return __virtualname__
    return False, "kmp is not installed"


def _command():
    command = __salt__["config.get"]("kmp:command", "kmp")
    return command if isinstance(command, list) else [command]


def _run(*words):
    result = __salt__["cmd.run_all"](_command() + list(words), python_shell=False, ignore_retcode=True)
    if result["retcode"] not in (0, 1):
        raise CommandExecutionError(result["stderr"])
    return result


def facts():
    """
    What ``kmp fleet`` has to be told of this minion, by its id.

    .. code-block:: bash

        salt '*' kmp.facts --out=json --static
    """
    result = _run("facts", "--machine", __grains__.get("id", __opts__["id"]), "--json")
    return json.loads(result["stdout"])


def status():
    """
    What of each driver is in place, in each kernel, as ``kmp status --json`` prints it.

    .. code-block:: bash

        salt '*' kmp.status
    """
    return json.loads(_run("status", "--json")["stdout"])


def drift():
    """
    Whether links, indexes or initrds are not as they should be.

    .. code-block:: bash

        salt '*' kmp.drift
    """
    return _run("--quiet", "sync", "--dry-run")["retcode"] != 0


def sync():
    """
    Correct them, and return what was done, kernel by kernel.

    .. code-block:: bash

        salt '*' kmp.sync
    """
    return json.loads(_run("sync", "--json")["stdout"])
