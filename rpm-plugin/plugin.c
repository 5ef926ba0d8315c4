// SPDX-License-Identifier: LGPL-2.1-or-later
/* kmp.so: rpm's hooks, each handed on to libkmp. A fault of ours is a warning, and rpm goes on; only a driver that
 * would be lost stops it. */
#include <kmp.h>
#include <stdlib.h>

#include "elements.h"
#include "fault.h"
#include "librpm.h"

static void say(void *context, int level, const char *text)
{
    (void)context;
    librpm.rpmlog(level, "kmp: %s\n", text);
}

static rpmRC init(rpmPlugin plugin, rpmts ts)
{
    const char *missing = librpm_bind();
    kmp_plugin_t *kmp = NULL;

    (void)ts;
    /* OK or NOTFOUND: FAIL would block rpm. */
    if (missing != NULL) {
        if (librpm.rpmlog != NULL)
            librpm.rpmlog(RPMLOG_WARNING, "kmp: this rpm lacks %s; drivers are not protected\n", missing);
        return RPMRC_NOTFOUND;
    }
    if (kmp_plugin_new(say, NULL, &kmp) != KMP_OK)
        return RPMRC_NOTFOUND;
    fault(kmp, "init");
    librpm.rpmPluginSetData(plugin, kmp);
    return RPMRC_OK;
}

static void cleanup(rpmPlugin plugin)
{
    kmp_plugin_t *kmp = librpm.rpmPluginGetData(plugin);

    fault(kmp, "cleanup");
    librpm.rpmPluginSetData(plugin, NULL);
    kmp_plugin_free(kmp);
}

static uint32_t flags_of(rpmts ts)
{
    uint32_t flags = librpm.rpmtsFlags(ts);
    uint32_t no_scripts = RPMTRANS_FLAG_NOSCRIPTS | RPMTRANS_FLAG_NOPOST | RPMTRANS_FLAG_NOPOSTTRANS;

    return ((flags & RPMTRANS_FLAG_TEST) != 0 ? KMP_TEST_ONLY : 0) | ((flags & no_scripts) != 0 ? KMP_NO_SCRIPTS : 0);
}

static rpmRC tsm_pre(rpmPlugin plugin, rpmts ts)
{
    kmp_plugin_t *kmp = librpm.rpmPluginGetData(plugin);
    uint32_t flags = librpm.rpmtsFlags(ts);
    kmp_transaction_t *transaction = NULL;
    char *policy;
    int verdict;

    kmp_plugin_begin(kmp, librpm.rpmtsRootDir(ts), flags_of(ts));
    fault(kmp, "tsm_pre");
    if ((flags & (RPMTRANS_FLAG_JUSTDB | RPMTRANS_FLAG_NODB)) != 0)
        return RPMRC_OK;
    elements_name(kmp, ts);
    policy = librpm.rpmExpand("%{?_kmp_policy}", NULL);
    if (kmp_plugin_describe(kmp, policy, &transaction) == KMP_OK && transaction != NULL)
        elements_describe(kmp, transaction, ts);
    verdict = kmp_plugin_judge(kmp, transaction);
    kmp_transaction_free(transaction);
    free(policy);
    return verdict == KMP_VERDICT_ABORT ? RPMRC_FAIL : RPMRC_OK;
}

static rpmRC psm_post(rpmPlugin plugin, rpmte te, int res)
{
    kmp_plugin_t *kmp = librpm.rpmPluginGetData(plugin);

    (void)te;
    (void)res;
    fault(kmp, "psm_post");
    kmp_plugin_changed(kmp);
    return RPMRC_OK;
}

static rpmRC scriptlet_pre(rpmPlugin plugin, const char *name, int type)
{
    kmp_plugin_t *kmp = librpm.rpmPluginGetData(plugin);

    (void)type;
    fault(kmp, "scriptlet_pre");
    kmp_plugin_scriptlet(kmp, name);
    return RPMRC_OK;
}

/* In the scriptlet's process, before it is its own. */
static rpmRC scriptlet_fork_post(rpmPlugin plugin, const char *path, int type)
{
    kmp_plugin_t *kmp = librpm.rpmPluginGetData(plugin);
    const char *variable = kmp_plugin_environment(kmp);

    (void)path;
    (void)type;
    fault(kmp, "scriptlet_fork_post");
    if (variable[0] != '\0')
        putenv((char *)variable);
    return RPMRC_OK;
}

static rpmRC tsm_post(rpmPlugin plugin, rpmts ts, int res)
{
    kmp_plugin_t *kmp = librpm.rpmPluginGetData(plugin);

    /* -1 for a veto, and also where one package of many failed: that something has changed says more. */
    (void)res;
    fault(kmp, "tsm_post");
    kmp_plugin_end(kmp, librpm.rpmtsRootDir(ts));
    return RPMRC_OK;
}

#ifdef KMP_TEST_FAULTS
#include "trace.h"
#define HOOK(name) .name = traced_##name
#else
#define HOOK(name) .name = name
#endif

__attribute__((visibility("default"))) struct rpmPluginHooks_s kmp_hooks = {
    HOOK(init),
    HOOK(cleanup),
    HOOK(tsm_pre),
    HOOK(tsm_post),
    HOOK(psm_post),
    HOOK(scriptlet_pre),
    HOOK(scriptlet_fork_post),
};
