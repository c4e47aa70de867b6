/* The emulator's paper: lines of cells that scroll by moving an index, and what has scrolled off.
 */
#ifndef COFFERDAM_CONSOLE_GRID_H
#define COFFERDAM_CONSOLE_GRID_H

#include "console/cells.h"

/*
 * A line. Cells from `used` on are not looked at: they are blank with the background `bg`, so
 * clearing a line costs nothing however long it is.
 */
struct line {
    struct cell *cells; /* owned; NULL: never written to */
    uint64_t stamp;     /* when it last changed */
    uint32_t bg;
    uint16_t used;
    bool wide; /* may hold wide characters */
};

struct grid {
    uint16_t rows, cols;
    uint16_t top;        /* index of the first row in `order` */
    struct line **order; /* owned; rows pointers into `lines`, a ring that begins at `top` */
    struct line *lines;  /* owned */
    uint64_t *stamp;     /* borrowed; counts changes */
    uint64_t all;        /* when every row changed at once */
};

/* `stamp` is borrowed for the grid's life and grows with every change. */
void grid_init(struct grid *g, uint16_t rows, uint16_t cols, uint64_t *stamp);
void grid_done(struct grid *g);

static inline struct line *grid_line(const struct grid *g, uint16_t row)
{
    unsigned i = (unsigned)g->top + row;
    return g->order[i < g->rows ? i : i - g->rows];
}

uint64_t grid_line_stamp(const struct grid *g, uint16_t row);

/* All `cols` cells of a row, the blank ones filled in. */
const struct cell *grid_cells(const struct grid *g, uint16_t row);

/*
 * Makes `count` cells from `col` on ready to be written: blanks in front are filled in, wide
 * characters that would be cut are blanked, the line is marked as changed and `used` covers the
 * cells. Returns the first.
 */
struct cell *grid_write(struct grid *g, uint16_t row, uint16_t col, uint16_t count);

/* The rest take clamped coordinates: row < rows, from <= to <= cols, top < bottom <= rows. */
void grid_erase(struct grid *g, uint16_t row, uint16_t from, uint16_t to, uint32_t bg);
/* Cells [from, to) move by `count`: to the left (> 0) or right (< 0); what comes free is erased. */
void grid_shift(struct grid *g, uint16_t row, uint16_t from, uint16_t to, int count, uint32_t bg);
/* Rows [top, bottom) move up (> 0) or down (< 0); what comes free is erased. */
void grid_scroll(struct grid *g, uint16_t top, uint16_t bottom, int count, uint32_t bg);
/* Cuts or extends at the right and at the bottom. */
void grid_resize(struct grid *g, uint16_t rows, uint16_t cols);

/* Lines that have scrolled off, packed as cells_line_encode() does. */
struct history {
    struct packed **ring; /* owned; `room` slots */
    uint32_t most;        /* lines wanted */
    uint32_t room, first, count;
    size_t bytes;       /* held by all lines; bounded: few hundred a line on the average */
    uint64_t total;     /* lines ever added */
    struct cell *shown; /* owned; what history_line() lent */
    char *scratch;      /* owned; encoding goes here first */
    size_t scratch_size;
};
void history_init(struct history *h, uint32_t most);
void history_done(struct history *h);
void history_add(struct history *h, const struct line *l, uint16_t cols);
/* Line `n` of the count since the start, or NULL; borrowed until the next call of any of these. */
const struct cell *history_line(struct history *h, uint64_t n, uint16_t *ret_cols);

#endif
