/*
 * Layers stacked as overlayfs stacks them, walked in sorted order into a tar stream.
 *
 * Runs in a process that has nothing but the layers' folders (box.h). What hides: character
 * devices of number 0, and folders marked user.overlay.opaque.
 */
#ifndef COFFERDAM_IMAGES_DISK_TREE_H
#define COFFERDAM_IMAGES_DISK_TREE_H

#include "images/disk_owners.h"
#include "images/disk_tar.h"

struct disk_tree_job {
    const int *layers; /* their folders, the lowest first; borrowed */
    size_t count;
    /* For each layer, whose its files are; NULL: as the folder has it. Borrowed. */
    const struct disk_map *owners;
    struct image_limits limits; /* bytes, entries, depth */
};

/*
 * Writes the tree that is left when all layers lie on one another, without its devices and
 * sockets, as a whole stream. Of extended attributes user.* (not user.overlay.*) and
 * security.capability. A layer need not say what time its topmost folder is of: that is the newest
 * of what is directly in it. 0 or -errno, with what was written.
 */
int disk_tree_write(const struct disk_tree_job *job, struct disk_tar *to, struct layer_counts *ret,
                    struct error *e);

#endif
