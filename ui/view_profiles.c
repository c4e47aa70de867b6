/* Profiles beside what they leave open; pages of text. */
#include "ui/details.h"
#include "ui/views.h"

void view_words(int row, int col, int end, int width, enum ui_look look, const char *text)
{
    for (; *text && row < end; row++) {
        size_t n = fits_line(text, width);
        autofree char *part = str_ndup(text, n);
        paint_text(row, col, width, look, part);
        text += n;
    }
}

int view_lines(const struct ui_rect *r, char *const *lines, size_t from)
{
    return view_lines_until(r, lines, &from);
}

int view_lines_until(const struct ui_rect *r, char *const *lines, size_t *from_next)
{
    int row = 0;
    size_t from = *from_next;
    for (; row < r->rows && lines && lines[from]; from++) {
        const char *line = lines[from];
        do {
            int shift = fits_shift(lines[from], line, r->cols);
            size_t n = fits_line(line, r->cols - shift);
            autofree char *part = str_ndup(line, n);
            paint_text(r->row + row++, r->col + shift, r->cols - shift, UI_PLAIN, part);
            line += n;
        } while (*line && row < r->rows);
    }
    *from_next = from;
    return row;
}

void view_explained(const struct ui_model *m, const struct ui_rect *r)
{
    size_t from =
        m->page == UI_PAGE_PROFILES && m->dialog != UI_DIALOG_LAUNCH ? m->explained_scroll : 0;
    if (m->profile < m->profiles_count &&
        str_equal(m->explained_name, m->profiles[m->profile].name))
        view_lines(r, m->explained, m->explained ? MIN(from, strv_length(m->explained)) : 0);
    else if (m->profiles_count)
        paint_text(r->row, r->col, r->cols, UI_QUIET, "looking…");
    else
        paint_text(r->row, r->col, r->cols, UI_QUIET,
                   m->profiles_known ? "there are no profiles"
                   : m->stalled      ? "the disk does not answer"
                                     : "looking…");
}

static void profile_row(const struct ui_model *m, size_t i, int row, int col, int width)
{
    const struct profile_entry *p = &m->profiles[i];
    enum ui_look look = i == m->profile ? UI_SELECTED : p->broken ? UI_BAD : UI_PLAIN;
    autofree char *name = str_escape_z(p->name);
    autofree char *why = str_escape_z(p->why ? p->why : "");
    autofree char *text = str_format(" %-12s %s", name, why);
    paint_text(row, col, width, look, text);
}

/* Where there is room the one beside the other, else one below the other. */
static void profiles_beside(const struct ui_model *m, const struct ui_rect *r)
{
    size_t from = m->profile >= (size_t)r->rows ? m->profile - (size_t)r->rows + 1 : 0;
    for (int i = 0; i < r->rows && from + (size_t)i < m->profiles_count; i++)
        profile_row(m, from + (size_t)i, r->row + i, 0, UI_PROFILES_COLS);
    struct ui_rect beside = {r->row + 1, UI_PROFILES_COLS + 3, r->rows - 1, ui_explained_width(r)};
    for (int i = 0; i < r->rows; i++)
        paint_text(r->row + i, UI_PROFILES_COLS + 1, 1, UI_QUIET, "\xe2\x94\x82");
    paint_line(r->row, UI_PROFILES_COLS + 2, r->cols - UI_PROFILES_COLS - 2,
               "what it leaves open, here and now");
    view_explained(m, &beside);
}

void view_profiles(const struct ui_model *m, const struct ui_rect *r)
{
    if (ui_profiles_beside(r)) {
        profiles_beside(m, r);
        return;
    }
    int count = (int)ui_profiles_rows(m, r);
    size_t from = m->profile >= (size_t)count ? m->profile - (size_t)count + 1 : 0;
    for (int i = 0; i < count && from + (size_t)i < m->profiles_count; i++)
        profile_row(m, from + (size_t)i, r->row + i, 0, r->cols);
    paint_line(r->row + count, 0, r->cols, "what it leaves open, here and now");
    struct ui_rect below = {r->row + count + 1, 1, r->rows - count - 1, ui_explained_width(r)};
    view_explained(m, &below);
}

/* The names of a workload's pages, the chosen one by its looks and by brackets. */
static void details_names(const struct ui_model *m, int row)
{
    paint_text(row, 0, m->cols, UI_HEADING, "");
    for (int i = 0; i < UI_TABS; i++) {
        int col = ui_tab_col(m, i);
        if (col < 0)
            continue;
        autofree char *label = ui_tab_label(m, i);
        int width = (int)strlen(label);
        bool chosen = i == m->text_tab;
        paint_text(row, col, width, chosen ? UI_SELECTED : UI_HEADING, label);
        if (!chosen)
            continue;
        paint_text(row, col - 1, 1, UI_SELECTED, "[");
        paint_text(row, col + width, 1, UI_SELECTED, "]");
    }
    if (ui_tab_col(m, 0) < 0)
        paint_text(row, 0, 1, UI_HEADING, "<");
    if (ui_tab_col(m, UI_TABS - 1) < 0)
        paint_text(row, m->cols - 1, 1, UI_HEADING, ">");
}

static void text_empty(const struct ui_model *m, const struct ui_rect *r)
{
    const char *text = m->text_loading && str_equal(m->text_title, "events")
                           ? "nothing has happened yet; what does stands here at once"
                       : m->text_loading ? "looking…"
                       : m->text_failed  ? "that failed without a word"
                                         : "there is nothing";
    view_words(r->row, 1, r->row + r->rows, r->cols - 2, m->text_failed ? UI_BAD : UI_QUIET, text);
}

void view_text(const struct ui_model *m, const struct ui_rect *whole)
{
    struct ui_rect below = *whole;
    const struct ui_rect *r = &below;
    if (m->text_id) {
        details_names(m, below.row++);
        below.rows--;
    }
    int columns = ui_text_columns(m), width = ui_text_width(m);
    size_t from = m->text_scroll;
    for (int i = 0; i < columns && m->text && m->text[from]; i++) {
        struct ui_rect inside = {r->row, 1 + i * (width + 2), r->rows, width};
        view_lines_until(&inside, m->text, &from);
    }
    if (!m->text_count)
        text_empty(m, r);
}
