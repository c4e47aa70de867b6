/* Between disk_tree.c, which stacks, and disk_tree_thing.c, which writes what is found. */
#ifndef COFFERDAM_IMAGES_DISK_TREE_PARTS_H
#define COFFERDAM_IMAGES_DISK_TREE_PARTS_H

#include "images/disk_tree.h"

struct tree {
    const struct disk_tree_job *job;
    struct disk_tar *to;
    struct layer_counts counts;
    uint64_t names;      /* seen, in all layers */
    struct buf path;     /* of what is being written */
    int parent;          /* owned; FD_NONE: none; a folder that is kept open */
    size_t parent_layer; /* whose */
    struct buf parent_path;
    struct disk_map links; /* (layer, device, inode) -> the first path */
    char *chunk;           /* owned */
};

/* The folder `path` of a layer, or -errno. */
int tree_open(const struct tree *t, size_t layer, const char *path);
/* Says what `t->path` failed with; returns it. */
int tree_fail(const struct tree *t, int r, struct error *e);
bool tree_is_opaque(int dir);

/* The folder t->path as this layer has it; `time` instead of its own unless negative. */
int tree_dir(struct tree *t, size_t layer, int64_t time, struct error *e);
/* What is no folder. */
int tree_thing(struct tree *t, size_t layer, int parent, const char *leaf, struct error *e);

#endif
