// SPDX-License-Identifier: LGPL-2.1-or-later
/* kmp.so: rpm's hooks. A fault of ours is a warning, and rpm goes on; only a driver that would be lost stops it. */
#include <kmp.h>
#include <stdlib.h>

#include "fault.h"
#include "guard.h"
#include "librpm.h"
#include "log.h"
#include "sync.h"
#include "zypp.h"

static const struct run NOTHING = {.directory = -1, .transaction = -1};

void run_fault(struct run *run, const char *what, const char *why)
{
    log_line(run->has_warned ? RPMLOG_INFO : RPMLOG_WARNING, "%s: %s", what, why);
    run->has_warned = true;
}

void run_say(void *run, const char *text)
{
    run_fault(run, "run-time files", text);
}

static rpmRC init(rpmPlugin plugin, rpmts ts)
{
    const char *missing = librpm_bind();
    struct run *run;

    (void)ts;
    /* OK or NOTFOUND: FAIL would block rpm. */
    if (missing != NULL) {
        log_line(RPMLOG_WARNING, "this rpm lacks %s; drivers are not protected", missing);
        return RPMRC_NOTFOUND;
    }
    run = malloc(sizeof *run);
    if (run == NULL)
        return RPMRC_NOTFOUND;
    *run = NOTHING;
    fault(run, "init");
    librpm.rpmPluginSetData(plugin, run);
    return RPMRC_OK;
}

static void cleanup(rpmPlugin plugin)
{
    struct run *run = librpm.rpmPluginGetData(plugin);

    if (run == NULL)
        return;
    fault(run, "cleanup");
    sync_close(run);
    librpm.rpmPluginSetData(plugin, NULL);
    free(run);
}

static rpmRC tsm_pre(rpmPlugin plugin, rpmts ts)
{
    struct run *run = librpm.rpmPluginGetData(plugin);
    uint32_t flags = librpm.rpmtsFlags(ts);
    enum zypp_part part;
    rpmRC rc = RPMRC_FAIL;

    if (run == NULL)
        return RPMRC_OK;
    sync_close(run);
    *run = NOTHING;
    fault(run, "tsm_pre");
    if ((flags & (RPMTRANS_FLAG_JUSTDB | RPMTRANS_FLAG_NODB)) != 0)
        return RPMRC_OK;
    log_root(librpm_root(ts));
    run->concerns_us = guard_concerns(ts);
    part = zypp_part(run, ts);
    if ((!run->concerns_us && part != ZYPP_FIRST) || part == ZYPP_JUDGED || guard_allows(run, ts, part))
        rc = RPMRC_OK;
    if ((flags & RPMTRANS_FLAG_TEST) != 0)
        run->concerns_us = run->in_commit = false;
    else if (rc == RPMRC_OK && part == ZYPP_FIRST)
        zypp_allowed(run, librpm_root(ts));
    return rc;
}

static rpmRC psm_post(rpmPlugin plugin, rpmte te, int res)
{
    struct run *run = librpm.rpmPluginGetData(plugin);

    (void)te;
    (void)res;
    if (run == NULL || !run->concerns_us)
        return RPMRC_OK;
    fault(run, "psm_post");
    /* Also where it failed: it may have left files. */
    run->has_changed = true;
    return RPMRC_OK;
}

static rpmRC scriptlet_pre(rpmPlugin plugin, const char *name, int type)
{
    struct run *run = librpm.rpmPluginGetData(plugin);

    (void)type;
    if (run == NULL || !run->concerns_us)
        return RPMRC_OK;
    fault(run, "scriptlet_pre");
    sync_before_scriptlet(run, name);
    return RPMRC_OK;
}

static rpmRC scriptlet_fork_post(rpmPlugin plugin, const char *path, int type)
{
    struct run *run = librpm.rpmPluginGetData(plugin);

    (void)path;
    (void)type;
    if (run == NULL || !run->concerns_us)
        return RPMRC_OK;
    fault(run, "scriptlet_fork_post");
    sync_in_scriptlet(run);
    return RPMRC_OK;
}

static rpmRC tsm_post(rpmPlugin plugin, rpmts ts, int res)
{
    struct run *run = librpm.rpmPluginGetData(plugin);

    /* -1 for a veto, and also where one package of many failed: that something has changed tells more. */
    (void)res;
    if (run == NULL || !(run->concerns_us || run->in_commit))
        return RPMRC_OK;
    fault(run, "tsm_post");
    sync_at_end(run, librpm_root(ts));
    *run = NOTHING;
    return RPMRC_OK;
}

#ifdef KMP_TEST_FAULTS
#include "trace.h"
#define HOOK(name) .name = traced_##name
#else
#define HOOK(name) .name = name
#endif

__attribute__((visibility("default"))) struct rpmPluginHooks_s kmp_hooks = {
    HOOK(init),     HOOK(cleanup),       HOOK(tsm_pre),             HOOK(tsm_post),
    HOOK(psm_post), HOOK(scriptlet_pre), HOOK(scriptlet_fork_post),
};
