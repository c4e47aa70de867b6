/* What is made again whenever it is missing: what nobody needs any more goes. */
#ifndef COFFERDAM_IMAGES_CACHE_PRUNE_H
#define COFFERDAM_IMAGES_CACHE_PRUNE_H

#include "images/kernel.h"
#include "images/store.h"

struct cache_figures {
    uint64_t files, bytes, removed, freed; /* what is there afterwards, and what went */
    uint64_t held; /* of the files: what would have gone if `in_use` did not know of it */
};

enum cache_kind {
    CACHE_DISKS,
    CACHE_VMLINUX,
    CACHE_INITRAMFS,
    CACHE_FILTERS,
    CACHE_TEMPLATES, /* folders: machines that have booted (machine.warm) */
    CACHE_BLANKS,    /* what scratch disks begin as (machine.scratch) */
    CACHE_KINDS
};
#define CACHE_TEMPLATES_FOLDER "templates"
#define CACHE_TEMPLATES_ENDING ".warm"

extern const char *const cache_names[]; /* by enum cache_kind, for people */

/* What the cache may grow to before the oldest goes by itself, if nobody says otherwise. */
#define CACHE_MOST (10ull << 30)

struct cache_prune {
    const char *cache;               /* dirs.cache; borrowed */
    const struct image_store *store; /* whose images' disks stay; NULL: there are none */
    const struct kernel_list *kernels;
    bool all;      /* also what an image or a kernel still leads to */
    bool dry_run;  /* only counts */
    unsigned days; /* what was not used for so long goes, whoever leads to it; 0: no matter */
    /* Bytes in all; above them goes what was used longest ago, but nothing of the last hour. */
    uint64_t most;  /* 0: no matter */
    bool only_most; /* nothing else is looked at: store, kernels, days */
    /* Whether somebody's machine was made with this file. May be NULL. */
    bool (*in_use)(void *data, const char *path);
    void *data;
};

/* Files that are being made, or that `in_use` knows of, stay. On an error of the store or the
 * kernels nothing is removed. */
int cache_prune(const struct cache_prune *p, struct cache_figures ret[CACHE_KINDS],
                struct error *e);

#endif
