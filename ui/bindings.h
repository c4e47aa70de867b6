/* Keys as the person wants them: [keys] of interface.ini. */
#ifndef COFFERDAM_UI_BINDINGS_H
#define COFFERDAM_UI_BINDINGS_H

#include "base/error.h"

#include <stdint.h>

struct ui_bindings;

/* What can be done by one key, and the key for it. Rows end with a NULL name. */
struct ui_action {
    const char *name; /* as in [keys] */
    uint32_t key;
    const char *help;
};
extern const struct ui_action ui_actions[];

/* Adds "NAME = KEY", NULL makes a new set. -EINVAL with what is allowed. */
int ui_bindings_add(struct ui_bindings **b, const char *name, const char *key, struct error *e);
void ui_bindings_free(struct ui_bindings *b);

/* The key that was meant by the one that was pressed; UI_KEY_UNKNOWN: it has been taken away. */
uint32_t ui_bindings_meant(const struct ui_bindings *b, uint32_t pressed);
/* The key to be pressed for what `key` does, for hints: "q", "F9", "ctrl-x". */
const char *ui_bindings_name(const struct ui_bindings *b, uint32_t key, char to[16]);

#endif
