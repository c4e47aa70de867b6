/* What set-up had made, and which of it was changed since: for both directions of a snapshot. */
#ifndef COFFERDAM_BACKENDS_ROOT_SNAPSHOT_MADE_H
#define COFFERDAM_BACKENDS_ROOT_SNAPSHOT_MADE_H

#include "base/error.h"
#include "base/str.h"

#include <sys/stat.h>

struct made_list {
    char *text; /* owned; NUL-separated */
    size_t size;
    const char **of; /* owned vector, sorted; the strings are in `text` */
    size_t count;
};
int made_list_read(int dir, const char *name, struct made_list *ret); /* missing: empty */
void made_list_done(struct made_list *l);
bool made_list_has(const struct made_list *l, const char *path); /* or a tree that holds it */

struct made {
    struct made_list made, changed;
    struct timespec at; /* when set-up had ended */
    char **targets;     /* owned; of layers/N */
};
int made_read(int scratch, struct made *ret, struct error *e);
void made_done(struct made *m);

enum made_what {
    MADE_LEAVE,   /* no part of a snapshot */
    MADE_TAKE,    /* the workload's, or of the layout */
    MADE_OURS,    /* set-up's, as it was */
    MADE_CHANGED, /* set-up's, changed by the workload */
};
/* What an entry of a scratch folder is; its path inside into `inside` (cleared: none). */
enum made_what made_judge(const struct made *m, const char *path, const struct stat *st,
                          struct buf *inside);

#endif
