/* Cells of a console, and their colours, onto the terminal. */
#include "ui/paint_inner.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <wchar.h>

static int nearest(uint32_t c)
{
    unsigned r = c >> 16 & 0xff, g = c >> 8 & 0xff, b = c & 0xff;
    if (COLORS > 256) /* direct: the number is the colour; the least ones are the eight */
        return (int)MAX(c & 0xffffff, 8u);
    if (COLORS >= 256)
        return (int)(16 + 36 * ((r + 25) / 51) + 6 * ((g + 25) / 51) + (b + 25) / 51);
    return (r > 127 ? COLOR_RED : 0) | (g > 127 ? COLOR_GREEN : 0) | (b > 127 ? COLOR_BLUE : 0);
}

/* xterm's table of 256, as a colour. */
static uint32_t paint_of_index(int n)
{
    static const uint32_t bright[] = {0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                      0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};
    if (n < 16)
        return bright[n & 7];
    if (n >= 232)
        return 0x010101u * (uint32_t)(8 + (n - 232) * 10);
    n -= 16;
    uint32_t r = (uint32_t)n / 36, g = (uint32_t)n / 6 % 6, b = (uint32_t)n % 6;
    return (r ? r * 40 + 55 : 0) << 16 | (g ? g * 40 + 55 : 0) << 8 | (b ? b * 40 + 55 : 0);
}

/* A cell's colour as curses counts them; -1 the terminal's own. */
int paint_colour(uint32_t c)
{
    static const int ansi[] = {COLOR_BLACK, COLOR_RED,     COLOR_GREEN, COLOR_YELLOW,
                               COLOR_BLUE,  COLOR_MAGENTA, COLOR_CYAN,  COLOR_WHITE};
    if (!c)
        return -1;
    if (c & CELL_RGB)
        return nearest(c);
    int n = (int)MIN(c - 1, 255u);
    if (COLORS > 256 && n >= 8)
        return nearest(paint_of_index(n));
    if (n < COLORS)
        return n;
    if (n < 16)
        return ansi[n & 7];
    if (n >= 232)
        return n < 244 ? COLOR_BLACK : COLOR_WHITE;
    n -= 16;
    return (n / 36 > 2 ? COLOR_RED : 0) | (n / 6 % 6 > 2 ? COLOR_GREEN : 0) |
           (n % 6 > 2 ? COLOR_BLUE : 0);
}

static void paint_cell_looks(const struct cell *c)
{
    static const attr_t attrs[] = {A_BOLD,  A_DIM,     A_ITALIC, A_UNDERLINE,
                                   A_BLINK, A_REVERSE, A_INVIS,  A_NORMAL};
    attr_t a = A_NORMAL;
    for (unsigned i = 0; i < ARRAY_SIZE(attrs); i++)
        if (c->attrs & (1u << i))
            a |= attrs[i];
    int pair = 0;
    if (paint_coloured && (c->fg || c->bg))
        pair = alloc_pair(paint_colour(c->fg), paint_colour(c->bg));
    if (pair < 0)
        pair = 0;
    attr_set(a, 0, &pair);
}

/* Only what is a character and nothing else reaches curses. */
static void paint_cell(const struct cell *c)
{
    wchar_t text[CELL_CHARS + 1] = {L' '};
    uint32_t first = paint_fold(c->chars[0]);
    if (first >= ' ' && !(first >= 0x7f && first < 0xa0)) {
        text[0] = (wchar_t)first;
        int wide = wcwidth(text[0]);
        if (wide < 1 || wide > c->width)
            text[0] = L'?';
        for (int i = 1; paint_utf8() && i < CELL_CHARS && c->chars[i]; i++)
            text[i] = wcwidth((wchar_t)c->chars[i]) == 0 ? (wchar_t)c->chars[i] : 0;
    }
    paint_cell_looks(c);
    addwstr(text);
    if (c->width == 2 && wcwidth(text[0]) < 2)
        addch(' ');
}

void paint_cells(const struct ui_rect *r, const struct cells *c, bool cursor)
{
    /* The part around the cursor, if there is more of it than room. */
    int top = MAX(0, MIN((int)c->cursor_row - r->rows + 1, c->rows - r->rows));
    for (int row = 0; row < r->rows && top + row < c->rows; row++) {
        const struct cell *line = c->cell + (size_t)(top + row) * c->cols;
        move(r->row + row, r->col);
        for (int col = 0; col < r->cols && col < c->cols; col++)
            if (line[col].width && col + line[col].width <= r->cols)
                paint_cell(&line[col]);
    }
    attr_set(A_NORMAL, 0, NULL);
    if (cursor && c->modes.cursor_visible && c->cursor_col < r->cols)
        paint_cursor(r->row + c->cursor_row - top, r->col + c->cursor_col);
}
