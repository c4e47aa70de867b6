/* What a workload changed on its file system, and the changed files themselves. */
#ifndef COFFERDAM_APP_CLI_CHANGED_H
#define COFFERDAM_APP_CLI_CHANGED_H

#include "backends/changes.h"
#include "base/dirs.h"
#include "console/state.h"

/* The list: from its monitor while it lives, else from what was kept or from its report. */
int changed_list(const struct dirs *d, const struct state_record *r, struct changes *ret,
                 struct error *e);

struct changed_counts {
    uint64_t files;   /* written, folders and links too */
    uint64_t deleted; /* written as whiteouts */
    uint64_t special; /* left out: devices, sockets, pipes, names that mean a whiteout */
    uint64_t gone;    /* left out: they were gone by then */
    uint64_t unseen;  /* folders and files that could not be looked at */
    uint64_t lacking; /* left out, or not whole: too large, too deep, not to be read */
    bool cut;         /* more were changed than are listed: some of the others are not in it */
    char **why;       /* owned strv; of the first of these, each with its reason */
};

/*
 * All of them as a tar of plain paths into `fd`, as OCI image-spec's layer.md has a layer: what was
 * deleted is a file ".wh.NAME". Owners are the caller's, set-id bits do not travel. At most `room`
 * bytes: what has no room, is too deep or cannot be read is left out by itself, for a workload
 * makes that of any kind. 0 or -errno with text; -ECANCELED (base/cancel.h).
 */
int changed_tar(const struct dirs *d, const struct state_record *r, int fd, uint64_t room,
                struct changed_counts *ret, struct error *e);
void changed_counts_done(struct changed_counts *c);

/*
 * Sorts a list so that whatever is in a folder stands right behind it. -EBADMSG with text for one
 * that nothing real can be: a path twice, or that is none, or below a file or link.
 */
int changed_order(struct changes *list, struct error *e);

#endif
