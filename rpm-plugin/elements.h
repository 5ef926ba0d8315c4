/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The packages of a transaction, from rpm's types to libkmp's. */
#ifndef KMP_ELEMENTS_H
#define KMP_ELEMENTS_H

#include <kmp.h>

#include "rpm.h"

/* Names all of them. */
void elements_name(kmp_plugin_t *plugin, rpmts ts);

/* Describes those that have files of kernels or drivers. */
void elements_describe(kmp_plugin_t *plugin, kmp_transaction_t *transaction, rpmts ts);

#endif
