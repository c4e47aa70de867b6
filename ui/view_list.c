/* The workloads: one row each. */
#include "ui/views.h"

#include <stdio.h>

/* A column; those with a higher number go first when there is little room. */
static const struct column {
    const char *name;
    int width;
    int least_cols; /* of the window */
    bool right;
} columns[] = {
    {"NAME",     20, 0,  false},
    {"STATE",    10, 0,  false},
    {"BOUNDARY", 10, 64, false},
    {"PROFILE",  11, 90, false},
    {"CPU",      6,  52, true },
    {"MEMORY",   9,  52, true },
    {"AGE",      7,  0,  true },
};

static int column_width(const struct ui_model *m, size_t i)
{
    if (m->cols < columns[i].least_cols)
        return 0;
    return i == 0 && m->cols < 60 ? 14 : columns[i].width;
}

static enum ui_look state_look(const struct ui_row *r)
{
    if (r->silent)
        return UI_WARN;
    switch (r->phase) {
    case STATE_RUNNING:
        return UI_GOOD;
    case STATE_STARTING:
    case STATE_PAUSED:
    case STATE_STOPPING:
    case STATE_RESTARTING:
        return UI_WARN;
    case STATE_LOST:
        return UI_BAD;
    case STATE_EXITED:
        return r->status ? UI_BAD : UI_QUIET;
    }
    return UI_PLAIN;
}

static const char *column_text(const struct ui_model *m, const struct ui_row *r, size_t i, char *to,
                               size_t room)
{
    switch (i) {
    case 0:
        return r->name;
    case 1:
        return ui_row_state(r, to, room);
    case 2:
        return r->boundary;
    case 3:
        return r->profile;
    case 4:
        return ui_row_cpu(r, to, room);
    case 5:
        return ui_row_memory(r, to, room);
    default:
        return ui_row_age(r, m->now_ms, to, room);
    }
}

static void list_cell(int row, int col, int width, bool right, enum ui_look look, const char *text)
{
    int length = (int)strlen(text);
    if (right && length < width) {
        autofree char *padded = str_format("%*s", width, text);
        paint_text(row, col, width, look, padded);
    } else {
        paint_text(row, col, width, look, text);
    }
}

static void list_row(const struct ui_model *m, const struct ui_row *r, int row, int cols)
{
    bool selected = str_equal(r->id, m->selected);
    enum ui_look plain = selected ? UI_SELECTED : UI_PLAIN;
    int col = 1;
    paint_text(row, 0, cols, plain, "");
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        char text[32];
        int width = column_width(m, i);
        if (!width)
            continue;
        list_cell(row, col, MIN(width, cols - col), columns[i].right,
                  i == 1 && !selected ? state_look(r) : plain,
                  column_text(m, r, i, text, sizeof(text)));
        col += width + 1;
    }
    paint_text(row, col + 1, cols - col - 1, selected ? UI_SELECTED : UI_QUIET,
               r->reason ? r->reason : r->command);
}

static void list_heading(const struct ui_model *m, const struct ui_rect *r)
{
    int col = 1;
    paint_text(r->row, 0, r->cols, UI_HEADING, "");
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        int width = column_width(m, i);
        if (!width)
            continue;
        list_cell(r->row, col, width, columns[i].right, UI_HEADING, columns[i].name);
        col += width + 1;
    }
    paint_text(r->row, col + 1, r->cols - col - 1, UI_HEADING, "COMMAND");
}

static void list_empty(const struct ui_model *m, const struct ui_rect *r)
{
    const char *text = m->filter.used ? "nothing passes the filter (/ then Esc clears it)"
                                      : "no workloads; n starts one";
    paint_text(r->row + 1, 2, r->cols - 2, UI_QUIET, text);
}

void view_list(const struct ui_model *m, const struct ui_rect *r)
{
    size_t count = ui_model_visible_count(m), room = (size_t)MAX(r->rows - 1, 0), at = 0;
    if (!r->rows)
        return;
    list_heading(m, r);
    if (!count) {
        list_empty(m, r);
        return;
    }
    while (at < count && !str_equal(m->list[ui_model_visible(m, at)].id, m->selected))
        at++;
    size_t from = at >= room ? at - room + 1 : 0;
    for (size_t i = 0; i < room && from + i < count; i++)
        list_row(m, &m->list[ui_model_visible(m, from + i)], r->row + 1 + (int)i, r->cols);
}
