/* The line of keys at the bottom: what can be done here, each a button for the mouse as well. */
#ifndef COFFERDAM_UI_HINTS_H
#define COFFERDAM_UI_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ui_model;

/* "? help  q quit  Enter console", as many as fit, the ones that can be missed last. Owned by the
 * caller. */
char *ui_hints(const struct ui_model *m);
/* The bottom line shows them, and neither a question, a message, what is typed, nor a filter. */
bool ui_hints_seen(const struct ui_model *m);
const char *ui_filter_seen(const struct ui_model *m); /* the one it shows, as typed, or NULL */
/* The key of the one that stands there; UI_KEY_NONE: none does. */
uint32_t ui_hint_at(const struct ui_model *m, int col);

/* Of a question: its last row has an answer each for the mouse, in the half of the window in which
 * it was not clicked for: no click that is made twice asks and answers. */
#define UI_ANSWERS "y/n   [ yes ]  [ no ]"
int ui_answers_col(const struct ui_model *m);             /* where they begin */
uint32_t ui_answer_at(const struct ui_model *m, int col); /* 'y', 'n' or UI_KEY_NONE */

#endif
