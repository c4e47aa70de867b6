/* A table of bytes to bytes; nothing is ever removed, values can be replaced. */
#ifndef COFFERDAM_IMAGES_DISK_MAP_H
#define COFFERDAM_IMAGES_DISK_MAP_H

#include "base/mem.h"

struct disk_map {
    struct disk_map_entry **slots; /* owned */
    size_t count, room;
};

void disk_map_done(struct disk_map *m);
/* A copy of both. */
void disk_map_put(struct disk_map *m, const void *key, size_t key_size, const void *value,
                  size_t value_size);
/* Borrowed until the next put; NULL: not there. `ret_size` may be NULL. */
const void *disk_map_get(const struct disk_map *m, const void *key, size_t key_size,
                         size_t *ret_size);
/* Walks all: `*at` starts at 0. False at the end. Order is of no meaning. */
bool disk_map_next(const struct disk_map *m, size_t *at, const void **ret_key, size_t *ret_key_size,
                   const void **ret_value);

#endif
