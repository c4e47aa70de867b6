/* What the files of update.h share. */
#ifndef COFFERDAM_UI_UPDATE_INNER_H
#define COFFERDAM_UI_UPDATE_INNER_H

#include "ui/update.h"

/* update_lines.c */
void update_line_set(struct ui_line *l, const char *text);
bool update_line_key(struct ui_line *l, uint32_t key); /* true if the key was one for it */

/* update_console.c */
void update_console_open(struct ui_model *m, const struct ui_row *r);
void update_console_close(struct ui_model *m);
/* Bytes up to the chord's first key go to the workload as they are. Returns how many were taken. */
size_t update_console_input(struct ui_model *m, const char *data, size_t size);

#endif
