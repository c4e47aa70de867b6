/* Keys as the person wants them: [keys] of interface.ini. */
#ifndef COFFERDAM_UI_BINDINGS_H
#define COFFERDAM_UI_BINDINGS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Where a key means something; one action may be had in several places. */
enum ui_where {
    UI_IN_LIST = 1,
    UI_IN_PROFILES = 2,
    UI_IN_HOST = 4,
    UI_IN_GRAPHS = 8,
    UI_IN_TEXT = 16,
    UI_IN_IMAGES = 256,
    UI_IN_PAGES = 31 | UI_IN_IMAGES,
    UI_IN_COPY = 32,    /* looking back in a console */
    UI_IN_CONSOLE = 64, /* behind the first key of its chord */
    UI_IN_SHEET = 128,  /* beside what is typed into it */
};

/* What can be done by one key, and the key for it. Rows end with a NULL name. */
struct ui_action {
    const char *name; /* as in [keys] */
    uint32_t key;
    unsigned where;
    const char *help;
};
extern const struct ui_action ui_actions[];

/* Holds no pointers. Later layers stand above earlier ones. */
struct ui_bindings {
    struct {
        uint32_t pressed, meant;
        unsigned where, layer;
    } list[128];
    size_t count;
    unsigned layer; /* of what is added now */
};

/*
 * Adds "NAME = KEY". -EINVAL with what is allowed; -EEXIST: this layer has given the key to another
 * action of the same place.
 */
int ui_bindings_add(struct ui_bindings *b, const char *name, const char *key, struct error *e);
/* When all are added, for each: -EEXIST if another action is left without a key by it. */
int ui_bindings_check(const struct ui_bindings *b, const char *name, const char *key,
                      struct error *e);

/* The key that was meant by the one that was pressed; UI_KEY_UNKNOWN: it has been taken away. */
uint32_t ui_bindings_meant(const struct ui_bindings *b, unsigned where, uint32_t pressed);
/* The key of this name, as hints have it: "q", "Enter", "Esc", "PgUp"; UI_KEY_NONE: none has it. */
uint32_t ui_bindings_key(const char *name);
/* The key to be pressed for what `key` does there, for hints: "q", "F9", "ctrl-x". */
const char *ui_bindings_name(const struct ui_bindings *b, unsigned where, uint32_t key,
                             char to[16]);
/* "q quit  Enter open" with the keys as they are; owned by the caller. */
char *ui_bindings_hints(const struct ui_bindings *b, unsigned where, const char *hints);

#endif
