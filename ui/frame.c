/* The window: a title, a page, perhaps a console, a line of keys. */
#include "ui/hints.h"
#include "ui/update_inner.h"
#include "ui/views.h"

// clang-format off
const struct ui_view ui_views[UI_PAGE_COUNT] = {
    [UI_PAGE_LIST] = {"workloads", view_list},
    [UI_PAGE_PROFILES] = {"profiles", view_profiles},
    [UI_PAGE_IMAGES] = {"images", view_images},
    [UI_PAGE_HOST] = {"this machine", view_host},
    [UI_PAGE_GRAPHS] = {"lately", view_graphs},
    [UI_PAGE_TEXT] = {NULL, view_text},
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
    paint_cut(0, 0, m->cols, UI_TITLE, left);
    int width = (int)strlen(right);
    if (width + fits_width(left) + 2 <= m->cols)
        paint_text(0, m->cols - width, width, UI_TITLE, right);
}

/* A long one stands on as many of the lines above `end` as it needs. */
static void draw_words(const struct ui_model *m, enum ui_look look, const char *text, int end)
{
    enum { MOST = 5 };
    char *parts[MOST];
    int count = 0;
    for (const char *at = text; *at && count < MOST && count < m->rows / 2;) {
        size_t n = fits_line(at, m->cols);
        parts[count++] = str_ndup(at, n);
        at += n;
    }
    for (int i = 0; i < count; i++) {
        paint_text(end - count + i, 0, m->cols, look, parts[i]);
        free(parts[i]);
    }
}

static void draw_typed(const struct ui_model *m, const char *before, const char *raw)
{
    autofree char *typed = str_escape_z(raw);
    /* the end of a long one is what is being typed */
    autofree char *text =
        str_format("%s%s", before, fits_tail(typed, MAX(m->cols - 1 - fits_width(before), 1)));
    paint_text(m->rows - 1, 0, m->cols, UI_PLAIN, text);
    paint_cursor(m->rows - 1, MIN(fits_width(text), m->cols - 1));
}

static void draw_bottom(const struct ui_model *m)
{
    int row = m->rows - 1;
    if (m->dialog == UI_DIALOG_CONFIRM) {
        draw_words(m, UI_WARN, m->question, row);
        autofree char *answers = str_format("%*s%s", ui_answers_col(m), "", UI_ANSWERS);
        paint_text(row, 0, m->cols, UI_WARN, answers);
    } else if (m->dialog == UI_DIALOG_FILTER) {
        draw_typed(m, "/", m->page == UI_PAGE_IMAGES ? m->images.filter.text : m->filter.text);
    } else if (m->dialog == UI_DIALOG_SEARCH) {
        draw_typed(m, "search: ", m->search.text);
    } else if (m->dialog == UI_DIALOG_KEEP) {
        draw_typed(m, "write it to: ", m->typed.text);
    } else if (m->dialog == UI_DIALOG_COMMAND) {
        autofree char *hint = ui_command_hint(m);
        paint_text(row - 1, 0, m->cols, UI_QUIET, m->message ? m->message : hint);
        draw_typed(m, ":", m->typed.text);
    } else if (m->message) {
        draw_words(m, m->message_bad ? UI_BAD : UI_PLAIN, m->message, m->rows);
    } else if (ui_filter_seen(m)) {
        autofree char *typed = str_escape_z(ui_filter_seen(m));
        autofree char *text = str_format("only with \"%s\"; / then Esc shows all", typed);
        paint_text(row, 0, m->cols, UI_QUIET, text);
    } else {
        autofree char *hints = ui_hints(m);
        paint_text(row, 0, m->cols, UI_QUIET, hints);
    }
}

static void draw_tasks(const struct ui_model *m)
{
    int rows = ui_tasks_rows(m);
    for (int i = 0; i < rows; i++) {
        autofree char *text = ui_task_text(m, ui_task_seen(m, (size_t)i));
        paint_text(m->rows - 1 - rows + i, 0, m->cols, UI_MARKED, text);
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
        struct ui_rect whole = {1, 0, m->rows - 2 - ui_tasks_rows(m), m->cols};
        view_sheet(m, &whole);
    } else {
        ui_views[m->page].draw(m, &list);
        if (pane.rows > 0)
            view_consoles(m);
        view_tour(m);
    }
    draw_tasks(m);
    draw_bottom(m);
}
