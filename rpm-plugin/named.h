/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has somebody asked for a package to be erased? rpm's transaction does not say: a package manager erases what depends
 * on something that goes, too. */
#ifndef KMP_NAMED_H
#define KMP_NAMED_H

#include <stdbool.h>

#include "run.h"

/* By the command line: rpm erases nothing but what is on its own; of other programs the words after the verb count. */
bool is_named(const struct run *run, const char *nevra);

#endif
