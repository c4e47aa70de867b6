/*
 * What a machine boots from: one read-only file system image of an image's layers, and overlays
 * over disks of others.
 *
 * squashfs with zstd at its fastest level, made by tar2sqfs: built in about the time of lz4 and a
 * quarter smaller, a third of erofs without compression; every distribution's kernel has it; and of
 * the programs that take a tar it is the one whose output depends on nothing but that tar, whatever
 * the number of processors.
 */
#ifndef COFFERDAM_IMAGES_DISK_H
#define COFFERDAM_IMAGES_DISK_H

#include "images/layer.h"
#include "images/owner.h"

/* Part of every key: raised when the same layers would become other bytes. */
#define DISK_FORMAT "squashfs zstd 1; tree 1"
#define DISK_FILE_SYSTEM "squashfs" /* what a guest mounts it as */

struct disk_layer {
    const char *folder;  /* the unpacked layer, absolute; borrowed */
    const char *diff_id; /* 64 hexadecimal digits; borrowed */
    int blob;            /* for IMAGE_OWNER_SELF: owners are read from it; FD_NONE: all is root's */
};

struct disk_job {
    const char *cache;               /* dirs.cache; borrowed */
    struct image_owner owner;        /* how they were unpacked */
    const struct disk_layer *layers; /* the lowest first; borrowed */
    size_t count;
    struct image_limits limits; /* of the tree; the image itself is never larger than that */
};

struct disk {
    char *path;   /* owned; absolute, a regular file, a multiple of 4096 bytes, read-only */
    char key[65]; /* of the layers and DISK_FORMAT: the file's name */
    uint64_t size;
    bool made;                  /* by this call */
    struct layer_counts counts; /* if it was */
};
void disk_done(struct disk *d);

/* Of diff-ids, lowest first. */
void disk_key(const char *const *diff_ids, size_t count, char ret[65]);

/* The image of these layers if it is there. 0 or -ENOENT. */
int disk_find(const char *cache, const char *key, struct disk *ret, struct error *e);

/*
 * The image, made unless it is there: whole, synced and then named, by one process at a time; the
 * same bytes for the same layers whoever makes it. A killed or failed one leaves nothing named.
 * -ENOENT: tar2sqfs is missing. For single-threaded programs.
 */
int disk_make(const struct disk_job *job, struct disk *ret, struct error *e);

#endif
