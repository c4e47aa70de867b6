#include "ui/settings.h"

#include "profiles/pairs.h"
#include "ui/bindings.h"

#include <stdlib.h>

struct reading {
    struct ui_settings *to;
    char *theme; /* owned */
};

static int take_style(struct reading *r, const char *name, const char *value, struct error *e)
{
    for (int i = 0; i < UI_LOOK_COUNT; i++) {
        if (!str_equal(ui_look_names[i], name))
            continue;
        r->to->given[i] = true;
        return ui_style_parse(value, &r->to->styles[i], e);
    }
    const char *near = str_nearest(name, ui_look_names, UI_LOOK_COUNT);
    return error_set(e, EINVAL, "[theme] has no \"%s\"%s%s", name, near ? "; did you mean " : "",
                     near ? near : "");
}

static int take_setting(struct reading *r, const char *name, const char *value, struct error *e)
{
    bool *to = str_equal(name, "ascii")    ? &r->to->ascii
               : str_equal(name, "blocks") ? &r->to->blocks
               : str_equal(name, "still")  ? &r->to->still
               : str_equal(name, "mouse")  ? &r->to->mouse
               : str_equal(name, "others") ? &r->to->others
                                           : NULL;
    if (str_equal(name, "theme")) {
        free(r->theme);
        r->theme = str_dup(value);
        return strchr(value, '/') ? error_set(e, EINVAL, "a theme is named without a path") : 0;
    }
    if (!to)
        return error_set(e, EINVAL,
                         "[interface] has no \"%s\": theme, mouse, others, still, ascii, blocks",
                         name);
    return str_to_bool(value, to) < 0 ? error_set(e, EINVAL, "%s: yes or no", name) : 0;
}

static int take(void *data, const char *section, const char *name, const char *value,
                struct error *e)
{
    struct reading *r = data;
    if (str_equal(section, "keys"))
        return ui_bindings_add(&r->to->keys, name, value, e);
    if (str_equal(section, "theme"))
        return take_style(r, name, value, e);
    if (str_equal(section, "interface"))
        return take_setting(r, name, value, e);
    return error_set(e, EINVAL, "there is no section [%s]: interface, keys, theme", section);
}

/* What a key is taken from has to have another: known when all of them are read. */
static int check(void *data, const char *section, const char *name, const char *value,
                 struct error *e)
{
    const struct reading *r = data;
    return str_equal(section, "keys") ? ui_bindings_check(&r->to->keys, name, value, e) : 0;
}

static void read_one(struct reading *r, const char *path)
{
    struct error e;
    size_t before = r->to->keys.count;
    r->to->keys.layer++;
    int result = pairs_read(path, take, r, &e);
    if (result == 0 && r->to->keys.count > before)
        result = pairs_read(path, check, r, &e);
    if (result < 0 && result != -ENOENT && result != -ENOTDIR)
        r->to->error = e;
}

/* What the person has chosen stands above the theme. */
static void read_theme(const struct profile_path *path, const char *name, struct ui_settings *own)
{
    struct ui_settings theme = {0};
    struct reading r = {.to = &theme};
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(path->dirs); i++) {
        autofree char *file = str_format("%s/themes/%s.ini", path->dirs[i], name);
        read_one(&r, file);
    }
    free(r.theme);
    for (int i = 0; i < UI_LOOK_COUNT; i++) {
        if (!own->given[i])
            own->styles[i] = theme.styles[i];
        any |= theme.given[i];
        own->given[i] |= theme.given[i];
    }
    if (theme.error.code)
        own->error = theme.error;
    else if (!any)
        error_set(&own->error, ENOENT, "there is no theme \"%s\"", name);
}

void ui_settings_read(struct ui_settings *ret)
{
    struct profile_path path;
    struct reading r = {.to = ret};
    /* while the mouse is taken, GNU screen holds an Esc back until another key comes */
    *ret = (struct ui_settings){.mouse = !getenv("STY"), .others = true};
    if (profile_path_init(&path, &ret->error) < 0)
        return;
    for (size_t i = 1; i < ARRAY_SIZE(path.dirs); i++) {
        autofree char *file = str_join_path(path.dirs[i], "interface.ini");
        read_one(&r, file);
    }
    if (r.theme)
        read_theme(&path, r.theme, ret);
    free(r.theme);
    profile_path_done(&path);
}
