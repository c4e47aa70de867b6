/*
 * Files are read by a process of ours beside the interface: a disk or a server that does not answer
 * holds up no key. It ends with us.
 */
#ifndef COFFERDAM_UI_SCOUT_H
#define COFFERDAM_UI_SCOUT_H

#include "base/dirs.h"
#include "base/error.h"
#include "base/str.h"
#include "console/snapshots.h"
#include "console/state.h"

struct scout {
    int fd; /* owned; FD_NONE: it is gone */
    pid_t pid;
    struct buf in;
    bool busy;        /* it was asked and has not answered */
    bool again;       /* to be asked anew, and all of it, as soon as it has */
    int64_t asked_ms; /* while busy */
};

/* What has changed since it was told last. The lists are the receiver's. */
struct scout_news {
    bool listed, snapshots_listed;
    struct state_record *list;
    size_t count;
    struct snapshot_record *snapshots;
    size_t snapshots_count;
    uint64_t disk, disk_free; /* bytes */
    struct error error;       /* code 0: none */
};

int scout_start(struct scout *s, const struct dirs *d, struct error *e);
void scout_done(struct scout *s);
/* Asks, unless it is at it. `all`: whatever has changed or not. */
void scout_ask(struct scout *s, bool all, int64_t now_ms);
/* What has come; true: an answer is whole, and `*ret` filled. Never waits. */
bool scout_read(struct scout *s, struct scout_news *ret);
void scout_news_done(struct scout_news *n);

#endif
