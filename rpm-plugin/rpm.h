/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the plugin uses of rpm, declared here: the headers of a build machine's rpm would tie it to that version, and
 * rpmplugin.h is installed since 4.20 only. Nothing of this has changed from 4.14 on. */
#ifndef KMP_RPM_H
#define KMP_RPM_H

#include <stdint.h>

typedef struct rpmPlugin_s *rpmPlugin;
typedef struct rpmts_s *rpmts;
typedef struct rpmte_s *rpmte;
typedef struct rpmfiles_s *rpmfiles;
typedef struct rpmds_s *rpmds;
typedef struct _FD_s *FD_t;

typedef enum { RPMRC_OK = 0, RPMRC_NOTFOUND = 1, RPMRC_FAIL = 2 } rpmRC;

/* rpmElementType */
enum { TR_ADDED = 1 << 0, TR_REMOVED = 1 << 1 };

/* rpmCallbackType */
enum { RPMCALLBACK_INST_OPEN_FILE = 1 << 2, RPMCALLBACK_INST_CLOSE_FILE = 1 << 3 };

/* rpmtransFlags */
enum {
    RPMTRANS_FLAG_TEST = 1 << 0,
    RPMTRANS_FLAG_NOSCRIPTS = 1 << 2,
    RPMTRANS_FLAG_JUSTDB = 1 << 3,
    RPMTRANS_FLAG_NODB = 1 << 10,
    RPMTRANS_FLAG_NOPOST = 1 << 18,
    RPMTRANS_FLAG_NOPOSTTRANS = 1 << 25
};

/* rpmlogLvl: its numbers are those of KMP_LEVEL_. */
enum { RPMLOG_WARNING = 4 };

/* rpmTag */
enum { RPMTAG_PROVIDENAME = 1047, RPMTAG_REQUIRENAME = 1049 };

/* The hooks, in rpm's order. Only fsm_file_prepare's arguments have ever changed; it stays NULL here. */
struct rpmPluginHooks_s {
    rpmRC (*init)(rpmPlugin plugin, rpmts ts);
    void (*cleanup)(rpmPlugin plugin);
    rpmRC (*tsm_pre)(rpmPlugin plugin, rpmts ts);
    rpmRC (*tsm_post)(rpmPlugin plugin, rpmts ts, int res);
    rpmRC (*psm_pre)(rpmPlugin plugin, rpmte te);
    rpmRC (*psm_post)(rpmPlugin plugin, rpmte te, int res);
    rpmRC (*scriptlet_pre)(rpmPlugin plugin, const char *name, int type);
    rpmRC (*scriptlet_fork_post)(rpmPlugin plugin, const char *path, int type);
    rpmRC (*scriptlet_post)(rpmPlugin plugin, const char *name, int type, int res);
    void (*fsm_file_pre)(void);
    void (*fsm_file_post)(void);
    void (*fsm_file_prepare)(void);
};

#endif
