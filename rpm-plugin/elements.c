// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "librpm.h"

/* NAME-VERSION-RELEASE.ARCH: rpmteNEVRA() has an epoch, which people and libzypp's lists have not. */
struct nevra {
    char text[PATH_MAX];
};

static struct nevra nevra_of(rpmte te)
{
    struct nevra nevra;

    snprintf(nevra.text, sizeof nevra.text, "%s-%s-%s.%s", librpm.rpmteN(te), librpm.rpmteV(te), librpm.rpmteR(te),
             librpm.rpmteA(te));
    return nevra;
}

/* By the names of its directories: far fewer than its files. */
static bool concerns_us(rpmte te)
{
    unsigned type = librpm.rpmteType(te);
    bool result = false;
    rpmfiles files;
    int count;

    if ((type != TR_ADDED && type != TR_REMOVED) || librpm.rpmteIsSource(te))
        return false;
    files = librpm.rpmteFiles(te);
    if (files == NULL)
        return false;
    count = librpm.rpmfilesDC(files);
    for (int i = 0; i < count && !result; i++)
        result = kmp_concerns(librpm.rpmfilesDN(files, i));
    librpm.rpmfilesFree(files);
    return result;
}

void elements_name(kmp_plugin_t *plugin, rpmts ts)
{
    int count = librpm.rpmtsNElements(ts);

    for (int i = 0; i < count; i++) {
        rpmte te = librpm.rpmtsElement(ts, i);
        if (te != NULL)
            kmp_plugin_element(plugin, nevra_of(te).text, concerns_us(te));
    }
}

/* Through the program's own way to its package files. */
static int add_file(kmp_transaction_t *transaction, rpmts ts, rpmte te)
{
    int code = KMP_E_PACKAGE;
    FD_t fd = librpm.rpmtsNotify(ts, te, RPMCALLBACK_INST_OPEN_FILE, 0, 0);

    if (fd != NULL)
        code = kmp_transaction_add_fd(transaction, librpm.Fileno(fd));
    librpm.rpmtsNotify(ts, te, RPMCALLBACK_INST_CLOSE_FILE, 0, 0);
    return code;
}

struct dependencies {
    struct kmp_dependency *list;
    size_t count;
};

/* NULL where the program has thrown them away, as rpm does before it runs a transaction. */
static struct dependencies dependencies(rpmte te, int32_t tag)
{
    struct dependencies all = {NULL, 0};
    rpmds ds = librpm.rpmdsInit(librpm.rpmteDS(te, tag));
    size_t room = 0;

    while (ds != NULL && librpm.rpmdsNext(ds) >= 0) {
        if (all.count == room) {
            struct kmp_dependency *more;
            room = room == 0 ? 64 : 2 * room;
            more = realloc(all.list, room * sizeof *more);
            if (more == NULL)
                break;
            all.list = more;
        }
        all.list[all.count].name = librpm.rpmdsN(ds);
        all.list[all.count].evr = librpm.rpmdsEVR(ds);
        all.count++;
    }
    return all;
}

/* The paths of a package that this accepts; free each and the list. */
static size_t paths(rpmte te, int (*accepts)(const char *path), const char ***list)
{
    rpmfiles files = librpm.rpmteFiles(te);
    int total = files == NULL ? 0 : librpm.rpmfilesFC(files);
    size_t count = 0;

    *list = total > 0 ? calloc((size_t)total, sizeof **list) : NULL;
    for (int i = 0; i < total && *list != NULL; i++) {
        char *path = librpm.rpmfilesFN(files, i);
        if (path != NULL && accepts(path))
            (*list)[count++] = path;
        else
            free(path);
    }
    if (files != NULL)
        librpm.rpmfilesFree(files);
    return count;
}

static void free_paths(const char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)list[i]);
    free(list);
}

/* What rpm itself knows of it. */
static int add_description(kmp_plugin_t *plugin, kmp_transaction_t *transaction, rpmte te)
{
    struct dependencies provides = dependencies(te, RPMTAG_PROVIDENAME);
    struct dependencies wanted = dependencies(te, RPMTAG_REQUIRENAME);
    const char *epoch = librpm.rpmteE(te);
    const char **files;
    size_t count = paths(te, kmp_concerns, &files);
    struct kmp_package package = {
        .size = sizeof package,
        .name = librpm.rpmteN(te),
        .epoch = epoch == NULL ? -1 : strtol(epoch, NULL, 10),
        .version = librpm.rpmteV(te),
        .release = librpm.rpmteR(te),
        .arch = librpm.rpmteA(te),
        .provides = provides.list,
        .provides_count = provides.count,
        .requires_ = wanted.list,
        .requires_count = wanted.count,
        .files = files,
        .files_count = count,
    };
    int code = kmp_transaction_add(transaction, &package);

    free_paths(files, count);
    free(provides.list);
    free(wanted.list);
    if (provides.count == 0)
        kmp_plugin_fault(plugin, librpm.rpmteNEVRA(te),
                         "the package cannot be read before it is installed; it is judged by its files' names");
    return code;
}

static int removal_of(kmp_plugin_t *plugin, rpmte te)
{
    rpmte successor = librpm.rpmteDependsOn(te);
    const char **sources;
    size_t count;

    if (successor == NULL)
        return kmp_plugin_is_named(plugin, nevra_of(te).text) ? KMP_REMOVAL_NAMED : KMP_REMOVAL_ERASED;
    count = paths(successor, kmp_builds_drivers, &sources);
    free_paths(sources, count);
    return count > 0 ? KMP_REMOVAL_NAMED : KMP_REMOVAL_REPLACED;
}

void elements_describe(kmp_plugin_t *plugin, kmp_transaction_t *transaction, rpmts ts)
{
    int count = librpm.rpmtsNElements(ts);

    for (int i = 0; i < count; i++) {
        rpmte te = librpm.rpmtsElement(ts, i);
        int code;
        if (te == NULL || !concerns_us(te))
            continue;
        if (librpm.rpmteType(te) == TR_REMOVED)
            code = kmp_transaction_remove(transaction, librpm.rpmteDBInstance(te), removal_of(plugin, te));
        else if ((code = add_file(transaction, ts, te)) != KMP_OK)
            code = add_description(plugin, transaction, te);
        if (code != KMP_OK)
            kmp_plugin_fault(plugin, librpm.rpmteNEVRA(te), kmp_last_error());
    }
}
