#include "console/grid.h"

#include "base/mem.h"

#include <string.h>

static const struct cell grid_blank = {.width = 1};

void grid_init(struct grid *g, uint16_t rows, uint16_t cols, uint64_t *stamp)
{
    *g = (struct grid){.rows = rows, .cols = cols, .stamp = stamp};
    g->lines = mem_zero(rows, sizeof(struct line));
    g->order = mem_zero(rows, sizeof(struct line *));
    for (uint16_t i = 0; i < rows; i++)
        g->order[i] = &g->lines[i];
    g->all = ++*stamp;
}

void grid_done(struct grid *g)
{
    for (uint16_t i = 0; i < g->rows; i++)
        free(g->lines[i].cells);
    free(g->lines);
    free(g->order);
    *g = (struct grid){0};
}

uint64_t grid_line_stamp(const struct grid *g, uint16_t row)
{
    return MAX(grid_line(g, row)->stamp, g->all);
}

static void line_fill(struct line *l, uint16_t from, uint16_t to, uint32_t bg)
{
    struct cell blank = {.bg = bg, .width = 1};
    for (struct cell *c = l->cells + from, *end = l->cells + to; c < end; c++)
        *c = blank;
}

static void line_ensure(struct line *l, uint16_t cols)
{
    if (!l->cells)
        l->cells = mem_alloc((size_t)cols * sizeof(struct cell));
}

/* A wide character whose halves stand on both sides of `col` becomes two blanks. */
static void line_part(struct line *l, uint16_t col)
{
    if (!l->wide || !col || col >= l->used || l->cells[col].width)
        return;
    line_fill(l, col - 1, col + 1, l->cells[col].bg);
}

const struct cell *grid_cells(const struct grid *g, uint16_t row)
{
    struct line *l = grid_line(g, row);
    line_ensure(l, g->cols);
    line_fill(l, l->used, g->cols, l->bg);
    return l->cells;
}

struct cell *grid_write(struct grid *g, uint16_t row, uint16_t col, uint16_t count)
{
    struct line *l = grid_line(g, row);
    uint16_t end = col + count;
    line_ensure(l, g->cols);
    if (l->used < col)
        line_fill(l, l->used, col, l->bg);
    if (l->wide) {
        line_part(l, col);
        line_part(l, end);
    }
    if (l->used < end)
        l->used = end;
    l->stamp = ++*g->stamp;
    return l->cells + col;
}

void grid_erase(struct grid *g, uint16_t row, uint16_t from, uint16_t to, uint32_t bg)
{
    struct line *l = grid_line(g, row);
    if (from >= to || (from >= l->used && l->bg == bg))
        return;
    l->stamp = ++*g->stamp;
    if (l->wide) {
        line_part(l, from);
        line_part(l, to);
    }
    if (to == g->cols) {
        if (from > l->used) {
            line_ensure(l, g->cols);
            line_fill(l, l->used, from, l->bg);
        }
        l->used = from;
        l->bg = bg;
        if (!from)
            l->wide = false;
        return;
    }
    if (to > l->used && l->bg == bg) {
        l->used = from;
        return;
    }
    line_ensure(l, g->cols);
    if (l->used < to) {
        line_fill(l, l->used, to, l->bg);
        l->used = to;
    }
    line_fill(l, from, to, bg);
}

void grid_shift(struct grid *g, uint16_t row, uint16_t from, uint16_t to, int count, uint32_t bg)
{
    int width = to - from;
    if (width <= 0 || !count)
        return;
    int distance = MIN(count < 0 ? -count : count, width);
    struct line *l = grid_line(g, row);
    line_ensure(l, g->cols);
    if (l->used < to) {
        line_fill(l, l->used, to, l->bg);
        l->used = to;
    }
    struct cell *c = grid_write(g, row, from, (uint16_t)width);
    if (count > 0) {
        line_part(l, (uint16_t)(from + distance));
        memmove(c, c + distance, (size_t)(width - distance) * sizeof(*c));
        line_fill(l, (uint16_t)(to - distance), to, bg);
    } else {
        line_part(l, (uint16_t)(to - distance));
        memmove(c + distance, c, (size_t)(width - distance) * sizeof(*c));
        line_fill(l, from, (uint16_t)(from + distance), bg);
    }
}

static struct line **grid_slot(const struct grid *g, unsigned row)
{
    unsigned i = g->top + row;
    return &g->order[i < g->rows ? i : i - g->rows];
}

static void line_clear(struct grid *g, struct line *l, uint32_t bg)
{
    l->used = 0;
    l->bg = bg;
    l->wide = false;
    l->stamp = ++*g->stamp;
}

/* Turns part of the ring by `count` rows up, as whole rows change places. */
static void grid_turn(struct grid *g, unsigned top, unsigned bottom, unsigned count)
{
    unsigned n = bottom - top;
    struct line **copy = mem_alloc(n * sizeof(*copy));
    for (unsigned i = 0; i < n; i++)
        copy[i] = *grid_slot(g, top + (i + count) % n);
    for (unsigned i = 0; i < n; i++) {
        copy[i]->stamp = ++*g->stamp;
        *grid_slot(g, top + i) = copy[i];
    }
    free(copy);
}

void grid_scroll(struct grid *g, uint16_t top, uint16_t bottom, int count, uint32_t bg)
{
    int n = bottom - top;
    if (n <= 0 || !count)
        return;
    int distance = MIN(count < 0 ? -count : count, n);
    for (int i = 0; i < distance; i++)
        line_clear(g, *grid_slot(g, (unsigned)(count > 0 ? top + i : bottom - 1 - i)), bg);
    if (n == g->rows) {
        g->top = (uint16_t)((g->top + (count > 0 ? distance : n - distance)) % n);
        g->all = ++*g->stamp;
    } else {
        grid_turn(g, top, bottom, (unsigned)(count > 0 ? distance : n - distance));
    }
}

void grid_resize(struct grid *g, uint16_t rows, uint16_t cols)
{
    struct grid old = *g;
    grid_init(g, rows, cols, old.stamp);
    for (uint16_t row = 0; row < old.rows; row++) {
        struct line *from = grid_line(&old, row);
        if (row >= rows) {
            free(from->cells);
            continue;
        }
        struct line *to = g->order[row];
        *to = *from;
        if (from->cells && cols != old.cols) {
            line_part(to, cols);
            to->used = MIN(to->used, cols);
            to->cells = mem_grow(from->cells, cols, sizeof(struct cell));
        }
    }
    free(old.lines);
    free(old.order);
}

/* One line of history. */
struct packed {
    uint32_t size;
    uint32_t bg;
    uint16_t cols, used;
    char data[];
};

/* However hostile the output, the history of a line costs no more than this on the average. */
enum { HISTORY_LINE_BYTES = 512 };

void history_init(struct history *h, uint32_t most)
{
    *h = (struct history){.most = most};
}

void history_done(struct history *h)
{
    for (uint32_t i = 0; i < h->count; i++)
        free(h->ring[(h->first + i) % h->room]);
    free(h->ring);
    free(h->shown);
    free(h->scratch);
    *h = (struct history){0};
}

static void history_drop(struct history *h)
{
    struct packed *p = h->ring[h->first];
    if (p)
        h->bytes -= p->size + sizeof(*p);
    free(p);
    h->ring[h->first] = NULL;
    h->first = h->first + 1 == h->room ? 0 : h->first + 1;
    h->count--;
}

static void history_widen(struct history *h)
{
    uint32_t room = MIN(h->room ? h->room * 2 : 64, h->most);
    struct packed **ring = mem_zero(room, sizeof(*ring));
    for (uint32_t i = 0; i < h->count; i++)
        ring[i] = h->ring[(h->first + i) % h->room];
    free(h->ring);
    h->ring = ring;
    h->room = room;
    h->first = 0;
}

static struct packed *history_pack(struct history *h, const struct line *l, uint16_t cols)
{
    size_t most = sizeof(struct packed) + cells_line_most(l->used);
    if (h->scratch_size < most) {
        h->scratch = mem_grow(h->scratch, most, 1);
        h->scratch_size = most;
    }
    struct packed *p = (struct packed *)h->scratch;
    *p = (struct packed){.bg = l->bg, .cols = cols, .used = l->used};
    p->size = (uint32_t)cells_line_encode(l->cells, l->used, p->data);
    return mem_copy(p, sizeof(*p) + p->size);
}

void history_add(struct history *h, const struct line *l, uint16_t cols)
{
    h->total++;
    if (!h->most)
        return;
    struct packed *p = history_pack(h, l, cols);
    h->bytes += p->size + sizeof(*p);
    while (h->count && (h->count == h->most || h->bytes > (size_t)h->most * HISTORY_LINE_BYTES))
        history_drop(h);
    if (h->count == h->room)
        history_widen(h);
    uint32_t last = h->first + h->count;
    h->ring[last < h->room ? last : last - h->room] = p;
    h->count++;
}

const struct cell *history_line(struct history *h, uint64_t n, uint16_t *ret_cols)
{
    if (n >= h->total || h->total - n > h->count)
        return NULL;
    uint64_t i = h->count - (h->total - n) + h->first;
    const struct packed *p = h->ring[i % h->room];
    h->shown = mem_grow(h->shown, p->cols, sizeof(struct cell));
    struct cell blank = grid_blank;
    blank.bg = p->bg;
    for (uint16_t col = 0; col < p->cols; col++)
        h->shown[col] = blank;
    cells_line_decode(p->data, p->size, h->shown, p->used);
    *ret_cols = p->cols;
    return h->shown;
}
