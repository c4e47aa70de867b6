/* Files of the cache that are made once, by one process at a time, and named when they are whole.
 */
#ifndef COFFERDAM_IMAGES_DISK_CACHE_H
#define COFFERDAM_IMAGES_DISK_CACHE_H

#include "base/fd.h"
#include "base/mem.h"

/* `CACHE/NAME`, made if missing, 0700. Its descriptor or -errno. */
int disk_cache_open(const char *cache, const char *name, struct error *e);

struct disk_cache_new {
    int dir;                /* borrowed */
    int fd;                 /* owned; read and write, empty */
    int lock;               /* owned */
    char *name, *lock_name; /* owned */
    char *temporary;        /* owned; NULL: the file has no name yet */
};

/*
 * Waits for whoever makes the file of this name, then opens a new one for it, which has no name at
 * all where the file system can do that. Look again whether it is there now.
 */
int disk_cache_begin(int dir, const char *name, struct disk_cache_new *ret, struct error *e);
/* To the disk, then under its name; what had it is replaced. */
int disk_cache_publish(struct disk_cache_new *n, mode_t mode, struct error *e);
/* Says that a file of the cache is used now: what was not for long goes first. */
void disk_cache_used(int dir, const char *name);
/* Gives up the lock and what was not published. Always, after begin. */
void disk_cache_end(struct disk_cache_new *n);

#endif
