/*
 * The terminal emulator. Our own reader (tokens.h) takes the stream apart and keeps what could
 * touch a terminal; our own paper (grid.h) holds the cells; libvterm's parser and state layer
 * decide cursor, margins, tabs and modes, and are fed nothing but short, well-formed sequences.
 * Ordinary output, which is nearly all, is written to the paper at once and libvterm is told
 * afterwards where the cursor went. The only file that knows libvterm is screen.c.
 *
 * Lines are not wrapped anew when the width changes. Left and right margins (DECLRMM), double-size
 * lines, protected characters and the erasing of the scrollback (CSI 3 J) are not obeyed.
 */
#ifndef COFFERDAM_CONSOLE_SCREEN_H
#define COFFERDAM_CONSOLE_SCREEN_H

#include "console/cells.h"

struct screen;

/* What the emulator wants written back to the pty (answers to queries); bounded. */
typedef void screen_reply_fn(const char *data, size_t size, void *data_);

struct screen *screen_new(uint16_t rows, uint16_t cols, uint32_t scrollback_lines,
                          screen_reply_fn *reply, void *data);
void screen_free(struct screen *s);

/* Feeds bytes of the workload. Any bytes at all are fine. */
void screen_feed(struct screen *s, const char *data, size_t size);
void screen_resize(struct screen *s, uint16_t rows, uint16_t cols); /* 1×1 to 1000×1000, clamped */

/* The present state; `cell` and `dirty` are not filled in here: lines are asked for one by one. */
void screen_state(const struct screen *s, struct cells *ret_without_cells);
const struct cell *screen_line(const struct screen *s, uint16_t row); /* cols cells, borrowed */

/*
 * A number that grows with every change of a line (and with every feed, which may have moved the
 * cursor), and each line's number when it last changed: a client that has seen `seen` needs just
 * the lines whose stamp is greater.
 */
uint64_t screen_stamp(const struct screen *s);
uint64_t screen_line_stamp(const struct screen *s, uint16_t row);

/* Scrollback: line `n` of the monotonic count (see cells.history), or NULL if it is gone. The line
 * has the width it had; `*ret_cols` says which. Borrowed until the next feed. */
const struct cell *screen_history(const struct screen *s, uint64_t n, uint16_t *ret_cols);

/* Sequences that were swallowed because they could have touched the user's terminal: titles set,
 * clipboard writes, queries answered, unknown ones; for the report. */
struct screen_counts {
    uint64_t clipboard, titles, queries, unknown, images;
};
void screen_counts(const struct screen *s, struct screen_counts *ret);

/* For tests: sends ordinary output through libvterm too, so that both ways can be compared. */
void screen_set_slow(struct screen *s, bool slow);

#endif
