/* The images, as `image list --json` has them. */
#include "ui/world.h"

#include <jansson.h>

static char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return str_escape_z(s ? s : "");
}

static uint64_t number_of(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 ? (uint64_t)n : 0;
}

static void image_read(const json_t *o, struct ui_image *ret)
{
    autofree char *digest = text_of(o, "digest");
    const char *hex = str_starts(digest, "sha256:") ? digest + strlen("sha256:") : digest;
    *ret = (struct ui_image){
        .name = text_of(o, "name"),
        .digest = str_dup(hex),
        .architecture = text_of(o, "architecture"),
        .created = text_of(o, "created"),
        .error = json_object_get(o, "error") ? text_of(o, "error") : NULL,
        .size = number_of(o, "size"),
        .own = number_of(o, "own_size"),
        .layers = (unsigned)number_of(o, "layers"),
    };
}

static char *cache_text(const json_t *list)
{
    autostrv char **parts = NULL;
    const json_t *o;
    size_t i;
    json_array_foreach(list, i, o)
    {
        char size[32];
        autofree char *kind = text_of(o, "kind");
        uint64_t files = number_of(o, "files");
        if (files)
            strv_take(&parts, str_format("%s %s in %llu", kind,
                                         str_from_size(number_of(o, "bytes"), size, sizeof(size)),
                                         (unsigned long long)files));
    }
    return parts ? strv_join(parts, ", ") : NULL;
}

void world_images(struct world *w)
{
    for (size_t i = 0; i < w->jobs_count; i++) /* one is enough */
        if (w->jobs[i]->intent.kind == UI_INTENT_IMAGES)
            return;
    struct ui_intent i = {.kind = UI_INTENT_IMAGES};
    world_start_job(w, &i, (const char *const[]){"image", "list", "--json", NULL});
}

void world_images_said(struct world *w, const char *said, size_t size, bool failed)
{
    json_t *j = failed ? NULL : json_loadb(said, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(j, "images");
    struct ui_images news = {.known = list != NULL, .bytes = number_of(j, "bytes")};
    news.count = json_array_size(list);
    news.list = mem_zero(news.count + 1, sizeof(*news.list));
    for (size_t i = 0; i < news.count; i++)
        image_read(json_array_get(list, i), &news.list[i]);
    news.cache = cache_text(json_object_get(j, "cache"));
    if (!list)
        news.failed = str_escape_z(*said ? said : "the images cannot be read");
    ui_model_images(w->model, &news);
    json_decref(j);
}
