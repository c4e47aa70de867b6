#include "console/render.h"

#include "console/width.h"

#include <langinfo.h>
#include <locale.h>

void render_terminal_init(struct render_terminal *t, const char *term, const char *colorterm,
                          const char *no_color, bool utf8)
{
    *t = (struct render_terminal){.utf8 = utf8, .colours = RENDER_16};
    t->dumb = str_empty(term) || str_equal(term, "dumb");
    if (t->dumb || !str_empty(no_color) || str_starts(term, "vt1") || str_starts(term, "vt2") ||
        str_ends(term, "-m") || str_ends(term, "-mono"))
        t->colours = RENDER_MONO;
    else if (str_equal(colorterm, "truecolor") || str_equal(colorterm, "24bit") ||
             str_ends(term, "-direct"))
        t->colours = RENDER_RGB;
    else if (strstr(term, "256color") || str_starts(term, "alacritty") ||
             str_starts(term, "xterm-kitty") || str_starts(term, "foot"))
        t->colours = RENDER_256;
}

void render_terminal_detect(struct render_terminal *t)
{
    const char *codeset;
    setlocale(LC_CTYPE, "");
    codeset = nl_langinfo(CODESET);
    render_terminal_init(t, getenv("TERM"), getenv("COLORTERM"), getenv("NO_COLOR"),
                         str_equal(codeset, "UTF-8"));
}

/* What stands for a character where only ASCII can be shown. */
static char render_ascii(uint32_t c)
{
    if (c >= 0x2500 && c <= 0x257f) {
        if (c == 0x2500 || c == 0x2501 || c == 0x2550)
            return '-';
        return c == 0x2502 || c == 0x2503 || c == 0x2551 ? '|' : '+';
    }
    if (c >= 0x2580 && c <= 0x259f)
        return '#';
    if (c >= 0x2018 && c <= 0x2019)
        return '\'';
    if (c >= 0x201c && c <= 0x201d)
        return '"';
    if (c >= 0x2010 && c <= 0x2015)
        return '-';
    return c == 0xa0 ? ' ' : c == 0xb7 || c == 0x2022 ? '*' : '?';
}

void render_text(const struct render_terminal *t, const struct cell *c, struct buf *to)
{
    uint32_t base = c->chars[0];
    if (!base) {
        buf_putc(to, ' ');
        return;
    }
    int width = width_of(base);
    if (width < 1 || (!t->utf8 && base >= 0x80)) {
        buf_putc(to, width < 1 ? '?' : render_ascii(base));
        if (c->width == 2)
            buf_putc(to, ' ');
        return;
    }
    char text[4];
    buf_add(to, text, str_utf8_encode(base, text));
    for (int i = 1; t->utf8 && i < CELL_CHARS && c->chars[i]; i++)
        if (width_of(c->chars[i]) == 0)
            buf_add(to, text, str_utf8_encode(c->chars[i], text));
}

/* --- colours --- */

static unsigned cube_level(unsigned v)
{
    return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40;
}

/* The nearest of xterm's 256: the 6×6×6 cube or the ramp of greys. */
static unsigned nearest_256(unsigned r, unsigned g, unsigned b)
{
    unsigned most = MAX(r, MAX(g, b)), least = MIN(r, MIN(g, b));
    if (most - least < 12) {
        unsigned grey = (r + g + b) / 3;
        if (grey < 4)
            return 16;
        if (grey > 243)
            return 231;
        return 232 + MIN((grey - 3) / 10, 23u);
    }
    return 16 + 36 * cube_level(r) + 6 * cube_level(g) + cube_level(b);
}

static void split_256(unsigned n, unsigned rgb[3])
{
    static const uint8_t levels[] = {0, 95, 135, 175, 215, 255};
    if (n >= 232) {
        rgb[0] = rgb[1] = rgb[2] = 8 + 10 * (n - 232);
    } else {
        rgb[0] = levels[(n - 16) / 36];
        rgb[1] = levels[(n - 16) / 6 % 6];
        rgb[2] = levels[(n - 16) % 6];
    }
}

static unsigned nearest_16(unsigned r, unsigned g, unsigned b)
{
    unsigned most = MAX(r, MAX(g, b));
    if (most < 48)
        return 0;
    unsigned half = most / 2;
    unsigned n = (r > half ? 1u : 0u) | (g > half ? 2u : 0u) | (b > half ? 4u : 0u);
    if (n == 7)
        return most < 100 ? 8 : most < 200 ? 7 : 15;
    return most > 200 ? n + 8 : n;
}

/* A colour of a cell as the terminal can have it: 0 default, 1 + index, or CELL_RGB. */
static uint32_t render_colour(const struct render_terminal *t, uint32_t c)
{
    if (!c || t->colours == RENDER_MONO)
        return 0;
    if (c & CELL_RGB) {
        unsigned r = c >> 16 & 0xff, g = c >> 8 & 0xff, b = c & 0xff;
        if (t->colours == RENDER_RGB)
            return c;
        return 1 + (t->colours == RENDER_256 ? nearest_256(r, g, b) : nearest_16(r, g, b));
    }
    if (c > 16 && t->colours == RENDER_16) {
        unsigned rgb[3];
        split_256(MIN(c - 1, 255u), rgb);
        return 1 + nearest_16(rgb[0], rgb[1], rgb[2]);
    }
    return MIN(c, 256u);
}

static void put_colour(struct buf *to, uint32_t c, unsigned base)
{
    if (!c)
        buf_printf(to, ";%u", base + 9);
    else if (c & CELL_RGB)
        buf_printf(to, ";%u;2;%u;%u;%u", base + 8, c >> 16 & 0xff, c >> 8 & 0xff, c & 0xff);
    else if (c <= 8)
        buf_printf(to, ";%u", base + c - 1);
    else if (c <= 16)
        buf_printf(to, ";%u", base + 60 + c - 9);
    else
        buf_printf(to, ";%u;5;%u", base + 8, c - 1);
}

void render_looks(const struct render_terminal *t, const struct cell *from, const struct cell *c,
                  struct buf *to)
{
    static const uint8_t codes[] = {1, 2, 3, 4, 5, 7, 8, 9};
    if (t->dumb)
        return;
    uint32_t fg = render_colour(t, c->fg), bg = render_colour(t, c->bg);
    uint32_t old_fg = render_colour(t, from->fg), old_bg = render_colour(t, from->bg);
    if (fg == old_fg && bg == old_bg && c->attrs == from->attrs)
        return;
    size_t start = to->used;
    buf_puts(to, "\x1b[");
    /* Taking one attribute back is spelled too differently: all of them go, the rest comes again.
     */
    bool anew = from->attrs & ~c->attrs;
    if (anew) {
        buf_puts(to, ";0");
        old_fg = old_bg = 0;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(codes); i++)
        if (c->attrs & (1u << i) && (anew || !(from->attrs & (1u << i))))
            buf_printf(to, ";%u", codes[i]);
    if (fg != old_fg)
        put_colour(to, fg, 30);
    if (bg != old_bg)
        put_colour(to, bg, 40);
    buf_putc(to, 'm');
    memmove(to->data + start + 2, to->data + start + 3, to->used - start - 2); /* the first ';' */
    to->used--;
}

/* --- lines of text --- */

static bool cell_is_blank(const struct cell *c)
{
    return (!c->chars[0] || c->chars[0] == ' ') && !c->bg && c->width == 1 &&
           !(c->attrs & (CELL_REVERSE | CELL_UNDERLINE | CELL_STRIKE));
}

static uint16_t line_used(const struct cell *line, uint16_t cols)
{
    while (cols && cell_is_blank(&line[cols - 1]))
        cols--;
    return cols;
}

void render_line(const struct render_terminal *t, const struct cell *line, uint16_t cols,
                 struct buf *to)
{
    static const struct cell plain = {.width = 1};
    struct cell pen = plain;
    uint16_t used = line_used(line, cols);
    for (uint16_t i = 0; i < used; i++) {
        if (!line[i].width)
            continue;
        render_looks(t, &pen, &line[i], to);
        pen = line[i];
        render_text(t, &line[i], to);
    }
    render_looks(t, &pen, &plain, to);
}

void render_lines(const struct render_terminal *t, const struct cells *c, struct buf *to)
{
    uint16_t rows = c->rows;
    while (rows && !line_used(c->cell + (size_t)(rows - 1) * c->cols, c->cols))
        rows--;
    for (uint16_t row = 0; row < rows; row++) {
        render_line(t, c->cell + (size_t)row * c->cols, c->cols, to);
        buf_putc(to, '\n');
    }
}
