#include "ui/paint.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>
#include <wchar.h>

static SCREEN *paint_screen;
static bool paint_is_utf8, paint_coloured;
static attr_t paint_looks[UI_LOOK_COUNT];
static short paint_pairs[UI_LOOK_COUNT];
static int cursor_row = -1, cursor_col;

static void paint_emergency(int signo)
{
    paint_end();
    signal(signo, SIG_DFL);
    raise(signo);
}

static void paint_guard(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_handler = paint_emergency, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
    atexit(paint_end);
}

/* Without colours bold, dim and reverse have to do. */
static void paint_palette(void)
{
    const char *no_color = getenv("NO_COLOR");
    paint_coloured = has_colors() && (!no_color || !*no_color);
    paint_looks[UI_TITLE] = paint_looks[UI_SELECTED] = A_REVERSE;
    paint_looks[UI_HEADING] = A_BOLD;
    paint_looks[UI_QUIET] = A_DIM;
    paint_looks[UI_BAD] = A_BOLD;
    if (!paint_coloured)
        return;
    start_color();
    use_default_colors();
    static const struct {
        enum ui_look look;
        short colour;
    } rows[] = {
        {UI_GOOD, COLOR_GREEN },
        {UI_WARN, COLOR_YELLOW},
        {UI_BAD,  COLOR_RED   }
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        paint_pairs[rows[i].look] = (short)alloc_pair(rows[i].colour, -1);
}

int paint_begin(struct error *e)
{
    setlocale(LC_ALL, "");
    paint_is_utf8 = str_equal(nl_langinfo(CODESET), "UTF-8");
    paint_screen = newterm(NULL, stdout, stdin);
    if (!paint_screen)
        return error_set(e, EINVAL, "this terminal (TERM=%s) is not known here",
                         getenv("TERM") ? getenv("TERM") : "");
    const char *moves = tigetstr("cup");
    if (!moves || moves == (char *)-1) {
        endwin();
        delscreen(TAKE(paint_screen));
        return error_set(e, EINVAL, "this terminal (TERM=%s) cannot move its cursor",
                         getenv("TERM") ? getenv("TERM") : "");
    }
    paint_guard();
    raw();
    noecho();
    nonl();
    intrflush(NULL, FALSE);
    leaveok(stdscr, FALSE);
    paint_palette();
    return 0;
}

void paint_end(void)
{
    if (!paint_screen)
        return;
    paint_screen = NULL;
    endwin();
}

bool paint_utf8(void)
{
    return paint_is_utf8;
}

void paint_size(int *ret_rows, int *ret_cols)
{
    getmaxyx(stdscr, *ret_rows, *ret_cols);
}

void paint_resize(int rows, int cols)
{
    resizeterm(rows, cols);
}

void paint_clear(void)
{
    cursor_row = -1;
    erase();
}

/* What is no ASCII where only that can be shown. */
static uint32_t paint_fold(uint32_t c)
{
    if (paint_is_utf8 || c < 0x80)
        return c;
    switch (c) {
    case 0x2500:
        return '-';
    case 0x2502:
        return '|';
    case 0x2026:
        return '.';
    case 0x25b8:
        return '>';
    }
    return c >= 0x2500 && c < 0x2580 ? '+' : '?';
}

static void paint_look(enum ui_look look)
{
    attr_set(paint_looks[look], paint_coloured ? paint_pairs[look] : 0, NULL);
}

void paint_text(int row, int col, int width, enum ui_look look, const char *utf8)
{
    size_t size = strlen(utf8);
    if (width <= 0 || move(row, col) == ERR)
        return;
    paint_look(look);
    int used = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c;
        size_t length = str_utf8_decode(utf8 + i, size - i, &c);
        if (!length || c < ' ' || (c >= 0x7f && c < 0xa0)) {
            c = '?';
            length = length ? length : 1;
        }
        i += length;
        wchar_t text[2] = {(wchar_t)paint_fold(c), 0};
        int wide = wcwidth(text[0]);
        if (wide < 0) {
            text[0] = '?';
            wide = 1;
        }
        if (used + wide > width)
            break;
        addwstr(text);
        used += wide;
    }
    for (; used < width; used++)
        addch(' ');
    attr_set(A_NORMAL, 0, NULL);
}

void paint_line(int row, int col, int width, const char *title)
{
    struct buf b = {0};
    for (int i = 0; i < width; i++)
        buf_puts(&b, paint_is_utf8 ? "\xe2\x94\x80" : "-");
    paint_text(row, col, width, UI_QUIET, b.data ? b.data : "");
    buf_done(&b);
    if (title) {
        autofree char *text = str_format(" %s ", title);
        paint_text(row, col + 2, MIN(width - 4, (int)strlen(text)), UI_HEADING, text);
    }
}

/* --- cells of a console --- */

static int nearest(uint32_t c)
{
    unsigned r = c >> 16 & 0xff, g = c >> 8 & 0xff, b = c & 0xff;
    if (COLORS >= 256)
        return (int)(16 + 36 * ((r + 25) / 51) + 6 * ((g + 25) / 51) + (b + 25) / 51);
    return (r > 127 ? COLOR_RED : 0) | (g > 127 ? COLOR_GREEN : 0) | (b > 127 ? COLOR_BLUE : 0);
}

/* A cell's colour as curses counts them; -1 the terminal's own. */
static int paint_colour(uint32_t c)
{
    static const int ansi[] = {COLOR_BLACK, COLOR_RED,     COLOR_GREEN, COLOR_YELLOW,
                               COLOR_BLUE,  COLOR_MAGENTA, COLOR_CYAN,  COLOR_WHITE};
    if (!c)
        return -1;
    if (c & CELL_RGB)
        return nearest(c);
    int n = (int)MIN(c - 1, 255u);
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
        for (int i = 1; paint_is_utf8 && i < CELL_CHARS && c->chars[i]; i++)
            text[i] = wcwidth((wchar_t)c->chars[i]) == 0 ? (wchar_t)c->chars[i] : 0;
    }
    paint_cell_looks(c);
    addwstr(text);
    if (c->width == 2 && wcwidth(text[0]) < 2)
        addch(' ');
}

void paint_cells(const struct ui_rect *r, const struct cells *c)
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
    if (c->modes.cursor_visible && c->cursor_col < r->cols)
        paint_cursor(r->row + c->cursor_row - top, r->col + c->cursor_col);
}

void paint_cursor(int row, int col)
{
    cursor_row = row;
    cursor_col = col;
}

void paint_bell(void)
{
    beep();
}

void paint_show(bool all)
{
    curs_set(cursor_row >= 0);
    if (cursor_row >= 0)
        move(cursor_row, cursor_col);
    if (all)
        clearok(stdscr, TRUE);
    refresh();
}
