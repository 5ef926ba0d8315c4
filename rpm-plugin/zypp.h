/* libzypp's classic mode: one commit, carried out by many calls of rpm. A veto in the middle would leave it half done, so
 * the first call is judged with all that `kmp zypp-commit-plugin` has noted as pending, and no later one is stopped. */
#ifndef KMP_ZYPP_H
#define KMP_ZYPP_H

#include <kmp.h>

#include "rpm.h"
#include "run.h"

enum zypp_part {
    ZYPP_NONE,    /* a transaction of its own */
    ZYPP_UNKNOWN, /* a part of a commit of which nothing is known */
    ZYPP_FIRST,   /* the first part, and what is pending is known */
    ZYPP_JUDGED   /* a later part of a commit that was judged as a whole */
};

/* What is this call? The first to ask is the first part. */
enum zypp_part zypp_part(const char *root);

/* Adds what is pending beside the transaction's own elements. */
void zypp_describe(struct run *run, kmp_transaction_t *transaction, rpmts ts);

#endif
