// SPDX-License-Identifier: GPL-2.0-only
/* A module that does next to nothing, for the sample packages beside it. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/pci.h>

/* Two devices of QEMU, so that the package gets dependencies for hardware. */
static const struct pci_device_id kmp_hello_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0005) },
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0006) },
	{ }
};
MODULE_DEVICE_TABLE(pci, kmp_hello_ids);

/* What another module could use. */
int kmp_hello_greet(const char *whom);
int kmp_hello_greet(const char *whom)
{
	return pr_info("hello, %s\n", whom);
}
EXPORT_SYMBOL_GPL(kmp_hello_greet);

static int __init kmp_hello_init(void)
{
	kmp_hello_greet("kernel");
	return 0;
}
module_init(kmp_hello_init);

static void __exit kmp_hello_exit(void)
{
}
module_exit(kmp_hello_exit);

MODULE_DESCRIPTION("Says hello");
MODULE_VERSION("1.0");
MODULE_LICENSE("GPL");
