/* What the lists of workloads and of snapshots have in common: folders, and words for one entry. */
#ifndef COFFERDAM_CONSOLE_LISTING_H
#define COFFERDAM_CONSOLE_LISTING_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names in a folder that `wants` wants; NULL-terminated, owned by the caller; NULL: none. */
char **listing_names(int dir, bool (*wants)(const char *name));

/* For qsort(3): the newest first, of one moment by id. */
int listing_newest_first(int64_t a_ms, const char *a_id, int64_t b_ms, const char *b_id);

struct listing_entry {
    const char *id, *name; /* borrowed; `name` may be NULL */
    bool first;            /* of two with one name this is the one that is meant */
};

/*
 * Which entry a person's word means: a whole id, else a whole name, else the beginning of one of
 * them. `what`: "workload". -ENOENT with the nearest name, -EEXIST if it fits several.
 */
int listing_find(const struct listing_entry *list, size_t count, const char *what, const char *word,
                 size_t *ret, struct error *e);

#endif
