# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drivers of packages are available to each kernel that they fit."""

__virtualname__ = "kmp"


def __virtual__():
    if "kmp.drift" in __salt__:
        return __virtualname__
    return False, "the execution module kmp is not there"


def in_place(name):
    """
    Links, indexes and initrds are as they should be.

    .. code-block:: yaml

        drivers:
          kmp.in_place: []
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": "All drivers are in place."}
    if not __salt__["kmp.drift"]():
        return ret
    if __opts__["test"]:
        ret.update(result=None, comment="kmp sync would correct what is not in place.")
        return ret
    done = __salt__["kmp.sync"]()
    changed = [kernel["release"] for kernel in done["kernels"] if kernel.get("changes")]
    ret["changes"] = {"kernels": changed}
    ret["comment"] = "What was not in place was corrected."
    if __salt__["kmp.drift"]():
        ret.update(result=False, comment="Something is not in place, and kmp sync could not correct it.")
    return ret
