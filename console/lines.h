/*
 * Plain streams as lines of cells, for a viewer: what is not text or a colour is left out. Old
 * lines go when there are too many.
 */
#ifndef COFFERDAM_CONSOLE_LINES_H
#define COFFERDAM_CONSOLE_LINES_H

#include "console/cells.h"
#include "console/tokens.h"

enum {
    LINES_MOST = 20000,
    LINES_COLS_MOST = 2000,
    LINES_COST_MOST = 8 * 1024 * 1024, /* bytes and cells of all lines together */
};

struct lines_line {
    char *data; /* owned; as cells_line_encode() has it */
    uint32_t size;
    uint16_t cols;
    bool goes_on; /* it was too long: the next one belongs to it */
};

struct lines {
    struct tokens tokens;
    struct cell pen;
    bool returned;     /* a carriage return is held back: the next character decides */
    struct cell *cell; /* owned; the line that is not whole yet */
    uint16_t used;
    struct lines_line *line; /* owned; the oldest first */
    size_t count, cost;
};

void lines_init(struct lines *l);
void lines_done(struct lines *l);
/* A sequence or a character may be cut anywhere between two calls. */
void lines_feed(struct lines *l, const char *data, size_t size);
/* The cells of line `nth`, `count` being the one that is not whole; owned by the caller, NULL:
 * none. */
struct cell *lines_cells(const struct lines *l, size_t nth, uint16_t *ret_cols);
/* How many of the cells from `from` on fit into so many columns: no character is torn. */
uint16_t lines_fit(const struct cell *cells, uint16_t count, uint16_t from, uint16_t cols);

#endif
