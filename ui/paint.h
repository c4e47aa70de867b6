/* Curses, and all of it: text, cells and looks onto the user's terminal. */
#ifndef COFFERDAM_UI_PAINT_H
#define COFFERDAM_UI_PAINT_H

#include "base/error.h"
#include "console/cells.h"
#include "ui/model.h"

enum ui_look {
    UI_PLAIN,
    UI_TITLE,    /* the bars above and below */
    UI_HEADING,  /* of columns and sections */
    UI_SELECTED, /* the row the keys mean */
    UI_QUIET,    /* less important */
    UI_GOOD,
    UI_WARN,
    UI_BAD,
    UI_LOOK_COUNT,
};

/* Takes the terminal; it is given back by paint_end(), at exit, and when we die of a bug. */
int paint_begin(struct error *e);
void paint_end(void);
bool paint_utf8(void);
void paint_size(int *ret_rows, int *ret_cols);
void paint_resize(int rows, int cols);

/* A frame: clear, draw, show. The cursor is hidden unless it was placed in the frame. */
void paint_clear(void);
void paint_text(int row, int col, int width, enum ui_look look, const char *utf8); /* padded, cut */
void paint_line(int row, int col, int width, const char *title); /* a horizontal rule */
void paint_cells(const struct ui_rect *r, const struct cells *c);
void paint_cursor(int row, int col);
void paint_bell(void);
void paint_show(bool all); /* all: as if nothing were known of the terminal */

#endif
