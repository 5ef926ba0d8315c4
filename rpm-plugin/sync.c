// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sync.h"

#include <dirent.h>
#include <fcntl.h>
#include <kmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "log.h"
#include "rpm.h"
#include "run_dir.h"
#include "zypp.h"

#define TRANSACTION "transaction"
#define REQUESTS "requests"
/* How long to wait for another run of kmp in one transaction, in tenths of a second. */
#define PATIENCE 600

/* A file that is locked as long as we live. Who finds it locked may rely on us; no crash leaves a false sign. */
static void announce(struct run *run)
{
    if (run->transaction >= 0)
        return;
    if (run->directory < 0)
        run->directory = kmp_run_directory("/", 1, run_say, run);
    if (run->directory < 0)
        return;
    run->transaction = kmp_run_file("/", TRANSACTION, O_RDWR | O_CREAT, run_say, run);
    if (run->transaction >= 0 && flock(run->transaction, LOCK_EX | LOCK_NB) != 0) {
        close(run->transaction);
        run->transaction = -1;
    }
}

/* Takes away what scriptlets have noted. True if there was something. */
static bool take_requests(const struct run *run)
{
    int fd = openat(run->directory, REQUESTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool any = false;
    struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        any |= unlinkat(fd, entry->d_name, 0) == 0;
    }
    closedir(dir);
    unlinkat(run->directory, REQUESTS, AT_REMOVEDIR);
    return any;
}

/* Were links of this kernel changed? */
static bool has_changed(const kmp_report_t *report, const char *release)
{
    for (size_t i = 0; i < kmp_report_count(report); i++) {
        struct kmp_finding finding = {.size = sizeof finding};
        if (kmp_report_get(report, i, &finding) == KMP_OK && finding.kind == KMP_CHANGE && finding.release != NULL
            && release != NULL && strcmp(finding.release, release) == 0)
            return true;
    }
    return false;
}

/* The system's log hears of what was changed and, for the kernels concerned, of drivers that they do not get. */
static void tell(const kmp_report_t *report, int level)
{
    for (size_t i = 0; i < kmp_report_count(report); i++) {
        struct kmp_finding finding = {.size = sizeof finding};
        if (kmp_report_get(report, i, &finding) != KMP_OK)
            continue;
        if (finding.state == KMP_FAILED && level < RPMLOG_INFO) {
            log_everywhere(level, "%s", finding.text);
            continue;
        }
        log_line(RPMLOG_INFO, "%s", finding.text);
        if (finding.kind == KMP_CHANGE && finding.state != KMP_FAILED)
            log_system(RPMLOG_NOTICE, "%s", finding.text);
        else if (finding.kind == KMP_NOT_LINKED && has_changed(report, finding.release))
            log_system(RPMLOG_WARNING, "%s", finding.text);
    }
}

/* Another run may have looked before this transaction's packages were there; so it is waited for, but not for ever. */
static int sync_patiently(struct run *run, kmp_t *kmp, kmp_report_t **report)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    const int limit = test_patience(PATIENCE);
    int code = kmp_sync(kmp, KMP_NO_WAIT, report);

    while (code == KMP_E_BUSY && run->waited < limit) {
        if (++run->waited == 10)
            log_line(RPMLOG_WARNING, "another run of kmp is in progress; waiting for it, at most %d seconds", limit / 10);
        nanosleep(&pause, NULL);
        code = kmp_sync(kmp, KMP_NO_WAIT, report);
    }
    return code;
}

/* Level: how a failure is told. */
static void synchronise(struct run *run, const char *root, int level)
{
    kmp_t *kmp = NULL;
    kmp_report_t *report = NULL;
    int code;

    if (run->directory >= 0)
        take_requests(run);
    code = kmp_open(root, KMP_GUEST, &kmp);
    if (code == KMP_OK)
        code = sync_patiently(run, kmp, &report);
    if (code != KMP_OK) {
        /* For the same reason for which it was not judged: once is enough. */
        if (code == run->told)
            level = RPMLOG_INFO;
        log_line(level, "the drivers' links were not updated; `kmp sync` does that: %s", kmp_last_error());
    } else {
        tell(report, level);
        run->is_synced = kmp_report_verdict(report) != KMP_VERDICT_ABORT;
    }
    kmp_report_free(report);
    kmp_close(kmp);
}

/* After the last package and before the first script that may make an initrd. A transaction may have but file triggers. */
static bool is_at_the_end(const char *name)
{
    static const char *const SCRIPTLETS[] = {
        "%posttrans(", "%postuntrans(", "%transfiletriggerin(", "%transfiletriggerpostun(",
    };

    for (size_t i = 0; i < sizeof SCRIPTLETS / sizeof *SCRIPTLETS; i++)
        if (strncmp(name, SCRIPTLETS[i], strlen(SCRIPTLETS[i])) == 0)
            return true;
    return false;
}

/* Of a commit that goes on: its last call has triggers of its own, or the commit plugin does what they would. */
static bool is_left(const struct run *run, const char *name)
{
    return run->in_commit && run->more_comes && strncmp(name, "%transfiletrigger", 17) == 0;
}

void sync_before_scriptlet(struct run *run, const char *name)
{
    announce(run);
    /* Should it fail, it is tried again from outside, where more may be there: see sync_at_end(). */
    if (!run->is_synced && run->has_changed && name != NULL && is_at_the_end(name) && !is_left(run, name))
        synchronise(run, "/", RPMLOG_INFO);
}

void sync_in_scriptlet(const struct run *run)
{
    if (run->transaction >= 0)
        setenv(SYNC_VARIABLE, run->in_commit && run->more_comes ? "more" : "1", 1);
}

void sync_at_end(struct run *run, const char *root)
{
    bool requested = run->directory >= 0 && take_requests(run);
    bool is_due = run->has_changed && (!run->is_synced || requested);

    if (run->in_commit && run->more_comes)
        is_due = is_due && !zypp_leave(run, root);
    else if (run->in_commit)
        is_due |= zypp_take_left(run, root);
    if (is_due)
        synchronise(run, root, RPMLOG_WARNING);
    sync_close(run);
}

void sync_close(struct run *run)
{
    if (run->transaction >= 0) {
        unlinkat(run->directory, TRANSACTION, 0);
        close(run->transaction);
    }
    if (run->directory >= 0)
        close(run->directory);
    run->transaction = run->directory = -1;
}
