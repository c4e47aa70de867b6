/* The workloads: one row each, in their order, with what was taken of them. */
#include "ui/columns.h"
#include "ui/graphs.h"
#include "ui/views.h"

#include <stdio.h>

static enum ui_look state_look(const struct ui_row *r)
{
    if (r->silent)
        return r->foreign ? UI_QUIET : UI_WARN;
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

void view_cell(int row, int col, int width, bool right, enum ui_look look, const char *text)
{
    int length = (int)strlen(text);
    if (right && length < width) {
        autofree char *padded = str_format("%*s", width, text);
        paint_text(row, col, width, look, padded);
    } else {
        paint_cut(row, col, width, look, text);
    }
}

/* Indented by its place in the tree; what hangs from something says so by a corner. */
static char *name_text(const struct ui_item *it, const char *name)
{
    struct buf b = {0};
    for (int i = 1; i < it->depth && i < 8; i++)
        buf_puts(&b, "  ");
    buf_puts(&b, it->depth ? "\xe2\x94\x94 " : "");
    buf_puts(&b, name);
    return buf_take(&b);
}

static void list_row(const struct ui_model *m, const struct ui_item *it, int row, int cols)
{
    const struct ui_row *r = &m->list[it->index];
    bool selected = str_equal(r->id, m->selected);
    enum ui_look plain = selected                  ? UI_SELECTED
                         : r->marked               ? UI_MARKED
                         : r->foreign && r->silent ? UI_QUIET
                                                   : UI_PLAIN;
    int col = 1;
    paint_text(row, 0, cols, plain, r->marked ? "*" : "");
    for (int c = 0; c < UI_COL_COMMAND; c++) {
        char text[32];
        int width = MIN(ui_column_width(m, (enum ui_column)c), cols - col);
        if (width <= 0)
            continue;
        autofree char *made = c == UI_COL_NAME    ? name_text(it, r->name)
                              : c == UI_COL_GRAPH ? ui_graph_text(r->history, UI_HISTORY_CPU, width,
                                                                  0, 1, ui_graph_kind(m))
                                                  : NULL;
        view_cell(row, col, width, ui_columns[c].right,
                  selected            ? plain
                  : c == UI_COL_STATE ? state_look(r)
                  : c == UI_COL_GRAPH ? UI_GRAPH
                                      : plain,
                  made ? made : ui_column_text(m, r, (enum ui_column)c, text, sizeof(text)));
        col += width + 1;
    }
    paint_cut(row, col + 1, cols - col - 1,
              selected    ? UI_SELECTED
              : r->marked ? UI_MARKED
                          : UI_QUIET,
              r->reason ? r->reason : r->command);
}

static void list_snapshot(const struct ui_model *m, const struct ui_item *it, int row, int cols)
{
    const struct ui_snapshot *s = &m->snapshots[it->index];
    char size[32], age[32];
    int64_t since = MAX(m->now_ms - s->created_ms, (int64_t)0);
    enum ui_look look = str_equal(s->id, m->selected) ? UI_SELECTED : UI_QUIET;
    int width = ui_column_width(m, UI_COL_NAME);
    autofree char *name = name_text(it, s->name);
    autofree char *rest = str_format(
        "snapshot   %s, %s, %s old", s->kind, str_from_size(s->bytes, size, sizeof(size)),
        str_from_duration((uint64_t)since / 1000 * 1000, age, sizeof(age)));
    paint_text(row, 0, cols, look, "");
    paint_cut(row, 1, MIN(width, cols - 1), look, name);
    paint_cut(row, width + 2, cols - width - 2, look, rest);
}

static void list_heading(const struct ui_model *m, const struct ui_rect *r)
{
    int col = 1;
    paint_text(r->row, 0, r->cols, UI_HEADING, "");
    for (int c = 0; c < UI_COL_COUNT; c++) {
        int width = c == UI_COL_COMMAND ? r->cols - col - 1 : ui_column_width(m, (enum ui_column)c);
        if (width <= 0)
            continue;
        bool sorted = m->sort == c;
        autofree char *name = str_format("%s%s", ui_columns[c].name,
                                         !sorted                                       ? ""
                                         : m->sort_turned == ui_columns[c].large_first ? "^"
                                                                                       : "v");
        view_cell(r->row, col + (c == UI_COL_COMMAND), width, ui_columns[c].right,
                  sorted ? UI_MARKED : UI_HEADING, name);
        col += width + 1;
    }
}

static void list_empty(const struct ui_model *m, const struct ui_rect *r)
{
    const char *text = m->list_failed   ? m->list_failed
                       : !m->listed     ? "looking…"
                       : m->filter.used ? "nothing passes the filter (/ then Esc clears it)"
                                        : "no workloads; n starts one";
    view_words(r->row + 1, 2, r->row + r->rows, r->cols - 2, m->list_failed ? UI_BAD : UI_QUIET,
               text);
    if (!m->listed || m->filter.used || r->rows < 9)
        return;
    /* The first time there is nothing to be seen but what can be done. */
    static const char *const tour[] = {
        "o  open a strange file: what it is, and how far to trust it",
        "n  start a command or a shell in a sandbox",
        "P  profiles: how far something is kept away",
        "D  what works on this machine, and how to get what does not",
        "?  all keys        q  leave; what runs goes on",
    };
    for (int i = 0; i < (int)ARRAY_SIZE(tour); i++)
        paint_text(r->row + 3 + i, 2, r->cols - 2, UI_PLAIN, tour[i]);
}

void view_list(const struct ui_model *m, const struct ui_rect *r)
{
    size_t room = (size_t)MAX(r->rows - 1, 0);
    if (!r->rows)
        return;
    list_heading(m, r);
    if (!m->items_count) {
        list_empty(m, r);
        return;
    }
    size_t from = ui_list_from(m, (int)room);
    for (size_t i = 0; i < room && from + i < m->items_count; i++) {
        const struct ui_item *it = &m->items[from + i];
        int row = r->row + 1 + (int)i;
        if (it->kind == UI_ITEM_ROW) {
            list_row(m, it, row, r->cols);
        } else if (it->kind == UI_ITEM_SNAPSHOT) {
            list_snapshot(m, it, row, r->cols);
        } else {
            autofree char *text = str_format("%s (%zu)", it->group, it->index);
            paint_line(row, 0, r->cols, text);
        }
    }
}
