// SPDX-License-Identifier: LGPL-2.1-or-later
#include "librpm.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct librpm librpm;

/* 4.19 and later, 4.15 to 4.18, 4.14. */
static const char *const SONAMES[] = {"librpm.so.10", "librpm.so.9", "librpm.so.8"};

static void *loaded_librpm(void)
{
    for (size_t i = 0; i < sizeof SONAMES / sizeof *SONAMES; i++) {
        void *handle = dlopen(SONAMES[i], RTLD_LAZY | RTLD_NOLOAD);
        if (handle != NULL)
            return handle;
    }
    return NULL;
}

/* ISO C knows no cast from an object's pointer to a function's. */
static int bind_one(void *handle, const char *name, void *function)
{
    void *found = dlsym(handle, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

const char *librpm_bind(void)
{
    /* The handle is never closed: the functions are used as long as the process lives. */
    void *handle = loaded_librpm();
    const char *missing = NULL;

    /* The handle finds functions of librpmio as well, which librpm needs. */
    if (handle == NULL)
        return "librpm.so.10, .9 or .8";
#define LIBRPM_BIND(result, name, arguments) \
    if (!bind_one(handle, #name, &librpm.name) && missing == NULL) \
        missing = #name;
    LIBRPM_FUNCTIONS(LIBRPM_BIND)
#undef LIBRPM_BIND
#ifdef KMP_TEST_FAULTS
    const char *wanted = secure_getenv("KMP_TEST_SYMBOL");
    void *found;
    if (wanted != NULL && !bind_one(handle, wanted, &found))
        missing = wanted;
#endif
    return missing;
}
