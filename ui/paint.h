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
    UI_MARKED,
    UI_GRAPH,
    UI_LOOK_COUNT,
};

/* How one looks; colours as cells have them (console/cells.h). */
struct ui_style {
    uint32_t fg, bg;
    bool bold, dim, reverse, underline;
};
extern const char *const ui_look_names[UI_LOOK_COUNT]; /* as a theme's file has them */
/* "white on #204080 bold"; -EINVAL with what is allowed. */
int ui_style_parse(const char *text, struct ui_style *ret, struct error *e);

/* Takes the terminal; it is given back by paint_end(), at exit, and when we die of a bug. */
int paint_begin(struct error *e);
void paint_end(void);
/* We are to end: a terminal that takes no output is waited for no longer than a moment from now on. */
void paint_out_hurry(void);
/* The terminal is lent to another program; then it is ours again. */
void paint_lend(void);
void paint_take_back(void);
bool paint_utf8(void);
/* Looks of a theme; those that colour alone tells apart get bold, dim or reverse without colours.
 */
void paint_theme(const struct ui_style styles[UI_LOOK_COUNT], const bool given[UI_LOOK_COUNT]);
void paint_mouse(bool taken); /* the terminal reports it to us in SGR form, or keeps it */
void paint_size(int *ret_rows, int *ret_cols);
void paint_resize(int rows, int cols);

/* A frame: clear, draw, show. The cursor is hidden unless it was placed in the frame. */
void paint_clear(void);
void paint_text(int row, int col, int width, enum ui_look look, const char *utf8); /* padded, cut */
/* The same, but that it was cut is seen. */
void paint_cut(int row, int col, int width, enum ui_look look, const char *utf8);
void paint_line(int row, int col, int width, const char *title); /* a horizontal rule */
void paint_cells(const struct ui_rect *r, const struct cells *c, bool cursor); /* and its cursor */
void paint_clipboard(const char *utf8); /* the terminal's, where it lets us (OSC 52) */
void paint_cursor(int row, int col);
void paint_bell(void);
void paint_show(bool all); /* all: as if nothing were known of the terminal */

#endif
