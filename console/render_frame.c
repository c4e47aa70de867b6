/* Frames: what a terminal shows, and the least that makes it show something else. */
#include "console/render.h"

static const struct cell frame_blank = {.width = 1};

void render_init(struct render *r, const struct render_terminal *t, uint16_t rows, uint16_t cols)
{
    *r = (struct render){.terminal = *t, .mirrors_input = true};
    render_resize(r, rows, cols);
}

void render_done(struct render *r)
{
    free(r->shown);
    *r = (struct render){0};
}

void render_resize(struct render *r, uint16_t rows, uint16_t cols)
{
    r->rows = MAX(rows, (uint16_t)1);
    r->cols = MAX(cols, (uint16_t)1);
    r->shown = mem_grow(r->shown, (size_t)r->rows * r->cols, sizeof(struct cell));
    r->unknown = true;
}

void render_enter(struct render *r, struct buf *to)
{
    buf_puts(to, "\x1b[?1049h\x1b[?7l");
    r->unknown = true;
    r->modes = (struct cells_modes){.cursor_visible = true, .bells = r->modes.bells};
}

const char render_leave_always[] =
    "\x1b[0m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>"
    "\x1b[?25h\x1b[?7h\x1b[0 q\x1b[?1049l";

void render_leave(struct render *r, struct buf *to)
{
    buf_puts(to, render_leave_always);
    r->unknown = true;
}

static void put_switch(struct buf *to, unsigned mode, bool on)
{
    buf_printf(to, "\x1b[?%u%c", mode, on ? 'h' : 'l');
}

static void put_mouse(struct buf *to, unsigned old, unsigned now)
{
    static const unsigned modes[] = {0, 1000, 1002, 1003};
    if (old)
        put_switch(to, modes[old & 3], false);
    if (now)
        put_switch(to, modes[now & 3], true);
    if (!old != !now)
        put_switch(to, 1006, now);
}

static void frame_input_modes(struct render *r, const struct cells_modes *now, struct buf *to)
{
    struct cells_modes *old = &r->modes;
    if (old->app_cursor != now->app_cursor)
        put_switch(to, 1, now->app_cursor);
    if (old->app_keypad != now->app_keypad)
        buf_puts(to, now->app_keypad ? "\x1b=" : "\x1b>");
    if (old->bracketed_paste != now->bracketed_paste)
        put_switch(to, 2004, now->bracketed_paste);
    if (old->focus != now->focus)
        put_switch(to, 1004, now->focus);
    if (old->mouse != now->mouse)
        put_mouse(to, old->mouse, now->mouse);
}

static void frame_modes(struct render *r, const struct cells_modes *now, struct buf *to)
{
    static const uint8_t shapes[] = {0, 2, 4, 6};
    static const struct cells_modes none;
    frame_input_modes(r, r->mirrors_input ? now : &none, to);
    if (r->modes.cursor_shape != now->cursor_shape)
        buf_printf(to, "\x1b[%u q", shapes[now->cursor_shape & 3]);
    if (now->bells > r->modes.bells) /* one is enough for any number */
        buf_putc(to, '\a');
    bool visible = r->modes.cursor_visible;
    r->modes = *now;
    if (!r->mirrors_input) {
        r->modes.app_cursor = r->modes.app_keypad = r->modes.bracketed_paste = false;
        r->modes.focus = false;
        r->modes.mouse = 0;
    }
    r->modes.cursor_visible = visible; /* switched when the frame is drawn */
}

static bool cell_same(const struct cell *a, const struct cell *b)
{
    return memcmp(a->chars, b->chars, sizeof(a->chars)) == 0 && a->fg == b->fg && a->bg == b->bg &&
           a->attrs == b->attrs && a->width == b->width;
}

/* Terminals disagree about the width of these: the cursor is placed again behind them. */
static bool cell_is_doubtful(const struct cell *c)
{
    return c->width != 1 || c->chars[1] || c->chars[0] >= 0x2300;
}

static void put_cursor(struct render *r, uint16_t row, uint16_t col, struct buf *to)
{
    if (r->cursor_row == row && r->cursor_col == col)
        return;
    buf_printf(to, "\x1b[%u;%uH", row + 1u, col + 1u);
    r->cursor_row = row;
    r->cursor_col = col;
}

static void put_looks(struct render *r, const struct cell *c, struct buf *to)
{
    render_looks(&r->terminal, &r->pen, c, to);
    r->pen = *c;
}

static void put_cell(struct render *r, uint16_t row, uint16_t col, const struct cell *c,
                     struct buf *to)
{
    put_cursor(r, row, col, to);
    put_looks(r, c, to);
    render_text(&r->terminal, c, to);
    r->cursor_col += c->width;
    if (cell_is_doubtful(c) || r->cursor_col >= r->cols)
        r->cursor_row = UINT16_MAX; /* not known any more */
}

/* Where a line's blank, colourless rest begins. */
static uint16_t row_used(const struct cell *line, uint16_t cols)
{
    while (cols && cell_same(&line[cols - 1], &frame_blank))
        cols--;
    return cols;
}

static void frame_row(struct render *r, uint16_t row, const struct cell *want, struct buf *to)
{
    struct cell *have = r->shown + (size_t)row * r->cols;
    uint16_t from = 0, end = r->cols;
    while (from < r->cols && cell_same(&have[from], &want[from]))
        from++;
    if (from == r->cols)
        return;
    while (cell_same(&have[end - 1], &want[end - 1]))
        end--;
    while (from && !want[from].width)
        from--;
    uint16_t used = row_used(want, r->cols);
    for (uint16_t col = from; col < MIN(end, used); col++)
        if (want[col].width)
            put_cell(r, row, col, &want[col], to);
    if (end > used) {
        put_cursor(r, row, MAX(from, used), to);
        put_looks(r, &frame_blank, to);
        buf_puts(to, "\x1b[K");
    }
    memcpy(have, want, r->cols * sizeof(*have));
}

/* A row of the terminal as it should be: the part of the screen it shows, blanks beside that. */
static void frame_want(const struct render *r, const struct cells *c, uint16_t row,
                       struct cell *want)
{
    uint16_t used = 0;
    if (r->top + row < c->rows && r->left < c->cols) {
        used = MIN(r->cols, (uint16_t)(c->cols - r->left));
        memcpy(want, c->cell + (size_t)(r->top + row) * c->cols + r->left, used * sizeof(*want));
    }
    for (uint16_t col = used; col < r->cols; col++)
        want[col] = frame_blank;
    /* Halves of wide characters at the edges. */
    if (used && !want[0].width)
        want[0] = (struct cell){.bg = want[0].bg, .width = 1};
    if (used && want[used - 1].width == 2)
        want[used - 1] = (struct cell){.bg = want[used - 1].bg, .width = 1};
}

static void frame_notice(const struct render *r, const char *notice, struct cell *want)
{
    size_t i = 0, size = strlen(notice);
    for (uint16_t col = 0; col < r->cols; col++) {
        uint32_t c = ' ';
        size_t length = i < size ? str_utf8_decode(notice + i, size - i, &c) : 0;
        i += length;
        want[col] = (struct cell){.chars = {c}, .attrs = CELL_REVERSE, .width = 1};
    }
}

/* Moves the window over a larger screen so that the cursor is in it. */
static void frame_window(struct render *r, const struct cells *c, uint16_t rows)
{
    r->top = MIN(r->top, (uint16_t)(c->rows > rows ? c->rows - rows : 0));
    r->left = MIN(r->left, (uint16_t)(c->cols > r->cols ? c->cols - r->cols : 0));
    if (c->cursor_row < r->top)
        r->top = c->cursor_row;
    if (c->cursor_row >= r->top + rows)
        r->top = (uint16_t)(c->cursor_row - rows + 1);
    if (c->cursor_col < r->left)
        r->left = c->cursor_col;
    if (c->cursor_col >= r->left + r->cols)
        r->left = (uint16_t)(c->cursor_col - r->cols + 1);
}

static void frame_clear(struct render *r, struct buf *to)
{
    buf_puts(to, "\x1b[0m\x1b[H\x1b[2J");
    r->pen = frame_blank;
    r->cursor_row = r->cursor_col = 0;
    for (size_t i = 0; i < (size_t)r->rows * r->cols; i++)
        r->shown[i] = frame_blank;
    r->unknown = false;
}

void render_frame(struct render *r, const struct cells *c, const char *notice, struct buf *to)
{
    if (r->unknown)
        frame_clear(r, to);
    frame_modes(r, &c->modes, to);
    frame_window(r, c, notice && r->rows > 1 ? r->rows - 1 : r->rows);
    struct cell *want = mem_alloc(r->cols * sizeof(*want));
    size_t start = to->used;
    for (uint16_t row = 0; row < r->rows; row++) {
        if (notice && row + 1 == r->rows)
            frame_notice(r, notice, want);
        else
            frame_want(r, c, row, want);
        frame_row(r, row, want, to);
    }
    free(want);
    bool visible = c->modes.cursor_visible;
    if (to->used > start || r->modes.cursor_visible != visible) {
        if (r->modes.cursor_visible != visible)
            put_switch(to, 25, visible);
        r->modes.cursor_visible = visible;
    }
    put_cursor(r, (uint16_t)(c->cursor_row - r->top), (uint16_t)(c->cursor_col - r->left), to);
}
