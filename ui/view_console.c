/* The console pane: the workload's screen as cells, and its name above. */
#include "ui/views.h"

void view_console(const struct ui_model *m, const struct ui_rect *r)
{
    const struct ui_console *c = &m->console;
    bool focus = m->focus == UI_FOCUS_CONSOLE;
    autofree char *prefix = ui_console_prefix(c);
    autofree char *watching = c->keys.more ? str_format("  (watching; %s t takes over)", prefix)
                                           : str_dup("  (watching)");
    autofree char *chord = str_format("  %s …", prefix);
    autofree char *ended = str_format("  (%s)", c->how ? c->how : "ended");
    const char *note = c->ended       ? ended
                       : c->streams   ? "  (plain streams: cofferdam logs shows them)"
                       : !c->may_type ? watching
                       : c->chord     ? chord
                       : focus        ? ""
                                      : "  (Tab to type)";
    autofree char *title = str_format("%s%s", c->name, note);
    if (r->row > 0)
        paint_line(r->row - 1, 0, r->cols, title);
    if (r->rows <= 0 || !c->cells.rows)
        return;
    paint_cells(r, &c->cells);
    if (!focus)
        paint_cursor(-1, 0);
}
