/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stops a transaction that would lose a driver. */
#ifndef KMP_GUARD_H
#define KMP_GUARD_H

#include "rpm.h"
#include "run.h"
#include "zypp.h"

/* Are there packages with files of kernels or drivers in it? */
bool guard_concerns(rpmts ts);

/* Judges it and tells what would be lost. False: it must not go on. */
bool guard_allows(struct run *run, rpmts ts, enum zypp_part part);

#endif
