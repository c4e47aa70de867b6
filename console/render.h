/*
 * Cells to a real terminal: the bytes that turn what it shows into what it should show. No I/O.
 * Every byte is ours: the text of cells is checked again, so nothing of a workload's is ever obeyed
 * by the terminal.
 */
#ifndef COFFERDAM_CONSOLE_RENDER_H
#define COFFERDAM_CONSOLE_RENDER_H

#include "base/str.h"
#include "console/cells.h"

enum render_colours { RENDER_MONO, RENDER_16, RENDER_256, RENDER_RGB };

/* What a terminal can do. */
struct render_terminal {
    enum render_colours colours;
    bool utf8;
    bool dumb; /* no cursor addressing: TERM is unset or "dumb" */
};

/* From TERM, COLORTERM and NO_COLOR (each may be NULL); `utf8`: the locale's encoding. */
void render_terminal_init(struct render_terminal *t, const char *term, const char *colorterm,
                          const char *no_color, bool utf8);
/* From this process's environment. */
void render_terminal_detect(struct render_terminal *t);

/* One cell's text: its characters, or '?' where it may not or cannot be shown, ' ' for a blank. */
void render_text(const struct render_terminal *t, const struct cell *c, struct buf *to);

/* SGR from the looks of `from` to those of `c`; nothing if they are the same. */
void render_looks(const struct render_terminal *t, const struct cell *from, const struct cell *c,
                  struct buf *to);

/* What a terminal shows at present. */
struct render {
    struct render_terminal terminal;
    uint16_t rows, cols;      /* of the terminal */
    struct cell *shown;       /* owned; rows * cols */
    struct cell pen;          /* looks the terminal has */
    struct cells_modes modes; /* as the terminal has them */
    uint16_t cursor_row, cursor_col;
    uint16_t top, left; /* what part of a larger screen is shown */
    bool unknown;       /* what it shows is not known: the next frame begins with a clear screen */
    bool mirrors_input; /* mouse, keypad and paste modes are set as the workload wants them */
};

/* Nothing is known of the terminal's contents at first. */
void render_init(struct render *r, const struct render_terminal *t, uint16_t rows, uint16_t cols);
void render_done(struct render *r);
void render_resize(struct render *r, uint16_t rows, uint16_t cols); /* repaints all next time */

/* Alternate screen, no automatic wrap; and back, with every mode as a shell expects it. */
void render_enter(struct render *r, struct buf *to);
void render_leave(struct render *r, struct buf *to);
/* The same as render_leave() for a signal handler: a constant. */
extern const char render_leave_always[];

/*
 * Appends what makes the terminal show `c`: the part around the cursor if it is larger, blanks
 * beside it if it is smaller. `notice` (may be NULL; printable, ours) takes the last row.
 */
void render_frame(struct render *r, const struct cells *c, const char *notice, struct buf *to);

/* The screen as lines of text for a terminal's own scrollback, up to its last line that is not
 * blank. */
void render_lines(const struct render_terminal *t, const struct cells *c, struct buf *to);
/* One line of it, trailing blanks left out, looks reset, no newline. */
void render_line(const struct render_terminal *t, const struct cell *line, uint16_t cols,
                 struct buf *to);

#endif
