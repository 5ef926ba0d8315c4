// SPDX-License-Identifier: LGPL-2.1-or-later
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
#include "named.h"
#include "run_dir.h"

/* Made by the commit plugin (crates/kmp-cli/src/zypp.rs); and by us when the commit may go on: "?" in it means that not all
 * that comes was known, "+" (once or more) that links are left to the last call. */
#define PENDING "commit"
#define JUDGED "commit-judged"
/* Where libzypp puts packages that it downloads, and zypper those that it is given as files. */
#define DOWNLOADED "/var/cache/zypp/packages"
#define GIVEN "/var/cache/zypper"

static bool is_classic(void)
{
    const char *classic = secure_getenv("ZYPP_CLASSIC_RPMTRANS");
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    program[length < 0 ? 0 : length] = '\0';
    /* Before 17.37.14 libzypp did not say. ZYPP_SINGLE_RPMTRANS=1 is no more than a wish: only zypper follows it, and not
     * always; who does runs zypp-rpm. */
    if (strcmp(basename(program), "zypp-rpm") == 0)
        return false;
    return (classic != NULL && strcmp(classic, "1") == 0)
           || (secure_getenv("ZYPP_IS_RUNNING") != NULL && strcmp(basename(program), "rpm") == 0);
}

/* What is to be done, in order: "+ NAME-VERSION-RELEASE.ARCH" or "- ...". */
struct steps {
    char **list;
    size_t count;
};

static void free_steps(struct steps *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        free(steps->list[i]);
    free(steps->list);
    *steps = (struct steps){NULL, 0};
}

/* A line of the list without its newline. What it does not say exactly is not for us to guess: a list that somebody else
 * has written, or half of one, would be judged wrongly. */
static bool is_step(const char *line, size_t length)
{
    return length > 2 && strlen(line) == length && strchr("+-M", line[0]) != NULL && line[1] == ' ';
}

static bool add_step(struct steps *steps, size_t *room, const char *line)
{
    if (steps->count == *room) {
        size_t more_room = 2 * *room + 64;
        char **more = realloc(steps->list, more_room * sizeof *more);
        if (more == NULL)
            return false;
        steps->list = more;
        *room = more_room;
    }
    steps->list[steps->count] = strdup(line);
    return steps->list[steps->count] != NULL && ++steps->count > 0;
}

static bool read_lines(FILE *file, struct steps *steps)
{
    char *line = NULL;
    size_t size = 0, room = 0;
    ssize_t length;
    bool is_good = true;

    while (is_good && (length = getline(&line, &size, file)) > 0) {
        is_good = line[length - 1] == '\n';
        line[length - 1] = '\0';
        is_good = is_good && is_step(line, (size_t)length - 1) && add_step(steps, &room, line);
    }
    free(line);
    return is_good && feof(file) && !ferror(file);
}

/* False where there is no list, where it is none, or where who wrote it is dead: alive, it holds a lock on it. */
static bool read_steps(struct run *run, const char *root, struct steps *steps)
{
    int fd = kmp_run_file(root, PENDING, O_RDONLY, run_say, run);
    FILE *file = NULL;
    bool is_good;

    *steps = (struct steps){NULL, 0};
    if (fd < 0)
        return false;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        file = fdopen(fd, "re");
    if (file == NULL) {
        close(fd);
        return false;
    }
    is_good = read_lines(file, steps);
    fclose(file);
    if (!is_good)
        free_steps(steps);
    return is_good;
}

/* Is it among the transaction's own elements? rpmteNEVRA() has an epoch, which the list has not. */
static bool is_own(rpmts ts, const char *step)
{
    int count = librpm.rpmtsNElements(ts);
    char name[PATH_MAX];

    for (int i = 0; i < count; i++) {
        rpmte te = librpm.rpmtsElement(ts, i);
        if (te == NULL)
            continue;
        snprintf(name, sizeof name, "%s-%s-%s.%s", librpm.rpmteN(te), librpm.rpmteV(te), librpm.rpmteR(te),
                 librpm.rpmteA(te));
        if (strcmp(name, step + 2) == 0)
            return true;
    }
    return false;
}

/* What was noted of a commit that may go on. */
enum { NO_MARKS = -1, UNKNOWN = 1 << 0, LEFT = 1 << 1 };

static int read_marks(struct run *run, const char *root)
{
    int fd = kmp_run_file(root, JUDGED, O_RDONLY, run_say, run);
    int marks = 0;
    char mark;

    if (fd < 0)
        return fd == -ENOENT ? NO_MARKS : UNKNOWN;
    while (read(fd, &mark, 1) == 1)
        marks |= mark == '+' ? LEFT : UNKNOWN;
    close(fd);
    return marks;
}

enum zypp_part zypp_part(struct run *run, rpmts ts)
{
    const char *root = librpm_root(ts);
    struct steps steps;

    run->in_commit = is_classic();
    if (!run->in_commit)
        return ZYPP_NONE;
    if (!read_steps(run, root, &steps))
        return ZYPP_UNKNOWN;
    run->more_comes = steps.count > 0 && !is_own(ts, steps.list[steps.count - 1]);
    free_steps(&steps);
    switch (read_marks(run, root)) {
    case NO_MARKS:
        return ZYPP_FIRST;
    case 0:
    case LEFT:
        return ZYPP_JUDGED;
    default:
        return ZYPP_UNKNOWN;
    }
}

void zypp_allowed(struct run *run, const char *root)
{
    int fd = kmp_run_file(root, JUDGED, O_WRONLY | O_CREAT | O_EXCL, run_say, run);

    if (fd < 0)
        return;
    if (!run->is_known)
        (void)!write(fd, "?", 1);
    close(fd);
}

bool zypp_leave(struct run *run, const char *root)
{
    int fd = kmp_run_file(root, JUDGED, O_WRONLY | O_APPEND, run_say, run);
    bool noted = fd >= 0 && write(fd, "+", 1) == 1;

    if (fd >= 0)
        close(fd);
    return noted;
}

bool zypp_take_left(struct run *run, const char *root)
{
    int marks = read_marks(run, root), fd;

    if (marks == NO_MARKS || (marks & LEFT) == 0)
        return false;
    fd = kmp_run_file(root, JUDGED, O_WRONLY | O_TRUNC, run_say, run);
    if (fd < 0)
        return true;
    if ((marks & UNKNOWN) != 0)
        (void)!write(fd, "?", 1);
    close(fd);
    return true;
}

static void add_removed(const struct run *run, kmp_transaction_t *transaction, rpmts ts, const char *nevra)
{
    int removal = is_named(run, nevra) ? KMP_REMOVAL_NAMED : KMP_REMOVAL_ERASED;
    rpmdbMatchIterator mi = librpm.rpmtsInitIterator(ts, RPMDBI_LABEL, nevra, 0);

    while (librpm.rpmdbNextIterator(mi) != NULL)
        kmp_transaction_remove(transaction, librpm.rpmdbGetIteratorOffset(mi), removal);
    librpm.rpmdbFreeIterator(mi);
}

/* A package that comes, by the name of its file. */
struct coming {
    const char *name;
    bool updates; /* in the place of what is installed by that name; other versions stay beside each other */
    bool is_found;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct coming *)a)->name, ((const struct coming *)b)->name);
}

/* Looks for their files. Returns how many it found. */
static size_t add_files(struct run *run, kmp_transaction_t *transaction, const char *root, struct coming *coming,
                        size_t count)
{
    char downloaded[PATH_MAX], given[PATH_MAX], *directories[] = {downloaded, given, NULL};
    size_t found = 0;
    FTS *tree;
    FTSENT *entry;

    snprintf(downloaded, sizeof downloaded, "%s%s", root, DOWNLOADED);
    snprintf(given, sizeof given, "%s%s", root, GIVEN);
    tree = fts_open(directories, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (tree == NULL)
        return 0;
    while ((entry = fts_read(tree)) != NULL) {
        char name[NAME_MAX + 1], *end;
        struct coming key = {.name = name}, *one;
        int code;
        if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
            continue;
        snprintf(name, sizeof name, "%s", entry->fts_name);
        end = strrchr(name, '.');
        if (end == NULL || strcmp(end, ".rpm") != 0)
            continue;
        *end = '\0';
        one = bsearch(&key, coming, count, sizeof *coming, by_name);
        if (one == NULL || one->is_found)
            continue;
        one->is_found = true;
        found++;
        code = one->updates ? kmp_transaction_update_file(transaction, entry->fts_path)
                            : kmp_transaction_add_file(transaction, entry->fts_path);
        if (code != KMP_OK)
            run_fault(run, entry->fts_name, kmp_last_error());
    }
    fts_close(tree);
    return found;
}

bool zypp_describe(struct run *run, kmp_transaction_t *transaction, rpmts ts)
{
    const char *root = librpm_root(ts);
    struct steps steps;
    struct coming *coming;
    size_t count = 0;
    bool is_all = false;

    if (!read_steps(run, root, &steps))
        return false;
    coming = calloc(steps.count + 1, sizeof *coming);
    for (size_t i = 0; coming != NULL && i < steps.count; i++) {
        const char *step = steps.list[i];
        if (is_own(ts, step))
            continue;
        if (step[0] == '-')
            add_removed(run, transaction, ts, step + 2);
        else
            coming[count++] = (struct coming){.name = step + 2, .updates = step[0] == '+'};
    }
    if (coming != NULL) {
        qsort(coming, count, sizeof *coming, by_name);
        is_all = count == 0 || add_files(run, transaction, root, coming, count) == count;
    }
    free(coming);
    free_steps(&steps);
    return is_all;
}
