/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made of the library's sources by `cargo xtask header`: change it there. */
/*
 * libkmp: keeps third-party kernel drivers working across kernel updates on RPM Linux. See libkmp(3).
 *
 * Returns
 *   A function that returns int returns KMP_OK (0) or a KMP_E_ code; kmp_last_error() then has a message. The few
 *   that cannot fail, such as kmp_concerns() and kmp_report_verdict(), are the exceptions. No function ends the
 *   process, prints, or throws. Any function may return KMP_E_INTERNAL, for a fault inside the library.
 *
 * Ownership
 *   The caller owns what a function returns through a parameter `out`, and frees it with the function that is
 *   named there; on failure *out is NULL. The library keeps nothing that was passed in after the call. Strings
 *   that it returns belong to the report they came from and live as long as it. Handles may be freed in any
 *   order: a transaction or a report can outlive its kmp_t. Freeing NULL does nothing.
 *
 * Threads
 *   A handle is used by one thread at a time; a handle that has used librpm's database stays in its thread. The
 *   library starts no thread, and does not change locale, signals, working directory or umask.
 *
 * Plugins
 *   The functions kmp_plugin_...() are for a plugin of rpm, one for each of its hooks. They cannot fail; errors are
 *   reported through the plugin's messages. See rpm-plugin-kmp(8).
 *
 * Compatibility
 *   Structs that begin with `size` only grow at their end. The caller sets size to sizeof the struct; the library
 *   touches no byte beyond it. Later versions may add codes, kinds and states: ignore those that you do not know.
 */
#ifndef KMP_H
#define KMP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An opened root: its kernels, modules and rpm database. */
typedef struct kmp kmp_t;
/* An rpm transaction, described element by element. */
typedef struct kmp_transaction kmp_transaction_t;
/* What a plugin of rpm knows of a transaction. For one thread at a time. */
typedef struct kmp_plugin kmp_plugin_t;
/* A list of findings. */
typedef struct kmp_report kmp_report_t;

/*
 * Error codes, in blocks: 1..99 the call itself, 100..199 files, 200..299 rpm, 300..399 kernels and drivers,
 * 400..499 changing links, 900..999 internal faults of libkmp. A number is never reused for something else.
 */
#define KMP_OK 0            /* success */
#define KMP_E_ARGUMENT 1    /* a null pointer, unknown flag or word, text that is not UTF-8 */
#define KMP_E_SIZE 2        /* a struct's size is too small, or it uses members that this version does not know */
#define KMP_E_INDEX 3       /* there is no finding or reason with that number */
#define KMP_E_SPENT 4       /* the transaction was judged already */
#define KMP_E_ROOT 100      /* the root cannot be opened */
#define KMP_E_FILE 101      /* a named file is not there or cannot be read */
#define KMP_E_UNREAD 102    /* something below the root that is needed for a verdict could not be read */
#define KMP_E_DIALECT 103   /* the distribution is neither of SUSE's nor of Red Hat's family, and kmp.conf does not set a dialect */
#define KMP_E_RPM 200       /* no librpm can be used in this process */
#define KMP_E_DATABASE 201  /* the rpm database could not be read */
#define KMP_E_PACKAGE 202   /* a package file cannot be read, or is damaged */
#define KMP_E_NO_KERNEL 300 /* no kernel, or none of that release */
#define KMP_E_NO_KMP 301    /* no package of that name owns third-party modules */
#define KMP_E_SYMVERS 302   /* the bytes are not a symvers file */
#define KMP_E_LOCK 400      /* the lock file cannot be created */
#define KMP_E_BUSY 401      /* another run holds the lock, and KMP_NO_WAIT was set */
#define KMP_E_INTERNAL 900  /* an internal fault of libkmp; the handle can only be freed from now on */

/*
 * The message of this thread's last failed call, in one line; "" if none failed. Never NULL; valid until the next
 * failing call of this thread. A call that succeeds does not change it.
 */
const char *kmp_last_error(void);

/* A short description of a code, also of an unknown one. Never NULL; static. */
const char *kmp_strerror(int code);

/* The library's version, such as "0.1.0". Never NULL; static. */
const char *kmp_version(void);

/* Flags of kmp_open(). */
#define KMP_GUEST 1u /* for a plugin of a program that has librpm: use that one, load none, do not change its settings */

/*
 * Opens a root directory; NULL is "/". Reads nothing yet. *out is freed with kmp_close().
 * KMP_E_ROOT: it cannot be opened. KMP_E_RPM: KMP_GUEST is set, and there is no usable librpm in the process.
 * (Without KMP_GUEST, a missing librpm is an error of the first function that needs packages.) KMP_E_ARGUMENT.
 */
int kmp_open(const char *root, uint32_t flags, kmp_t **out);

/* Frees a root. */
void kmp_close(kmp_t *kmp);

/*
 * The installed kernels, in the order of versions: a finding of kind KMP_KERNEL for each, with its release, and its directory
 * (inside the root) as the path. Reads no package and no module.
 * *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD. KMP_E_UNREAD, KMP_E_ARGUMENT.
 */
int kmp_kernels(kmp_t *kmp, kmp_report_t **out);

/*
 * How each installed KMP stands in each kernel of its flavour, kernel by kernel in the order of versions: findings of kind
 * KMP_DRIVER. For a third-party module that no package owns a finding of kind KMP_MODULE.
 * kernel: a release; NULL: all installed kernels.
 * *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_WARN if something is to be done, by kmp_sync() or by
 * people, else KMP_VERDICT_GOOD.
 * KMP_E_NO_KERNEL, KMP_E_DATABASE, KMP_E_UNREAD, KMP_E_ARGUMENT.
 */
int kmp_status(kmp_t *kmp, const char *kernel, kmp_report_t **out);

/*
 * Explains symbol by symbol how modules and a kernel go together: for each module a finding of kind KMP_MODULE, followed by one
 * of kind KMP_SYMBOL for each symbol that it needs. The one reason of such a finding has the symbol, the version that the
 * module was built with, the version that is exported and who exports it; its rule is "" if none is broken.
 *
 * name: a module file, the package file of a KMP, the name of an installed KMP or of a third-party module. kernel: a release.
 * *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD if everything is compatible, else
 * KMP_VERDICT_WARN.
 * KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_FILE, KMP_E_PACKAGE, KMP_E_RPM, KMP_E_DATABASE, KMP_E_UNREAD, KMP_E_ARGUMENT.
 */
int kmp_explain(kmp_t *kmp, const char *name, const char *kernel, kmp_report_t **out);

/*
 * Judges modules against kernels: one finding of kind KMP_MODULE for each module and kernel.
 *
 * names: module files and directories of them (a name with a "/", or that ends as a module's does; paths are those
 * of the process, not below the root), package files (*.rpm), or installed packages (NAME or
 * NAME-VERSION-RELEASE). n = 0: all installed KMPs.
 * kernel: a release; NULL: all installed kernels of the driver's flavour.
 * The package file of a KMP is judged as if it were installed; the package file of a kernel gives a finding for each
 * module of each installed KMP, against that kernel.
 * *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD if everything is compatible, else
 * KMP_VERDICT_WARN.
 * KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_FILE, KMP_E_PACKAGE, KMP_E_RPM, KMP_E_DATABASE, KMP_E_ARGUMENT.
 */
int kmp_check(kmp_t *kmp, const char *const *names, size_t n, const char *kernel, kmp_report_t **out);

/*
 * What would be changed, before anything is: the verb kmp plan, whose names it takes.
 *
 * names: package files that come, all in one transaction (a name with a "/", or that ends in .rpm); releases of installed
 * kernels that are to run; installed packages that are erased, with "@" before the name. n = 0: the newest installed
 * kernel is to run.
 * Findings, kernel by kernel, the newest first: KMP_KERNEL with how many drivers stay, come and are lost; KMP_PROSPECT for
 * each driver that is not lost, KMP_LOST for each that is. Then, for a transaction, KMP_MESSAGE for each line that
 * rpm's plugin would print, and KMP_PROBLEM.
 * *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD no driver is lost, KMP_VERDICT_WARN one is, or one
 * that comes works with no kernel, KMP_VERDICT_ABORT rpm's plugin would stop the transaction.
 * KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_PACKAGE, KMP_E_RPM, KMP_E_UNREAD, KMP_E_ARGUMENT.
 */
int kmp_plan(kmp_t *kmp, const char *const *names, size_t n, kmp_report_t **out);

/* Flags of kmp_sync(). */
#define KMP_DRY_RUN 1u   /* change nothing, write nothing, only report */
#define KMP_NO_DEPMOD 2u /* change links; the caller runs depmod */
#define KMP_NO_WAIT 4u   /* do not wait for another run of kmp */

/*
 * Corrects the weak-updates links of all kernels, and runs depmod for each kernel whose links changed.
 * Waits for another run of kmp, however long that takes, unless KMP_NO_WAIT is set. If a kernel needs a new initrd, a
 * request is left in /run/regenerate-initrd/; no initrd is made. Findings: KMP_CHANGE, KMP_DEPMOD, KMP_INITRD,
 * KMP_NOT_LINKED, KMP_PROBLEM.
 * *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD there was nothing to do, KMP_VERDICT_WARN
 * something was (or would be) done, KMP_VERDICT_ABORT links, depmod or request failed for a kernel (the other
 * kernels were still processed).
 * KMP_E_DATABASE (nothing was changed), KMP_E_LOCK and KMP_E_BUSY (nothing was changed), KMP_E_ARGUMENT.
 */
int kmp_sync(kmp_t *kmp, uint32_t flags, kmp_report_t **out);

/* A capability. This struct does not grow. */
struct kmp_dependency {
	const char *name; /* such as "ksym(default:printk)"; must not be NULL */
	const char *evr;  /* `[epoch:]version[-release]`; NULL or "" if none */
};

/* A package that is being installed. Set size, and set unused members to zero. */
struct kmp_package {
	size_t size;                            /* set by the caller */
	const char *name;                       /* must not be NULL */
	int64_t epoch;                          /* -1: none */
	const char *version;                    /* must not be NULL */
	const char *release;                    /* must not be NULL */
	const char *arch;                       /* may be NULL */
	const struct kmp_dependency *provides;  /* its Provides */
	size_t provides_count;                  /* how many */
	const struct kmp_dependency *requires_; /* its Requires (`requires` is a keyword of C++) */
	size_t requires_count;                  /* how many */
	const char *const *files;               /* absolute paths; those for which kmp_concerns() returns 0 may be left out */
	size_t files_count;                     /* how many */
};

/* Begins the description of a transaction. Reads nothing. *out is freed with kmp_transaction_free(). KMP_E_ARGUMENT. */
int kmp_transaction_new(kmp_t *kmp, kmp_transaction_t **out);

/* Frees a transaction. */
void kmp_transaction_free(kmp_transaction_t *transaction);

/*
 * Can a package that owns this path be relevant to kernels or their drivers? Returns 1 or 0; for NULL, 0. It is a
 * cheap filter for file lists (some nanoseconds): a package without any such file need not be described.
 */
int kmp_concerns(const char *path);

/*
 * Adds a package file that is being installed. Its payload is read if necessary, so this gives the best verdicts.
 * Its own signature is not checked. KMP_E_PACKAGE: it was not added; it can be described with kmp_transaction_add().
 * KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_add_file(kmp_transaction_t *transaction, const char *path);

/*
 * The same for an open package file, from its current position, such as the one that rpm's callback provides.
 * It is not closed, and its position is restored. KMP_E_PACKAGE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_add_fd(kmp_transaction_t *transaction, int fd);

/*
 * The same for an update, as with rpm -U: installed packages of its name, and those that it obsoletes, are removed.
 * They are looked up by kmp_transaction_judge(). KMP_E_PACKAGE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_update_file(kmp_transaction_t *transaction, const char *path);

/*
 * Adds a package that is being installed, by its description. The imports of a KMP are its Requires ksym(...) = CRC;
 * the exports of a kernel are its Provides, or come from kmp_transaction_symvers(). What is missing in the
 * description is unknown, and does not make a driver lost. KMP_E_SIZE, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_add(kmp_transaction_t *transaction, const struct kmp_package *package);

/*
 * Sets what a kernel that is being installed exports: the contents of its Module.symvers, plain, .gz, .xz or .zst.
 * KMP_E_SYMVERS, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_symvers(kmp_transaction_t *transaction, const char *release, const void *bytes, size_t length);

/* How a package is removed. */
#define KMP_REMOVAL_ERASED 0   /* it is erased, by request or by decision of the package manager */
#define KMP_REMOVAL_REPLACED 1 /* another package replaces it (an update, a downgrade, an obsoletes) */
#define KMP_REMOVAL_NAMED 2    /* it is erased, and the user has named it */

/*
 * Adds an installed package that is being removed, by its instance in the rpm database. removal: KMP_REMOVAL_ERASED,
 * KMP_REMOVAL_REPLACED, KMP_REMOVAL_NAMED. What the user asked for is not a loss: KMP_REMOVAL_NAMED always, and
 * KMP_REMOVAL_ERASED if no kernel comes or goes in the transaction.
 * The package is looked up by kmp_transaction_judge(). KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_remove(kmp_transaction_t *transaction, uint32_t instance, int removal);

/*
 * Finds the drivers that the transaction would lose. Findings: KMP_LOST for each driver and kernel; KMP_MESSAGE for
 * each line of the message about all of them, in order; KMP_PROBLEM for what could not be judged.
 * policy: "abort", "warn" or "off" for all packages; NULL: as kmp.conf says for each.
 * *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD continue, KMP_VERDICT_WARN print the message and
 * continue, KMP_VERDICT_ABORT print it and stop. After this call, successful or not, the transaction can only be freed.
 * KMP_E_DATABASE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_judge(kmp_transaction_t *transaction, const char *policy, kmp_report_t **out);

/* How urgent a message is, by the numbers of syslog(3) and rpm's log. */
#define KMP_LEVEL_ERROR 3   /* why a transaction is stopped */
#define KMP_LEVEL_WARNING 4 /* a driver would be lost, or a fault of ours */
#define KMP_LEVEL_NOTICE 5  /* something to know */
#define KMP_LEVEL_INFO 6    /* for those who want to know all */

/*
 * Hears messages for people, each a line that is safe to print (on a terminal some lines), at one of the levels. It must not call the
 * library.
 */
typedef void (*kmp_say_t)(void *context, int level, const char *text);

/* Flags of kmp_plugin_begin(). */
#define KMP_TEST_ONLY 1u  /* the transaction is only tested: nothing will be changed */
#define KMP_NO_SCRIPTS 2u /* the transaction runs no scripts: nothing of the root is run */

/*
 * Begins a plugin's life. What there is to say goes to say, with context; what matters also to the system's
 * log, unless the transaction is for another root than "/". *out is freed with kmp_plugin_free().
 * KMP_E_ARGUMENT.
 */
int kmp_plugin_new(kmp_say_t say, void *context, kmp_plugin_t **out);

/* Ends it, and takes back what scriptlets rely on. */
void kmp_plugin_free(kmp_plugin_t *plugin);

/*
 * A transaction begins (tsm_pre), in this root; NULL is "/". flags: KMP_TEST_ONLY, KMP_NO_SCRIPTS. All that was known of one
 * before is forgotten.
 */
void kmp_plugin_begin(kmp_plugin_t *plugin, const char *root, uint32_t flags);

/*
 * A package of the transaction, "NAME-VERSION-RELEASE.ARCH". concerns: has it a file for which
 * kmp_concerns() is 1? All are to be named before kmp_plugin_describe().
 */
void kmp_plugin_element(kmp_plugin_t *plugin, const char *nevra, int concerns);

/*
 * Has the transaction to be judged? If so, *out is a description to be filled with the packages that concern
 * us; else it is NULL. policy: the macro %_kmp_policy, or NULL; the environment variable KMP_POLICY goes
 * over it. *out is freed with kmp_transaction_free(). KMP_E_ARGUMENT.
 */
int kmp_plugin_describe(kmp_plugin_t *plugin, const char *policy, kmp_transaction_t **out);

/*
 * Has somebody asked for the package "NAME-VERSION-RELEASE.ARCH" to be erased? rpm's transaction does not
 * say; command lines do. 1 or 0.
 */
int kmp_plugin_is_named(kmp_plugin_t *plugin, const char *nevra);

/*
 * Judges what kmp_plugin_describe() gave, NULL included, together with what else is pending in the same
 * commit of libzypp, and says what would be lost. KMP_VERDICT_GOOD: let it go on; KMP_VERDICT_ABORT: stop
 * it. Scripts and links follow only after this.
 */
int kmp_plugin_judge(kmp_plugin_t *plugin, kmp_transaction_t *transaction);

/* A package was installed or erased, or that failed and may have left files (psm_post). */
void kmp_plugin_changed(kmp_plugin_t *plugin);

/*
 * A scriptlet is about to run (scriptlet_pre), "%posttrans(...)" or the like, chrooted where rpm has another
 * root. Before the first that may make an initrd the links are made right.
 */
void kmp_plugin_scriptlet(kmp_plugin_t *plugin, const char *scriptlet);

/*
 * What belongs into the environment of a scriptlet (scriptlet_fork_post), for putenv(3): "NAME=VALUE", or ""
 * if nothing does. Allocates nothing. Never NULL; static.
 */
const char *kmp_plugin_environment(const kmp_plugin_t *plugin);

/*
 * The transaction is over (tsm_post), and not chrooted, in this root; NULL is "/". Links that are due yet
 * are made, and so are initrds that nobody else makes, unless KMP_NO_SCRIPTS was set.
 */
void kmp_plugin_end(kmp_plugin_t *plugin, const char *root);

/*
 * Says that something of ours did not work: the first time in a transaction as a warning, then for those who
 * want to know all.
 */
void kmp_plugin_fault(kmp_plugin_t *plugin, const char *what, const char *why);

/*
 * Is this file of a package a source of drivers for dkms or akmods? What it replaces is built anew on the
 * machine, then: KMP_REMOVAL_NAMED. 1 or 0; NULL: 0.
 */
int kmp_builds_drivers(const char *path);

/* Kinds of findings, and the states that each may have. */
#define KMP_MODULE 1u     /* a module's verdict for a kernel: KMP_COMPATIBLE, KMP_REFUSED, KMP_UNREAD */
#define KMP_CHANGE 2u     /* what became of a package's links in a kernel: KMP_ADDED ... KMP_DANGLING, KMP_FAILED */
#define KMP_DEPMOD 3u     /* depmod: KMP_DONE, KMP_DUE, KMP_FAILED */
#define KMP_NOT_LINKED 4u /* a KMP that is not linked into a kernel of its flavour: KMP_REFUSED, KMP_BREAKS, KMP_CLASH, KMP_BROKEN */
#define KMP_LOST 5u       /* a driver that a kernel would be without: KMP_NEW_KERNEL, KMP_OLD_KERNEL, KMP_HAS_ITSELF */
#define KMP_PROBLEM 6u    /* something was ignored: KMP_NONE; or could not be read and is unknown: KMP_FAILED */
#define KMP_INITRD 7u     /* a new initrd is needed: KMP_DONE requested, KMP_DUE, KMP_FAILED */
#define KMP_MESSAGE 8u    /* a line of the message to the user about a transaction: KMP_NONE */
#define KMP_KERNEL 9u     /* an installed kernel: KMP_RUNNING, KMP_NONE; of kmp_plan() one that is concerned: KMP_NEW_KERNEL, KMP_OLD_KERNEL */
#define KMP_DRIVER 10u    /* how an installed KMP stands in a kernel of its flavour: KMP_NATIVE ... KMP_BROKEN, KMP_REFUSED, KMP_BREAKS, KMP_UNREAD */
#define KMP_SYMBOL 11u    /* a symbol that a module needs, with one reason: KMP_COMPATIBLE, KMP_REFUSED, KMP_UNREAD */
#define KMP_PROSPECT 12u  /* what becomes of a driver in a kernel: KMP_STAYS ... KMP_GOES, KMP_REFUSED, KMP_BREAKS, KMP_UNREAD */

/* States of findings. */
#define KMP_NONE 0u        /* the kind has no state */
#define KMP_COMPATIBLE 1u  /* the kernel would load it */
#define KMP_REFUSED 2u     /* the kernel would refuse it */
#define KMP_UNREAD 3u      /* something could not be read, so it is not known whether it is compatible */
#define KMP_BREAKS 4u      /* the kernel would load it, but in-tree modules no longer: it is not linked for that */
#define KMP_ADDED 10u      /* its links were made */
#define KMP_REPLACED 11u   /* the links now lead to another version */
#define KMP_REMOVED 12u    /* its links were removed */
#define KMP_REPAIRED 13u   /* missing or wrong links were corrected */
#define KMP_DANGLING 14u   /* a dangling link was removed */
#define KMP_DONE 20u       /* depmod ran, an initrd was requested */
#define KMP_DUE 21u        /* depmod has to run (a dry run, KMP_NO_DEPMOD), an initrd has to be requested */
#define KMP_FAILED 22u     /* it could not be done; the finding's text says why */
#define KMP_NEW_KERNEL 30u /* the kernel comes with the transaction */
#define KMP_OLD_KERNEL 31u /* the kernel stays */
#define KMP_HAS_ITSELF 32u /* the kernel comes with the transaction, and has modules of its own for the same devices */
#define KMP_NATIVE 40u     /* built for this kernel, in its own directory, and loads */
#define KMP_LINKED 41u     /* built for another kernel, loads in this one, and is linked */
#define KMP_UNLINKED 42u   /* would load, but not all of its links are there */
#define KMP_UNUSED 43u     /* another build of the same driver is used in this kernel */
#define KMP_DECLINED 44u   /* not to be linked into this kernel, as kmp.conf or its package says */
#define KMP_CLASH 45u      /* not linked: a module of that name is there already */
#define KMP_BROKEN 46u     /* a module of its package is missing or is no valid module */
#define KMP_RUNNING 50u    /* the kernel runs now */
#define KMP_STAYS 60u      /* it is installed, stays so, and works */
#define KMP_COMES 61u      /* it comes with the transaction, and works */
#define KMP_GOES 62u       /* it is erased, as asked for */

/* Policies. */
#define KMP_POLICY_NONE 0u  /* nothing is lost */
#define KMP_POLICY_ABORT 1u /* stop the transaction */
#define KMP_POLICY_WARN 2u  /* print a warning and continue */

/* Verdicts of a report as a whole. */
#define KMP_VERDICT_GOOD 0  /* all is well */
#define KMP_VERDICT_WARN 1  /* something to report */
#define KMP_VERDICT_ABORT 2 /* something failed, or the transaction is to be stopped */

/* A finding. Strings that do not apply are NULL. Strings belong to the report: do not free them. */
struct kmp_finding {
	size_t size;         /* set by the caller */
	uint32_t kind;       /* a kind: KMP_MODULE ... KMP_PROSPECT */
	uint32_t state;      /* a state: KMP_NONE ... KMP_GOES */
	const char *release; /* the kernel's release */
	const char *package; /* NAME-VERSION-RELEASE */
	const char *module;  /* the name; for a lost driver all names, separated by blanks */
	const char *path;    /* of the module or package file, or of the file with the problem; not necessarily UTF-8 */
	const char *text;    /* one line for people; never NULL; safe to print */
	const char *advice;  /* what to do about it, for people; of a KMP_MESSAGE the line to type at its end */
	size_t reasons;      /* how many reasons kmp_report_reason() has for it */
	uint32_t policy;     /* KMP_LOST, KMP_MESSAGE: KMP_POLICY_ABORT, KMP_POLICY_WARN, KMP_POLICY_NONE; else 0 */
	uint32_t loaded;     /* KMP_LOST: 1 if a module of it is loaded now; else 0 */
};

/*
 * Why a module is refused, what it breaks (the rule is "breaks", the state KMP_COMPATIBLE or KMP_BREAKS), or what is known of
 * a symbol. Strings as in kmp_finding.
 */
struct kmp_reason {
	size_t size;          /* set by the caller */
	const char *rule;     /* "crc", "unknown-symbol", ...: see kmp_rule_name(); of KMP_SYMBOL "" if no rule is broken; never NULL */
	const char *symbol;   /* the symbol concerned */
	uint32_t has_wanted;  /* 1 if `wanted` is set, else 0 */
	uint32_t wanted;      /* the version (CRC) of the symbol that the module was built with */
	uint32_t has_offered; /* 1 if `offered` is set, else 0 */
	uint32_t offered;     /* the version that is exported */
	const char *exporter; /* who exports the symbol: "vmlinux", a module */
	const char *detail;   /* the reason as a sentence; never NULL; safe to print */
};

/*
 * The verdict of the report as a whole, KMP_VERDICT_...; for NULL, KMP_VERDICT_GOOD. The function that made the report
 * documents what it means.
 */
int kmp_report_verdict(const kmp_report_t *report);

/* The number of findings; for NULL, 0. */
size_t kmp_report_count(const kmp_report_t *report);

/*
 * Copies finding number `finding`, counted from 0, into the caller's struct, whose size is set.
 * KMP_E_INDEX, KMP_E_SIZE, KMP_E_ARGUMENT.
 */
int kmp_report_get(const kmp_report_t *report, size_t finding, struct kmp_finding *finding_out);

/*
 * Copies reason number `reason` of a finding, counted from 0, into the caller's struct, whose size is set.
 * KMP_E_INDEX, KMP_E_SIZE, KMP_E_ARGUMENT.
 */
int kmp_report_reason(const kmp_report_t *report, size_t finding, size_t reason, struct kmp_reason *reason_out);

/* Frees a report, with all strings that came from it. */
void kmp_report_free(kmp_report_t *report);

/*
 * The report as a JSON document in one line, with words in place of numbers. Its schema is
 * crates/kmp-capi/doc/report.schema.json in the sources. Never NULL; "" for NULL. The text belongs to the report.
 */
const char *kmp_report_json(const kmp_report_t *report);

/*
 * The word for a kind of findings: "module" for KMP_MODULE, "not-linked" for KMP_NOT_LINKED; "" for an unknown number.
 * Never NULL; static.
 */
const char *kmp_kind_name(uint32_t kind);

/*
 * The word for a state: "compatible" for KMP_COMPATIBLE, "none" for KMP_NONE; "" for an unknown number.
 * Never NULL; static.
 */
const char *kmp_state_name(uint32_t state);

/*
 * The name of a rule, as kmp_reason has it. Rules are counted from 0, in the order in which a kernel's loader checks
 * them; "" after the last. A later version may have other numbers, names stay. Never NULL; static.
 */
const char *kmp_rule_name(size_t number);

/*
 * What the rule of this name asks for, in words: a clause without a full stop; "" for an unknown name and for NULL.
 * Never NULL; static.
 */
const char *kmp_rule_words(const char *name);

#ifdef __cplusplus
}
#endif
#endif
