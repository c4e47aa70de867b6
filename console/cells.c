// clang-format off
/*
 * A line's compact form. Runs of cells that look alike, each
 *
 *   head      RUN and its bits (no mark can be taken for it); RUN_END: the rest of the line is blank
 *   count     cells in the run, 1 to 65535, LEB128
 *   attrs     if RUN_ATTRS
 *   fg, bg    if RUN_FG, RUN_BG: as in struct cell, LEB128
 *   text      unless RUN_BLANK: for each cell an optional MARK_WIDE, its character (MARK_BLANK for
 *             none), and up to two of MARK_COMBINES and a character
 *
 * A wide character counts as two cells of its run.
 */
// clang-format on
#include "console/cells.h"

#include "base/str.h"
#include "console/width.h"

enum { RUN = 0x80, RUN_ATTRS = 1, RUN_FG = 2, RUN_BG = 4, RUN_BLANK = 8, RUN_END = 0xff };
enum { MARK_BLANK = 0, MARK_COMBINES = 1, MARK_WIDE = 2 };

/* Head, count, attributes, two colours; a mark and a character, and twice again. */
enum { CELL_MOST = 1 + 3 + 1 + 4 + 4 + 3 * (1 + 4) };

void cells_init(struct cells *c, uint16_t rows, uint16_t cols)
{
    *c = (struct cells){.rows = rows, .cols = cols};
    c->modes.cursor_visible = true;
    c->cell = mem_zero((size_t)rows * cols, sizeof(struct cell));
    c->dirty = mem_zero(rows, sizeof(bool));
    for (size_t i = 0; i < (size_t)rows * cols; i++)
        c->cell[i].width = 1;
    memset(c->dirty, true, rows);
}

void cells_resize(struct cells *c, uint16_t rows, uint16_t cols)
{
    struct cells old = *c;
    cells_init(c, rows, cols);
    struct cell *cell = c->cell;
    bool *dirty = c->dirty;
    for (uint16_t row = 0; row < MIN(rows, old.rows); row++) {
        struct cell *line = cell + (size_t)row * cols;
        memcpy(line, old.cell + (size_t)row * old.cols, MIN(cols, old.cols) * sizeof(struct cell));
        if (cols < old.cols && line[cols - 1].width == 2)
            line[cols - 1] = (struct cell){.bg = line[cols - 1].bg, .width = 1};
    }
    free(old.cell);
    free(old.dirty);
    *c = old;
    c->rows = rows;
    c->cols = cols;
    c->cell = cell;
    c->dirty = dirty;
    c->cursor_row = MIN(c->cursor_row, (uint16_t)(rows ? rows - 1 : 0));
    c->cursor_col = MIN(c->cursor_col, (uint16_t)(cols ? cols - 1 : 0));
}

void cells_done(struct cells *c)
{
    free(c->cell);
    free(c->dirty);
    *c = (struct cells){0};
}

size_t cells_line_most(uint16_t cols)
{
    return (size_t)cols * CELL_MOST + 1;
}

static char *put_number(char *to, uint32_t n)
{
    while (n >= 0x80) {
        *to++ = (char)(0x80 | (n & 0x7f));
        n >>= 7;
    }
    *to++ = (char)n;
    return to;
}

static bool cell_is_plain_blank(const struct cell *c)
{
    return !c->chars[0] && !c->fg && !c->bg && !c->attrs && c->width == 1;
}

static bool cells_look_alike(const struct cell *a, const struct cell *b)
{
    return a->fg == b->fg && a->bg == b->bg && a->attrs == b->attrs;
}

static char *put_text(char *to, const struct cell *c)
{
    if (c->width == 2)
        *to++ = MARK_WIDE;
    if (!c->chars[0]) {
        *to++ = MARK_BLANK;
        return to;
    }
    to += str_utf8_encode(c->chars[0], to);
    for (int i = 1; i < CELL_CHARS && c->chars[i]; i++) {
        *to++ = MARK_COMBINES;
        to += str_utf8_encode(c->chars[i], to);
    }
    return to;
}

static char *put_run(char *to, const struct cell *line, size_t count, bool blank)
{
    const struct cell *c = line;
    *to++ = (char)(RUN | (c->attrs ? RUN_ATTRS : 0) | (c->fg ? RUN_FG : 0) | (c->bg ? RUN_BG : 0) |
                   (blank ? RUN_BLANK : 0));
    to = put_number(to, (uint32_t)count);
    if (c->attrs)
        *to++ = (char)c->attrs;
    if (c->fg)
        to = put_number(to, c->fg);
    if (c->bg)
        to = put_number(to, c->bg);
    if (blank)
        return to;
    for (size_t i = 0; i < count; i++) {
        /* The one case there is nearly always. */
        if (c[i].chars[0] < 0x80 && c[i].chars[0] && !c[i].chars[1] && c[i].width == 1)
            *to++ = (char)c[i].chars[0];
        else if (c[i].width == 2 && i + 1 < count && !c[i + 1].width)
            to = put_text(to, &c[i++]);
        else if (c[i].width == 1)
            to = put_text(to, &c[i]);
        else
            *to++ = MARK_BLANK; /* half of a wide character: nobody makes these */
    }
    return to;
}

size_t cells_line_encode(const struct cell *line, uint16_t cols, char *to)
{
    char *start = to;
    size_t used = cols;
    while (used && cell_is_plain_blank(&line[used - 1]))
        used--;
    for (size_t i = 0; i < used;) {
        size_t end = i + 1;
        bool blank = !line[i].chars[0];
        while (end < used && cells_look_alike(&line[i], &line[end])) {
            blank &= !line[end].chars[0];
            end++;
        }
        /* A wide character is never parted, whatever its right half looks like. */
        while (end < used && !line[end].width)
            end++;
        to = put_run(to, line + i, end - i, blank && line[i].width == 1);
        i = end;
    }
    if (used < cols)
        *to++ = (char)RUN_END;
    return (size_t)(to - start);
}

/* What is being read: moves forward, never beyond `end`. */
struct reader {
    const char *at, *end;
};

static int get_byte(struct reader *r, uint8_t *ret)
{
    if (r->at == r->end)
        return -EBADMSG;
    *ret = (uint8_t)*r->at++;
    return 0;
}

static int get_number(struct reader *r, uint32_t most, uint32_t *ret)
{
    uint32_t n = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t b;
        if (get_byte(r, &b) < 0)
            return -EBADMSG;
        n |= (uint32_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            if (n > most)
                return -EBADMSG;
            *ret = n;
            return 0;
        }
    }
    return -EBADMSG;
}

static int get_colour(struct reader *r, uint32_t *ret)
{
    uint32_t n;
    if (get_number(r, CELL_RGB | 0xffffff, &n) < 0 || !n || (n > 256 && n < CELL_RGB))
        return -EBADMSG;
    *ret = n;
    return 0;
}

/*
 * What must never be shown is refused. How wide a character is may be another opinion than ours:
 * the other side may be of another version.
 */
static int get_char(struct reader *r, uint32_t *ret)
{
    uint32_t c;
    size_t length = str_utf8_decode(r->at, (size_t)(r->end - r->at), &c);
    if (!length || width_of(c) < 0)
        return -EBADMSG;
    r->at += length;
    *ret = c;
    return 0;
}

/* One cell of text into `c`, which has the run's looks; two where it is wide. -EBADMSG or cells. */
static int get_text(struct reader *r, struct cell *c, size_t room)
{
    if (r->at == r->end)
        return -EBADMSG;
    if (*r->at == MARK_BLANK) {
        r->at++;
        return 1;
    }
    bool wide = *r->at == MARK_WIDE;
    if (wide) {
        if (room < 2)
            return -EBADMSG;
        r->at++;
    }
    if (get_char(r, &c->chars[0]) < 0)
        return -EBADMSG;
    for (int i = 1; i < CELL_CHARS && r->at < r->end && *r->at == MARK_COMBINES; i++) {
        r->at++;
        if (get_char(r, &c->chars[i]) < 0)
            return -EBADMSG;
    }
    if (!wide)
        return 1;
    c[0].width = 2;
    c[1] = (struct cell){.fg = c->fg, .bg = c->bg, .attrs = c->attrs, .width = 0};
    return 2;
}

static int get_run(struct reader *r, uint8_t head, struct cell *line, size_t room)
{
    struct cell looks = {.width = 1};
    uint32_t count;
    if ((head & ~(RUN_ATTRS | RUN_FG | RUN_BG | RUN_BLANK)) != RUN)
        return -EBADMSG;
    if (get_number(r, (uint32_t)room, &count) < 0 || !count)
        return -EBADMSG;
    if (((head & RUN_ATTRS) && get_byte(r, &looks.attrs) < 0) ||
        ((head & RUN_FG) && get_colour(r, &looks.fg) < 0) ||
        ((head & RUN_BG) && get_colour(r, &looks.bg) < 0))
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++)
        line[i] = looks;
    if (head & RUN_BLANK)
        return (int)count;
    for (uint32_t i = 0; i < count;) {
        int n = get_text(r, line + i, count - i);
        if (n < 0)
            return n;
        i += (uint32_t)n;
    }
    return (int)count;
}

long cells_line_decode(const char *data, size_t size, struct cell *line, uint16_t cols)
{
    struct reader r = {.at = data, .end = data + size};
    for (size_t i = 0; i < cols;) {
        uint8_t head;
        if (get_byte(&r, &head) < 0)
            return -EBADMSG;
        if (head == RUN_END) {
            for (; i < cols; i++)
                line[i] = (struct cell){.width = 1};
            break;
        }
        int n = get_run(&r, head, line + i, cols - i);
        if (n < 0)
            return n;
        i += (size_t)n;
    }
    return (long)(r.at - data);
}
