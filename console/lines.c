#include "console/lines.h"

#include "base/mem.h"
#include "console/pen.h"
#include "console/width.h"

#include <string.h>

enum { LINES_TAB = 8 };

void lines_init(struct lines *l)
{
    *l = (struct lines){.pen = {.width = 1}};
}

void lines_done(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->line[i].data);
    free(l->line);
    free(l->cell);
    *l = (struct lines){0};
}

static size_t lines_cost(const struct lines_line *l)
{
    return l->size + (size_t)l->cols;
}

/* A quarter at once: each move takes all the others with it. */
static void lines_forget(struct lines *l)
{
    size_t gone = (l->count + 3) / 4;
    for (size_t i = 0; i < gone; i++) {
        l->cost -= lines_cost(&l->line[i]);
        free(l->line[i].data);
    }
    l->count -= gone;
    memmove(l->line, l->line + gone, l->count * sizeof(*l->line));
}

static void lines_end(struct lines *l, bool goes_on)
{
    if (l->count == LINES_MOST || l->cost > LINES_COST_MOST)
        lines_forget(l);
    if (!l->line)
        l->line = mem_zero(LINES_MOST, sizeof(*l->line));
    struct lines_line *to = &l->line[l->count++];
    *to = (struct lines_line){.cols = l->used, .goes_on = goes_on};
    autofree char *room = mem_alloc(cells_line_most(l->used) + 1);
    to->size = (uint32_t)cells_line_encode(l->cell, l->used, room);
    to->data = mem_alloc(to->size + 1);
    memcpy(to->data, room, to->size);
    l->cost += lines_cost(to);
    l->used = 0;
    l->returned = false;
}

static void lines_put(struct lines *l, uint32_t c, int width)
{
    if (!l->cell)
        l->cell = mem_zero(LINES_COLS_MOST, sizeof(*l->cell));
    if (l->used + width > LINES_COLS_MOST)
        lines_end(l, true);
    struct cell *to = &l->cell[l->used];
    *to = l->pen;
    to->chars[0] = c;
    to->chars[1] = 0;
    to->width = (uint8_t)width;
    if (width == 2) {
        to[1] = l->pen;
        to[1].chars[0] = 0;
        to[1].width = 0;
    }
    l->used = (uint16_t)(l->used + width);
}

static void lines_combine(struct lines *l, uint32_t c)
{
    int at = l->used - 1;
    if (at > 0 && !l->cell[at].width)
        at--;
    if (at < 0 || !l->cell[at].chars[0])
        return;
    if (!l->cell[at].chars[1])
        l->cell[at].chars[1] = c;
    else if (!l->cell[at].chars[2])
        l->cell[at].chars[2] = c;
}

static void lines_char(struct lines *l, uint32_t c)
{
    int width = width_of(c);
    if (width < 0)
        return;
    if (l->returned) /* what was said is never written over */
        lines_end(l, false);
    if (width)
        lines_put(l, c, width);
    else
        lines_combine(l, c);
}

static void lines_control(struct lines *l, uint32_t c)
{
    if (c == '\n') {
        lines_end(l, false);
    } else if (c == '\r') {
        l->returned = true;
    } else if (c == '\t') {
        do
            lines_char(l, ' ');
        while (l->used % LINES_TAB);
    }
}

void lines_feed(struct lines *l, const char *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        enum token_kind kind;
        const struct tokens *t = &l->tokens;
        i += tokens_next(&l->tokens, data + i, size - i, &kind);
        if (kind == TOKEN_CHAR)
            lines_char(l, t->c);
        else if (kind == TOKEN_CONTROL)
            lines_control(l, t->c);
        else if (kind == TOKEN_CSI && t->final == 'm' && !t->leader && !t->intermediate)
            pen_apply(&l->pen, t);
        l->pen.attrs &= (uint8_t) ~(CELL_CONCEAL | CELL_BLINK);
    }
}

struct cell *lines_cells(const struct lines *l, size_t nth, uint16_t *ret_cols)
{
    if (nth > l->count)
        return NULL;
    uint16_t cols = nth < l->count ? l->line[nth].cols : l->used;
    autofree struct cell *cells = mem_zero((size_t)cols + 1, sizeof(*cells));
    if (nth == l->count && cols)
        memcpy(cells, l->cell, cols * sizeof(*cells));
    else if (nth < l->count &&
             cells_line_decode(l->line[nth].data, l->line[nth].size, cells, cols) < 0)
        return NULL;
    *ret_cols = cols;
    return TAKE(cells);
}

uint16_t lines_fit(const struct cell *cells, uint16_t count, uint16_t from, uint16_t cols)
{
    uint16_t n = (uint16_t)MIN(count - from, (int)cols);
    if (n > 1 && from + n < count && !cells[from + n].width)
        n--; /* its right half would stand in the next row */
    return n;
}
