/*
 * A writer of tar streams (POSIX pax), for the programs that make file systems of them.
 *
 * The other end of tar.h, and for the same reason our own: names, links and attributes are bytes.
 * What comes out depends on nothing but what goes in.
 */
#ifndef COFFERDAM_IMAGES_DISK_TAR_H
#define COFFERDAM_IMAGES_DISK_TAR_H

#include "images/tar.h"

struct disk_tar {
    int out; /* borrowed */
    struct buf waiting;
    uint64_t left; /* of the present member's content */
    unsigned pad;
    uint64_t bytes; /* of the stream so far */
};

void disk_tar_init(struct disk_tar *t, int out);
void disk_tar_done(struct disk_tar *t);

/*
 * A member; `path` is relative and plain, "" for the root, `m->path` is not looked at. Fractions of
 * seconds and times that 32 bits cannot hold are cut. Exactly `m->size` bytes of content follow,
 * for a TAR_FILE only. 0 or -errno.
 */
int disk_tar_member(struct disk_tar *t, const char *path, const struct tar_member *m);
int disk_tar_data(struct disk_tar *t, const void *data, size_t size);
int disk_tar_zeros(struct disk_tar *t, uint64_t size);
int disk_tar_end(struct disk_tar *t);

#endif
