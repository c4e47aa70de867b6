/*
 * A layer's tar stream becomes a folder that overlayfs can stack (OCI image-spec, layer.md).
 *
 * Runs in a process that has nothing but that folder (box.h), and still trusts no member: every
 * path is resolved from the folder by openat2(2), beneath it and through no link.
 *
 * How members are read:
 *   a leading '/' or "./" means nothing; ".." anywhere is refused, and so is a path that would pass
 *   through a link or a file; a later member replaces an earlier one of its name;
 *   ".wh.NAME" hides NAME of the layers below, ".wh..wh..opq" all of a folder: they become what
 *   overlayfs mounted with "userxattr" obeys; other ".wh..wh." names are AUFS's own and left out;
 *   a hard link must name a file of the same layer; device nodes are left out and counted;
 *   of extended attributes user.* (not user.overlay.*) and security.capability are kept, where the
 *   file system takes them.
 */
#ifndef COFFERDAM_IMAGES_LAYER_H
#define COFFERDAM_IMAGES_LAYER_H

#include "images/tar.h"

/* What a stranger's layer may cost at most. */
struct image_limits {
    uint64_t bytes;   /* of all files together, holes too, and of the stream itself */
    uint64_t entries; /* members, and folders that only their names speak of */
    uint32_t depth;   /* parts of a path */
    uint32_t ratio;   /* stream to blob, once the stream is beyond 64 MiB */
};
extern const struct image_limits image_limits_usual;

struct layer_counts {
    uint64_t entries, files, bytes;
    uint64_t devices; /* left out */
    uint64_t xattrs;  /* left out */
};

struct layer_job {
    int root;       /* the folder, empty; borrowed */
    int spill;      /* an empty file for folders' times; borrowed */
    bool owners;    /* members' owners are given to files; else everything is ours */
    bool whiteouts; /* it is a layer; else ".wh." is a name like any other */
    bool archive;   /* of a whole image: -EMEDIUMTYPE at the first member none would have */
    struct image_limits limits;
};

/* Writes every member. What is there after an error is the caller's to remove. */
int layer_write(struct tar *t, const struct layer_job *job, struct layer_counts *ret,
                struct error *e);

#endif
