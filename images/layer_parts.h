/* What the files of the layer writer share. */
#ifndef COFFERDAM_IMAGES_LAYER_PARTS_H
#define COFFERDAM_IMAGES_LAYER_PARTS_H

#include "images/layer.h"

#include <linux/openat2.h>

enum { LAYER_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };

struct layer {
    const struct layer_job *job;
    struct layer_counts counts;
    struct buf path;        /* the member's, made plain */
    struct buf parent_path; /* of the folder that is open */
    int parent;             /* owned; FD_NONE: none */
    struct buf spilled;     /* times waiting to be written to the spill file */
};

/*
 * `path` without "//", "." and the outer '/', in `to`; "" is the folder itself. -EPERM for "..",
 * -ENAMETOOLONG, -ELOOP beyond the depth.
 */
int layer_plain_path(const char *path, uint32_t depth, struct buf *to);

/*
 * The folder that `path` (plain, not "") is in, borrowed, made if it is missing, and where the last
 * part begins. -ELOOP, -ENOTDIR: a link or a file is in the way.
 */
int layer_open_parent(struct layer *l, const char *path, const struct tar_member *m,
                      const char **ret_leaf);
void layer_close_parent(struct layer *l);

/* Removes whatever has this name, a folder with all that is in it. Missing is fine. */
int layer_remove(struct layer *l, int parent, const char *leaf);
int layer_empty_root(struct layer *l); /* all that is in the layer */
bool layer_is_whiteout(int parent, const char *leaf);
int layer_set_opaque(int dir);
/* Hides `leaf` of the layers below. */
int layer_whiteout(struct layer *l, int parent, const char *leaf);

/* A folder's time, to be set when nothing is written into it any more. */
int layer_spill_time(struct layer *l, const char *path, const struct tar_member *m);
int layer_set_times(struct layer *l);

/* Owner, mode, attributes and, unless it is a folder, times of what has just been made. */
int layer_dress(struct layer *l, int fd, const struct tar_member *m);

#endif
