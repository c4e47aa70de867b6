/* Profiles beside what they leave open; pages of text. */
#include "ui/views.h"

size_t view_line_fits(const char *line, int width)
{
    size_t i = 0, blank = 0;
    for (int used = 0; line[i] && used < width; used++) {
        if (line[i] == ' ')
            blank = i + 1;
        for (i++; (line[i] & 0xc0) == 0x80; i++)
            ;
    }
    return !line[i] || blank * 2 < i ? i : blank;
}

int view_lines(const struct ui_rect *r, char *const *lines, size_t from)
{
    int row = 0;
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
    return row;
}

void view_explained(const struct ui_model *m, const struct ui_rect *r)
{
    if (m->profile < m->profiles_count &&
        str_equal(m->explained_name, m->profiles[m->profile].name))
        view_lines(r, m->explained, 0);
    else
        paint_text(r->row, r->col, r->cols, UI_QUIET, "…");
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

void view_profiles(const struct ui_model *m, const struct ui_rect *r)
{
    int count = (int)MIN(m->profiles_count, (size_t)MAX(r->rows / 2, 3));
    size_t from = m->profile >= (size_t)count ? m->profile - (size_t)count + 1 : 0;
    for (int i = 0; i < count && from + (size_t)i < m->profiles_count; i++)
        profile_row(m, from + (size_t)i, r->row + i, 0, r->cols);
    paint_line(r->row + count, 0, r->cols, "what it leaves open, here and now");
    struct ui_rect below = {r->row + count + 1, 1, r->rows - count - 1, r->cols - 2};
    view_explained(m, &below);
}

void view_text(const struct ui_model *m, const struct ui_rect *r)
{
    struct ui_rect inside = {r->row, 1, r->rows, r->cols - 2};
    if (m->text_count)
        view_lines(&inside, m->text, m->text_scroll);
    else
        paint_text(r->row, 1, r->cols - 2, m->text_failed ? UI_BAD : UI_QUIET,
                   m->text_loading && str_equal(m->text_title, "events")
                       ? "nothing has happened yet; what does stands here at once"
                   : m->text_loading ? "looking…"
                   : m->text_failed  ? "that failed without a word"
                                     : "there is nothing");
}
