/* What is being done beside the interface and takes its time: how far it is, and giving it up. */
#ifndef COFFERDAM_UI_TASKS_H
#define COFFERDAM_UI_TASKS_H

#include "base/pace.h"

#include <stddef.h>
#include <stdint.h>

struct ui_model;
struct ui_rect;

enum { UI_TASKS_SHOWN = 3, UI_TASK_SHOWS_MS = 1000 };

struct ui_task {
    unsigned number; /* from 1 */
    char *title;     /* owned; safe to show */
    char *words;     /* owned or NULL; what it is at; safe to show */
    struct pace pace;
    int64_t begun_ms;
    bool told;   /* it has said how far it is */
    bool ending; /* it was given up */
    bool waits;  /* not begun: others are before it */
};

/* News from the world. */
unsigned ui_task_begin(struct ui_model *m, const char *title); /* its number; anybody's words */
void ui_task_waits(struct ui_model *m, unsigned number, bool waits);
void ui_task_told(struct ui_model *m, unsigned number, char *words, uint64_t done,
                  uint64_t total); /* words are taken */
/* It is over. True: it had been given up. */
bool ui_task_end(struct ui_model *m, unsigned number);
void ui_tasks_done(struct ui_model *m);

/* By its title, a verb: whether it clears up behind itself when it is ended in the midst of it. */
bool ui_task_clears_up(const char *title);
/* Whether no list shows what came of it. */
bool ui_task_is_unseen(const char *title);
/* Not what has ended something by then that it was to begin again. */
bool ui_task_may_end(const struct ui_task *t);

/* Short ones are never seen. The nth that is, or NULL. */
const struct ui_task *ui_task_seen(const struct ui_model *m, size_t nth);
int ui_tasks_rows(const struct ui_model *m); /* above the line of keys */
/* Its line; owned by the caller. */
char *ui_task_text(const struct ui_model *m, const struct ui_task *t);

#endif
