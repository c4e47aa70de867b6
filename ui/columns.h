/* The columns of the list: what they show and how they sort. */
#ifndef COFFERDAM_UI_COLUMNS_H
#define COFFERDAM_UI_COLUMNS_H

#include "ui/model.h"

enum ui_column {
    UI_COL_NAME,
    UI_COL_STATE,
    UI_COL_BOUNDARY,
    UI_COL_PROFILE,
    UI_COL_CPU,
    UI_COL_MEMORY,
    UI_COL_READ,
    UI_COL_WRITTEN,
    UI_COL_IN,
    UI_COL_OUT,
    UI_COL_PIDS,
    UI_COL_PRESSURE,
    UI_COL_GRAPH,
    UI_COL_AGE,
    UI_COL_COMMAND,
    UI_COL_COUNT,
};

struct ui_column_row {
    const char *name;
    int width;
    int least_cols; /* of the window: the higher, the sooner it goes when there is little room */
    bool right;
    bool large_first; /* sorted by it, the largest stands above */
};
extern const struct ui_column_row ui_columns[UI_COL_COUNT];

int ui_column_width(const struct ui_model *m, enum ui_column c); /* 0: not shown */
/* Of at least 32 bytes, or the row's own string. A graph is not text: "". */
const char *ui_column_text(const struct ui_model *m, const struct ui_row *r, enum ui_column c,
                           char *to, size_t room);
int ui_column_compare(const struct ui_row *a, const struct ui_row *b, enum ui_column c);

#endif
