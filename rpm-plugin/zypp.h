/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libzypp's classic mode: one commit, carried out by many calls of rpm. A veto in the middle would leave it half done, so
 * the first call is judged with all that `kmp zypp-commit-plugin` has noted as pending, and once one was let go on none is stopped.
 * libzypp collects %posttrans scriptlets and runs them when all is done; so the last call makes the links, for all. Should it
 * never come, the commit plugin does. */
#ifndef KMP_ZYPP_H
#define KMP_ZYPP_H

#include <kmp.h>

#include "rpm.h"
#include "run.h"

enum zypp_part {
    ZYPP_NONE,    /* a transaction of its own */
    ZYPP_UNKNOWN, /* a part of a commit of which not all is known */
    ZYPP_FIRST,   /* the first part, or nothing was done yet; what is pending is known */
    ZYPP_JUDGED   /* a later part of a commit that was judged as a whole */
};

/* What is this call? Sets in_commit and more_comes. */
enum zypp_part zypp_part(struct run *run, rpmts ts);

/* Adds what is pending beside the transaction's own elements. False where not all of it could be looked at: libzypp can be
 * told to download packages only as it needs them. */
bool zypp_describe(struct run *run, kmp_transaction_t *transaction, rpmts ts);

/* The first part goes on; so all parts do. */
void zypp_allowed(struct run *run, const char *root);

/* The links are left to the last part. False if that cannot be noted. */
bool zypp_leave(struct run *run, const char *root);

/* Were they left to us? */
bool zypp_take_left(struct run *run, const char *root);

#endif
