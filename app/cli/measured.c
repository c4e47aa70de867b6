#include "app/cli/measured.h"

#include "app/cli/live.h"
#include "base/file.h"

#include <fcntl.h>

enum { FILE_MOST = 64 * 1024, WEIGHT = 8, SEEN_MOST = 64 };
#define FILE_NAME "measured.json"

struct measured_all {
    json_t *json; /* owned: {"version": 1, "boundaries": {NAME: {…}}, "seen": [ID…]} */
};

static uint64_t number(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 ? (uint64_t)n : 0;
}

struct measured measured_of(const struct measured_all *all, const char *boundary)
{
    const json_t *o = json_object_get(json_object_get(all->json, "boundaries"), boundary);
    return (struct measured){number(o, "starts"), number(o, "start_us"), number(o, "memory")};
}

void measured_free(struct measured_all *all)
{
    if (all)
        json_decref(all->json);
    free(all);
}

static json_t *file_load(const char *path)
{
    autofree char *text = NULL;
    size_t size;
    json_t *j = NULL;
    if (file_read(AT_FDCWD, path, FILE_MOST, &text, &size) == 0)
        j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json_object_get(j, "boundaries")) &&
        json_is_array(json_object_get(j, "seen")))
        return j;
    json_decref(j);
    return json_pack("{s:i, s:{}, s:[]}", "version", 1, "boundaries", "seen");
}

static bool is_seen(const json_t *seen, const char *id)
{
    size_t i;
    json_t *one;
    json_array_foreach(seen, i, one)
    {
        if (str_equal(json_string_value(one), id))
            return true;
    }
    return false;
}

/* The last point of its start, in microseconds; 0: it says nothing. */
static uint64_t start_of(const struct state_record *r)
{
    size_t n = strv_length(r->phases);
    const char *equals = n ? strchr(r->phases[n - 1], '=') : NULL;
    uint64_t us;
    return equals && str_to_uint(equals + 1, &us) == 0 ? us : 0;
}

static uint64_t mean(uint64_t before, uint64_t now, uint64_t count)
{
    uint64_t weight = MIN(count, (uint64_t)WEIGHT);
    return weight ? (before * (weight - 1) + now) / weight : now;
}

static void measured_put(json_t *all, const char *boundary, uint64_t us, uint64_t memory)
{
    json_t *boundaries = json_object_get(all, "boundaries");
    const json_t *old = json_object_get(boundaries, boundary);
    uint64_t starts = number(old, "starts") + 1, before = number(old, "memory");
    if (before && memory)
        memory = mean(before, memory, starts);
    json_object_set_new(boundaries, boundary,
                        json_pack("{s:I, s:I, s:I}", "starts", (json_int_t)starts, "start_us",
                                  (json_int_t)mean(number(old, "start_us"), us, starts), "memory",
                                  (json_int_t)(memory ? memory : before)));
}

/* One that was started here from nothing; an emulated machine says nothing about a real one. */
static bool measured_add(json_t *all, const struct live *l)
{
    const struct state_record *r = l->record;
    json_t *seen = json_object_get(all, "seen");
    uint64_t us = start_of(r);
    if (!us || r->snapshot || str_equal(r->accel, "tcg") || is_seen(seen, r->id))
        return false;
    bool known = l->sampled && l->sample.memory != UINT64_MAX;
    measured_put(all, r->boundary, us, known ? l->sample.memory : 0);
    json_array_append_new(seen, json_string(r->id));
    while (json_array_size(seen) > SEEN_MOST)
        json_array_remove(seen, 0);
    return true;
}

static void file_store(const struct dirs *d, const char *path, const json_t *j)
{
    char *text = json_dumps(j, JSON_INDENT(1));
    if (text && file_make_dirs(d->cache, 0700) == 0)
        file_write_whole(AT_FDCWD, path, text, strlen(text), 0600, false);
    free(text);
}

void measured_note(const struct dirs *d, const char *boundary, uint64_t start_us, uint64_t memory)
{
    autofree char *path = str_join_path(d->cache, FILE_NAME);
    json_t *all = file_load(path);
    bool known = measured_of(&(struct measured_all){all}, boundary).memory != 0;
    measured_put(all, boundary, start_us, known ? 0 : memory);
    file_store(d, path, all);
    json_decref(all);
}

struct measured_all *measured_look(const struct dirs *d)
{
    struct measured_all *all = NEW(struct measured_all);
    autofree char *path = str_join_path(d->cache, FILE_NAME);
    struct state_record *list;
    size_t count, living = 0;
    struct error ignored;
    bool changed = false;
    all->json = file_load(path);
    if (state_list(d, &list, &count, &ignored) < 0)
        return all;
    for (size_t i = 0; i < count; i++)
        if (state_phase_lives(list[i].phase) && living < SEEN_MOST)
            list[living++] = list[i];
        else
            state_record_done(&list[i]);
    struct tasks t;
    struct live *live;
    tasks_of(&t, list, living);
    live_ask(d, &t, &live);
    for (size_t i = 0; i < t.count; i++)
        changed |= measured_add(all->json, &live[i]);
    free(live);
    tasks_done(&t);
    if (changed)
        file_store(d, path, all->json);
    return all;
}
