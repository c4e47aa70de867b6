/* The console panes: each workload's screen as cells, and its name above. */
#include "ui/views.h"

static char *copy_note(const struct ui_console *c)
{
    const struct ui_copy *k = c->copy;
    return str_format("  (looking back: line %zu of %zu%s)", k->row + 1, k->count,
                      ui_copy_lacks(k) ? ", loading" : "");
}

/* What there is to say of it beside its name; owned by the caller. */
static char *console_note(const struct ui_model *m, const struct ui_console *c, bool focus)
{
    autofree char *prefix = ui_console_prefix(c);
    if (c->copy)
        return copy_note(c);
    if (c->ended)
        return str_format("  (%s)", c->how ? c->how : "ended");
    if (c->streams)
        return str_dup(c->output ? "  (what it writes; Tab looks back)"
                                 : "  (it has written nothing yet)");
    if (!c->may_type)
        return c->keys.more ? str_format("  (watching; %s t takes over)", prefix)
                            : str_dup("  (watching)");
    if (focus && m->to_all)
        return str_dup("  (typing to all marked)");
    if (c->chord)
        return str_format("  %s …", prefix);
    return str_dup(focus ? "" : "  (Tab to type)");
}

/* The lines of the past that are seen, with what is selected; as cells, owned by the caller. */
static void copy_picture(const struct ui_copy *k, const struct ui_rect *r, struct cells *ret)
{
    cells_init(ret, (uint16_t)r->rows, (uint16_t)r->cols);
    for (int row = 0; row < r->rows; row++) {
        uint16_t cols = 0;
        size_t at = k->top + (size_t)row;
        autofree struct cell *line = ui_copy_cells(k, at, &cols);
        struct cell *to = ret->cell + (size_t)row * ret->cols;
        for (int col = 0; col < r->cols; col++) {
            to[col] = line && col < cols ? line[col] : (struct cell){.width = 1};
            if (at < k->count && ui_copy_is_selected(k, at, col))
                to[col].attrs ^= CELL_REVERSE;
        }
    }
    ret->modes.cursor_visible = true;
    ret->cursor_row = (uint16_t)(k->row - MIN(k->top, k->row));
    ret->cursor_col = (uint16_t)MIN(k->col, r->cols - 1);
}

static void draw_pane(const struct ui_model *m, size_t nth, const struct ui_rect *r)
{
    const struct ui_console *c = &m->panes[nth];
    bool chosen = nth == m->pane, focus = chosen && m->focus == UI_FOCUS_CONSOLE;
    const struct ui_row *of = ui_model_row(m, c->id);
    bool silent = of && of->silent && !c->ended;
    autofree char *note = console_note(m, c, focus);
    autofree char *title =
        str_format("%s%s%s%s", chosen && m->panes_count > 1 ? "\xe2\x96\xb8 " : "", c->name,
                   silent ? "  (its monitor does not answer)" : "", note);
    if (r->row > 0)
        paint_line(r->row - 1, r->col, r->cols, title);
    for (int i = -1; r->col > 0 && i < r->rows; i++)
        paint_text(r->row + i, r->col - 1, 1, UI_QUIET, "\xe2\x94\x82");
    if (r->rows <= 0 || !c->cells.rows)
        return;
    struct cells past = {0};
    if (c->copy)
        copy_picture(c->copy, r, &past);
    paint_cells(r, c->copy ? &past : &c->cells, focus);
    cells_done(&past);
}

void view_consoles(const struct ui_model *m)
{
    struct ui_rect r[UI_PANES];
    ui_model_tiles(m, r);
    for (size_t i = 0; i < m->panes_count; i++)
        if (r[i].rows > 0 && r[i].cols > 0)
            draw_pane(m, i, &r[i]);
}
