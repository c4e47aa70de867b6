/* What the launch sheet asks for: the dial, paths, a workload file. */
#include "ui/world.h"

#include "base/file.h"
#include "profiles/forms.h"
#include "ui/update.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

static char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? str_escape_z(s) : NULL;
}

static char *text_or_empty(const json_t *o, const char *name)
{
    char *s = text_of(o, name);
    return s ? s : str_dup("");
}

void world_sheet_dial(struct world *w, const char *file, const char *said, size_t size)
{
    json_t *j = json_loadb(said, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(j, "stops");
    struct ui_stop stops[UI_STOPS];
    for (size_t i = 0; i < UI_STOPS; i++) {
        const json_t *o = json_array_get(list, i);
        stops[i] = (struct ui_stop){
            .boundary = text_or_empty(o, "boundary"),
            .profile = text_or_empty(o, "profile"),
            .protects = text_or_empty(o, "protects"),
            .open = text_or_empty(o, "open"),
            .costs = text_or_empty(o, "costs"),
            .lacks = text_or_empty(o, "lacks"),
            .mend = text_of(o, "mend"),
            .there = json_is_true(json_object_get(o, "there")),
        };
    }
    ui_update_dial(w->model, stops, file, text_of(j, "what"), text_of(j, "advice"),
                   json_string_value(json_object_get(j, "profile")));
    json_decref(j);
}

void world_sheet_save(struct world *w, const struct ui_intent *i)
{
    autofree char *folder = str_join_path(w->dirs.config, "workloads");
    autofree char *path = str_format("%s/%s.ini", folder, i->id);
    int r = file_make_dirs(folder, 0700);
    if (!form_is_name(i->id)) {
        ui_model_message(w->model, true, "a name has letters, digits, '_', '-' and '.'");
        return;
    }
    if (r == 0 && access(path, F_OK) == 0)
        r = -EEXIST;
    if (r == 0)
        r = file_write_whole(AT_FDCWD, path, i->text, i->size, 0600, false);
    autofree char *text =
        r == -EEXIST ? str_format("%s is there already; cofferdam workload edit changes it", path)
        : r < 0      ? str_format("%s: %s", path, strerror(-r))
                     : str_format("saved; cofferdam run --workload %s starts it", i->id);
    ui_model_message(w->model, r < 0, text);
}
