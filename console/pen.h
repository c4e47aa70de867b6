/* Select Graphic Rendition: what a CSI … m does to the looks of what is written next. */
#ifndef COFFERDAM_CONSOLE_PEN_H
#define COFFERDAM_CONSOLE_PEN_H

#include "console/cells.h"
#include "console/tokens.h"

/*
 * Applies the parameters (ECMA-48 8.3.117, with xterm's colours in both spellings: 38;5;N and
 * 38:2::R:G:B) to `fg`, `bg` and `attrs` of `pen`. What is unknown is skipped.
 */
void pen_apply(struct cell *pen, const struct tokens *t);

#endif
