/* The one opinion, on both sides of the wire, of how wide a character is and whether it may be
 * shown. */
#ifndef COFFERDAM_CONSOLE_WIDTH_H
#define COFFERDAM_CONSOLE_WIDTH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Columns of a character: 1, 2, 0 for one that combines with what stands before it, and -1 for what
 * is never shown: controls, surrogates, non-characters, and the invisible ones that move or reorder
 * text (bidirectional marks, zero-width spaces and joiners, tags).
 */
int width_of(uint32_t c);

#endif
