/* The one place where keys change the model. */
#ifndef COFFERDAM_UI_UPDATE_H
#define COFFERDAM_UI_UPDATE_H

#include "ui/keys.h"
#include "ui/model.h"

/*
 * What came from the keyboard: keys for lists and dialogs, bytes as they are for a console that has
 * the focus. Returns the bytes consumed; fewer than `size` if a sequence may go on (`last`: it does
 * not).
 */
size_t ui_update_input(struct ui_model *m, const char *data, size_t size, bool last);
void ui_update_key(struct ui_model *m, uint32_t key);
void ui_update_size(struct ui_model *m, int rows, int cols);

/* A launch has begun: its console, which is attached already, is opened and gets the keys. */
void ui_update_started(struct ui_model *m, const char *id, const char *name);

/* A console is over; its last screen stays until it is closed. `how` is anybody's words. */
void ui_update_ended(struct ui_model *m, struct ui_console *c, const char *how);

/* A launch that was refused: the sheet comes back with what was typed, to be mended. */
void ui_update_relaunch(struct ui_model *m);
/* Answers to UI_INTENT_DIAL and UI_INTENT_COMPLETE. The stops' strings are taken; so are `what` and
 * `advice`, of the file `looked_at` (borrowed), which may be NULL; `profile` is the advised one.
 * Paths for something else than what is typed by now are dropped. */
void ui_update_dial(struct ui_model *m, struct ui_stop stops[UI_STOPS], const char *looked_at,
                    char *what, char *advice, const char *profile);
void ui_update_completions(struct ui_model *m, const char *of, char **paths); /* taken */
/* The page of a workload's processes is seen: it is to be told anew each second. */
bool ui_shows_processes(const struct ui_model *m);
/* Another console of it is open: that of a shell. */
void ui_update_shell(struct ui_model *m, const char *id, uint32_t number);

#endif
