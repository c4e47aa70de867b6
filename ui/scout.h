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
#include "profiles/settings.h"
#include "ui/settings.h"

/* What it is asked for beside what has changed. */
enum {
    SCOUT_ALL = 1, /* whatever has changed or not */
    SCOUT_PROFILES = 2,
    SCOUT_SETTINGS = 4, /* and whether it is the first start; alone */
    SCOUT_DISK = 8,
};

enum { SCOUT_KILLED = 8 };

/* Zeroed before its first start. */
struct scout {
    int fd; /* owned; FD_NONE: it is gone */
    pid_t pid;
    pid_t killed[SCOUT_KILLED]; /* those before, not reaped yet; 0: none */
    struct buf in;
    uint32_t asked;             /* how often */
    _Atomic uint32_t *answered; /* shared with it; owned: without news it says no more than this */
    bool busy;                  /* it was asked and has not answered, as far as is known */
    unsigned again;             /* what it is to be asked for as soon as it has */
    int64_t asked_ms;           /* while busy */
};

/* What has changed since it was told last. The lists are the receiver's. */
struct scout_news {
    bool listed, snapshots_listed;
    struct state_record *list;
    size_t count;
    struct snapshot_record *snapshots;
    size_t snapshots_count;
    bool profiles_listed;
    struct profile_entry *profiles;
    size_t profiles_count;
    struct error profiles_error; /* code 0: none */
    bool settings_read, first_time;
    struct ui_settings settings;
    uint64_t disk, disk_free;            /* bytes; 0: not asked for, or as they were */
    struct error error, snapshots_error; /* code 0: none */
};

int scout_start(struct scout *s, const struct dirs *d, struct error *e);
void scout_done(struct scout *s);
void scout_reap(struct scout *s); /* those that have ended; never waits */
/* Asks, or will as soon as it has answered. `what`: SCOUT_ flags. Without news it wakes nobody. */
void scout_ask(struct scout *s, unsigned what, int64_t now_ms);
bool scout_is_busy(struct scout *s);
/* What has come; true: an answer is whole, and `*ret` filled. Never waits. */
bool scout_read(struct scout *s, struct scout_news *ret);
void scout_news_done(struct scout_news *n);

#endif
