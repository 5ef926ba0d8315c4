/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of one run of a transaction. One transaction set can be run more than once. */
#ifndef KMP_RUN_H
#define KMP_RUN_H

#include <stdbool.h>

struct run {
    bool concerns_us;  /* it has packages with kernels or drivers, and really changes the disk */
    bool has_changed;  /* packages were installed or erased */
    bool is_synced;    /* the links are right since */
    bool in_commit;    /* one of the many calls that a commit of libzypp makes */
    bool is_known;     /* all that it brings could be looked at */
    bool more_comes;   /* and there will be other calls */
    bool has_warned;   /* a fault of ours was told */
    int told;          /* the KMP_E_ code for which the transaction was not judged; KMP_OK */
    int waited;        /* for another run of kmp, in tenths of a second */
    int directory;     /* /run/kmp in the root, or -1 */
    int transaction;   /* the locked file in it, by which scriptlets know that we are there, or -1 */
};

/* Tells of a fault of ours: the first time as a warning, then for those who want to know all. */
void run_fault(struct run *run, const char *what, const char *why);

/* The same of files in /run/kmp, for run_dir.h; its context is the run. */
void run_say(void *run, const char *text);

#endif
