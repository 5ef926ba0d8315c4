/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of /run/kmp, opened by libkmp (crates/kmp-core/src/run_dir/files.rs), which has these functions for the plugin alone:
 * they are in no header of its own and not exported. */
#ifndef KMP_RUN_DIR_H
#define KMP_RUN_DIR_H

/* Hears of what was there and not ours: replaced, or refused. */
typedef void kmp_say(void *context, const char *text);

/* Opens /run/kmp in a root, or makes it. A negative errno where that cannot be: -ENOENT where it is not there. */
int kmp_run_directory(const char *root, int create, kmp_say *say, void *context);

/* Opens a file in it with the flags of open(2), in the same way. With O_CREAT the directory is made, too, and what is not
 * ours is replaced. */
int kmp_run_file(const char *root, const char *name, int flags, kmp_say *say, void *context);

#endif
