#include "app/cli/settings_show.h"

#include "app/cli/out.h"

#include <stdio.h>

static json_t *settings_show_entry_json(const struct profile_entry *entry)
{
    return json_pack("{s:o, s:o, s:b, s:o}", "name", out_json_string(entry->name), "path",
                     out_json_string(entry->path), "broken", entry->broken,
                     entry->broken ? "error" : "description", out_json_string(entry->why));
}

int settings_show_list(const struct cli *c, const struct profile_path *p, const char *kind)
{
    static const char *const columns[] = {"NAME", "DESCRIPTION", NULL};
    struct profile_entry *list;
    size_t count;
    struct error e;
    if (profile_list(p, kind, &list, &count, &e) < 0)
        return cli_fail(c, &e);
    struct out_table t = {.columns = columns};
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        autofree char *broken = str_format("broken: %s", list[i].why);
        out_table_add(&t, (const char *[]){list[i].name, list[i].broken ? broken : list[i].why});
        json_array_append_new(array, settings_show_entry_json(&list[i]));
        if (cli_switch(c, "quiet"))
            out_line("%s", list[i].name);
    }
    if (c->json)
        out_json(json_pack("{s:O}", kind, array));
    else if (!cli_switch(c, "quiet"))
        out_table_print(&t);
    json_decref(array);
    out_table_done(&t);
    profile_list_free(list, count);
    return 0;
}

/* An item as a file would have to say it. */
static char *settings_show_item(enum key_id key, const char *item)
{
    bool plain = keys[key].type != KEY_TYPE_LIST || (*item && !strpbrk(item, " \t\"\n"));
    autobuf b = {0};
    if (plain)
        return out_text(item);
    buf_putc(&b, '"');
    for (const char *p = item; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_putc(&b, '\\');
        buf_putc(&b, *p);
    }
    buf_putc(&b, '"');
    return str_escape_z(b.data);
}

static void settings_show_lines(enum key_id key, const struct setting *g, bool resolved)
{
    size_t count = strv_length(g->items);
    for (size_t i = 0; i < MAX(count, (size_t)1); i++) {
        autofree char *value = i < count ? settings_show_item(key, g->items[i]) : str_dup("");
        autofree char *line = str_format("%s = %s", keys[key].name, value);
        if (!resolved) {
            printf("%s\n", line);
            continue;
        }
        const char *origin = g->origins && g->origins[i] ? g->origins[i] : "not set";
        autofree char *shown = out_text(origin);
        printf("%-40s %s; %s%s\n", line, out_colour(OUT_DIM), shown, out_colour(OUT_PLAIN));
    }
}

static void settings_show_ini(unsigned files, const struct settings *s, bool resolved)
{
    const char *section = NULL;
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        if (!(keys[i].files & files) || (!resolved && settings_is_default(s, i)))
            continue;
        if (!str_equal(section, keys[i].section)) {
            printf("%s%s[%s]%s\n", section ? "\n" : "", out_colour(OUT_BOLD), keys[i].section,
                   out_colour(OUT_PLAIN));
            section = keys[i].section;
        }
        settings_show_lines(i, &s->of[i], resolved);
    }
}

static json_t *settings_show_json(enum key_id key, const struct setting *g)
{
    bool list = keys[key].type == KEY_TYPE_LIST || keys[key].type == KEY_TYPE_LINES;
    json_t *items = json_array();
    for (size_t i = 0; g->items && g->items[i]; i++)
        json_array_append_new(items, json_pack("{s:o, s:o}", "value", out_json_string(g->items[i]),
                                               "origin", out_json_string(g->origins[i])));
    if (list)
        return items;
    json_t *one = json_array_size(items) ? json_incref(json_array_get(items, 0)) : json_null();
    json_decref(items);
    return one;
}

void settings_show(const struct cli *c, const char *what, const char *name, unsigned files,
                   const struct settings *s)
{
    if (!c->json) {
        settings_show_ini(files, s, cli_switch(c, "resolved"));
        return;
    }
    json_t *sections = json_object();
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        if (!(keys[i].files & files))
            continue;
        json_t *section = json_object_get(sections, keys[i].section);
        if (!section) {
            section = json_object();
            json_object_set_new(sections, keys[i].section, section);
        }
        json_object_set_new(section, keys[i].name, settings_show_json(i, &s->of[i]));
    }
    out_json(json_pack("{s:o, s:o}", what, out_json_string(name), "settings", sections));
}
