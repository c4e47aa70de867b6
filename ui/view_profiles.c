/* Profiles beside what they leave open; pages of text. */
#include "ui/details.h"
#include "ui/views.h"

size_t view_line_fits(const char *line, int width)
{
    size_t fits = paint_fits(line, width), blank = fits;
    if (!line[fits])
        return fits;
    while (blank && line[blank - 1] != ' ')
        blank--;
    if (!fits) /* not even one: a wide one that is cut, and no endless search for room */
        for (fits = 1; (line[fits] & 0xc0) == 0x80; fits++)
            ;
    return blank * 2 < fits ? fits : blank;
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
        int indent = (int)strspn(line, " ");
        do {
            bool first = line == lines[from];
            int shift = first ? 0 : MIN(indent + 2, r->cols / 2);
            size_t n = view_line_fits(line, r->cols - shift);
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
    if (m->profile < m->profiles_count &&
        str_equal(m->explained_name, m->profiles[m->profile].name))
        view_lines(r, m->explained, 0);
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
    enum { LIST = 80 };
    size_t from = m->profile >= (size_t)r->rows ? m->profile - (size_t)r->rows + 1 : 0;
    for (int i = 0; i < r->rows && from + (size_t)i < m->profiles_count; i++)
        profile_row(m, from + (size_t)i, r->row + i, 0, LIST);
    struct ui_rect beside = {r->row + 1, LIST + 3, r->rows - 1, r->cols - LIST - 4};
    for (int i = 0; i < r->rows; i++)
        paint_text(r->row + i, LIST + 1, 1, UI_QUIET, "\xe2\x94\x82");
    paint_line(r->row, LIST + 2, r->cols - LIST - 2, "what it leaves open, here and now");
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
    struct ui_rect below = {r->row + count + 1, 1, r->rows - count - 1, r->cols - 2};
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

void view_text(const struct ui_model *m, const struct ui_rect *whole)
{
    enum { COLUMN = 130 }; /* lines beyond that are read badly: there are more columns of them */
    struct ui_rect below = *whole;
    const struct ui_rect *r = &below;
    if (m->text_id) {
        details_names(m, below.row++);
        below.rows--;
    }
    int columns = MAX(r->cols / COLUMN, 1), width = r->cols / columns;
    size_t from = m->text_scroll;
    for (int i = 0; i < columns && m->text && m->text[from]; i++) {
        struct ui_rect inside = {r->row, 1 + i * width, r->rows, width - 2};
        view_lines_until(&inside, m->text, &from);
    }
    if (!m->text_count)
        paint_text(r->row, 1, r->cols - 2, m->text_failed ? UI_BAD : UI_QUIET,
                   m->text_loading && str_equal(m->text_title, "events")
                       ? "nothing has happened yet; what does stands here at once"
                   : m->text_loading ? "looking…"
                   : m->text_failed  ? "that failed without a word"
                                     : "there is nothing");
}
