/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made of the library's sources by `cargo xtask header`: change it there. */
/*
 * libkmp: third-party kernel drivers across kernel updates on RPM Linux. See libkmp(3).
 *
 * Returns
 *   A function that returns int gives KMP_OK (0) or a KMP_E_ code; kmp_last_error() has the words. The few
 *   that cannot fail, such as kmp_concerns() and kmp_report_verdict(), are the exceptions. No function ends
 *   the process, prints, or throws; a fault inside the library is KMP_E_INTERNAL, of any function.
 *
 * Ownership
 *   What a function makes through a parameter `out` is the caller's, to be freed with the function named
 *   there; on failure *out is NULL. What is passed in stays the caller's and is not kept after the call.
 *   Strings and structs that are given out belong to the report they came from and live as long as it. Handles
 *   may be freed in any order: a transaction or a report outlives its kmp_t. Freeing NULL does nothing.
 *
 * Threads
 *   A handle is used by one thread at a time; a handle that was made with librpm's database in use stays in
 *   its thread. The library starts no thread, and changes no locale, signal, directory or umask.
 *
 * Plugins
 *   The functions kmp_plugin_...() are for a plugin of rpm: one for each of its hooks, which cannot fail; what
 *   is wrong is said through the plugin's own messages. See rpm-plugin-kmp(8).
 *
 * Growth
 *   Structs that begin with `size` only grow at their end. The caller sets size to sizeof the struct; the
 *   library touches no byte beyond it. New codes, kinds and states may come: take an unknown one for
 *   "something else".
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
/* What was found, as a list of findings. */
typedef struct kmp_report kmp_report_t;

/*
 * Codes, in blocks by what is concerned: 1..99 the call itself, 100..199 files, 200..299 rpm, 300..399 kernels and
 * drivers, 400..499 changing links, 900..999 faults of libkmp's own. A number is never used again for something else.
 */
#define KMP_OK 0            /* it was done */
#define KMP_E_ARGUMENT 1    /* a null pointer, unknown flag or word, text that is not UTF-8 */
#define KMP_E_SIZE 2        /* a struct's size is too small, or it uses members that this version does not know */
#define KMP_E_INDEX 3       /* there is no finding or reason of that number */
#define KMP_E_SPENT 4       /* the transaction was judged already */
#define KMP_E_ROOT 100      /* the root cannot be opened */
#define KMP_E_FILE 101      /* a named file is not there or cannot be read */
#define KMP_E_UNREAD 102    /* something below the root could not be read, without which nothing can be said */
#define KMP_E_DIALECT 103   /* the distribution is neither of SUSE's nor of Red Hat's family, and kmp.conf does not set a dialect */
#define KMP_E_RPM 200       /* no librpm can be used in this process */
#define KMP_E_DATABASE 201  /* the installed packages are not known */
#define KMP_E_PACKAGE 202   /* a package file cannot be read, or is damaged */
#define KMP_E_NO_KERNEL 300 /* no kernel, or none of that release */
#define KMP_E_NO_KMP 301    /* no package of that name owns third-party modules */
#define KMP_E_SYMVERS 302   /* the bytes are no symvers */
#define KMP_E_LOCK 400      /* there is no place for the lock */
#define KMP_E_BUSY 401      /* another run holds the lock, and KMP_NO_WAIT was set */
#define KMP_E_INTERNAL 900  /* a fault of libkmp's own; the handle concerned must only be freed from now on */

/*
 * What the last failed call of this thread has to say, in one line; "" if none failed. Never NULL; valid until
 * the next failing call of this thread. A call that succeeds leaves it as it is.
 */
const char *kmp_last_error(void);

/* A few words for a code, also for an unknown one. Never NULL; static. */
const char *kmp_strerror(int code);

/* The library's version, such as "0.1.0". Never NULL; static. */
const char *kmp_version(void);

/* Flags of kmp_open(). */
#define KMP_GUEST 1u /* this process has librpm already (a plugin): use that one, load none, leave its settings alone */

/*
 * Opens a root directory; NULL is "/". Reads nothing yet. *out is freed with kmp_close().
 * KMP_E_ROOT: it cannot be opened. KMP_E_RPM: KMP_GUEST, and there is no usable librpm in the process. (Without
 * KMP_GUEST a missing librpm shows only where packages are asked for.) KMP_E_ARGUMENT.
 */
int kmp_open(const char *root, uint32_t flags, kmp_t **out);

/* Frees a root. */
void kmp_close(kmp_t *kmp);

/*
 * Judges modules against kernels: one finding of kind KMP_MODULE for each module and kernel.
 *
 * names: module files and directories of them (a name with a "/" or of a module's form, seen from the process, not
 * from the root), package files (*.rpm), or installed packages (NAME, NAME-VERSION-RELEASE); n = 0: all installed KMPs.
 * kernel: a release; NULL: all installed ones, as far as they are of the driver's flavour.
 * A package file of a KMP is judged as if it were installed; one of a kernel gives a finding for each module of
 * each installed KMP, against the kernel that it brings.
 * *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD if everything fits, else KMP_VERDICT_WARN.
 * KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_FILE, KMP_E_PACKAGE, KMP_E_RPM, KMP_E_DATABASE, KMP_E_ARGUMENT.
 */
int kmp_check(kmp_t *kmp, const char *const *names, size_t n, const char *kernel, kmp_report_t **out);

/* Flags of kmp_sync(). */
#define KMP_DRY_RUN 1u   /* change nothing, write nothing, only tell */
#define KMP_NO_DEPMOD 2u /* change links, and leave depmod to the caller */
#define KMP_NO_WAIT 4u   /* do not wait for another run */

/*
 * Takes stock, judges, plans, and makes the weak-updates links what they should be; depmod for each changed kernel.
 * Waits for another run, however long that takes, unless KMP_NO_WAIT is set. Findings: KMP_CHANGE, KMP_DEPMOD,
 * KMP_INITRD, KMP_NOT_LINKED, KMP_PROBLEM. Where a kernel needs a new initrd a marker is left in
 * /run/regenerate-initrd/, and nothing is built.
 * *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD nothing was to be done, KMP_VERDICT_WARN
 * something was (or would be) done, KMP_VERDICT_ABORT a kernel's links, depmod or marker failed; the others went on.
 * KMP_E_DATABASE (nothing was changed), KMP_E_LOCK and KMP_E_BUSY (nothing was changed), KMP_E_ARGUMENT.
 */
int kmp_sync(kmp_t *kmp, uint32_t flags, kmp_report_t **out);

/* A capability. Does not grow. */
struct kmp_dependency {
	const char *name; /* such as "ksym(default:printk)"; must not be NULL */
	const char *evr;  /* `[epoch:]version[-release]`; NULL or "" if none */
};

/* A package that comes. Set size, and zero what is not used. */
struct kmp_package {
	size_t size;                            /* set by the caller */
	const char *name;                       /* must not be NULL */
	int64_t epoch;                          /* -1: none */
	const char *version;                    /* must not be NULL */
	const char *release;                    /* must not be NULL */
	const char *arch;                       /* may be NULL */
	const struct kmp_dependency *provides;  /* its Provides */
	size_t provides_count;                  /* how many */
	const struct kmp_dependency *requires_; /* its Requires (`requires` is a word of C++) */
	size_t requires_count;                  /* how many */
	const char *const *files;               /* absolute paths; those that kmp_concerns() declines may be left out */
	size_t files_count;                     /* how many */
};

/* Begins a description. Reads nothing. *out is freed with kmp_transaction_free(). KMP_E_ARGUMENT. */
int kmp_transaction_new(kmp_t *kmp, kmp_transaction_t **out);

/* Frees a description. */
void kmp_transaction_free(kmp_transaction_t *transaction);

/*
 * Might a package that owns this path concern kernels or their drivers? 1 or 0; NULL: 0. For a first look at file
 * lists: takes some nanoseconds. A package without any such file need not be described.
 */
int kmp_concerns(const char *path);

/*
 * A package file that comes. Its payload is read where it has to be: this tells the most.
 * Signatures are not checked. KMP_E_PACKAGE: it was left out, and may be described with kmp_transaction_add().
 * KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_add_file(kmp_transaction_t *transaction, const char *path);

/*
 * The same of a package file that is open already, from where it stands, such as the one that rpm's callback gives.
 * It is not closed, and its position is put back. KMP_E_PACKAGE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_add_fd(kmp_transaction_t *transaction, int fd);

/*
 * A package file that comes as with rpm -U: what is installed of its name goes, and what it obsoletes; that is looked
 * up when judging and need not be told. As kmp_transaction_add_file() otherwise. KMP_E_PACKAGE, KMP_E_RPM,
 * KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_update_file(kmp_transaction_t *transaction, const char *path);

/*
 * A package that comes, as described. What a KMP needs is taken from its Requires ksym(...) = CRC; what a kernel
 * offers from its Provides, or from kmp_transaction_symvers(). What is not told is unknown, and no driver is called
 * lost for it. KMP_E_SIZE, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_add(kmp_transaction_t *transaction, const struct kmp_package *package);

/*
 * What a coming kernel exports: the bytes of its symvers (Module.symvers, .gz, .xz or .zst too).
 * KMP_E_SYMVERS, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_symvers(kmp_transaction_t *transaction, const char *release, const void *bytes, size_t length);

/* How a package goes. */
#define KMP_REMOVAL_ERASED 0   /* it is erased, whether somebody asked for that or the package manager decided so */
#define KMP_REMOVAL_REPLACED 1 /* something takes its place (an update, a downgrade, an obsoletes) */
#define KMP_REMOVAL_NAMED 2    /* it is erased, and somebody has named it */

/*
 * An installed package that goes, by its instance in the rpm database. removal: KMP_REMOVAL_ERASED,
 * KMP_REMOVAL_REPLACED, KMP_REMOVAL_NAMED; what somebody asked for is no loss. KMP_REMOVAL_ERASED counts as asked for
 * where no kernel comes or goes in the transaction.
 * The package is looked up when judging. KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_remove(kmp_transaction_t *transaction, uint32_t instance, int removal);

/*
 * Which drivers would be lost: a finding of kind KMP_LOST for each driver and kernel; KMP_MESSAGE for each line of what
 * there is to say about all of them, in this order; KMP_PROBLEM for what could not be looked at.
 * policy: "abort", "warn" or "off" for all; NULL: as kmp.conf says for each package.
 * *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD let it go on, KMP_VERDICT_WARN let it go on
 * and tell, KMP_VERDICT_ABORT stop it. The transaction is spent, whatever comes of it, and can only be freed.
 * KMP_E_DATABASE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
 */
int kmp_transaction_judge(kmp_transaction_t *transaction, const char *policy, kmp_report_t **out);

/* How urgent a message is, by the numbers of syslog(3) and rpm's log. */
#define KMP_LEVEL_ERROR 3   /* why a transaction is stopped */
#define KMP_LEVEL_WARNING 4 /* a driver would be lost, or a fault of ours */
#define KMP_LEVEL_NOTICE 5  /* something to know */
#define KMP_LEVEL_INFO 6    /* for those who want to know all */

/*
 * Hears messages for people, each a line that is safe to print, at one of the levels. It must not call the
 * library.
 */
typedef void (*kmp_say_t)(void *context, int level, const char *text);

/* Flags of kmp_plugin_begin(). */
#define KMP_TEST_ONLY 1u /* the transaction is only tested: nothing will be changed */

/*
 * Begins a plugin's life. What there is to say goes to say, with context; what matters also to the system's
 * log, unless the transaction is for another root than "/". *out is freed with kmp_plugin_free().
 * KMP_E_ARGUMENT.
 */
int kmp_plugin_new(kmp_say_t say, void *context, kmp_plugin_t **out);

/* Ends it, and takes back what scriptlets rely on. */
void kmp_plugin_free(kmp_plugin_t *plugin);

/*
 * A transaction begins (tsm_pre), in this root; NULL is "/". flags: KMP_TEST_ONLY. All that was known of one
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
 * are made.
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
#define KMP_MODULE 1u     /* a module's verdict for a kernel: KMP_COMPATIBLE, KMP_INCOMPATIBLE, KMP_UNKNOWN */
#define KMP_CHANGE 2u     /* what became of a package's links in a kernel: KMP_ADDED ... KMP_DANGLING, KMP_FAILED */
#define KMP_DEPMOD 3u     /* depmod: KMP_DONE, KMP_DUE, KMP_FAILED */
#define KMP_NOT_LINKED 4u /* a KMP that a kernel of its flavour does not get: KMP_INCOMPATIBLE */
#define KMP_LOST 5u       /* a driver that a kernel would be without: KMP_NEW_KERNEL, KMP_OLD_KERNEL, KMP_HAS_ITSELF */
#define KMP_PROBLEM 6u    /* what was left out of account: KMP_NONE; KMP_FAILED where it could not be read, and is unknown */
#define KMP_INITRD 7u     /* a new initrd is needed: KMP_DONE asked for, KMP_DUE, KMP_FAILED */
#define KMP_MESSAGE 8u    /* a line of what there is to say to people about a transaction: KMP_NONE */

/* States of findings. */
#define KMP_NONE 0u         /* nothing to tell */
#define KMP_COMPATIBLE 1u   /* the kernel would load it */
#define KMP_INCOMPATIBLE 2u /* the kernel would refuse it */
#define KMP_UNKNOWN 3u      /* something could not be read: neither is known */
#define KMP_ADDED 10u       /* it gets links */
#define KMP_REPLACED 11u    /* another version gets them */
#define KMP_REMOVED 12u     /* its links go */
#define KMP_REPAIRED 13u    /* some links were missing or wrong */
#define KMP_DANGLING 14u    /* a link to nowhere goes */
#define KMP_DONE 20u        /* depmod ran, an initrd was asked for */
#define KMP_DUE 21u         /* depmod has to run (a dry run, KMP_NO_DEPMOD), an initrd to be asked for */
#define KMP_FAILED 22u      /* it could not be done; the finding's text says why */
#define KMP_NEW_KERNEL 30u  /* the kernel comes with the transaction */
#define KMP_OLD_KERNEL 31u  /* the kernel stays */
#define KMP_HAS_ITSELF 32u  /* it comes, and has modules of its own that take the driver's place */

/* Policies. */
#define KMP_POLICY_NONE 0u  /* nothing is lost */
#define KMP_POLICY_ABORT 1u /* stop the transaction */
#define KMP_POLICY_WARN 2u  /* let it go on, and tell */

/* Verdicts of a report as a whole. */
#define KMP_VERDICT_GOOD 0  /* all is well */
#define KMP_VERDICT_WARN 1  /* something to tell */
#define KMP_VERDICT_ABORT 2 /* something failed, or is to be stopped */

/*
 * One thing that was found. Strings are NULL where there is nothing to tell, and never to be freed: they belong to
 * the report.
 */
struct kmp_finding {
	size_t size;         /* set by the caller */
	uint32_t kind;       /* a kind: KMP_MODULE ... KMP_MESSAGE */
	uint32_t state;      /* a state: KMP_NONE ... KMP_HAS_ITSELF */
	const char *release; /* the kernel's */
	const char *package; /* NAME-VERSION-RELEASE */
	const char *module;  /* name; of a lost driver all names, with a blank between */
	const char *path;    /* of the module or package file, or of what the problem is about; bytes as they are */
	const char *text;    /* one line for people; never NULL; safe to print */
	const char *advice;  /* the way out, for people */
	size_t reasons;      /* how many kmp_report_reason() has */
	uint32_t policy;     /* KMP_LOST, KMP_MESSAGE: KMP_POLICY_ABORT, KMP_POLICY_WARN, KMP_POLICY_NONE; else 0 */
	uint32_t loaded;     /* KMP_LOST: 1 if a module of it is loaded now; else 0 */
};

/* Why something does not fit. Strings as in kmp_finding. */
struct kmp_reason {
	size_t size;          /* set by the caller */
	const char *rule;     /* "crc", "unknown-symbol", ...: as in `kmp check --json`, see kmp(8); never NULL */
	const char *symbol;   /* the symbol concerned */
	uint32_t has_wanted;  /* 1 if there is a version in `wanted`; else 0 */
	uint32_t wanted;      /* the version that the module was built with */
	uint32_t has_offered; /* 1 if there is a version in `offered`; else 0 */
	uint32_t offered;     /* the version that there is */
	const char *exporter; /* who exports the symbol: "vmlinux", a module */
	const char *detail;   /* all of it in words; never NULL; safe to print */
};

/* The report as a whole: a KMP_VERDICT_; NULL: KMP_VERDICT_GOOD. What it means is said where reports are made. */
int kmp_report_verdict(const kmp_report_t *report);

/* How many findings there are; NULL: 0. */
size_t kmp_report_count(const kmp_report_t *report);

/*
 * Finding number `finding`, from 0, into the caller's struct, of which size is set. Its strings are the report's.
 * KMP_E_INDEX, KMP_E_SIZE, KMP_E_ARGUMENT.
 */
int kmp_report_get(const kmp_report_t *report, size_t finding, struct kmp_finding *finding_out);

/*
 * Reason number `reason` of a finding, from 0, into the caller's struct, of which size is set. Its strings are the
 * report's. KMP_E_INDEX, KMP_E_SIZE, KMP_E_ARGUMENT.
 */
int kmp_report_reason(const kmp_report_t *report, size_t finding, size_t reason, struct kmp_reason *reason_out);

/* Frees a report, with all strings that came from it. */
void kmp_report_free(kmp_report_t *report);

#ifdef __cplusplus
}
#endif
#endif
