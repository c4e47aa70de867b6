/* How much text fits into columns, as the locale's wcwidth(3) has them, and where a long line is
 * broken. */
#ifndef COFFERDAM_UI_FITS_H
#define COFFERDAM_UI_FITS_H

#include "base/str.h"

int fits_width(const char *utf8);                   /* columns */
size_t fits_bytes(const char *utf8, int width);     /* so many bytes fit in that many columns */
const char *fits_tail(const char *utf8, int width); /* its end, as much as fits in those */

/* How much of a line fits into `width` columns; broken behind a blank if there is one. */
size_t fits_line(const char *line, int width);
/* How far what is at `at` of a line that takes several rows is moved to the right. */
int fits_shift(const char *line, const char *at, int width);
int fits_rows(const char *line, int width); /* how many it takes */

#endif
