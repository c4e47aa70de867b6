/* Ordinary output, written to the paper at once wherever nothing unusual is on. */
#include "console/screen_inner.h"

#include "base/mem.h"
#include "console/width.h"

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

void screen_print(struct screen *s, uint32_t c)
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
        screen_print_slowly(s, (unsigned)width);
    else
        print_at_once(s, (unsigned)width);
    s->last = c;
    s->joinable = true;
}

const char *screen_print_run(struct screen *s, const char *p, const char *end)
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

void screen_control_at_once(struct screen *s, uint32_t c)
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

void screen_control(struct screen *s, uint32_t c)
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
            screen_obey(s, text, false, true);
        else
            screen_control_at_once(s, c);
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
