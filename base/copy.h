/* A tree copied as it is, by descriptors: owners, modes, times, attributes, links, holes. */
#ifndef COFFERDAM_BASE_COPY_H
#define COFFERDAM_BASE_COPY_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/stat.h>

enum {
    COPY_DEPTH_MOST = 240, /* folders within folders */
    COPY_ENTRIES_MOST = 1 << 22,
};

struct copy_counts {
    uint64_t bytes;  /* on disk, as the source has them */
    uint64_t shared; /* of these, shared with the source and not copied (FICLONE) */
    uint64_t entries;
};

struct copy_wish {
    int from; /* a folder open for reading */
    int to;   /* the folder that gets its contents; FD_NONE: nothing is written, only counted, and
                 what is closed to us is left out */
    uint64_t bytes_most; /* -ENOSPC beyond */
    /* Asked of each entry but the top; `path` is relative to it. False: it is left out. Or NULL. */
    bool (*wants)(void *data, const char *path, const struct stat *st);
    void (*tells)(void *data, uint64_t bytes); /* how many are behind us, often. Or NULL */
    void *data;
};

/*
 * No link is followed, on either side, and no mount of the source is crossed: of what is
 * mounted there only an empty place is made, a folder or a file, which is ours. Files with several
 * names get them again. Device nodes are refused
 * (-EPERM), except overlayfs's whiteouts (character 0:0). Of attributes user.*, security.capability
 * and ACLs are copied; one that the target cannot hold is an error, for in an overlay's layer they
 * decide what is seen. A folder that is there already in `to` is filled. Nothing of the source's
 * names is believed: depth and number are bounded (-ELOOP, -E2BIG). 0 or -errno with text that
 * names the entry, escaped; what was made by then stays.
 */
int copy_tree(const struct copy_wish *w, struct copy_counts *ret, struct error *e);

/*
 * One regular file's bytes and size into an empty one, by their descriptors: its holes stay holes,
 * and where the file system can do that both share what neither writes. 0 or -errno.
 */
int copy_content(int from, int to);

/* The same over what stands in `to`, which stays where `from` has holes. */
int copy_over(int from, int to);

#endif
