/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* librpm's functions, found in the process that loads the plugin.
 *
 * The plugin is linked to no librpm: a NEEDED on one soname would keep a newer rpm from loading it, which blocks rpm,
 * and plain undefined symbols cannot be resolved in a program that loads librpm privately (python3-rpm, dnf). */
#ifndef KMP_LIBRPM_H
#define KMP_LIBRPM_H

#include <stddef.h>

#include "rpm.h"

#define LIBRPM_FUNCTIONS(F) \
    F(void *, rpmPluginGetData, (rpmPlugin plugin)) \
    F(void, rpmPluginSetData, (rpmPlugin plugin, void *data)) \
    F(int, rpmtsNElements, (rpmts ts)) \
    F(rpmte, rpmtsElement, (rpmts ts, int ix)) \
    F(uint32_t, rpmtsFlags, (rpmts ts)) \
    F(const char *, rpmtsRootDir, (rpmts ts)) \
    F(void *, rpmtsNotify, (rpmts ts, rpmte te, unsigned what, uint64_t amount, uint64_t total)) \
    F(unsigned, rpmteType, (rpmte te)) \
    F(int, rpmteIsSource, (rpmte te)) \
    F(const char *, rpmteN, (rpmte te)) \
    F(const char *, rpmteE, (rpmte te)) \
    F(const char *, rpmteV, (rpmte te)) \
    F(const char *, rpmteR, (rpmte te)) \
    F(const char *, rpmteA, (rpmte te)) \
    F(const char *, rpmteNEVRA, (rpmte te)) \
    F(unsigned, rpmteDBInstance, (rpmte te)) \
    F(rpmte, rpmteDependsOn, (rpmte te)) \
    F(rpmds, rpmteDS, (rpmte te, int32_t tag)) \
    F(rpmfiles, rpmteFiles, (rpmte te)) \
    F(int, rpmfilesFC, (rpmfiles files)) \
    F(int, rpmfilesDC, (rpmfiles files)) \
    F(const char *, rpmfilesDN, (rpmfiles files, int ix)) \
    F(char *, rpmfilesFN, (rpmfiles files, int ix)) \
    F(rpmfiles, rpmfilesFree, (rpmfiles files)) \
    F(rpmds, rpmdsInit, (rpmds ds)) \
    F(int, rpmdsNext, (rpmds ds)) \
    F(const char *, rpmdsN, (rpmds ds)) \
    F(const char *, rpmdsEVR, (rpmds ds)) \
    F(int, Fileno, (FD_t fd)) \
    F(char *, rpmExpand, (const char *arg, ...)) \
    F(void, rpmlog, (int level, const char *format, ...))

struct librpm {
#define LIBRPM_MEMBER(result, name, arguments) result(*name) arguments;
    LIBRPM_FUNCTIONS(LIBRPM_MEMBER)
#undef LIBRPM_MEMBER
};

extern struct librpm librpm;

/* Finds them. NULL where all are there, else what is missing. What was found can be used, rpmlog() to say so. */
const char *librpm_bind(void);

#endif
