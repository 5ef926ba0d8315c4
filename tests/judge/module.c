// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every module that `cargo xtask judge` builds is this file with some of these defined before it:
 *   KJ_EXPORT   a function to export, by KJ_KIND(name) [EXPORT_SYMBOL]
 *   KJ_REF      a symbol to refer to, in quotes; KJ_WEAK: it may be missing
 *   KJ_REF2     another
 *   KJ_IMPORT   a namespace to import
 *   KJ_LICENSE  the licence ["GPL"]
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

#ifndef KJ_LICENSE
#define KJ_LICENSE "GPL"
#endif
#ifndef KJ_KIND
#define KJ_KIND(name) EXPORT_SYMBOL(name)
#endif
#ifdef KJ_WEAK
#define KJ_BINDING __attribute__((weak))
#else
#define KJ_BINDING
#endif

#ifdef KJ_EXPORT
int KJ_EXPORT(void);
int KJ_EXPORT(void)
{
	return 1;
}
KJ_KIND(KJ_EXPORT);
#endif

#if defined(KJ_REF) || defined(KJ_REF2)
/* Only their addresses are taken, by names of our own: the headers may have declared them. */
#ifdef KJ_REF
extern const char kj_ref[] __asm__(KJ_REF) KJ_BINDING;
#endif
#ifdef KJ_REF2
extern const char kj_ref2[] __asm__(KJ_REF2);
#endif
extern const void *kj_references[];
const void *kj_references[] = {
#ifdef KJ_REF
	kj_ref,
#endif
#ifdef KJ_REF2
	kj_ref2,
#endif
};
#endif

#ifdef KJ_IMPORT
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS(__stringify(KJ_IMPORT));
#else
MODULE_IMPORT_NS(KJ_IMPORT);
#endif
#endif

static void *kj_memory;

static int __init kj_init(void)
{
	kj_memory = kmalloc(16, GFP_KERNEL);
	pr_info("kj: loaded\n");
	return 0;
}

static void __exit kj_exit(void)
{
	kfree(kj_memory);
}

module_init(kj_init);
module_exit(kj_exit);
MODULE_LICENSE(KJ_LICENSE);
MODULE_DESCRIPTION("A case for the judge");
