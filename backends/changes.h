/* What a workload changed on its file system: read from the scratch layer, worst first. */
#ifndef COFFERDAM_BACKENDS_CHANGES_H
#define COFFERDAM_BACKENDS_CHANGES_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

/*
 * Layout of a scratch folder (the native backend's, on a tmpfs or in the state folder):
 *   layers/N/upper, layers/N/work   one for each overlay, N from 0
 *   layers/N/target                 a link whose text is the overlay's absolute path inside
 *   layers/N/lower                  optional: a link whose text is the lower folder on the host; without
 *                                   it a file replaced by rename counts as added
 *   root/                           the root itself, where no overlay covers it (homes, /tmp, …)
 *   made                            a text file: NUL-separated paths that set-up itself made, written
 *                                   when set-up ends: such a file with a later ctime was changed;
 *                                   with a '/' behind it a path stands for all that is below it
 */
enum change_kind { CHANGE_ADDED, CHANGE_CHANGED, CHANGE_DELETED };

/* Bits of change.notes: why somebody should look at this first. */
enum {
    CHANGE_SETID = 1,
    CHANGE_STARTUP = 2, /* runs by itself: cron, systemd units, rc files, autostart, profile */
    CHANGE_KEY = 4,     /* keys and credentials: .ssh, .gnupg, *.pem … */
    CHANGE_EXECUTABLE = 8,
    CHANGE_DEVICE = 16,
    CHANGE_CAPABILITY = 32, /* security.capability */
};

struct change {
    enum change_kind kind;
    mode_t mode;    /* type and permission bits; 0 for deleted */
    uint64_t size;  /* bytes; regular files */
    unsigned notes; /* CHANGE_… */
    char *path;     /* owned; absolute inside, raw bytes: escape before showing */
};

struct changes {
    struct change *list; /* owned; worst first, then by path */
    size_t count;
    bool cut;       /* more than `most` entries: less interesting ones were left out */
    uint64_t bytes; /* of regular files added or changed */
    uint64_t unreadable;
};

/* Walks `scratch` by directory descriptors, never following a link. `most`: entries kept. */
int changes_read(int scratch, size_t most, struct changes *ret, struct error *e);
void changes_done(struct changes *c);
/* Sorts: worst first, then by path; beyond `most` the least interesting go, and it is `cut`. */
void changes_trim(struct changes *c, size_t most);

#endif
