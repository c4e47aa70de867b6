/* What the launch sheet asks for: the dial. */
#include "ui/world.h"

#include "ui/update.h"

#include <jansson.h>

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
