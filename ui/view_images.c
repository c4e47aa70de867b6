/* The images: one row each, and what all of them take. */
#include "ui/views.h"

#include <stdio.h>

static int column_width(const struct ui_model *m, enum ui_image_column c)
{
    const struct ui_image_column_row *row = &ui_image_columns[c];
    if (m->cols < row->least_cols)
        return 0;
    return c == UI_IMAGE_NAME ? MAX(row->width, MIN(m->cols / 3, 48)) : row->width;
}

static void heading(const struct ui_model *m, const struct ui_rect *r)
{
    int col = 1;
    paint_text(r->row, 0, r->cols, UI_HEADING, "");
    for (int c = 0; c < UI_IMAGE_COLUMNS; c++) {
        int width = column_width(m, (enum ui_image_column)c);
        bool sorted = m->images.sort == (enum ui_image_column)c;
        autofree char *name = str_format("%s%s", ui_image_columns[c].name,
                                         !sorted            ? ""
                                         : m->images.turned ? "^"
                                                            : "*");
        if (width)
            view_cell(r->row, col, width, ui_image_columns[c].number, UI_HEADING, name);
        col += width ? width + 1 : 0;
    }
}

static void image_row(const struct ui_model *m, size_t nth, int row, int cols)
{
    const struct ui_image *i = &m->images.list[m->images.shown[nth]];
    enum ui_look look = nth == m->images.at ? UI_SELECTED
                        : i->error          ? UI_BAD
                        : i->marked         ? UI_MARKED
                                            : UI_PLAIN;
    char to[64];
    int col = 1;
    paint_text(row, 0, cols, look, i->marked ? "*" : "");
    for (int c = 0; c < UI_IMAGE_COLUMNS; c++) {
        int width = column_width(m, (enum ui_image_column)c);
        if (width)
            view_cell(row, col, width, ui_image_columns[c].number, look,
                      ui_image_text(m, i, (enum ui_image_column)c, to, sizeof(to)));
        col += width ? width + 1 : 0;
    }
}

static void summary(const struct ui_model *m, int row, int cols)
{
    const struct ui_images *i = &m->images;
    const char *cache = cols >= 76 ? i->cache : NULL;
    char size[32];
    autofree char *text = str_format(
        "%zu image%s, %s, each layer once%s%s", i->count, i->count == 1 ? "" : "s",
        str_from_size(i->bytes, size, sizeof(size)), cache ? "; cache: " : "", cache ? cache : "");
    paint_line(row, 0, cols, text);
}

/* Being read, not to be read, and none: told apart. */
static void nothing(const struct ui_model *m, const struct ui_rect *r)
{
    const struct ui_images *i = &m->images;
    const char *text = i->failed   ? i->failed
                       : !i->known ? "looking…"
                       : i->count  ? "nothing passes the filter; Esc shows all"
                                   : "there are no images yet; p pulls one, Y imports one";
    enum ui_look look = i->failed ? UI_BAD : UI_QUIET;
    view_words(r->row + 1, 2, r->row + r->rows - 1, r->cols - 2, look, text);
}

void view_images(const struct ui_model *m, const struct ui_rect *r)
{
    const struct ui_images *i = &m->images;
    const struct ui_image *chosen = ui_image_chosen(m);
    int room = MAX(r->rows - 2 - (chosen && chosen->error), 1);
    size_t from = i->at >= (size_t)room ? i->at - (size_t)room + 1 : 0;
    heading(m, r);
    if (!i->shown_count)
        nothing(m, r);
    for (int n = 0; n < room && from + (size_t)n < i->shown_count; n++)
        image_row(m, from + (size_t)n, r->row + 1 + n, r->cols);
    if (chosen && chosen->error)
        paint_text(r->row + r->rows - 2, 1, r->cols - 1, UI_BAD, chosen->error);
    if (i->known && r->rows > 2)
        summary(m, r->row + r->rows - 1, r->cols);
}
