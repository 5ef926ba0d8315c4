#include "zypp.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "librpm.h"
#include "log.h"

#define PENDING "/run/kmp/commit"
#define JUDGED "/run/kmp/commit-judged"
#define PACKAGES "/var/cache/zypp/packages"

static bool is_classic(void)
{
    const char *classic = secure_getenv("ZYPP_CLASSIC_RPMTRANS");
    const char *single = secure_getenv("ZYPP_SINGLE_RPMTRANS");
    char program[PATH_MAX];
    ssize_t length;

    if (classic != NULL && strcmp(classic, "1") == 0)
        return true;
    if (secure_getenv("ZYPP_IS_RUNNING") == NULL || (single != NULL && strcmp(single, "1") == 0))
        return false;
    /* Before 17.37.14 it did not say; its helper for single transactions has another name. */
    length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length < 0 ? 0 : length] = '\0';
    return strcmp(basename(program), "rpm") == 0;
}

/* The list, if who wrote it still lives: it holds a lock on it. */
static FILE *open_pending(const char *root)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s%s", root, PENDING);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        close(fd);
        return NULL;
    }
    return fdopen(fd, "re");
}

enum zypp_part zypp_part(const char *root)
{
    char path[PATH_MAX];
    FILE *pending;
    int judged;

    if (!is_classic())
        return ZYPP_NONE;
    pending = open_pending(root);
    if (pending == NULL)
        return ZYPP_UNKNOWN;
    fclose(pending);
    snprintf(path, sizeof path, "%s%s", root, JUDGED);
    judged = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (judged < 0)
        return errno == EEXIST ? ZYPP_JUDGED : ZYPP_UNKNOWN;
    close(judged);
    return ZYPP_FIRST;
}

/* Is it among the transaction's own elements, which were told already? */
static bool is_own(rpmts ts, const char *nevra)
{
    int count = librpm.rpmtsNElements(ts);

    for (int i = 0; i < count; i++) {
        rpmte te = librpm.rpmtsElement(ts, i);
        if (te != NULL && strcmp(librpm.rpmteNEVRA(te), nevra) == 0)
            return true;
    }
    return false;
}

static void add_removed(kmp_transaction_t *transaction, rpmts ts, const char *nevra)
{
    rpmdbMatchIterator mi = librpm.rpmtsInitIterator(ts, RPMDBI_LABEL, nevra, 0);

    while (librpm.rpmdbNextIterator(mi) != NULL)
        kmp_transaction_remove(transaction, librpm.rpmdbGetIteratorOffset(mi), 0);
    librpm.rpmdbFreeIterator(mi);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All of them were downloaded before the first call of rpm. */
static void add_files(struct run *run, kmp_transaction_t *transaction, const char *root, char **names, size_t count)
{
    char directory[PATH_MAX], *directories[] = {directory, NULL};
    FTS *tree;
    FTSENT *entry;

    snprintf(directory, sizeof directory, "%s%s", root, PACKAGES);
    tree = fts_open(directories, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (tree == NULL)
        return;
    while ((entry = fts_read(tree)) != NULL) {
        char name[NAME_MAX + 1], *end, *key = name;
        if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
            continue;
        snprintf(name, sizeof name, "%s", entry->fts_name);
        end = strrchr(name, '.');
        if (end == NULL || strcmp(end, ".rpm") != 0)
            continue;
        *end = '\0';
        if (bsearch(&key, names, count, sizeof *names, by_name) != NULL
            && kmp_transaction_add_file(transaction, entry->fts_path) != KMP_OK)
            run_fault(run, entry->fts_name, kmp_last_error());
    }
    fts_close(tree);
}

void zypp_describe(struct run *run, kmp_transaction_t *transaction, rpmts ts)
{
    const char *root = librpm_root(ts);
    FILE *pending = open_pending(root);
    char **names = NULL, *line = NULL;
    size_t count = 0, room = 0, size = 0;
    ssize_t length;

    if (pending == NULL)
        return;
    while ((length = getline(&line, &size, pending)) > 2) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (is_own(ts, line + 2))
            continue;
        if (line[0] == '-')
            add_removed(transaction, ts, line + 2);
        if (line[0] != '+')
            continue;
        if (count == room) {
            char **more = realloc(names, (room = 2 * room + 64) * sizeof *names);
            if (more == NULL)
                break;
            names = more;
        }
        names[count] = strdup(line + 2);
        count += names[count] != NULL;
    }
    free(line);
    fclose(pending);
    if (count > 0) {
        qsort(names, count, sizeof *names, by_name);
        add_files(run, transaction, root, names, count);
    }
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}
