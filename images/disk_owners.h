/*
 * Whose the files of a layer are, read again from its blob: where one id owns everything that was
 * unpacked (IMAGE_OWNER_SELF), the folder does not know.
 */
#ifndef COFFERDAM_IMAGES_DISK_OWNERS_H
#define COFFERDAM_IMAGES_DISK_OWNERS_H

#include "images/disk_map.h"
#include "images/layer.h"

struct disk_owner {
    uint32_t uid, gid;
};

/*
 * Paths (plain) that are not root's: disk_map values are struct disk_owner. The blob is
 * decompressed and parsed in processes of their own (box.h), and must have the diff-id. -EFBIG,
 * -EBADMSG, …
 */
int disk_owners_read(int blob, const char *diff_id, const struct image_limits *limits,
                     struct disk_map *ret, struct error *e);

/* The same out of a stream, here. */
int disk_owners_scan(struct tar *t, const struct image_limits *limits, struct disk_map *ret,
                     struct error *e);

#endif
