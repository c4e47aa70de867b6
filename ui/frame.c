/* The window: a title, a page, perhaps a console, a line of keys. */
#include "ui/tour.h"
#include "ui/update_inner.h"
#include "ui/views.h"

/* Hints stand two blanks apart, the ones that can be missed last: what does not fit is left out. */
// clang-format off
const struct ui_view ui_views[UI_PAGE_COUNT] = {
    [UI_PAGE_LIST] = {"workloads", "? help  q quit  Enter console  n new  o open  i details  s stop  "
                      "x remove  e shell  S snapshot  R report  / filter  v tree  H host  D doctor  "
                      ": command", view_list},
    [UI_PAGE_PROFILES] = {"profiles", "Up Down choose  Enter start with it  i its values  e edit  c check  Esc back  "
                          "q quit", view_profiles},
    [UI_PAGE_HOST] = {"this machine", "Esc back  q quit  D doctor  I images  : command", view_host},
    [UI_PAGE_GRAPHS] = {"lately", "Up Down another workload  Esc back  i details  q quit", view_graphs},
    [UI_PAGE_TEXT] = {NULL, "Up Down PgUp PgDn move  Esc back  q quit  / search", view_text},
};
// clang-format on

static void draw_title(const struct ui_model *m)
{
    const char *page = ui_views[m->page].title;
    size_t running = 0;
    for (size_t i = 0; i < m->count; i++)
        running += m->list[i].phase == STATE_RUNNING;
    autofree char *left = str_format(" cofferdam  %s", page            ? page
                                                       : m->text_title ? m->text_title
                                                                       : "");
    size_t marked = ui_model_marked(m);
    autofree char *marks = marked ? str_format("%zu marked, ", marked) : str_dup("");
    autofree char *right =
        str_format("%s%s%zu running of %zu ", m->stalled ? "the disk does not answer, " : "", marks,
                   running, m->count);
    paint_text(0, 0, m->cols, UI_TITLE, left);
    int width = (int)strlen(right);
    if (width + (int)strlen(left) + 2 <= m->cols)
        paint_text(0, m->cols - width, width, UI_TITLE, right);
}

static char *console_keys(const struct ui_console *c)
{
    autofree char *prefix = ui_console_prefix(c);
    autofree char *leave = attach_chord_name(&c->keys);
    if (!c->keys.more || !c->keys.second)
        return str_format("%s list", leave);
    return str_format("%s Tab list  z zoom  [ look back  x close  o next pane  | - tile  e shell  "
                      "p paste  b to all marked  t take over  ? help",
                      prefix);
}

static char *bottom_keys(const struct ui_model *m)
{
    struct ui_rect tour;
    ui_tour_place(m, &tour);
    if (tour.rows && m->dialog == UI_DIALOG_NONE)
        return str_dup("Right next  Left back  Esc leave the tour  ? help  q quit");
    if (m->dialog == UI_DIALOG_LAUNCH)
        return str_dup("Enter start  Esc back  Up Down lines  Left Right dial  Tab path  "
                       "ctrl-p plan  ctrl-s save");
    if (m->page == UI_PAGE_LIST && m->focus == UI_FOCUS_CONSOLE && ui_pane(m)->copy)
        return str_dup("Esc back  / search  n N next  v V select  y copy  s save to a file  "
                       "Up Down PgUp PgDn g G move");
    if (m->page == UI_PAGE_LIST && m->focus == UI_FOCUS_CONSOLE)
        return console_keys(ui_pane(m));
    if (m->page == UI_PAGE_LIST && ui_pane(m)->ended)
        return str_dup("? help  q quit  Esc close it  [ look back  n new  i details  x remove");
    if (m->page == UI_PAGE_LIST && ui_pane(m)->id)
        return str_dup("? help  q quit  Tab console  Esc close it  + one more  [ look back  "
                       "n new  i details  s stop  x remove  p pause");
    if (m->page == UI_PAGE_TEXT && m->text_id)
        return str_dup("Esc back  Left Right the other pages  1 plan  2 report  3 log  4 changes  "
                       "5 numbers  6 processes  / search  q quit");
    return str_dup(ui_views[m->page].keys);
}

static void draw_keys(const char *hints, int row, int cols)
{
    size_t fits = 0;
    for (const char *at = hints; at; at = strstr(at + 2, "  ")) {
        const char *end = strstr(at + 2, "  ");
        size_t length = end ? (size_t)(end - hints) : strlen(hints);
        if ((int)length <= cols)
            fits = length;
    }
    autofree char *text = str_ndup(hints, fits);
    paint_text(row, 0, cols, UI_QUIET, text);
}

/* A long one stands on as many of the last lines as it needs. */
static void draw_words(const struct ui_model *m, enum ui_look look, const char *text)
{
    enum { MOST = 5 };
    char *parts[MOST];
    int count = 0;
    for (const char *at = text; *at && count < MOST && count < m->rows / 2;) {
        size_t n = view_line_fits(at, m->cols);
        parts[count++] = str_ndup(at, n);
        at += n;
    }
    for (int i = 0; i < count; i++) {
        paint_text(m->rows - count + i, 0, m->cols, look, parts[i]);
        free(parts[i]);
    }
}

static void draw_typed(const struct ui_model *m, const char *before, const char *raw)
{
    autofree char *typed = str_escape_z(raw);
    autofree char *text = str_format("%s%s", before, typed);
    paint_text(m->rows - 1, 0, m->cols, UI_PLAIN, text);
    paint_cursor(m->rows - 1, MIN(paint_width(text), m->cols - 1));
}

static void draw_bottom(const struct ui_model *m)
{
    int row = m->rows - 1;
    if (m->dialog == UI_DIALOG_CONFIRM) {
        draw_words(m, UI_WARN, m->question);
    } else if (m->dialog == UI_DIALOG_FILTER) {
        draw_typed(m, "/", m->filter.text);
    } else if (m->dialog == UI_DIALOG_SEARCH) {
        draw_typed(m, "search: ", m->search.text);
    } else if (m->dialog == UI_DIALOG_KEEP) {
        draw_typed(m, "write it to: ", m->typed.text);
    } else if (m->dialog == UI_DIALOG_COMMAND) {
        autofree char *hint = ui_command_hint(m);
        paint_text(row - 1, 0, m->cols, UI_QUIET, hint);
        draw_typed(m, ":", m->typed.text);
    } else if (m->message) {
        draw_words(m, m->message_bad ? UI_BAD : UI_PLAIN, m->message);
    } else if (m->filter.used && m->page == UI_PAGE_LIST) {
        autofree char *typed = str_escape_z(m->filter.text);
        autofree char *text = str_format("only with \"%s\"; / then Esc shows all", typed);
        paint_text(row, 0, m->cols, UI_QUIET, text);
    } else {
        autofree char *hints = bottom_keys(m);
        draw_keys(hints, row, m->cols);
    }
}

void ui_draw(const struct ui_model *m)
{
    paint_clear();
    if (ui_model_too_small(m)) {
        autofree char *text =
            str_format("too small: %d by %d at least", UI_COLS_LEAST, UI_ROWS_LEAST);
        paint_text(0, 0, m->cols, UI_PLAIN, text);
        return;
    }
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    draw_title(m);
    if (m->dialog == UI_DIALOG_LAUNCH) {
        struct ui_rect whole = {1, 0, m->rows - 2, m->cols};
        view_sheet(m, &whole);
    } else {
        ui_views[m->page].draw(m, &list);
        if (pane.rows > 0)
            view_consoles(m);
        view_tour(m);
    }
    draw_bottom(m);
}
