#include "ui/settings.h"

#include "profiles/pairs.h"
#include "ui/bindings.h"

struct reading {
    struct ui_model *model;
    struct ui_style styles[UI_LOOK_COUNT];
    bool given[UI_LOOK_COUNT];
    char *theme; /* owned */
    bool mouse, others;
};

static int take_style(struct reading *r, const char *name, const char *value, struct error *e)
{
    for (int i = 0; i < UI_LOOK_COUNT; i++) {
        if (!str_equal(ui_look_names[i], name))
            continue;
        r->given[i] = true;
        return ui_style_parse(value, &r->styles[i], e);
    }
    const char *near = str_nearest(name, ui_look_names, UI_LOOK_COUNT);
    return error_set(e, EINVAL, "[theme] has no \"%s\"%s%s", name, near ? "; did you mean " : "",
                     near ? near : "");
}

static int take_setting(struct reading *r, const char *name, const char *value, struct error *e)
{
    bool *to = str_equal(name, "ascii")    ? &r->model->ascii_graphs
               : str_equal(name, "blocks") ? &r->model->block_graphs
               : str_equal(name, "still")  ? &r->model->still
               : str_equal(name, "mouse")  ? &r->mouse
               : str_equal(name, "others") ? &r->others
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
        return ui_bindings_add(&r->model->bindings, name, value, e);
    if (str_equal(section, "theme"))
        return take_style(r, name, value, e);
    if (str_equal(section, "interface"))
        return take_setting(r, name, value, e);
    return error_set(e, EINVAL, "there is no section [%s]: interface, keys, theme", section);
}

static void read_one(struct reading *r, const char *path)
{
    struct error e;
    int result = pairs_read(path, take, r, &e);
    if (result < 0 && result != -ENOENT && result != -ENOTDIR)
        ui_model_message(r->model, true, e.text);
}

void ui_settings_load(struct ui_model *m)
{
    struct profile_path path;
    struct error e;
    struct reading own = {.model = m, .mouse = true, .others = true};
    if (profile_path_init(&path, &e) < 0)
        return;
    for (size_t i = 1; i < ARRAY_SIZE(path.dirs); i++) {
        autofree char *file = str_join_path(path.dirs[i], "interface.ini");
        read_one(&own, file);
    }
    struct reading theme = {.model = m};
    for (size_t i = 0; own.theme && i < ARRAY_SIZE(path.dirs); i++) {
        autofree char *file = str_format("%s/themes/%s.ini", path.dirs[i], own.theme);
        read_one(&theme, file);
    }
    bool any = false;
    for (int i = 0; i < UI_LOOK_COUNT; i++) {
        if (own.given[i])
            theme.styles[i] = own.styles[i];
        theme.given[i] |= own.given[i];
        any |= theme.given[i];
    }
    if (own.theme && !any) {
        autofree char *text = str_format("there is no theme \"%s\"", own.theme);
        ui_model_message(m, true, text);
    }
    paint_theme(theme.styles, theme.given);
    m->mouse_free = !own.mouse;
    m->own_only = !own.others;
    free(own.theme);
    profile_path_done(&path);
}
