/* Pages: each draws the model, which it cannot change, into its part of the window. */
#ifndef COFFERDAM_UI_VIEWS_H
#define COFFERDAM_UI_VIEWS_H

#include "ui/fits.h"
#include "ui/paint.h"

struct ui_view {
    const char *title;
    void (*draw)(const struct ui_model *m, const struct ui_rect *r);
};
extern const struct ui_view ui_views[UI_PAGE_COUNT];

/* The whole window. */
void ui_draw(const struct ui_model *m);

void view_list(const struct ui_model *m, const struct ui_rect *r);
void view_profiles(const struct ui_model *m, const struct ui_rect *r);
void view_text(const struct ui_model *m, const struct ui_rect *r);
void view_graphs(const struct ui_model *m, const struct ui_rect *r);
void view_images(const struct ui_model *m, const struct ui_rect *r);
void view_host(const struct ui_model *m, const struct ui_rect *r);
void view_sheet(const struct ui_model *m, const struct ui_rect *r);
void view_tour(const struct ui_model *m);
void view_consoles(const struct ui_model *m);

/* A cell of a table; `right`: a number. */
void view_cell(int row, int col, int width, bool right, enum ui_look look, const char *text);

/* Words, broken into as many rows as they need before the row `end`. */
void view_words(int row, int col, int end, int width, enum ui_look look, const char *text);

/* What the chosen profile leaves open. */
void view_explained(const struct ui_model *m, const struct ui_rect *r);

/* Lines of text from the `from`th on, which there is; how many rows they took. */
int view_lines(const struct ui_rect *r, char *const *lines, size_t from);
/* `from` is where it goes on. */
int view_lines_until(const struct ui_rect *r, char *const *lines, size_t *from);

#endif
