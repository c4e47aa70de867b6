/* What the files of paint.h share. */
#ifndef COFFERDAM_UI_PAINT_INNER_H
#define COFFERDAM_UI_PAINT_INNER_H

#include "ui/paint.h"

extern bool paint_coloured;
uint32_t paint_fold(uint32_t c); /* what is no ASCII where only that can be shown */
int paint_colour(uint32_t c);    /* a cell's colour as curses counts them; -1 the terminal's own */

/* paint_out.c: before curses has touched the terminal. */
void paint_out_begin(void);
void paint_out_end(void); /* its settings are as they were then */
/* What is written in between reaches the terminal as one. */
void paint_out_hold(void);
void paint_out_release(void);
void paint_out_clipboard(const char *utf8);

#endif
