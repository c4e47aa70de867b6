/* image list, inspect, history, verify: the store as it is. */
#include "app/cli/images.h"
#include "app/cli/out.h"

#include <stdio.h>
#include <string.h>

static json_t *show_digest(const char *hex)
{
    return json_sprintf("sha256:%s", hex);
}

/* Of blobs that images share one is counted. */
struct list_sum {
    char **seen; /* owned */
    uint64_t bytes;
};

static void list_count(struct list_sum *sum, const char *hex, uint64_t size)
{
    if (strv_has(sum->seen, hex))
        return;
    strv_add(&sum->seen, hex);
    sum->bytes += size;
}

/* What one row or one object of the list says. */
static void list_one(struct image_store *s, const struct document_descriptor *d,
                     struct out_table *t, json_t *array, struct list_sum *sum)
{
    struct image i = {0};
    struct error e = {0};
    uint64_t all = 0, own = 0;
    char sizes[2][32] = {"-", "-"}, id[13];
    int r = image_load(s, d, &i, &e);
    if (r == 0)
        r = image_sizes(s, &i, &all, &own, &e);
    if (r == 0) {
        str_from_size(all, sizes[0], sizeof(sizes[0]));
        str_from_size(own, sizes[1], sizeof(sizes[1]));
        list_count(sum, i.manifest.config.hex, i.manifest.config.size);
        for (size_t n = 0; n < i.manifest.count; n++)
            list_count(sum, i.manifest.layers[n].hex, i.manifest.layers[n].size);
    }
    snprintf(id, sizeof(id), "%.12s", d->hex);
    const char *platform = r < 0 ? "broken" : i.config.architecture;
    out_table_add(t, (const char *[]){d->name ? d->name : "-", id, platform,
                                      r < 0 ? "-" : i.config.created, sizes[0], sizes[1]});
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:i}", "name", out_json_string(d->name), "digest",
                  show_digest(d->hex), "architecture", out_json_string(i.config.architecture),
                  "created", out_json_string(i.config.created), "size", (json_int_t)all, "own_size",
                  (json_int_t)own, "layers", (int)i.manifest.count);
    if (r < 0)
        json_object_set_new(o, "error", out_json_string(e.text));
    json_array_append_new(array, o);
    image_done(&i);
}

/* What was made from the images and can be made again: one line, or nothing where there is none. */
static json_t *list_cache(const struct cache_figures f[CACHE_KINDS], bool text)
{
    json_t *array = json_array();
    autostrv char **parts = NULL;
    for (int kind = 0; kind < CACHE_KINDS; kind++) {
        char size[32];
        if (f[kind].files)
            strv_take(&parts, str_format("%s %s in %llu", cache_names[kind],
                                         str_from_size(f[kind].bytes, size, sizeof(size)),
                                         (unsigned long long)f[kind].files));
        json_array_append_new(array, json_pack("{s:s, s:I, s:I}", "kind", cache_names[kind],
                                               "files", (json_int_t)f[kind].files, "bytes",
                                               (json_int_t)f[kind].bytes));
    }
    autofree char *line = parts ? strv_join(parts, ", ") : NULL;
    if (text && line)
        out_line("cache: %s", line);
    return array;
}

int images_list(struct cli *c, struct image_store *s)
{
    static const char *const columns[] = {"NAME",  "DIGEST", "FOR", "CREATED",
                                          ">SIZE", ">OWN",   NULL};
    struct document_index index = {0};
    struct error e;
    struct cache_figures cache[CACHE_KINDS];
    if (c->args_count != 1)
        return cli_usage(c, "list: there is \"inspect\" for one image");
    if ((s && image_store_read_index(s, &index, &e) < 0) || images_count_cache(cache, &e) < 0) {
        document_index_done(&index);
        return cli_fail(c, &e);
    }
    struct out_table t = {.columns = columns};
    struct list_sum sum = {0};
    json_t *array = json_array();
    for (size_t i = 0; i < index.count; i++) {
        if (cli_switch(c, "quiet")) {
            if (index.list[i].name)
                out_line("%s", index.list[i].name);
        } else {
            list_one(s, &index.list[i], &t, array, &sum);
        }
    }
    bool text = !c->json && !cli_switch(c, "quiet");
    if (text)
        out_table_print(&t);
    json_t *kept = list_cache(cache, text);
    if (c->json)
        out_json(json_pack("{s:O, s:O, s:I}", "images", array, "cache", kept, "bytes",
                           (json_int_t)sum.bytes));
    strv_free(sum.seen);
    json_decref(kept);
    json_decref(array);
    out_table_done(&t);
    document_index_done(&index);
    return 0;
}

/* Finds and reads the image of an argument. */
static int show_load(struct cli *c, struct image_store *s, const char *word, struct image *ret)
{
    struct document_index one = {0};
    struct error e;
    int r = image_find(s, word, &one, &e);
    if (r == 0)
        r = image_load(s, &one.list[0], ret, &e);
    document_index_done(&one);
    return r < 0 ? cli_fail(c, &e) : 0;
}

static void inspect_line(const char *title, const char *value)
{
    autofree char *shown = out_text(value);
    if (value)
        out_line("%-13s %s", title, shown);
}

static void inspect_lines(const char *title, char *const *values)
{
    for (size_t i = 0; values && values[i]; i++)
        inspect_line(i ? "" : title, values[i]);
}

static json_t *inspect_json(const struct image *i, uint64_t all, uint64_t own)
{
    const struct document_config *g = &i->config;
    json_t *layers = json_array();
    for (size_t n = 0; n < i->manifest.count; n++)
        json_array_append_new(layers, json_pack("{s:o, s:o, s:I, s:s}", "digest",
                                                show_digest(i->manifest.layers[n].hex), "diff_id",
                                                show_digest(g->diff_ids[n]), "size",
                                                (json_int_t)i->manifest.layers[n].size,
                                                "media_type", i->manifest.layers[n].media_type));
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
        out_json_string(i->name), "digest", show_digest(i->hex), "architecture",
        out_json_string(g->architecture), "os", out_json_string(g->os), "created",
        out_json_string(g->created), "size", (json_int_t)all, "own_size", (json_int_t)own,
        "entrypoint", out_json_strings(g->entrypoint), "command", out_json_strings(g->command),
        "environment", out_json_strings(g->env), "workdir", out_json_string(g->workdir), "user",
        out_json_string(g->user), "stop_signal", out_json_string(g->stop_signal), "volumes",
        out_json_strings(g->volumes), "labels", out_json_strings(g->labels), "layers", layers);
}

static void inspect_text(const struct image *i, uint64_t all, uint64_t own)
{
    const struct document_config *g = &i->config;
    char sizes[2][32];
    autofree char *digest = str_format("sha256:%s", i->hex);
    autofree char *platform = str_format("%s/%s", g->os, g->architecture);
    autofree char *size =
        str_format("%s, %s of it nobody else's", str_from_size(all, sizes[0], sizeof(sizes[0])),
                   str_from_size(own, sizes[1], sizeof(sizes[1])));
    inspect_line("name", i->name);
    inspect_line("digest", digest);
    inspect_line("for", platform);
    inspect_line("created", g->created);
    inspect_line("size", size);
    inspect_lines("entrypoint", g->entrypoint);
    inspect_lines("command", g->command);
    inspect_line("workdir", g->workdir);
    inspect_line("user", g->user);
    inspect_line("stop-signal", g->stop_signal);
    inspect_lines("environment", g->env);
    inspect_lines("volumes", g->volumes);
    inspect_lines("ports", g->ports);
    inspect_lines("labels", g->labels);
    for (size_t n = 0; n < i->manifest.count; n++) {
        autofree char *line =
            str_format("sha256:%.16s  %s", g->diff_ids[n],
                       str_from_size(i->manifest.layers[n].size, sizes[0], sizeof(sizes[0])));
        inspect_line(n ? "" : "layers", line);
    }
}

int images_inspect(struct cli *c, struct image_store *s)
{
    if (c->args_count < 2)
        return cli_usage(c, "inspect: name an image");
    json_t *array = json_array();
    int status = 0;
    for (size_t n = 1; n < c->args_count; n++) {
        struct image i = {0};
        struct error e;
        uint64_t all = 0, own = 0;
        if (show_load(c, s, c->args[n], &i) != 0) {
            status = EXIT_OURS;
            continue;
        }
        if (image_sizes(s, &i, &all, &own, &e) < 0)
            status = cli_fail(c, &e);
        else if (c->json)
            json_array_append_new(array, inspect_json(&i, all, own));
        else
            inspect_text(&i, all, own);
        image_done(&i);
    }
    if (c->json)
        out_json(json_pack("{s:O}", "images", array));
    json_decref(array);
    return status;
}

/* --- history -------------------------------------------------------------------------------------
 */

static const char *history_text(json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

int images_history(struct cli *c, struct image_store *s)
{
    static const char *const columns[] = {"CREATED", ">SIZE", "BY", NULL};
    if (c->args_count != 2)
        return cli_usage(c, "history: name one image");
    struct image i = {0};
    struct error e;
    autofree char *text = NULL;
    size_t size, layer = 0, n;
    if (show_load(c, s, c->args[1], &i) != 0)
        return EXIT_OURS;
    if (image_store_read_document(s, &i.manifest.config, &text, &size, &e) < 0) {
        image_done(&i);
        return cli_fail(c, &e);
    }
    json_t *config = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *entry;
    json_t *array = json_array();
    struct out_table t = {.columns = columns};
    json_array_foreach(json_object_get(config, "history"), n, entry)
    {
        bool empty = json_is_true(json_object_get(entry, "empty_layer"));
        uint64_t bytes = !empty && layer < i.manifest.count ? i.manifest.layers[layer++].size : 0;
        char shown[32];
        const char *by = history_text(entry, "created_by"), *when = history_text(entry, "created");
        out_table_add(&t, (const char *[]){when, str_from_size(bytes, shown, sizeof(shown)), by});
        json_array_append_new(array, json_pack("{s:o, s:I, s:o, s:b}", "created",
                                               out_json_string(when), "size", (json_int_t)bytes,
                                               "by", out_json_string(by), "empty", empty));
    }
    if (c->json)
        out_json(json_pack("{s:O}", "history", array));
    else
        out_table_print(&t);
    out_table_done(&t);
    json_decref(array);
    json_decref(config);
    image_done(&i);
    return 0;
}

/* --- verify --------------------------------------------------------------------------------------
 */

int images_verify(struct cli *c, struct image_store *s)
{
    struct document_index index = {0};
    struct error e;
    int r = 0, status = 0;
    if (c->args_count > 2)
        return cli_usage(c, "verify: name one image, or none for all");
    r = c->args_count == 2 ? image_find(s, c->args[1], &index, &e)
                           : image_store_read_index(s, &index, &e);
    if (r < 0)
        return cli_fail(c, &e);
    json_t *array = json_array();
    for (size_t n = 0; n < index.count; n++) {
        struct image i = {0};
        autofree char *name = index.list[n].name ? str_dup(index.list[n].name)
                                                 : str_format("%.12s", index.list[n].hex);
        e.text[0] = '\0';
        r = image_load(s, &index.list[n], &i, &e);
        if (r == 0)
            r = image_verify(s, &i, &e);
        status = r < 0 ? 1 : status;
        autofree char *shown = out_text(name), *why = out_text(e.text);
        if (!c->json)
            out_line("%s  %s%s", shown, r < 0 ? "broken: " : "good", r < 0 ? why : "");
        json_array_append_new(array,
                              json_pack("{s:o, s:b, s:o}", "name", out_json_string(name), "good",
                                        r == 0, "why", out_json_string(r < 0 ? e.text : NULL)));
        image_done(&i);
    }
    if (c->json)
        out_json(json_pack("{s:O}", "images", array));
    json_decref(array);
    document_index_done(&index);
    return status;
}
