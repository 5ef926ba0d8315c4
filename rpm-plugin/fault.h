/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults on purpose, in builds for tests only: see tests/plugin/. */
#ifndef KMP_FAULT_H
#define KMP_FAULT_H

#ifdef KMP_TEST_FAULTS
#include <kmp.h>
#include <stdlib.h>
#include <string.h>

/* Panics inside of libkmp's fence: built with its feature `panic`. */
int kmp_test_panic(void);

/* What sanitizers are for: a test looks whether they see it. */
static inline void read_too_far(void)
{
    volatile size_t beyond = 1;
    char *volatile block = calloc(1, 1);

    if (block != NULL)
        (void)*(volatile char *)(block + beyond);
    free(block);
}

static inline void fault(kmp_plugin_t *kmp, const char *hook)
{
    const char *wanted = secure_getenv("KMP_TEST_PANIC");
    if (wanted != NULL && strcmp(wanted, hook) == 0 && kmp_test_panic() != KMP_OK)
        kmp_plugin_fault(kmp, hook, kmp_last_error());
    wanted = secure_getenv("KMP_TEST_OVERREAD");
    if (wanted != NULL && strcmp(wanted, hook) == 0)
        read_too_far();
}
#else
#define fault(kmp, hook) ((void)(kmp))
#endif

#endif
