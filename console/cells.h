/* Screen cells: what travels from the emulator to a viewer. Nothing in here can carry an escape sequence. */
#ifndef COFFERDAM_CONSOLE_CELLS_H
#define COFFERDAM_CONSOLE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CELL_CHARS = 3 }; /* a base character and up to two combining ones */

/* Colours: 0 default; 1 + n an index (0 to 255); CELL_RGB | 0xRRGGBB. */
#define CELL_RGB 0x1000000u

enum {
    CELL_BOLD = 1,
    CELL_DIM = 2,
    CELL_ITALIC = 4,
    CELL_UNDERLINE = 8,
    CELL_BLINK = 16,
    CELL_REVERSE = 32,
    CELL_CONCEAL = 64,
    CELL_STRIKE = 128,
};

struct cell {
    uint32_t chars[CELL_CHARS]; /* Unicode scalar values; 0 ends; chars[0] 0: blank */
    uint32_t fg, bg;
    uint8_t attrs;
    uint8_t width; /* 1 or 2; 0: the right half of a wide character */
};

/* What a terminal application may ask of the viewer's terminal, as plain facts. */
struct cells_modes {
    bool cursor_visible;
    bool alternate; /* the alternate screen is shown */
    bool app_cursor, app_keypad;
    bool bracketed_paste;
    uint8_t mouse; /* 0 none, 1 clicks, 2 drags, 3 all motion; reports are sent in SGR form */
    bool focus;
    uint8_t cursor_shape; /* 0 default, 1 block, 2 underline, 3 bar */
    uint64_t bells;       /* counted */
};

/* A whole screen as a viewer holds it. */
struct cells {
    uint16_t rows, cols;
    uint16_t cursor_row, cursor_col;
    struct cells_modes modes;
    char title[128];   /* printable UTF-8 */
    struct cell *cell; /* rows * cols; owned by whoever owns the struct */
    bool *dirty;       /* rows; set by updates, cleared by who draws */
    uint64_t history;  /* lines that have scrolled off so far (monotonic) */
    uint32_t kept;     /* how many of them can be fetched */
};

void cells_init(struct cells *c, uint16_t rows, uint16_t cols);
void cells_resize(struct cells *c, uint16_t rows, uint16_t cols);
void cells_done(struct cells *c);

/*
 * A line's compact form: runs of (count, attributes, colours) and UTF-8 text. Encoding appends to
 * `to` (cells_line_most(cols) bytes at the most) and returns the bytes. Decoding fills exactly
 * `cols` cells and returns the bytes consumed, or -EBADMSG: control characters, broken UTF-8, a
 * wrong count.
 */
size_t cells_line_most(uint16_t cols);
size_t cells_line_encode(const struct cell *line, uint16_t cols, char *to);
long cells_line_decode(const char *data, size_t size, struct cell *line, uint16_t cols);

#endif
