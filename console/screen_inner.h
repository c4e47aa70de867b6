/* The emulator's inside, shared by the files screen*.c alone. */
#ifndef COFFERDAM_CONSOLE_SCREEN_INNER_H
#define COFFERDAM_CONSOLE_SCREEN_INNER_H

#include "console/grid.h"
#include "console/screen.h"
#include "console/tokens.h"

struct VTerm;
struct VTermState;

/* Modes in which printing and line feeds are libvterm's work. */
enum {
    UNUSUAL_INSERT = 1,
    UNUSUAL_NEWLINE = 2,
    UNUSUAL_ORIGIN = 4,
    UNUSUAL_MARGINS = 8,
    UNUSUAL_NO_WRAP = 16,
    UNUSUAL_TABS = 32, /* only for tabs */
    UNUSUAL_SLOW = 64, /* screen_set_slow() */
};

/* What DECSC saves. */
struct saved {
    uint16_t row, col;
    uint32_t unusual;
    struct cell pen;
    char sets[4];
    uint8_t set;
};

struct screen {
    struct VTerm *vt;         /* owned */
    struct VTermState *state; /* borrowed from vt */
    struct tokens tokens;
    struct grid main, alt; /* alt has no rows until it is used */
    struct grid *on;       /* the one shown */
    struct history history;
    uint64_t stamp;
    uint16_t rows, cols;

    /* The cursor. `phantom`: a character was written in the last column, the next one wraps first.
     */
    uint16_t row, col;
    bool phantom;
    bool told;    /* libvterm has this cursor */
    uint16_t top; /* of the scrolling region */
    uint32_t unusual;
    struct cell pen;       /* looks of what is written; no character */
    char sets[4];          /* G0 to G3: '0' line drawing, 'A' British, 'B' none */
    uint8_t set;           /* which one is in use */
    struct saved saved[2]; /* of the main and the alternate screen */

    /* The character written last, if combining ones may still join it and REP may repeat it. */
    uint32_t last;
    uint16_t last_row, last_col;
    bool joinable;

    /* What the callbacks of libvterm do while it is fed. */
    struct cell glyph;  /* what a putglyph stands for */
    uint16_t put_col;   /* where the last one went */
    bool mute;          /* nothing is written: libvterm only catches up */
    bool keeps_history; /* lines that scroll off go to the scrollback */

    struct cells_modes modes;
    uint8_t mouse_wanted;
    bool mouse_sgr;
    char title[128];
    struct screen_counts counts;
    unsigned replies; /* in this feed */
    uint64_t fed;     /* bytes, ever */
    uint64_t aligned; /* `fed` from which DECALN is obeyed again */
    screen_reply_fn *reply;
    void *data;
};

/* screen.c: what needs libvterm, and the cursor. */

/*
 * Has libvterm obey a control or a short sequence. `unwraps`: it forgets a pending wrap (it does in
 * any case when the cursor moves). `keeps_history`: what scrolls off goes to the scrollback.
 */
void screen_obey(struct screen *s, const char *bytes, bool unwraps, bool keeps_history);
void screen_reset_state(struct screen *s, bool hard);           /* libvterm's; nothing is drawn */
void screen_move(struct screen *s, uint16_t row, uint16_t col); /* clamped */
void screen_settle(struct screen *s); /* libvterm learns the cursor and has its say about it */
void screen_set_unusual(struct screen *s, unsigned bit, bool on);
void screen_write(struct screen *s, uint16_t row, uint16_t col, const struct cell *glyph);
void screen_scroll(struct screen *s, uint16_t top, uint16_t bottom, int count);
void screen_print_slowly(struct screen *s, unsigned width); /* s->glyph, where libvterm says */

/* screen_print.c */
void screen_print(struct screen *s, uint32_t c);
/* A run of printable ASCII: what most output is made of. Returns where it ends. */
const char *screen_print_run(struct screen *s, const char *p, const char *end);
void screen_control(struct screen *s, uint32_t c);
void screen_control_at_once(struct screen *s, uint32_t c); /* BS, HT, CR, LF and its like */

/* screen_modes.c */
void screen_save_cursor(struct screen *s);
void screen_restore_cursor(struct screen *s);
void screen_set_modes(struct screen *s, bool on); /* the parameters of the present sequence */
void screen_set_margins(struct screen *s);
void screen_soft_reset(struct screen *s, bool hard);
void screen_hard_reset(struct screen *s);

/* screen_sequences.c: the token at hand. */
void screen_csi(struct screen *s);
void screen_escape(struct screen *s);

/* screen_strings.c */
void screen_string(struct screen *s);

#endif
