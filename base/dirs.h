/* Where state lives: the XDG folders of a user, the system's of root. */
#ifndef COFFERDAM_BASE_DIRS_H
#define COFFERDAM_BASE_DIRS_H

#include "base/error.h"

/*
 * XDG_* are obeyed for root too if set (tests give each run its own). Otherwise root has /run,
 * /var/lib, /var/cache; a user has the XDG defaults; a user without XDG_RUNTIME_DIR has
 * /run/user/UID if it is ours, else /tmp/cofferdam-UID. All paths end in "/cofferdam" (or the
 * -UID form) and are absolute; relative XDG values are ignored, as the specification says.
 */
struct dirs {
    char *runtime; /* owned; sockets, locks */
    char *state;   /* owned; workloads/ID */
    char *data;    /* owned; images */
    char *cache;   /* owned; filters, disks */
    char *config;  /* owned; profiles/, workloads/ */
    char *home;    /* owned; the user's home folder by the password database, "/" if none */
};

/* 0 or -errno with text. */
int dirs_init(struct dirs *d, struct error *e);
void dirs_done(struct dirs *d);

#endif
