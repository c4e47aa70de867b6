#include "console/screen.h"

#include "base/mem.h"
#include "base/str.h"
#include "console/grid.h"
#include "console/pen.h"
#include "console/tokens.h"
#include "console/width.h"

#include <stdio.h>
#include <vterm.h>

enum { SCREEN_MOST = 1000, REPLIES_MOST = 16 };

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
    VTerm *vt;
    VTermState *state;
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
    bool aligned;     /* DECALN was done in this feed */
    screen_reply_fn *reply;
    void *data;
};

/* --- what libvterm calls ------------------------------------------------------------------------
 */

static bool rect_clamp(const struct screen *s, VTermRect *r)
{
    r->start_row = MAX(r->start_row, 0);
    r->start_col = MAX(r->start_col, 0);
    r->end_row = MIN(r->end_row, (int)s->rows);
    r->end_col = MIN(r->end_col, (int)s->cols);
    return r->start_row < r->end_row && r->start_col < r->end_col;
}

static void screen_write(struct screen *s, uint16_t row, uint16_t col, const struct cell *glyph)
{
    struct cell *c = grid_write(s->on, row, col, glyph->width);
    c[0] = *glyph;
    if (glyph->width == 2) {
        c[1] = s->pen;
        c[1].width = 0;
        grid_line(s->on, row)->wide = true;
    }
}

static int on_putglyph(VTermGlyphInfo *info, VTermPos pos, void *data)
{
    struct screen *s = data;
    s->put_col = (uint16_t)pos.col;
    if (s->mute || pos.row < 0 || pos.row >= s->rows || pos.col < 0 ||
        pos.col + s->glyph.width > s->cols)
        return 1;
    screen_write(s, (uint16_t)pos.row, (uint16_t)pos.col, &s->glyph);
    s->last_row = (uint16_t)pos.row;
    s->last_col = (uint16_t)pos.col;
    return 1;
}

static void screen_scroll(struct screen *s, uint16_t top, uint16_t bottom, int count)
{
    if (s->keeps_history && count > 0 && !top && s->on == &s->main)
        for (uint16_t row = 0; row < MIN(count, (int)bottom); row++)
            history_add(&s->history, grid_line(s->on, row), s->cols);
    grid_scroll(s->on, top, bottom, count, s->pen.bg);
}

static int on_scrollrect(VTermRect r, int downward, int rightward, void *data)
{
    struct screen *s = data;
    if (s->mute || !rect_clamp(s, &r))
        return 1;
    if (downward)
        screen_scroll(s, (uint16_t)r.start_row, (uint16_t)r.end_row, downward);
    for (int row = r.start_row; rightward && row < r.end_row; row++)
        grid_shift(s->on, (uint16_t)row, (uint16_t)r.start_col, (uint16_t)r.end_col, rightward,
                   s->pen.bg);
    return 1;
}

static int on_erase(VTermRect r, int selective, void *data)
{
    struct screen *s = data;
    if (s->mute || !rect_clamp(s, &r))
        return 1;
    for (int row = r.start_row; row < r.end_row; row++)
        grid_erase(s->on, (uint16_t)row, (uint16_t)r.start_col, (uint16_t)r.end_col, s->pen.bg);
    return 1;
}

static const VTermStateCallbacks screen_callbacks = {
    .putglyph = on_putglyph,
    .scrollrect = on_scrollrect,
    .erase = on_erase,
};

/* Whatever libvterm would answer is not sent: the few answers we give are our own. */
static void on_output(const char *bytes, size_t size, void *data)
{
}

static void *vterm_allocate(size_t size, void *data)
{
    return mem_zero(1, size);
}

static void vterm_release(void *p, void *data)
{
    free(p);
}

static VTermAllocatorFunctions screen_allocator = {.malloc = vterm_allocate, .free = vterm_release};

/* --- the cursor, there and back ------------------------------------------------------------------
 */

static void vt_write(struct screen *s, const char *bytes)
{
    vterm_input_write(s->vt, bytes, strlen(bytes));
}

/* The two characters libvterm ever sees stand for all of their width: how wide one is, is our word.
 */
static const char *vt_stand_in(unsigned width)
{
    return width == 2 ? "\xe4\xb8\x80" : "x";
}

static void cursor_tell(struct screen *s)
{
    if (s->told)
        return;
    char text[32];
    unsigned row = s->row;
    if (s->unusual & UNUSUAL_ORIGIN)
        row -= MIN(row, (unsigned)s->top);
    snprintf(text, sizeof(text), "\x1b[%u;%uH", row + 1, s->col + 1u);
    vt_write(s, text);
    if (s->phantom) {
        s->mute = true;
        vt_write(s, vt_stand_in(s->col + 1 < s->cols ? 2 : 1));
        s->mute = false;
    }
    s->told = true;
}

static void cursor_ask(struct screen *s, bool *ret_moved)
{
    VTermPos pos;
    vterm_state_get_cursorpos(s->state, &pos);
    uint16_t row = (uint16_t)MIN(MAX(pos.row, 0), s->rows - 1);
    uint16_t col = (uint16_t)MIN(MAX(pos.col, 0), s->cols - 1);
    *ret_moved = row != s->row || col != s->col;
    s->row = row;
    s->col = col;
}

/* A control or a sequence for libvterm; it forgets its pending wrap when the cursor moves. */
static void vt_do(struct screen *s, const char *bytes, bool unwraps, bool keeps_history)
{
    bool moved;
    cursor_tell(s);
    s->keeps_history = keeps_history;
    vt_write(s, bytes);
    s->keeps_history = false;
    cursor_ask(s, &moved);
    if (moved || unwraps)
        s->phantom = false;
}

static void cursor_move(struct screen *s, uint16_t row, uint16_t col)
{
    s->row = MIN(row, (uint16_t)(s->rows - 1));
    s->col = MIN(col, (uint16_t)(s->cols - 1));
    s->phantom = false;
    s->told = false;
}

/* --- printing
 * -------------------------------------------------------------------------------------- */

static void line_feed(struct screen *s)
{
    if (s->row + 1 < s->rows) {
        s->row++;
    } else {
        s->keeps_history = true;
        screen_scroll(s, 0, s->rows, 1);
        s->keeps_history = false;
    }
}

static void print_wrap(struct screen *s)
{
    line_feed(s);
    s->col = 0;
    s->phantom = false;
}

static void print_slowly(struct screen *s, unsigned width)
{
    bool moved;
    cursor_tell(s);
    s->keeps_history = true;
    vt_write(s, vt_stand_in(width));
    s->keeps_history = false;
    cursor_ask(s, &moved);
    s->phantom = !(s->unusual & UNUSUAL_NO_WRAP) && s->put_col + width >= s->cols;
}

static void print_at_once(struct screen *s, unsigned width)
{
    if (s->phantom || s->col + width > s->cols)
        print_wrap(s);
    screen_write(s, s->row, s->col, &s->glyph);
    s->last_row = s->row;
    s->last_col = s->col;
    if (s->col + width >= s->cols)
        s->phantom = true;
    else
        s->col += (uint16_t)width;
    s->told = false;
}

/* A combining character joins the one written last; there is room for two. */
static void print_join(struct screen *s, uint32_t c)
{
    if (!s->joinable)
        return;
    struct line *l = grid_line(s->on, s->last_row);
    if (s->last_col >= l->used || !l->cells[s->last_col].chars[0])
        return;
    uint32_t *chars = l->cells[s->last_col].chars;
    for (int i = 1; i < CELL_CHARS; i++) {
        if (!chars[i]) {
            chars[i] = c;
            l->stamp = ++s->stamp;
            return;
        }
    }
}

static uint32_t print_map(const struct screen *s, uint32_t c)
{
    /* VT100 special graphics, from '_' to '~'. */
    static const uint16_t graphics[] = {
        ' ',    0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0xb0,   0xb1,   0x2424, 0x240b,
        0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c,
        0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x3c0,  0x2260, 0xa3,   0xb7,
    };
    char set = s->sets[s->set];
    if (set == '0' && c >= '_' && c <= '~')
        return graphics[c - '_'];
    if (set == 'A' && c == '#')
        return 0xa3;
    return c;
}

static void print_char(struct screen *s, uint32_t c)
{
    c = print_map(s, c);
    int width = width_of(c);
    if (width < 0)
        return;
    if (width == 0) {
        print_join(s, c);
        return;
    }
    if (width > s->cols) {
        c = 0xfffd;
        width = 1;
    }
    s->glyph = s->pen;
    s->glyph.chars[0] = c;
    s->glyph.width = (uint8_t)width;
    if (s->unusual & ~(uint32_t)UNUSUAL_TABS)
        print_slowly(s, (unsigned)width);
    else
        print_at_once(s, (unsigned)width);
    s->last = c;
    s->joinable = true;
}

/* A run of printable ASCII: what most output is made of. Returns where it ends. */
static const char *print_run(struct screen *s, const char *p, const char *end)
{
    while (p < end && (unsigned char)*p - 0x20u < 0x5fu) {
        if (s->phantom)
            print_wrap(s);
        size_t room = MIN((size_t)(end - p), (size_t)(s->cols - s->col));
        size_t n = 1;
        while (n < room && (unsigned char)p[n] - 0x20u < 0x5fu)
            n++;
        struct cell *c = grid_write(s->on, s->row, s->col, (uint16_t)n), glyph = s->pen;
        for (size_t i = 0; i < n; i++) {
            glyph.chars[0] = (unsigned char)p[i];
            c[i] = glyph;
        }
        p += n;
        s->last_row = s->row;
        s->last_col = (uint16_t)(s->col + n - 1);
        s->col += (uint16_t)n;
        if (s->col == s->cols) {
            s->col--;
            s->phantom = true;
        }
        s->last = (unsigned char)p[-1];
        s->joinable = true;
        s->told = false;
    }
    return p;
}

/* --- controls
 * -------------------------------------------------------------------------------------- */

static void control_at_once(struct screen *s, uint32_t c)
{
    uint16_t row = s->row, col = s->col;
    switch (c) {
    case '\b':
        s->col -= s->col > 0;
        break;
    case '\t':
        s->col = MIN((uint16_t)((s->col | 7) + 1), (uint16_t)(s->cols - 1));
        break;
    case '\r':
        s->col = 0;
        break;
    default:
        line_feed(s);
        break;
    }
    if (s->row != row || s->col != col)
        s->phantom = s->told = false;
}

static void control(struct screen *s, uint32_t c)
{
    char text[2] = {(char)c, 0};
    s->joinable = false;
    switch (c) {
    case '\a':
        s->modes.bells++;
        break;
    case '\t':
    case '\n':
    case '\v':
    case '\f':
    case '\r':
    case '\b':
        if (s->unusual & (c == '\t' ? UNUSUAL_SLOW | UNUSUAL_TABS : ~(uint32_t)UNUSUAL_TABS))
            vt_do(s, text, false, true);
        else
            control_at_once(s, c);
        break;
    case 0x0e: /* SO */
    case 0x0f: /* SI */
        s->set = c == 0x0e;
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

/* --- answers
 * --------------------------------------------------------------------------------------- */

static void answer(struct screen *s, const char *text)
{
    s->counts.queries++;
    if (s->reply && s->replies++ < REPLIES_MOST)
        s->reply(text, strlen(text), s->data);
}

static void answer_position(struct screen *s)
{
    char text[32];
    unsigned row = s->row;
    if (s->unusual & UNUSUAL_ORIGIN)
        row -= MIN(row, (unsigned)s->top);
    snprintf(text, sizeof(text), "\x1b[%s%u;%uR", s->tokens.leader ? "?" : "", row + 1,
             s->col + 1u);
    answer(s, text);
}

/* --- modes
 * ----------------------------------------------------------------------------------------- */

static void cursor_save(struct screen *s)
{
    struct saved *saved = &s->saved[s->on == &s->alt];
    *saved = (struct saved){
        .row = s->row, .col = s->col, .unusual = s->unusual, .pen = s->pen, .set = s->set};
    memcpy(saved->sets, s->sets, sizeof(saved->sets));
}

static void set_unusual(struct screen *s, unsigned bit, bool on)
{
    s->unusual = on ? s->unusual | bit : s->unusual & ~bit;
}

/* libvterm's own record of the origin mode is switched through this alone. */
static void set_origin(struct screen *s, bool on)
{
    vt_do(s, on ? "\x1b[?6h" : "\x1b[?6l", false, false);
    set_unusual(s, UNUSUAL_ORIGIN, on);
}

static void cursor_restore(struct screen *s)
{
    const struct saved *saved = &s->saved[s->on == &s->alt];
    set_origin(s, saved->unusual & UNUSUAL_ORIGIN);
    s->pen = saved->pen;
    s->set = saved->set;
    memcpy(s->sets, saved->sets, sizeof(s->sets));
    cursor_move(s, saved->row, saved->col);
    bool moved;
    cursor_tell(s);
    cursor_ask(s, &moved);
}

static void alternate(struct screen *s, bool on, bool clear)
{
    if (on && s->on == &s->main) {
        grid_init(&s->alt, s->rows, s->cols, &s->stamp);
        s->on = &s->alt;
    } else if (!on && s->on == &s->alt) {
        grid_done(&s->alt);
        s->on = &s->main;
    }
    s->on->all = ++s->stamp;
    s->modes.alternate = on;
    for (uint16_t row = 0; on && clear && row < s->rows; row++)
        grid_erase(s->on, row, 0, s->cols, s->pen.bg);
}

static void set_mouse(struct screen *s)
{
    /* Reports are made in SGR form; a program that did not ask for it could not read them. */
    s->modes.mouse = s->mouse_sgr ? s->mouse_wanted : 0;
}

static void set_dec_mode(struct screen *s, unsigned mode, bool on)
{
    switch (mode) {
    case 1:
        s->modes.app_cursor = on;
        break;
    case 6:
        set_origin(s, on);
        break;
    case 7:
        vt_do(s, on ? "\x1b[?7h" : "\x1b[?7l", false, false);
        set_unusual(s, UNUSUAL_NO_WRAP, !on);
        break;
    case 25:
        s->modes.cursor_visible = on;
        break;
    case 47:
    case 1047:
        alternate(s, on, mode == 1047);
        break;
    case 1000:
    case 1002:
    case 1003:
        s->mouse_wanted = !on ? 0 : mode == 1000 ? 1 : mode == 1002 ? 2 : 3;
        set_mouse(s);
        break;
    case 1004:
        s->modes.focus = on;
        break;
    case 1006:
        s->mouse_sgr = on;
        set_mouse(s);
        break;
    case 1048:
        (on ? cursor_save : cursor_restore)(s);
        break;
    case 1049:
        if (on && s->on == &s->main)
            cursor_save(s);
        if (on || s->on == &s->alt) {
            alternate(s, on, true);
            if (!on)
                cursor_restore(s);
        }
        break;
    case 2004:
        s->modes.bracketed_paste = on;
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

static void set_mode(struct screen *s, unsigned mode, bool on)
{
    if (mode == 4) {
        vt_do(s, on ? "\x1b[4h" : "\x1b[4l", false, false);
        set_unusual(s, UNUSUAL_INSERT, on);
    } else if (mode == 20) {
        vt_do(s, on ? "\x1b[20h" : "\x1b[20l", false, false);
        set_unusual(s, UNUSUAL_NEWLINE, on);
    } else {
        s->counts.unknown++;
    }
}

static void set_modes(struct screen *s, bool on)
{
    for (unsigned i = 0; i < s->tokens.count; i++) {
        unsigned mode = tokens_param(&s->tokens, i, 0);
        if (s->tokens.leader)
            set_dec_mode(s, mode, on);
        else
            set_mode(s, mode, on);
    }
}

static void set_margins(struct screen *s)
{
    unsigned top = tokens_count(&s->tokens, 0), bottom = tokens_count(&s->tokens, 1);
    if (tokens_param(&s->tokens, 1, 0) == 0 || bottom > s->rows)
        bottom = s->rows;
    if (top >= bottom) /* a region of one line or none is refused, as a VT does */
        return;
    char text[32];
    snprintf(text, sizeof(text), "\x1b[%u;%ur", top, bottom);
    s->top = (uint16_t)(top - 1);
    set_unusual(s, UNUSUAL_MARGINS, top != 1 || bottom != s->rows);
    vt_do(s, text, false, false);
}

/* DECSTR, and the better part of RIS. */
static void soft_reset(struct screen *s, bool hard)
{
    cursor_tell(s);
    s->mute = true;
    vterm_state_reset(s->state, hard);
    s->mute = false;
    s->unusual &= UNUSUAL_SLOW;
    s->top = 0;
    s->pen = (struct cell){.width = 1};
    memset(s->sets, 'B', sizeof(s->sets));
    s->set = 0;
    for (int i = 0; i < 2; i++) {
        s->saved[i] = (struct saved){.pen = s->pen};
        memset(s->saved[i].sets, 'B', sizeof(s->saved[i].sets));
    }
    s->modes.cursor_visible = true;
    s->modes.app_cursor = s->modes.app_keypad = false;
}

static void hard_reset(struct screen *s)
{
    alternate(s, false, false);
    soft_reset(s, true);
    s->modes = (struct cells_modes){.cursor_visible = true, .bells = s->modes.bells};
    s->mouse_wanted = 0;
    s->mouse_sgr = false;
    s->title[0] = '\0';
    for (uint16_t row = 0; row < s->rows; row++)
        grid_erase(s->on, row, 0, s->cols, 0);
    cursor_move(s, 0, 0);
}

/* --- sequences
 * ------------------------------------------------------------------------------------- */

static void erase_line(struct screen *s)
{
    unsigned how = tokens_param(&s->tokens, 0, 0);
    if (how > 2)
        return;
    grid_erase(s->on, s->row, how ? 0 : s->col, how == 1 ? (uint16_t)(s->col + 1) : s->cols,
               s->pen.bg);
}

/* DECALN fills the screen; once for each feed is enough for anybody but an attacker. */
static void align_pattern(struct screen *s)
{
    struct cell e = {.chars = {'E'}, .width = 1};
    if (s->aligned)
        return;
    s->aligned = true;
    for (uint16_t row = 0; row < s->rows; row++) {
        struct cell *c = grid_write(s->on, row, 0, s->cols);
        for (uint16_t col = 0; col < s->cols; col++)
            c[col] = e;
    }
}

static void repeat(struct screen *s)
{
    unsigned count = tokens_count(&s->tokens, 0);
    if (!s->joinable)
        return;
    char set = s->sets[s->set];
    s->sets[s->set] = 'B'; /* it was mapped when it was written */
    for (unsigned i = 0; i < MIN(count, (unsigned)s->cols); i++)
        print_char(s, s->last);
    s->sets[s->set] = set;
}

static void cursor_shape(struct screen *s)
{
    static const uint8_t shapes[] = {0, 1, 1, 2, 2, 3, 3};
    unsigned n = tokens_param(&s->tokens, 0, 0);
    if (n < ARRAY_SIZE(shapes))
        s->modes.cursor_shape = shapes[n];
}

/* Sequences that libvterm obeys, with their parameters and nothing else. */
static void csi_forward(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    char text[32] = "\x1b[";
    size_t used = 2;
    for (unsigned i = 0; i < MIN(t->count, 2u); i++) {
        if (i)
            text[used++] = ';';
        if (t->params[i] != TOKENS_MISSING)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%u", t->params[i]);
    }
    text[used++] = t->final;
    text[used] = '\0';
    if (t->final == 'g')
        s->unusual |= UNUSUAL_TABS;
    vt_do(s, text, strchr("ABCDEFGH`adefjk", t->final), t->final == 'S');
}

static void csi_plain(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    switch (t->final) {
    case 'K':
        erase_line(s);
        break;
    case 'J':
        if (tokens_param(t, 0, 0) < 3)
            csi_forward(s);
        break;
    case 'b':
        repeat(s);
        return;
    case 'c':
        answer(s, "\x1b[?1;2c");
        break;
    case 'h':
    case 'l':
        set_modes(s, t->final == 'h');
        break;
    case 'n':
        if (tokens_param(t, 0, 0) == 5)
            answer(s, "\x1b[0n");
        else if (tokens_param(t, 0, 0) == 6)
            answer_position(s);
        break;
    case 'r':
        set_margins(s);
        break;
    case 's':
        cursor_save(s);
        break;
    case 'u':
        cursor_restore(s);
        break;
    case 'T':
        if (t->count < 2)
            csi_forward(s);
        break;
    default:
        if (strchr("@ABCDEFGHILMPSXZ`adefgjk", t->final))
            csi_forward(s);
        else if (t->final == 't')
            s->counts.queries++; /* window operations, among them the title sent back as if typed */
        else
            s->counts.unknown++;
        break;
    }
    s->joinable = false;
}

#define CSI_KEY(leader, intermediate, final) ((leader) << 16 | (intermediate) << 8 | (final))

static void csi(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    if (!t->leader && !t->intermediate && t->final == 'm') {
        pen_apply(&s->pen, t);
        return;
    }
    if (!t->leader && !t->intermediate) {
        csi_plain(s);
        return;
    }
    s->joinable = false;
    switch (CSI_KEY(t->leader, t->intermediate, t->final)) {
    case CSI_KEY('?', 0, 'h'):
    case CSI_KEY('?', 0, 'l'):
        set_modes(s, t->final == 'h');
        break;
    case CSI_KEY('?', 0, 'K'):
        erase_line(s);
        break;
    case CSI_KEY('?', 0, 'J'):
        if (tokens_param(t, 0, 0) < 3)
            csi_forward(s);
        break;
    case CSI_KEY('?', 0, 'n'):
        if (tokens_param(t, 0, 0) == 6)
            answer_position(s);
        break;
    case CSI_KEY('>', 0, 'c'):
        answer(s, "\x1b[>0;100;0c");
        break;
    case CSI_KEY(0, ' ', 'q'):
        cursor_shape(s);
        break;
    case CSI_KEY(0, '!', 'p'):
        soft_reset(s, false);
        break;
    case CSI_KEY('?', '$',
                 'p'): /* asking for a mode, the terminal's version, its keyboard's state */
    case CSI_KEY(0, '$', 'p'):
    case CSI_KEY('>', 0, 'q'):
    case CSI_KEY('?', 0, 'u'):
        s->counts.queries++;
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

static void escape_plain(struct screen *s, char final)
{
    switch (final) {
    case '7':
        cursor_save(s);
        break;
    case '8':
        cursor_restore(s);
        break;
    case '=':
    case '>':
        s->modes.app_keypad = final == '=';
        break;
    case 'D':
        vt_do(s,
              "\x1b"
              "D",
              false, true);
        break;
    case 'E':
        vt_do(s,
              "\x1b"
              "E",
              false, true);
        break;
    case 'M':
        vt_do(s,
              "\x1b"
              "M",
              false, false);
        break;
    case 'H':
        s->unusual |= UNUSUAL_TABS;
        vt_do(s,
              "\x1b"
              "H",
              false, false);
        break;
    case 'Z':
        answer(s, "\x1b[?1;2c");
        break;
    case 'c':
        hard_reset(s);
        break;
    case 'n':
    case 'o':
        s->set = final == 'n' ? 2 : 3;
        break;
    case '\\': /* the end of a string that was none */
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

static void escape(struct screen *s)
{
    char intermediate = s->tokens.intermediate, final = s->tokens.final;
    s->joinable = false;
    if (!intermediate)
        escape_plain(s, final);
    else if (intermediate >= '(' && intermediate <= '+')
        s->sets[intermediate - '('] = final == '0' || final == 'A' ? final : 'B';
    else if (intermediate == '#' && final == '8')
        align_pattern(s);
    else if (intermediate != '%' && intermediate != ' ')
        s->counts.unknown++;
}

/* --- strings: nothing of them ever reaches a terminal -------------------------------------------
 */

static void set_title(struct screen *s, const char *text, size_t size)
{
    size_t used = 0;
    s->counts.titles++;
    for (size_t i = 0; i < size;) {
        uint32_t c;
        size_t length = str_utf8_decode(text + i, size - i, &c);
        if (length && width_of(c) >= 0) {
            if (used + length >= sizeof(s->title))
                break;
            memcpy(s->title + used, text + i, length);
            used += length;
        }
        i += length ? length : 1;
    }
    s->title[used] = '\0';
}

static void osc(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    unsigned number = 0;
    size_t i = 0;
    for (; i < t->length && t->text[i] >= '0' && t->text[i] <= '9' && number < 10000; i++)
        number = number * 10 + (unsigned)(t->text[i] - '0');
    const char *rest = i < t->length && t->text[i] == ';' ? t->text + i + 1 : t->text + t->length;
    size_t size = (size_t)(t->text + t->length - rest);
    if (i && (number == 0 || number == 2))
        set_title(s, rest, size);
    else if (i && number == 1)
        s->counts.titles++;
    else if (number == 52)
        s->counts.clipboard++;
    else if (number == 1337)
        s->counts.images++;
    else if (size && rest[size - 1] == '?')
        s->counts.queries++;
    else
        s->counts.unknown++;
}

static void dcs(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    size_t i = 0;
    while (i < t->length && ((t->text[i] >= '0' && t->text[i] <= '9') || t->text[i] == ';'))
        i++;
    if (i < t->length && t->text[i] == 'q')
        s->counts.images++;
    else if (i + 1 < t->length && t->text[i + 1] == 'q')
        s->counts.queries++; /* DECRQSS, XTGETTCAP */
    else
        s->counts.unknown++;
}

static void string(struct screen *s)
{
    s->joinable = false;
    switch (s->tokens.final) {
    case ']':
        osc(s);
        break;
    case 'P':
        dcs(s);
        break;
    case '_':
        if (s->tokens.length && s->tokens.text[0] == 'G')
            s->counts.images++;
        else
            s->counts.unknown++;
        break;
    case 'k':
        set_title(s, s->tokens.text, s->tokens.length);
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

/* --- the outside
 * ------------------------------------------------------------------------------------ */

static void screen_obey(struct screen *s, enum token_kind kind)
{
    switch (kind) {
    case TOKEN_NONE:
        break;
    case TOKEN_CHAR:
        print_char(s, s->tokens.c);
        break;
    case TOKEN_CONTROL:
        control(s, s->tokens.c);
        break;
    case TOKEN_ESCAPE:
        escape(s);
        break;
    case TOKEN_CSI:
        csi(s);
        break;
    case TOKEN_STRING:
        string(s);
        break;
    case TOKEN_BROKEN:
        s->joinable = false;
        s->counts.unknown++;
        break;
    }
}

void screen_feed(struct screen *s, const char *data, size_t size)
{
    const char *p = data, *end = data + size;
    s->replies = 0;
    s->aligned = false;
    s->stamp++;
    while (p < end) {
        if (s->tokens.state == TOKENS_GROUND && !(s->unusual & ~(uint32_t)UNUSUAL_TABS)) {
            if (s->sets[s->set] == 'B')
                p = print_run(s, p, end);
            if (p == end)
                break;
            if (*p == '\n' || *p == '\r') {
                s->joinable = false;
                control_at_once(s, (unsigned char)*p++);
                continue;
            }
        }
        enum token_kind kind;
        p += tokens_next(&s->tokens, p, (size_t)(end - p), &kind);
        screen_obey(s, kind);
    }
}

static uint16_t clamp_size(uint16_t n)
{
    return MIN(MAX(n, (uint16_t)1), (uint16_t)SCREEN_MOST);
}

struct screen *screen_new(uint16_t rows, uint16_t cols, uint32_t scrollback_lines,
                          screen_reply_fn *reply, void *data)
{
    struct screen *s = NEW(struct screen);
    s->rows = clamp_size(rows);
    s->cols = clamp_size(cols);
    s->reply = reply;
    s->data = data;
    grid_init(&s->main, s->rows, s->cols, &s->stamp);
    s->on = &s->main;
    history_init(&s->history, scrollback_lines);
    s->vt = vterm_new_with_allocator(s->rows, s->cols, &screen_allocator, NULL);
    vterm_set_utf8(s->vt, 1);
    vterm_output_set_callback(s->vt, on_output, s);
    s->state = vterm_obtain_state(s->vt);
    vterm_state_set_callbacks(s->state, &screen_callbacks, s);
    hard_reset(s);
    return s;
}

void screen_free(struct screen *s)
{
    if (!s)
        return;
    vterm_free(s->vt);
    grid_done(&s->main);
    if (s->alt.rows)
        grid_done(&s->alt);
    history_done(&s->history);
    free(s);
}

/* Lines at the top that must go so that `last` (the cursor's row, or the last one used) stays in
 * sight. */
static uint16_t resize_push(struct screen *s, uint16_t rows)
{
    uint16_t last = s->row;
    if (s->on == &s->alt)
        for (last = s->rows - 1; last && !grid_line(&s->main, last)->used;)
            last--;
    uint16_t count = last >= rows ? (uint16_t)(last - rows + 1) : 0;
    for (uint16_t row = 0; row < count; row++)
        history_add(&s->history, grid_line(&s->main, row), s->cols);
    grid_scroll(&s->main, 0, s->rows, count, 0);
    struct saved *saved = &s->saved[0];
    saved->row = saved->row > count ? (uint16_t)(saved->row - count) : 0;
    return count;
}

void screen_resize(struct screen *s, uint16_t rows, uint16_t cols)
{
    rows = clamp_size(rows);
    cols = clamp_size(cols);
    if (rows == s->rows && cols == s->cols)
        return;
    uint16_t pushed = resize_push(s, rows), row = s->row, col = s->col;
    if (s->on == &s->main)
        row -= pushed;
    bool wraps = s->phantom && !(s->unusual & UNUSUAL_NO_WRAP);

    /* Margins end with the size they were made for; libvterm would keep them beyond its last row.
     */
    vt_do(s, "\x1b[r", true, false);
    s->unusual &= ~(uint32_t)UNUSUAL_MARGINS;
    s->top = 0;
    vterm_set_size(s->vt, rows, cols);
    grid_resize(&s->main, rows, cols);
    if (s->alt.rows)
        grid_resize(&s->alt, rows, cols);
    uint16_t old_cols = s->cols;
    s->rows = rows;
    s->cols = cols;
    s->joinable = false;
    /* A wrap that was pending is none any more where there is room now. */
    cursor_move(s, row, wraps && cols > old_cols ? old_cols : col);
    s->stamp++;
}

void screen_state(const struct screen *s, struct cells *ret_without_cells)
{
    struct cells *c = ret_without_cells;
    *c = (struct cells){
        .rows = s->rows,
        .cols = s->cols,
        .cursor_row = s->row,
        .cursor_col = s->col,
        .modes = s->modes,
        .history = s->history.total,
        .kept = s->history.count,
    };
    memcpy(c->title, s->title, sizeof(c->title));
}

const struct cell *screen_line(const struct screen *s, uint16_t row)
{
    return row < s->rows ? grid_cells(s->on, row) : NULL;
}

uint64_t screen_stamp(const struct screen *s)
{
    return s->stamp;
}

uint64_t screen_line_stamp(const struct screen *s, uint16_t row)
{
    return row < s->rows ? grid_line_stamp(s->on, row) : 0;
}

const struct cell *screen_history(const struct screen *s, uint64_t n, uint16_t *ret_cols)
{
    return history_line((struct history *)&s->history, n, ret_cols);
}

void screen_counts(const struct screen *s, struct screen_counts *ret)
{
    *ret = s->counts;
}

void screen_set_slow(struct screen *s, bool slow)
{
    set_unusual(s, UNUSUAL_SLOW, slow);
}
