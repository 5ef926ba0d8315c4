// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every module that `cargo xtask judge` builds is this file with some of these defined before it:
 *   KJ_EXPORT   a function to export, by KJ_KIND(name) [EXPORT_SYMBOL]
 *   KJ_REF      a symbol to refer to, in quotes; KJ_WEAK: it may be missing
 *   KJ_REF2     another
 *   KJ_IMPORT   a namespace to import
 *   KJ_LICENSE  the licence ["GPL"]
 *   KJ_EXPORT2  another function to export
 *   KJ_FAILS    its initialisation fails
 *   KJ_BASE     what is to be changed by hand: exports of each form, data, parameters
 *   KJ_PARAM, KJ_PERCPU, KJ_PERCPU_LARGE, KJ_LIVEPATCH, KJ_TABLE, KJ_LARGE: it has these; KJ_NO_INIT, KJ_NO_EXIT: not
 * these
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

#ifdef KJ_EXPORT2
int KJ_EXPORT2(void);
int KJ_EXPORT2(void)
{
	return 2;
}
EXPORT_SYMBOL(KJ_EXPORT2);
#endif

#if defined(KJ_BASE) || defined(KJ_PARAM)
static int kj_number = 3;
module_param(kj_number, int, 0444);
MODULE_PARM_DESC(kj_number, "A number");
#endif

#ifdef KJ_BASE
int kj_base_function(void);
int kj_base_function(void)
{
	pr_info("%d\n", kj_number);
	return kj_number;
}
EXPORT_SYMBOL(kj_base_function);

int kj_base_gpl(int a);
int kj_base_gpl(int a)
{
	kfree(kmalloc(a, GFP_KERNEL));
	return a;
}
EXPORT_SYMBOL_GPL(kj_base_gpl);

/* Nobody refers to it. */
int kj_base_unused(int a);
int kj_base_unused(int a)
{
	return a * 2;
}

extern const void *kj_base_table[];
const void *kj_base_table[] = {kj_base_function, kj_base_gpl, &kj_number};
#endif

#if defined(KJ_PERCPU) || defined(KJ_PERCPU_LARGE)
#include <linux/percpu.h>
#ifdef KJ_PERCPU_LARGE
DEFINE_PER_CPU(char[256 * 1024], kj_percpu);
#else
DEFINE_PER_CPU(int, kj_percpu);
#endif
#endif

#ifdef KJ_LIVEPATCH
MODULE_INFO(livepatch, "Y");
#endif

#ifdef KJ_TABLE
#include <linux/mod_devicetable.h>
static const struct of_device_id kj_table[] = {{.compatible = "kj,device"}, {}};
MODULE_DEVICE_TABLE(of, kj_table);
#endif

#ifdef KJ_LARGE
char kj_large[1024 * 1024] = {1};
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
/* MODULE_IMPORT_NS takes a string since 6.13, and does not expand a macro before 6.1. */
MODULE_INFO(import_ns, __stringify(KJ_IMPORT));
#endif

static void *kj_memory;

#ifndef KJ_NO_INIT
static int __init kj_init(void)
{
	kj_memory = kmalloc(16, GFP_KERNEL);
	pr_info("kj: loaded\n");
#ifdef KJ_FAILS
	kfree(kj_memory);
	return -ENODEV;
#else
	return 0;
#endif
}
module_init(kj_init);
#endif

#ifndef KJ_NO_EXIT
static void __exit kj_exit(void)
{
	kfree(kj_memory);
}
module_exit(kj_exit);
#endif

MODULE_LICENSE(KJ_LICENSE);
MODULE_DESCRIPTION("A case for the judge");
