#include "ui/graphs.h"

enum ui_graph ui_graph_kind(const struct ui_model *m)
{
    return !m->utf8          ? UI_GRAPH_ASCII
           : m->ascii_graphs ? UI_GRAPH_ASCII
           : m->block_graphs ? UI_GRAPH_BLOCK
                             : UI_GRAPH_BRAILLE;
}

uint64_t ui_history_at(const struct ui_history *h, enum ui_history_of of, unsigned back)
{
    if (!h || back >= h->used)
        return 0;
    return h->values[of][(h->next + UI_HISTORY - 1 - back) % UI_HISTORY];
}

uint64_t ui_graph_top(const struct ui_history *h, enum ui_history_of of, int width,
                      enum ui_graph kind)
{
    /* processors and time: whole ones */
    uint64_t top = of == UI_HISTORY_CPU || of == UI_HISTORY_WAITS ? 1000 : 1;
    for (unsigned i = 0; i < (unsigned)width * (kind == UI_GRAPH_BRAILLE ? 2 : 1); i++)
        top = MAX(top, ui_history_at(h, of, i));
    return top;
}

/* Of `rows` times `steps`, what is in this row: nothing at all is 0, anything is 1 at least. */
static unsigned graph_height(uint64_t value, uint64_t top, unsigned steps, int row, int rows)
{
    uint64_t all = steps * (uint64_t)rows, below = steps * (uint64_t)(rows - 1 - row);
    uint64_t height = value ? MAX((uint64_t)1, MIN((value * all + top - 1) / top, all)) : 0;
    return (unsigned)MIN(height > below ? height - below : 0, (uint64_t)steps);
}

static void graph_cell(struct buf *b, unsigned left, unsigned right, enum ui_graph kind)
{
    static const char ascii[] = " .:-=+*#@";
    static const uint8_t lefts[] = {0, 0x40, 0x44, 0x46, 0x47},
                         rights[] = {0, 0x80, 0xa0, 0xb0, 0xb8};
    char utf8[4];
    if (kind == UI_GRAPH_ASCII)
        buf_putc(b, ascii[right]);
    else if (kind == UI_GRAPH_BLOCK && !right)
        buf_putc(b, ' ');
    else if (kind == UI_GRAPH_BLOCK)
        buf_add(b, utf8, str_utf8_encode(0x2580 + right, utf8));
    else
        buf_add(b, utf8, str_utf8_encode(0x2800u + lefts[left] + rights[right], utf8));
}

char *ui_graph_text(const struct ui_history *h, enum ui_history_of of, int width, int row, int rows,
                    enum ui_graph kind)
{
    struct buf b = {0};
    unsigned wide = kind == UI_GRAPH_BRAILLE ? 2 : 1, steps = kind == UI_GRAPH_BRAILLE ? 4 : 8;
    uint64_t top = ui_graph_top(h, of, width, kind);
    for (int i = width - 1; i >= 0; i--) {
        uint64_t newer = ui_history_at(h, of, (unsigned)i * wide);
        uint64_t older = wide == 2 ? ui_history_at(h, of, (unsigned)i * 2 + 1) : 0;
        graph_cell(&b, graph_height(older, top, steps, row, rows),
                   graph_height(newer, top, steps, row, rows), kind);
    }
    return buf_take(&b);
}
