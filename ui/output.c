/* The pane of a workload without a terminal: what it wrote, the newest below. */
#include "ui/model.h"

#include "console/lines.h"

void ui_model_output(struct ui_model *m, struct ui_console *c, const char *data, size_t size)
{
    if (!c->output) {
        c->output = NEW(struct lines);
        lines_init(c->output);
    }
    lines_feed(c->output, data, size);
    c->output_new = true;
    m->dirty |= !c->copy;
}

void ui_output_free(struct lines *l)
{
    if (l)
        lines_done(l);
    free(l);
}

/* Where each row of a line begins; how many there are; at least one. */
static uint16_t output_rows(const struct cell *cells, uint16_t count, uint16_t cols,
                            uint16_t from[LINES_COLS_MOST + 1])
{
    uint16_t n = 0, at = 0;
    do {
        from[n++] = at;
        at = (uint16_t)(at + lines_fit(cells, count, at, cols));
    } while (at < count);
    from[n] = count;
    return n;
}

void ui_output_show(struct ui_model *m, struct ui_console *c, int rows, int cols)
{
    const struct lines *l = c->output;
    struct cells to = {0};
    int free_rows = rows;
    cells_init(&to, (uint16_t)rows, (uint16_t)cols);
    for (size_t n = l ? l->count + 1 : 0; n-- && free_rows;) {
        uint16_t from[LINES_COLS_MOST + 1], count = 0;
        autofree struct cell *cells = lines_cells(l, n, &count);
        if (!cells || (n == l->count && !count))
            continue;
        for (int k = output_rows(cells, count, to.cols, from); k-- && free_rows;)
            memcpy(to.cell + (size_t)--free_rows * to.cols, cells + from[k],
                   (size_t)(from[k + 1] - from[k]) * sizeof(*cells));
    }
    size_t empty = (size_t)free_rows * to.cols, used = (size_t)rows * to.cols - empty;
    memmove(to.cell, to.cell + empty, used * sizeof(*to.cell));
    for (size_t i = used; empty && i < used + empty; i++)
        to.cell[i] = (struct cell){.width = 1};
    ui_model_cells(m, c, &to);
    cells_done(&to);
    c->output_new = false;
}

/* The newest of them: no key waits until all that is kept was gone through. */
struct ui_copy *ui_output_copy(const struct ui_console *c)
{
    enum { NEWEST = 5000 };
    struct ui_copy *k = NEW(struct ui_copy);
    const struct lines *l = c->output;
    for (size_t n = l && l->count > NEWEST ? l->count - NEWEST : 0; l && n <= l->count; n++) {
        uint16_t from[LINES_COLS_MOST + 1], count = 0;
        autofree struct cell *cells = lines_cells(l, n, &count);
        if (!cells || (n == l->count && !count))
            continue;
        int pieces = output_rows(cells, count, c->cells.cols, from);
        for (int i = 0; i < pieces; i++)
            ui_copy_add(k, cells + from[i], (uint16_t)(from[i + 1] - from[i]),
                        i + 1 < pieces || (n < l->count && l->line[n].goes_on));
    }
    if (!k->count)
        ui_copy_add(k, NULL, 0, false);
    k->row = k->count - 1;
    k->top = k->count > c->cells.rows ? k->count - c->cells.rows : 0;
    return k;
}
