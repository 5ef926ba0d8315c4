// SPDX-License-Identifier: LGPL-2.1-or-later
#include "named.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer command lines are read as far as this. */
#define COMMAND_LINE (1 << 16)

static bool is_rpm_itself(void)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    program[length < 0 ? 0 : length] = '\0';
    return strcmp(basename(program), "rpm") == 0;
}

static bool is_verb(const char *word)
{
    static const char *const VERBS[] = {"remove", "rm", "erase", "swap"};

    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
        if (strcmp(word, VERBS[i]) == 0)
            return true;
    return false;
}

/* A name, also with version and so on, or a pattern for one. */
static bool is_meant(const char *word, const char *nevra)
{
    static const char SEPARATORS[] = {'\0', '.', '-', '-'};
    char text[PATH_MAX];

    snprintf(text, sizeof text, "%s", nevra);
    for (size_t i = 0; i < sizeof SEPARATORS; i++) {
        char *end = SEPARATORS[i] == '\0' ? NULL : strrchr(text, SEPARATORS[i]);
        if (end != NULL)
            *end = '\0';
        if (fnmatch(word, text, 0) == 0)
            return true;
    }
    return false;
}

bool is_named(const struct run *run, const char *nevra)
{
    const char *zypp = secure_getenv("ZYPP_IS_RUNNING");
    char path[64] = "/proc/self/cmdline", *text, *word;
    bool is_after_verb = false, result = false;
    ssize_t length;
    int fd;

    /* libzypp calls rpm for each step; who has named something has done so to libzypp's own program. */
    if (zypp != NULL && atoi(zypp) > 0)
        snprintf(path, sizeof path, "/proc/%d/cmdline", atoi(zypp));
    else if (!run->in_commit && is_rpm_itself())
        return true;
    text = calloc(COMMAND_LINE + 1, 1);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    length = text == NULL || fd < 0 ? 0 : read(fd, text, COMMAND_LINE);
    if (fd >= 0)
        close(fd);
    for (word = text; word != NULL && word < text + length && !result; word += strlen(word) + 1) {
        if (is_after_verb)
            result = word[0] != '-' && is_meant(word, nevra);
        else
            is_after_verb = is_verb(word);
    }
    free(text);
    return result;
}
