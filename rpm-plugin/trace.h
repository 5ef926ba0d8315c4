/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notes each call of a hook and its answer in the file that KMP_TEST_TRACE names, in builds for tests only: see
 * tests/plugin/trace.rs. Where KMP_TEST_MARKS is set, a system call marks where each begins and ends for strace: see
 * tests/plugin/read_faults.rs. Included by plugin.c, behind its hooks. */
#ifndef KMP_TRACE_H
#define KMP_TRACE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "librpm.h"

static void mark(const char *path)
{
    if (secure_getenv("KMP_TEST_MARKS") != NULL)
        (void)!access(path, F_OK);
}

static void begin(void)
{
    mark("/kmp-hook-begins");
}

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void trace(const char *format, ...)
{
    /* Opened by init(): later hooks may be chrooted. */
    static int file = -1;
    const char *path = secure_getenv("KMP_TEST_TRACE");
    va_list arguments;

    mark("/kmp-hook-ends");
    if (file < 0 && path != NULL)
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    va_start(arguments, format);
    vdprintf(file, format, arguments);
    va_end(arguments);
}

static rpmRC traced_init(rpmPlugin plugin, rpmts ts)
{
    rpmRC rc;

    begin();
    rc = init(plugin, ts);
    trace("init() = %d\n", rc);
    return rc;
}

static void traced_cleanup(rpmPlugin plugin)
{
    begin();
    cleanup(plugin);
    trace("cleanup()\n");
}

static rpmRC traced_tsm_pre(rpmPlugin plugin, rpmts ts)
{
    rpmRC rc;

    begin();
    rc = tsm_pre(plugin, ts);
    trace("tsm_pre() = %d\n", rc);
    return rc;
}

static rpmRC traced_tsm_post(rpmPlugin plugin, rpmts ts, int res)
{
    rpmRC rc;

    begin();
    rc = tsm_post(plugin, ts, res);
    trace("tsm_post(%d) = %d\n", res, rc);
    return rc;
}

static rpmRC traced_psm_post(rpmPlugin plugin, rpmte te, int res)
{
    rpmRC rc;

    begin();
    rc = psm_post(plugin, te, res);
    trace("psm_post(%s, %d) = %d\n", librpm.rpmteNEVRA(te), res, rc);
    return rc;
}

static rpmRC traced_scriptlet_pre(rpmPlugin plugin, const char *name, int type)
{
    rpmRC rc;

    begin();
    rc = scriptlet_pre(plugin, name, type);
    trace("scriptlet_pre(%s) = %d\n", name, rc);
    return rc;
}

static rpmRC traced_scriptlet_fork_post(rpmPlugin plugin, const char *path, int type)
{
    rpmRC rc;

    begin();
    rc = scriptlet_fork_post(plugin, path, type);
    trace("scriptlet_fork_post(%s) = %d\n", path, rc);
    return rc;
}

#endif
