// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guard.h"

#include <kmp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "librpm.h"
#include "log.h"
#include "named.h"
#include "zypp.h"

/* By the names of its directories: far fewer than its files. */
static bool element_concerns(rpmte te)
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

bool guard_concerns(rpmts ts)
{
    int count = librpm.rpmtsNElements(ts);

    for (int i = 0; i < count; i++) {
        rpmte te = librpm.rpmtsElement(ts, i);
        if (te != NULL && element_concerns(te))
            return true;
    }
    return false;
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

/* The paths that matter; free each and the list. */
static size_t paths(rpmte te, const char ***list)
{
    rpmfiles files = librpm.rpmteFiles(te);
    int total = files == NULL ? 0 : librpm.rpmfilesFC(files);
    size_t count = 0;

    *list = total > 0 ? calloc((size_t)total, sizeof **list) : NULL;
    for (int i = 0; i < total && *list != NULL; i++) {
        char *path = librpm.rpmfilesFN(files, i);
        if (path != NULL && kmp_concerns(path))
            (*list)[count++] = path;
        else
            free(path);
    }
    if (files != NULL)
        librpm.rpmfilesFree(files);
    return count;
}

/* What rpm itself knows of it. */
static int add_description(struct run *run, kmp_transaction_t *transaction, rpmte te)
{
    struct dependencies provides = dependencies(te, RPMTAG_PROVIDENAME);
    struct dependencies requires = dependencies(te, RPMTAG_REQUIRENAME);
    const char *epoch = librpm.rpmteE(te);
    const char **files;
    size_t count = paths(te, &files);
    struct kmp_package package = {
        .size = sizeof package,
        .name = librpm.rpmteN(te),
        .epoch = epoch == NULL ? -1 : strtol(epoch, NULL, 10),
        .version = librpm.rpmteV(te),
        .release = librpm.rpmteR(te),
        .arch = librpm.rpmteA(te),
        .provides = provides.list,
        .provides_count = provides.count,
        .requires_ = requires.list,
        .requires_count = requires.count,
        .files = files,
        .files_count = count,
    };
    int code = kmp_transaction_add(transaction, &package);

    for (size_t i = 0; i < count; i++)
        free((char *)files[i]);
    free(files);
    free(provides.list);
    free(requires.list);
    if (provides.count == 0)
        run_fault(run, librpm.rpmteNEVRA(te), "the package cannot be read before it is installed; it is judged by its files' names");
    return code;
}

/* Does it bring sources for dkms or akmods? They will build on this machine what the package that it replaces had built. */
static bool builds_here(rpmte te)
{
    static const char SOURCES[] = "/usr/src/", DKMS[] = "/dkms.conf", AKMODS[] = "/usr/src/akmods/";
    rpmfiles files = librpm.rpmteFiles(te);
    int count = files == NULL ? 0 : librpm.rpmfilesFC(files);
    bool result = false;

    for (int i = 0; i < count && !result; i++) {
        char *path = librpm.rpmfilesFN(files, i);
        size_t length = path == NULL ? 0 : strlen(path);
        if (length > sizeof DKMS && strncmp(path, SOURCES, sizeof SOURCES - 1) == 0)
            result = strcmp(path + length - (sizeof DKMS - 1), DKMS) == 0
                     || (strncmp(path, AKMODS, sizeof AKMODS - 1) == 0 && strcmp(path + length - 4, ".rpm") == 0);
        free(path);
    }
    if (files != NULL)
        librpm.rpmfilesFree(files);
    return result;
}

static int removal_of(const struct run *run, rpmte te)
{
    rpmte successor = librpm.rpmteDependsOn(te);
    char nevra[PATH_MAX];

    if (successor != NULL)
        return builds_here(successor) ? KMP_REMOVAL_NAMED : KMP_REMOVAL_REPLACED;
    snprintf(nevra, sizeof nevra, "%s-%s-%s.%s", librpm.rpmteN(te), librpm.rpmteV(te), librpm.rpmteR(te),
             librpm.rpmteA(te));
    return is_named(run, nevra) ? KMP_REMOVAL_NAMED : KMP_REMOVAL_ERASED;
}

static void describe(struct run *run, kmp_transaction_t *transaction, rpmts ts)
{
    int count = librpm.rpmtsNElements(ts);

    for (int i = 0; i < count; i++) {
        rpmte te = librpm.rpmtsElement(ts, i);
        int code;
        if (te == NULL || !element_concerns(te))
            continue;
        if (librpm.rpmteType(te) == TR_REMOVED) {
            code = kmp_transaction_remove(transaction, librpm.rpmteDBInstance(te), removal_of(run, te));
        } else {
            code = add_file(transaction, ts, te);
            if (code != KMP_OK) {
                log_line(RPMLOG_INFO, "%s is judged by its description: %s", librpm.rpmteNEVRA(te), kmp_last_error());
                code = add_description(run, transaction, te);
            }
        }
        if (code != KMP_OK)
            run_fault(run, librpm.rpmteNEVRA(te), kmp_last_error());
    }
}

static bool is_policy(const char *word)
{
    return strcmp(word, "abort") == 0 || strcmp(word, "warn") == 0 || strcmp(word, "off") == 0;
}

/* The policy that goes over kmp.conf: KMP_POLICY, else the macro %_kmp_policy; "" if neither says something. */
static void read_policy(struct run *run, char *policy, size_t size)
{
    const char *environment = secure_getenv("KMP_POLICY");
    char *macro = librpm.rpmExpand("%{?_kmp_policy}", NULL);

    policy[0] = '\0';
    if (environment != NULL && is_policy(environment))
        snprintf(policy, size, "%s", environment);
    else if (macro != NULL && is_policy(macro))
        snprintf(policy, size, "%s", macro);
    if (environment != NULL && environment[0] != '\0' && !is_policy(environment))
        run_fault(run, "KMP_POLICY is abort, warn or off, not", environment);
    if (macro != NULL && macro[0] != '\0' && !is_policy(macro))
        run_fault(run, "%_kmp_policy is abort, warn or off, not", macro);
    free(macro);
}

static int level_of(const struct kmp_finding *finding, bool may_stop)
{
    switch (finding->policy) {
    case KMP_POLICY_ABORT:
        return may_stop ? RPMLOG_ERR : RPMLOG_WARNING;
    case KMP_POLICY_WARN:
        return RPMLOG_WARNING;
    default:
        return RPMLOG_NOTICE;
    }
}

static void tell(struct run *run, const kmp_report_t *report, bool may_stop)
{
    bool is_unsure = false;

    for (size_t i = 0; i < kmp_report_count(report); i++) {
        struct kmp_finding finding = {.size = sizeof finding};
        if (kmp_report_get(report, i, &finding) != KMP_OK)
            continue;
        if (finding.kind == KMP_MESSAGE) {
            log_everywhere(level_of(&finding, may_stop), "%s", finding.text);
            is_unsure |= !may_stop && finding.policy == KMP_POLICY_ABORT;
        } else if (finding.kind == KMP_PROBLEM) {
            run_fault(run, "not taken into account", finding.text);
        }
    }
    if (is_unsure)
        log_everywhere(RPMLOG_WARNING, "unless another package of this update brings it; see kmp status afterwards");
}

bool guard_allows(struct run *run, rpmts ts, enum zypp_part part)
{
    kmp_t *kmp = NULL;
    kmp_transaction_t *transaction = NULL;
    kmp_report_t *report = NULL;
    bool allowed = true;
    bool may_stop = part == ZYPP_NONE;
    char policy[8];
    int code;

    read_policy(run, policy, sizeof policy);
    if (strcmp(policy, "off") == 0)
        return true;
    code = kmp_open(librpm_root(ts), KMP_GUEST, &kmp);
    if (code == KMP_OK)
        code = kmp_transaction_new(kmp, &transaction);
    if (code == KMP_OK) {
        describe(run, transaction, ts);
        if (part == ZYPP_FIRST)
            may_stop = run->is_known = zypp_describe(run, transaction, ts);
        code = kmp_transaction_judge(transaction, policy[0] == '\0' ? NULL : policy, &report);
    }
    if (code == KMP_OK) {
        tell(run, report, may_stop);
        allowed = !may_stop || kmp_report_verdict(report) != KMP_VERDICT_ABORT;
    } else {
        run_fault(run, "the transaction is not judged", kmp_last_error());
        run->told = code;
    }
    kmp_report_free(report);
    kmp_transaction_free(transaction);
    kmp_close(kmp);
    return allowed;
}
