/* The launch sheet: its lines, the stop of the dial, and what could still be reached. */
#include "ui/views.h"

static const struct profile_entry *profile_of(const struct ui_model *m)
{
    return &m->profiles[m->profile];
}

/* "(o) container  ( ) sandbox  (x) microvm": by shape, not by colour alone. */
static void dial_line(const struct ui_model *m, int row, int width)
{
    const struct ui_sheet *s = &m->sheet;
    int at = ui_sheet_stop(s, profile_of(m)->name), col = UI_SHEET_COL;
    if (!s->stops_known) { /* a helper asks the backends: nothing here waits for them */
        paint_text(row, col, width - col, UI_QUIET, "looking what there is here…");
        return;
    }
    for (int i = 0; i < UI_STOPS; i++) {
        const struct ui_stop *stop = &s->stops[i];
        autofree char *text = ui_sheet_stop_text(s, at, width, i);
        int length = (int)strlen(text);
        col = ui_sheet_stop_col(s, at, width, i);
        if (col >= width)
            break;
        paint_text(row, col, MIN(length, width - col),
                   i == at && m->sheet.field == UI_FIELD_DIAL ? UI_SELECTED
                   : !stop->there                             ? UI_QUIET
                   : i == at                                  ? UI_HEADING
                                                              : UI_PLAIN,
                   text);
    }
}

static char *field_text(const struct ui_model *m, enum ui_field f)
{
    const struct profile_entry *p = profile_of(m);
    autofree char *name = str_escape_z(p->name);
    autofree char *why = str_escape_z(p->why ? p->why : "");
    if (f == UI_FIELD_PROFILE)
        return str_format("< %s >  %s", name, why);
    const char *const *choices = ui_field_choices(f);
    if (choices)
        return str_format("< %s >", m->sheet.choices[f] ? choices[m->sheet.choices[f]]
                                                        : "as the profile has it");
    return str_escape_z(m->sheet.lines[f].text);
}

/* What stands in an empty line, quietly. */
static const char *field_hint(enum ui_field f)
{
    switch (f) {
    case UI_FIELD_FILE:
        return "a file to open: what it is, how far to trust it";
    case UI_FIELD_COMMAND:
        return "empty: a shell";
    case UI_FIELD_IMAGE:
        return "as the profile has it: host, dir:PATH, or an image's name";
    case UI_FIELD_MOUNT:
        return "SOURCE[:TARGET][:rw] …";
    case UI_FIELD_MEMORY:
    case UI_FIELD_CPUS:
    case UI_FIELD_PIDS:
    case UI_FIELD_DISK:
    case UI_FIELD_TIME:
        return "as the profile has it";
    case UI_FIELD_INSTALL:
        return "where the file is a CD image: DISK [SIZE], a new one";
    case UI_FIELD_NAME:
        return "made up";
    case UI_FIELD_DIAL:
    case UI_FIELD_PROFILE:
    case UI_FIELD_NETWORK:
    case UI_FIELD_KEEP:
    case UI_FIELD_RESTART:
    case UI_FIELD_COUNT:
        break;
    }
    return "";
}

static void field_line(const struct ui_model *m, enum ui_field f, int row, int width)
{
    bool chosen = m->sheet.field == f, typed = ui_field_is_typed(f);
    autofree char *name = str_format("%s%s", chosen ? ">" : " ", ui_field_names[f]);
    paint_text(row, 0, 12, chosen ? UI_MARKED : UI_HEADING, name);
    if (f == UI_FIELD_DIAL) {
        dial_line(m, row, width);
        return;
    }
    autofree char *text = field_text(m, f);
    int room = width - 13;
    /* The end of a long one is what is being typed. */
    const char *shown = typed ? fits_tail(text, room) : text;
    bool broken = f == UI_FIELD_PROFILE && profile_of(m)->broken;
    paint_cut(row, 12, room + 1,
              broken                             ? UI_BAD
              : chosen && !typed                 ? UI_SELECTED
              : typed && !m->sheet.lines[f].used ? UI_QUIET
                                                 : UI_PLAIN,
              typed && !m->sheet.lines[f].used ? field_hint(f) : shown);
    if (chosen && typed)
        paint_cursor(row, 12 + fits_width(shown));
}

/* Each on a line of its own, to be clicked on: of a long one its end, which tells it from others.
 */
static int path_lines(const struct ui_model *m, const struct ui_rect *r)
{
    int count = (int)ui_sheet_completions(&m->sheet), seen = ui_sheet_paths(m);
    for (int i = 0; i < seen; i++)
        paint_text(r->row + i, r->col, r->cols, UI_PLAIN,
                   fits_tail(m->sheet.completions[i], r->cols));
    if (seen == count)
        return seen;
    autofree char *more = str_format("… and %d more", count - seen);
    paint_text(r->row + seen, r->col, r->cols, UI_PLAIN, more);
    return seen + 1;
}

/* What the chosen stop is, in the lines there are; returns how many it took. */
static int stop_lines(const struct ui_model *m, const struct ui_rect *r)
{
    const struct ui_sheet *s = &m->sheet;
    int at = ui_sheet_stop(s, profile_of(m)->name);
    char **lines = NULL;
    if (ui_sheet_completions(s))
        return path_lines(m, r);
    bool looked = ui_sheet_looked(s); /* not of what is only being typed */
    if (looked && s->what && *s->looked_at)
        strv_take(&lines, str_format("%s: %s", s->looked_at, s->what));
    if (looked && s->advice)
        strv_take(&lines, str_format("advice: %s", s->advice));
    if (at >= 0 && s->stops[at].there) {
        strv_take(&lines, str_format("protects    %s", s->stops[at].protects));
        strv_take(&lines, str_format("leaves open %s", s->stops[at].open));
        strv_take(&lines, str_format("costs       %s", s->stops[at].costs));
    } else if (at >= 0) {
        strv_take(&lines, str_format("not here    %s", s->stops[at].lacks));
        if (s->stops[at].mend)
            strv_take(&lines, str_format("mend        %s", s->stops[at].mend));
    }
    int rows = MIN(view_lines(r, lines, 0), r->rows);
    strv_free(lines);
    return rows;
}

void view_sheet(const struct ui_model *m, const struct ui_rect *r)
{
    int rows = ui_sheet_rows(m), from = ui_sheet_scroll(m);
    int below_it = UI_FIELD_COUNT - from - rows;
    autofree char *more = str_format(from && below_it ? "start a workload: %d above, %d below"
                                     : from           ? "start a workload: %d lines above"
                                     : below_it       ? "start a workload: %d lines below"
                                                      : "start a workload",
                                     from ? from : below_it, below_it);
    paint_line(r->row, 0, r->cols, more);
    for (int i = 0; i < rows; i++)
        field_line(m, (enum ui_field)(from + i), r->row + 1 + i, r->cols);
    int row = r->row + 1 + rows, left = r->rows - 1 - rows;
    struct ui_rect stop = {row, 1, left, r->cols - 2};
    int took = left > 0 ? stop_lines(m, &stop) : 0;
    if (left - took < 3)
        return;
    paint_line(row + took, 0, r->cols, "what it could still reach");
    struct ui_rect below = {row + took + 1, 1, left - took - 1, r->cols - 2};
    view_explained(m, &below);
}
