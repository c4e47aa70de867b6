#include "ui/fits.h"
#include "ui/paint_inner.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <wchar.h>

static SCREEN *paint_screen;
static bool paint_is_utf8, paint_has_mouse, paint_knows_mouse;
bool paint_coloured;
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
    if (paint_coloured) {
        start_color();
        use_default_colors();
    }
    paint_theme((const struct ui_style[UI_LOOK_COUNT]){0}, (const bool[UI_LOOK_COUNT]){0});
}

void paint_theme(const struct ui_style styles[UI_LOOK_COUNT], const bool given[UI_LOOK_COUNT])
{
    static const struct ui_style plain[UI_LOOK_COUNT] = {
        [UI_TITLE] = {.reverse = true}, [UI_SELECTED] = {.reverse = true},
        [UI_HEADING] = {.bold = true},  [UI_QUIET] = {.dim = true},
        [UI_BAD] = {.bold = true},      [UI_MARKED] = {.bold = true, .underline = true},
    };
    static const uint8_t colours[UI_LOOK_COUNT] = {
        [UI_GOOD] = 3, [UI_WARN] = 4, [UI_BAD] = 2, [UI_MARKED] = 7, [UI_GRAPH] = 7};
    for (int i = 0; i < UI_LOOK_COUNT; i++) {
        struct ui_style s = plain[i];
        s.fg = colours[i];
        if (given[i] && paint_coloured)
            s = styles[i];
        paint_looks[i] = (s.bold ? A_BOLD : 0) | (s.dim ? A_DIM : 0) | (s.reverse ? A_REVERSE : 0) |
                         (s.underline ? A_UNDERLINE : 0);
        paint_pairs[i] = 0;
        if (paint_coloured && (s.fg || s.bg))
            paint_pairs[i] = (short)MAX(alloc_pair(paint_colour(s.fg), paint_colour(s.bg)), 0);
    }
}

/* Written past curses, which would take the bytes that come in as well. */
void paint_mouse(bool taken)
{
    if (taken == paint_has_mouse || !paint_knows_mouse)
        return;
    paint_has_mouse = taken;
    fputs(taken ? "\033[?1002h\033[?1006h" : "\033[?1006l\033[?1002l", stdout);
    fflush(stdout);
}

void paint_clipboard(const char *utf8)
{
    if (paint_knows_mouse) /* a plainer one would show it */
        paint_out_clipboard(utf8);
}

static void paint_not_ignored(int signo)
{
    /* stands there while curses looks */
}

/*
 * Curses would stop us, and paint, from a handler, in the middle of anything: also while an editor
 * has the terminal. Where SIGTSTP is as usual it ignores it at each update, and one that waits for
 * us then is lost; where somebody has it, it leaves it alone for good.
 */
static SCREEN *paint_new_screen(void)
{
    static const int taken[] = {SIGTSTP, SIGINT, SIGTERM, SIGWINCH};
    struct sigaction before[ARRAY_SIZE(taken)];
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        sigaction(taken[i], NULL, &before[i]);
    sigaction(SIGTSTP, &(struct sigaction){.sa_handler = paint_not_ignored}, NULL);
    SCREEN *screen = newterm(NULL, stdout, stdin);
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        sigaction(taken[i], &before[i], NULL);
    return screen;
}

int paint_begin(struct error *e)
{
    setlocale(LC_ALL, "");
    paint_is_utf8 = str_equal(nl_langinfo(CODESET), "UTF-8");
    paint_out_begin();
    paint_screen = paint_new_screen();
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
    const char *mouse = tigetstr("kmous");
    paint_knows_mouse = mouse && mouse != (char *)-1;
    paint_guard();
    raw();
    noecho();
    nonl();
    intrflush(NULL, FALSE);
    leaveok(stdscr, FALSE);
    typeahead(-1); /* a frame is one write: nothing to be broken off for */
    paint_palette();
    return 0;
}

/* A terminal without a second screen keeps ours, and what follows stands on its last line. */
static void paint_wipe_last(void)
{
    const char *leaves = tigetstr("rmcup"), *wipes = tigetstr("el");
    if ((!leaves || leaves == (char *)-1) && wipes && wipes != (char *)-1) {
        putp(wipes);
        fflush(stdout);
    }
}

void paint_end(void)
{
    if (!paint_screen)
        return;
    paint_out_release();
    paint_out_hold();
    paint_mouse(false);
    paint_screen = NULL;
    endwin();
    paint_wipe_last();
    paint_out_release();
    paint_out_end();
}

void paint_lend(void)
{
    paint_mouse(false);
    endwin();
}

void paint_take_back(void)
{
    refresh();
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
uint32_t paint_fold(uint32_t c)
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
    case 0x2514:
        return '`';
    case 0x25b8: /* a small triangle, an arrow */
    case 0x2192:
        return '>';
    case 0x2713: /* what is good, and what is not: never the same */
        return '+';
    case 0x2717:
    case 0xd7:
        return 'x';
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

void paint_cut(int row, int col, int width, enum ui_look look, const char *utf8)
{
    const char *mark = paint_is_utf8 ? "\xe2\x80\xa6" : ">";
    bool fits = width < 2 || fits_width(utf8) <= width;
    autofree char *cut =
        fits ? NULL : str_format("%.*s%s", (int)fits_bytes(utf8, width - 1), utf8, mark);
    paint_text(row, col, width, look, cut ? cut : utf8);
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
        paint_cut(row, col + 2, MIN(width - 4, fits_width(text)), UI_HEADING, text);
    }
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
    paint_out_hold();
    curs_set(cursor_row >= 0);
    if (cursor_row >= 0)
        move(cursor_row, cursor_col);
    if (all)
        clearok(stdscr, TRUE);
    refresh();
    paint_out_release();
}
