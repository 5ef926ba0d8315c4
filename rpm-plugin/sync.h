/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the links right once in a transaction, and keeps its scriptlets from doing so again and again. */
#ifndef KMP_SYNC_H
#define KMP_SYNC_H

#include "rpm.h"
#include "run.h"

/* In the environment of scriptlets: `kmp` and `weak-modules2` are to note their request only. "more": other calls of
 * rpm will follow in the same commit, and the triggers at this one's end leave everything to them. */
#define SYNC_VARIABLE "KMP_TRANSACTION"

/* A scriptlet is about to run, chrooted where there is another root. */
void sync_before_scriptlet(struct run *run, const char *name);

/* In the scriptlet's process, before it is its own. */
void sync_in_scriptlet(const struct run *run);

/* The transaction is over; not chrooted. */
void sync_at_end(struct run *run, const char *root);

/* Forgets what it holds for a run. */
void sync_close(struct run *run);

#endif
