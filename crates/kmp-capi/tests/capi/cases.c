// SPDX-License-Identifier: LGPL-2.1-or-later
/* The main job in C, for the tests: cases ROOT check [-k KERNEL] NAME... | sync [dry] [no-depmod] | kernels |
 * status [KERNEL] | plan NAME... | explain NAME KERNEL | judge POLICY ITEM... An ITEM: +FILE comes, =FILE comes and is
 * passed on open, :FILE comes as FILE describes it, -N goes, ~N goes and is replaced. */
#include <kmp.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 64

static int fail(int code)
{
    fprintf(stderr, "%d (%s): %s\n", code, kmp_strerror(code), kmp_last_error());
    return 100;
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static int print(const kmp_report_t *report)
{
    printf("verdict %d\n", kmp_report_verdict(report));
    for (size_t i = 0; i < kmp_report_count(report); i++) {
        struct kmp_finding f = {.size = sizeof f};
        int code = kmp_report_get(report, i, &f);
        if (code != KMP_OK)
            return fail(code);
        printf("%u %u %s %s %s policy %u loaded %u: %s\n", f.kind, f.state, or_dash(f.release), or_dash(f.package),
               or_dash(f.module), f.policy, f.loaded, f.text);
        for (size_t j = 0; j < f.reasons; j++) {
            struct kmp_reason r = {.size = sizeof r};
            code = kmp_report_reason(report, i, j, &r);
            if (code != KMP_OK)
                return fail(code);
            printf("  %s %s %08x %08x %s: %s\n", r.rule, or_dash(r.symbol), r.wanted, r.offered, or_dash(r.exporter),
                   r.detail);
        }
    }
    return kmp_report_verdict(report);
}

static int add_open(kmp_transaction_t *transaction, const char *path)
{
    int fd = open(path, O_RDONLY);
    int code = kmp_transaction_add_fd(transaction, fd);
    /* Neither closed nor moved. */
    if (code == KMP_OK && (lseek(fd, 0, SEEK_CUR) != 0 || close(fd) != 0))
        return KMP_E_INTERNAL;
    return code;
}

/* Lines of: name X, version X, release X, provides NAME EVR, requires NAME EVR, file PATH. */
static int describe(kmp_transaction_t *transaction, const char *path)
{
    struct kmp_dependency provides[MANY], requires_[MANY];
    const char *files[MANY];
    struct kmp_package package = {
        .size = sizeof package,
        .epoch = -1,
        .provides = provides,
        .requires_ = requires_,
        .files = files,
    };
    static char lines[3 * MANY][256];
    size_t n = 0;
    FILE *in = fopen(path, "r");
    if (!in)
        return KMP_E_FILE;
    while (n < 3 * MANY && fgets(lines[n], sizeof lines[n], in)) {
        char *word = strtok(lines[n], " \n"), *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n");
        n++;
        if (!word || !first)
            continue;
        if (!strcmp(word, "name"))
            package.name = first;
        else if (!strcmp(word, "version"))
            package.version = first;
        else if (!strcmp(word, "release"))
            package.release = first;
        else if (!strcmp(word, "provides"))
            provides[package.provides_count++] = (struct kmp_dependency){first, second};
        else if (!strcmp(word, "requires"))
            requires_[package.requires_count++] = (struct kmp_dependency){first, second};
        else if (kmp_concerns(first))
            files[package.files_count++] = first;
    }
    fclose(in);
    return kmp_transaction_add(transaction, &package);
}

static int judge(kmp_t *kmp, char **items, kmp_report_t **report)
{
    kmp_transaction_t *transaction;
    const char *policy = strcmp(*items, "-") ? *items : NULL;
    int code = kmp_transaction_new(kmp, &transaction);
    for (items++; code == KMP_OK && *items; items++) {
        const char *item = *items + 1;
        if (**items == '+')
            code = kmp_transaction_add_file(transaction, item);
        else if (**items == '=')
            code = add_open(transaction, item);
        else if (**items == '^')
            code = kmp_transaction_update_file(transaction, item);
        else if (**items == ':')
            code = describe(transaction, item);
        else
            code = kmp_transaction_remove(transaction, (uint32_t)strtoul(item, NULL, 10),
                                          **items == '~' ? KMP_REMOVAL_REPLACED : KMP_REMOVAL_ERASED);
    }
    if (code == KMP_OK)
        code = kmp_transaction_judge(transaction, policy, report);
    kmp_transaction_free(transaction);
    return code;
}

int main(int argc, char **argv)
{
    kmp_t *kmp;
    kmp_report_t *report = NULL;
    int code = argc < 3 ? KMP_E_ARGUMENT : kmp_open(argv[1], 0, &kmp);
    if (code != KMP_OK)
        return fail(code);
    char **rest = argv + 3;
    if (!strcmp(argv[2], "check")) {
        const char *kernel = NULL;
        if (*rest && !strcmp(*rest, "-k")) {
            kernel = rest[1];
            rest += 2;
        }
        code = kmp_check(kmp, (const char *const *)rest, (size_t)(argv + argc - rest), kernel, &report);
    } else if (!strcmp(argv[2], "sync")) {
        uint32_t flags = 0;
        for (; *rest; rest++)
            flags |= !strcmp(*rest, "dry") ? KMP_DRY_RUN : KMP_NO_DEPMOD;
        code = kmp_sync(kmp, flags, &report);
    } else if (!strcmp(argv[2], "kernels")) {
        code = kmp_kernels(kmp, &report);
    } else if (!strcmp(argv[2], "status")) {
        code = kmp_status(kmp, *rest, &report);
    } else if (!strcmp(argv[2], "plan")) {
        code = kmp_plan(kmp, (const char *const *)rest, (size_t)(argv + argc - rest), &report);
    } else if (!strcmp(argv[2], "explain")) {
        code = kmp_explain(kmp, rest[0], rest[1], &report);
    } else {
        code = judge(kmp, rest, &report);
    }
    /* In an order of its own: what is given out outlives what it came from. */
    kmp_close(kmp);
    int status = code == KMP_OK ? print(report) : fail(code);
    kmp_report_free(report);
    return status;
}
