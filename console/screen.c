#include "console/screen_inner.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <vterm.h>

enum { SCREEN_MOST = 1000 };

/* --- what libvterm calls --- */

static bool rect_clamp(const struct screen *s, VTermRect *r)
{
    r->start_row = MAX(r->start_row, 0);
    r->start_col = MAX(r->start_col, 0);
    r->end_row = MIN(r->end_row, (int)s->rows);
    r->end_col = MIN(r->end_col, (int)s->cols);
    return r->start_row < r->end_row && r->start_col < r->end_col;
}

void screen_write(struct screen *s, uint16_t row, uint16_t col, const struct cell *glyph)
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

void screen_scroll(struct screen *s, uint16_t top, uint16_t bottom, int count)
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

/* --- the cursor, there and back --- */

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
void screen_obey(struct screen *s, const char *bytes, bool unwraps, bool keeps_history)
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

void screen_move(struct screen *s, uint16_t row, uint16_t col)
{
    s->row = MIN(row, (uint16_t)(s->rows - 1));
    s->col = MIN(col, (uint16_t)(s->cols - 1));
    s->phantom = false;
    s->told = false;
}

void screen_settle(struct screen *s)
{
    bool moved;
    cursor_tell(s);
    cursor_ask(s, &moved);
}

void screen_reset_state(struct screen *s, bool hard)
{
    cursor_tell(s);
    s->mute = true;
    vterm_state_reset(s->state, hard);
    s->mute = false;
}

void screen_set_unusual(struct screen *s, unsigned bit, bool on)
{
    s->unusual = on ? s->unusual | bit : s->unusual & ~bit;
}

void screen_print_slowly(struct screen *s, unsigned width)
{
    bool moved;
    cursor_tell(s);
    s->keeps_history = true;
    vt_write(s, vt_stand_in(width));
    s->keeps_history = false;
    cursor_ask(s, &moved);
    s->phantom = !(s->unusual & UNUSUAL_NO_WRAP) && s->put_col + width >= s->cols;
}

/* --- the outside --- */

static void screen_take(struct screen *s, enum token_kind kind)
{
    switch (kind) {
    case TOKEN_NONE:
        break;
    case TOKEN_CHAR:
        screen_print(s, s->tokens.c);
        break;
    case TOKEN_CONTROL:
        screen_control(s, s->tokens.c);
        break;
    case TOKEN_ESCAPE:
        screen_escape(s);
        break;
    case TOKEN_CSI:
        screen_csi(s);
        break;
    case TOKEN_STRING:
        screen_string(s);
        break;
    case TOKEN_BROKEN:
        s->joinable = false;
        s->counts.unknown++;
        break;
    }
}

void screen_feed(struct screen *s, const char *data, size_t size)
{
    const char *p = data, *end = data + size, *counted = data;
    s->replies = 0;
    s->stamp++;
    while (p < end) {
        if (s->tokens.state == TOKENS_GROUND && !(s->unusual & ~(uint32_t)UNUSUAL_TABS)) {
            if (s->sets[s->set] == 'B')
                p = screen_print_run(s, p, end);
            if (p == end)
                break;
            if (*p == '\n' || *p == '\r') {
                s->joinable = false;
                screen_control_at_once(s, (unsigned char)*p++);
                continue;
            }
        }
        enum token_kind kind;
        p += tokens_next(&s->tokens, p, (size_t)(end - p), &kind);
        s->fed += (uint64_t)(p - counted);
        counted = p;
        screen_take(s, kind);
    }
    s->fed += (uint64_t)(end - counted);
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
    screen_hard_reset(s);
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

/*
 * Lines at the top of the main screen that must go so that the last one in use (or the cursor's)
 * stays in sight; they go to the scrollback.
 */
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

/* Makes the cursor's line fit below the top of the screen that is shown; returns how far that moved
 * up. */
static uint16_t resize_shift(struct screen *s, uint16_t rows)
{
    uint16_t pushed = resize_push(s, rows);
    if (s->on == &s->main)
        return pushed;
    uint16_t count = s->row >= rows ? (uint16_t)(s->row - rows + 1) : 0;
    grid_scroll(&s->alt, 0, s->rows, count, 0);
    return count;
}

void screen_resize(struct screen *s, uint16_t rows, uint16_t cols)
{
    rows = clamp_size(rows);
    cols = clamp_size(cols);
    if (rows == s->rows && cols == s->cols)
        return;
    uint16_t row = (uint16_t)(s->row - resize_shift(s, rows)), col = s->col;
    bool wraps = s->phantom && !(s->unusual & UNUSUAL_NO_WRAP);

    /* Margins end with the size they were made for; libvterm would keep them beyond its last row.
     */
    screen_obey(s, "\x1b[r", true, false);
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
    screen_move(s, row, wraps && cols > old_cols ? old_cols : col);
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
    screen_set_unusual(s, UNUSUAL_SLOW, slow);
}
