/* What the chosen workload used in the last minutes. */
#include "ui/columns.h"
#include "ui/graphs.h"
#include "ui/views.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum ui_column now;
} graphs[UI_HISTORY_COUNT] = {
    [UI_HISTORY_CPU] = {"processor",         UI_COL_CPU     },
    [UI_HISTORY_MEMORY] = {"memory",            UI_COL_MEMORY  },
    [UI_HISTORY_READ] = {"read a second",     UI_COL_READ    },
    [UI_HISTORY_WRITTEN] = {"written a second",  UI_COL_WRITTEN },
    [UI_HISTORY_IN] = {"received a second", UI_COL_IN      },
    [UI_HISTORY_OUT] = {"sent a second",     UI_COL_OUT     },
    [UI_HISTORY_WAITS] = {"waited: pressure",  UI_COL_PRESSURE},
};

static const char *top_text(enum ui_history_of of, uint64_t top, char *to, size_t room)
{
    if (of == UI_HISTORY_CPU || of == UI_HISTORY_WAITS)
        snprintf(to, room, "%llu%%", (unsigned long long)top / 10);
    else
        str_from_size(top * 1024, to, room);
    return to;
}

static void draw_graph(const struct ui_model *m, const struct ui_row *w, enum ui_history_of of,
                       const struct ui_rect *r)
{
    char now[32], top[32];
    enum ui_graph kind = ui_graph_kind(m);
    const char *number = ui_column_text(m, w, graphs[of].now, now, sizeof(now));
    bool unknown = str_equal(number, "-") && state_phase_lives(w->phase);
    top_text(of, ui_graph_top(w->history, of, r->cols, kind), top, sizeof(top));
    autofree char *title = unknown
                               ? str_format("%s: not known", graphs[of].name)
                               : str_format("%s %s, the top is %s", graphs[of].name, number, top);
    paint_line(r->row, r->col, r->cols, title);
    for (int i = 0; i < r->rows - 1; i++) {
        autofree char *text = ui_graph_text(w->history, of, r->cols, i, r->rows - 1, kind);
        paint_text(r->row + 1 + i, r->col, r->cols, UI_GRAPH, text);
    }
}

void view_graphs(const struct ui_model *m, const struct ui_rect *r)
{
    const struct ui_row *w = ui_model_selected(m);
    if (!w) {
        paint_text(r->row, 1, r->cols - 2, UI_QUIET, "no workload is chosen");
        return;
    }
    if (!w->history || !w->history->used) {
        autofree char *none =
            str_format("%s: %s", w->name,
                       !state_phase_lives(w->phase) ? "it was not looked at while it ran"
                       : w->silent                  ? "its monitor does not answer"
                                                    : "looking…");
        view_lines(&(struct ui_rect){r->row, 1, r->rows, r->cols - 2}, (char *const[]){none, NULL},
                   0);
        return;
    }
    uint64_t seconds = w->history ? w->history->used : 0;
    char text[32];
    autofree char *head = str_format("%s: the last %s it was looked at%s%s", w->name,
                                     str_from_duration(seconds * 1000, text, sizeof(text)),
                                     w->says ? "; its guest says: " : "", w->says ? w->says : "");
    paint_text(r->row, 1, r->cols - 2, UI_HEADING, head);
    int count = MIN((int)UI_HISTORY_COUNT, MAX((r->rows - 1) / 3, 1)); /* the first matter most */
    int height = (r->rows - 1) / count;
    for (int i = 0; i < count; i++) {
        struct ui_rect at = {r->row + 1 + i * height, 1, height, r->cols - 2};
        draw_graph(m, w, (enum ui_history_of)i, &at);
    }
}
