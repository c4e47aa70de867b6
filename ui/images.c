#include "ui/images.h"

#include "ui/filter.h"
#include "ui/model.h"

#include <stdio.h>

// clang-format off
const struct ui_image_column_row ui_image_columns[UI_IMAGE_COLUMNS] = {
    [UI_IMAGE_NAME]    = {"NAME",    24, 0,   false},
    [UI_IMAGE_DIGEST]  = {"DIGEST",  12, 100, false},
    [UI_IMAGE_FOR]     = {"FOR",     7,  110, false},
    [UI_IMAGE_CREATED] = {"CREATED", 10, 76,  false},
    [UI_IMAGE_SIZE]    = {"SIZE",    9,  0,   true},
    [UI_IMAGE_OWN]     = {"OWN",     9,  56,  true},
    [UI_IMAGE_SHARED]  = {"SHARED",  9,  90,  true},
    [UI_IMAGE_LAYERS]  = {"LAYERS",  6,  66,  true},
    [UI_IMAGE_USED]    = {"USED",    5,  72,  true},
};
// clang-format on

static void image_done(struct ui_image *i)
{
    free(i->name);
    free(i->digest);
    free(i->architecture);
    free(i->created);
    free(i->error);
}

void ui_images_done(struct ui_images *i)
{
    for (size_t n = 0; n < i->count; n++)
        image_done(&i->list[n]);
    free(i->list);
    free(i->shown);
    free(i->failed);
    free(i->cache);
    *i = (struct ui_images){0};
}

const char *ui_image_called(const struct ui_image *i)
{
    return *i->name ? i->name : i->digest;
}

const struct ui_image *ui_image_chosen(const struct ui_model *m)
{
    const struct ui_images *i = &m->images;
    return i->at < i->shown_count ? &i->list[i->shown[i->at]] : NULL;
}

/* A workload has the name as it was typed: the tag may be missing. */
static bool is_image(const char *said, const struct ui_image *i)
{
    size_t length = said ? strlen(said) : 0;
    return length && (str_equal(said, i->name) ||
                      (str_starts(i->name, said) && str_equal(i->name + length, ":latest")));
}

size_t ui_image_users(const struct ui_model *m, const struct ui_image *i)
{
    size_t count = 0;
    for (size_t n = 0; n < m->count; n++)
        count += is_image(m->list[n].image, i);
    return count;
}

const char *ui_image_text(const struct ui_model *m, const struct ui_image *i,
                          enum ui_image_column c, char *to, size_t room)
{
    switch (c) {
    case UI_IMAGE_NAME:
        return *i->name ? i->name : "-";
    case UI_IMAGE_DIGEST:
        snprintf(to, room, "%.12s", i->digest);
        break;
    case UI_IMAGE_FOR:
        return i->error ? "broken" : i->architecture;
    case UI_IMAGE_CREATED:
        snprintf(to, room, "%.10s", i->created);
        break;
    case UI_IMAGE_SIZE:
        return i->error ? "-" : str_from_size(i->size, to, room);
    case UI_IMAGE_OWN:
        return i->error ? "-" : str_from_size(i->own, to, room);
    case UI_IMAGE_SHARED:
        return i->error ? "-" : str_from_size(i->size - MIN(i->own, i->size), to, room);
    case UI_IMAGE_LAYERS:
        snprintf(to, room, "%u", i->layers);
        break;
    case UI_IMAGE_USED:
        snprintf(to, room, "%zu", ui_image_users(m, i));
        break;
    case UI_IMAGE_COLUMNS:
        return "";
    }
    return to;
}

/* --- their order --- */

static uint64_t number_of(const struct ui_model *m, const struct ui_image *i)
{
    switch (m->images.sort) {
    case UI_IMAGE_SIZE:
        return i->size;
    case UI_IMAGE_OWN:
        return i->own;
    case UI_IMAGE_SHARED:
        return i->size - MIN(i->own, i->size);
    case UI_IMAGE_LAYERS:
        return i->layers;
    case UI_IMAGE_USED:
        return ui_image_users(m, i);
    case UI_IMAGE_NAME:
    case UI_IMAGE_DIGEST:
    case UI_IMAGE_FOR:
    case UI_IMAGE_CREATED:
    case UI_IMAGE_COLUMNS:
        break;
    }
    return 0;
}

/* The largest, and what was made last, stands above. */
static int by_sort(const void *a, const void *b, void *data)
{
    const struct ui_model *m = data;
    const struct ui_image *x = &m->images.list[*(const size_t *)a];
    const struct ui_image *y = &m->images.list[*(const size_t *)b];
    char to[2][32];
    int order;
    if (ui_image_columns[m->images.sort].number) {
        uint64_t n = number_of(m, x), k = number_of(m, y);
        order = (n < k) - (n > k);
    } else if (m->images.sort == UI_IMAGE_CREATED) {
        order = strcmp(y->created, x->created);
    } else {
        order = strcmp(ui_image_text(m, x, m->images.sort, to[0], sizeof(to[0])),
                       ui_image_text(m, y, m->images.sort, to[1], sizeof(to[1])));
    }
    if (!order)
        order = x < y ? -1 : x > y;
    return m->images.turned ? -order : order;
}

void ui_images_arrange(struct ui_model *m)
{
    struct ui_images *i = &m->images;
    const struct ui_image *chosen = ui_image_chosen(m);
    struct ui_filter f;
    i->shown = mem_grow(i->shown, i->count + 1, sizeof(*i->shown));
    i->shown_count = 0;
    ui_filter_read(&f, i->filter.text);
    for (size_t n = 0; n < i->count; n++) {
        const struct ui_image *one = &i->list[n];
        const struct ui_row as_row = {.name = one->name,
                                      .profile = one->digest,
                                      .boundary = one->architecture,
                                      .command = one->created};
        if (ui_filter_passes(&f, &as_row))
            i->shown[i->shown_count++] = n;
    }
    ui_filter_done(&f);
    qsort_r(i->shown, i->shown_count, sizeof(*i->shown), by_sort, m);
    i->at = MIN(i->at, i->shown_count ? i->shown_count - 1 : 0);
    for (size_t n = 0; chosen && n < i->shown_count; n++)
        if (&i->list[i->shown[n]] == chosen)
            i->at = n;
    m->dirty = true;
}

static struct ui_image *same(struct ui_images *i, const struct ui_image *as)
{
    for (size_t n = 0; as && n < i->count; n++)
        if (str_equal(i->list[n].name, as->name) && str_equal(i->list[n].digest, as->digest))
            return &i->list[n];
    return NULL;
}

void ui_model_images(struct ui_model *m, struct ui_images *news)
{
    struct ui_images *i = &m->images;
    const struct ui_image *chosen = same(news, ui_image_chosen(m));
    for (size_t n = 0; n < i->count; n++) {
        struct ui_image *again = same(news, &i->list[n]);
        if (again)
            again->marked = i->list[n].marked;
    }
    news->sort = i->sort;
    news->turned = i->turned;
    news->filter = i->filter;
    news->at = i->at;
    size_t at = chosen ? (size_t)(chosen - news->list) : SIZE_MAX;
    ui_images_done(i);
    *i = *news;
    ui_images_arrange(m);
    for (size_t n = 0; n < i->shown_count; n++)
        if (i->shown[n] == at)
            i->at = n;
}
