#include "images/disk_map.h"

#include <string.h>

struct disk_map_entry {
    size_t key_size, value_size;
    char bytes[]; /* value, for its alignment, then key */
};

static uint64_t disk_map_hash(const char *key, size_t size)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)key[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* Its slot, or the free one where it belongs. */
static size_t disk_map_slot(const struct disk_map *m, const void *key, size_t size)
{
    size_t at = (size_t)disk_map_hash(key, size) & (m->room - 1);
    for (struct disk_map_entry *s; (s = m->slots[at]); at = (at + 1) & (m->room - 1))
        if (s->key_size == size && memcmp(s->bytes + s->value_size, key, size) == 0)
            break;
    return at;
}

static void disk_map_grow(struct disk_map *m)
{
    struct disk_map bigger = {.count = m->count, .room = m->room ? 2 * m->room : 64};
    bigger.slots = mem_zero(bigger.room, sizeof(struct disk_map_entry *));
    for (size_t i = 0; i < m->room; i++) {
        struct disk_map_entry *s = m->slots[i];
        if (s)
            bigger.slots[disk_map_slot(&bigger, s->bytes + s->value_size, s->key_size)] = s;
    }
    free(m->slots);
    *m = bigger;
}

void disk_map_put(struct disk_map *m, const void *key, size_t key_size, const void *value,
                  size_t value_size)
{
    if (m->count >= m->room / 2)
        disk_map_grow(m);
    struct disk_map_entry *entry = mem_alloc(sizeof(*entry) + key_size + value_size);
    entry->key_size = key_size;
    entry->value_size = value_size;
    memcpy(entry->bytes, value, value_size);
    memcpy(entry->bytes + value_size, key, key_size);
    size_t at = disk_map_slot(m, key, key_size);
    m->count += !m->slots[at];
    free(m->slots[at]);
    m->slots[at] = entry;
}

const void *disk_map_get(const struct disk_map *m, const void *key, size_t key_size,
                         size_t *ret_size)
{
    const struct disk_map_entry *s = m->room ? m->slots[disk_map_slot(m, key, key_size)] : NULL;
    if (s && ret_size)
        *ret_size = s->value_size;
    return s ? s->bytes : NULL;
}

bool disk_map_next(const struct disk_map *m, size_t *at, const void **ret_key, size_t *ret_key_size,
                   const void **ret_value)
{
    while (*at < m->room && !m->slots[*at])
        ++*at;
    if (*at >= m->room)
        return false;
    const struct disk_map_entry *s = m->slots[(*at)++];
    *ret_key = s->bytes + s->value_size;
    *ret_key_size = s->key_size;
    *ret_value = s->bytes;
    return true;
}

void disk_map_done(struct disk_map *m)
{
    for (size_t i = 0; i < m->room; i++)
        free(m->slots[i]);
    free(m->slots);
    *m = (struct disk_map){0};
}
