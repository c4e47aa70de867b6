#include "ui/copy.h"

#include "base/str.h"

#include <strings.h>

static void line_take(struct ui_copy_line *to, const struct cell *cells, uint16_t cols)
{
    autofree char *room = mem_alloc(cells_line_most(cols) + 1);
    size_t size = cells_line_encode(cells, cols, room);
    free(to->data);
    *to = (struct ui_copy_line){.data = mem_alloc(size + 1), .size = (uint32_t)size, .cols = cols};
    memcpy(to->data, room, size);
}

struct ui_copy *ui_copy_new(const struct cells *screen)
{
    struct ui_copy *c = NEW(struct ui_copy);
    uint64_t kept = MIN(MIN((uint64_t)screen->kept, screen->history), (uint64_t)UI_COPY_LINES);
    c->screen = screen->history;
    c->first = c->next = screen->history - kept;
    c->count = (size_t)kept + screen->rows;
    c->lines = mem_zero(c->count + 1, sizeof(*c->lines));
    for (uint16_t i = 0; i < screen->rows; i++)
        line_take(&c->lines[kept + i], screen->cell + (size_t)i * screen->cols, screen->cols);
    c->row = (size_t)kept + MIN(screen->cursor_row, screen->rows ? screen->rows - 1 : 0);
    c->col = screen->cursor_col;
    c->top = (size_t)kept;
    return c;
}

void ui_copy_add(struct ui_copy *c, const struct cell *cells, uint16_t cols, bool goes_on)
{
    if (c->count % 256 == 0)
        c->lines = mem_grow(c->lines, c->count + 256, sizeof(*c->lines));
    struct ui_copy_line *to = &c->lines[c->count++];
    *to = (struct ui_copy_line){0};
    line_take(to, cells, cols);
    to->goes_on = goes_on;
}

void ui_copy_free(struct ui_copy *c)
{
    for (size_t i = 0; c && i < c->count; i++)
        free(c->lines[i].data);
    if (c) {
        free(c->lines);
        free(c->keep);
    }
    free(c);
}

bool ui_copy_lacks(const struct ui_copy *c)
{
    return c->next < c->screen;
}

void ui_copy_take(struct ui_copy *c, uint64_t first, const struct cell *const *lines,
                  const uint16_t *cols, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (first + i >= c->next && first + i < c->screen)
            line_take(&c->lines[first + i - c->first], lines[i], cols[i]);
    /* An empty answer: what was asked for is gone by now, and nothing behind it will come. */
    c->next = count ? MAX(c->next, first + count) : c->screen;
}

/* --- moving --- */

void ui_copy_to(struct ui_copy *c, size_t row, int col, int height)
{
    size_t room = (size_t)MAX(height, 1);
    c->row = MIN(row, c->count ? c->count - 1 : 0);
    c->col = MAX(col, 0);
    if (c->row < c->top)
        c->top = c->row;
    if (c->row >= c->top + room)
        c->top = c->row - room + 1;
    c->top = MIN(c->top, c->count > room ? c->count - room : 0);
}

void ui_copy_move(struct ui_copy *c, long rows, int cols, int height)
{
    long row = MAX(MIN((long)c->row + rows, (long)c->count - 1), 0L);
    ui_copy_to(c, (size_t)row, c->col + cols, height);
}

bool ui_copy_bottom(const struct ui_copy *c, int height)
{
    return c->top + (size_t)MAX(height, 1) >= c->count;
}

/* --- lines --- */

struct cell *ui_copy_cells(const struct ui_copy *c, size_t row, uint16_t *ret_cols)
{
    const struct ui_copy_line *l = row < c->count ? &c->lines[row] : NULL;
    if (!l || !l->data)
        return NULL;
    struct cell *cells = mem_zero((size_t)l->cols + 1, sizeof(*cells));
    if (cells_line_decode(l->data, l->size, cells, l->cols) < 0) {
        free(cells);
        return NULL;
    }
    *ret_cols = l->cols;
    return cells;
}

static bool cell_is_blank(const struct cell *c)
{
    return !c->chars[0] || c->chars[0] == ' ';
}

int ui_copy_end(const struct ui_copy *c, size_t row)
{
    uint16_t cols = 0;
    autofree struct cell *cells = ui_copy_cells(c, row, &cols);
    while (cols && (cells[cols - 1].width ? cell_is_blank(&cells[cols - 1]) : false))
        cols--;
    return cols;
}

static void cell_text(struct buf *to, const struct cell *c)
{
    char utf8[4];
    if (!c->width)
        return;
    if (!c->chars[0])
        buf_putc(to, ' ');
    for (int k = 0; k < CELL_CHARS && c->chars[k]; k++)
        buf_add(to, utf8, str_utf8_encode(c->chars[k], utf8));
}

/* The columns [from, to) of a line, without the blanks behind its last character. */
static void line_text(const struct ui_copy *c, size_t row, int from, int to, struct buf *b)
{
    uint16_t cols = 0;
    autofree struct cell *cells = ui_copy_cells(c, row, &cols);
    int end = MIN(to, c->lines[row].goes_on ? (int)cols : ui_copy_end(c, row));
    for (int i = MAX(from, 0); cells && i < end; i++)
        cell_text(b, &cells[i]);
}

/* --- selecting --- */

static void selection(const struct ui_copy *c, size_t row[2], int col[2])
{
    bool turned = c->anchor_row > c->row || (c->anchor_row == c->row && c->anchor_col > c->col);
    row[turned] = c->anchor_row;
    col[turned] = c->anchor_col;
    row[!turned] = c->row;
    col[!turned] = c->col;
    if (c->whole) {
        col[0] = 0;
        col[1] = UINT16_MAX;
    }
}

bool ui_copy_is_selected(const struct ui_copy *c, size_t row, int col)
{
    size_t rows[2];
    int cols[2];
    if (!c->selecting)
        return false;
    selection(c, rows, cols);
    return row >= rows[0] && row <= rows[1] && (row > rows[0] || col >= cols[0]) &&
           (row < rows[1] || col <= cols[1]);
}

bool ui_copy_selection_lacks(const struct ui_copy *c)
{
    size_t rows[2] = {c->row, c->row};
    int cols[2];
    if (c->selecting)
        selection(c, rows, cols);
    for (size_t i = rows[0]; i <= rows[1] && ui_copy_lacks(c); i++)
        if (!c->lines[i].data)
            return true;
    return false;
}

char *ui_copy_selected(const struct ui_copy *c)
{
    size_t rows[2] = {c->row, c->row};
    int cols[2] = {0, UINT16_MAX};
    autobuf b = {0};
    if (c->selecting)
        selection(c, rows, cols);
    for (size_t i = rows[0]; i <= rows[1]; i++) {
        if (i > rows[0] && !c->lines[i - 1].goes_on)
            buf_putc(&b, '\n');
        line_text(c, i, i == rows[0] ? cols[0] : 0, i == rows[1] ? cols[1] + 1 : UINT16_MAX, &b);
    }
    return buf_take(&b);
}

char *ui_copy_all(const struct ui_copy *c)
{
    autobuf b = {0};
    size_t end = c->count;
    while (end && !ui_copy_end(c, end - 1))
        end--;
    for (size_t i = 0; i < end; i++) {
        line_text(c, i, 0, UINT16_MAX, &b);
        if (!c->lines[i].goes_on)
            buf_putc(&b, '\n');
    }
    return buf_take(&b);
}

/* --- searching --- */

/* Where these letters stand in a line from column `from` on (upwards: the last before it); -1. */
static int line_search(const struct ui_copy *c, size_t row, const char *text, bool up, int edge)
{
    uint16_t cols = 0;
    autofree struct cell *cells = ui_copy_cells(c, row, &cols);
    autofree size_t *at = mem_zero((size_t)cols + 1, sizeof(*at));
    autobuf b = {0};
    int found = -1;
    for (int i = 0; i < cols; i++) {
        at[i] = b.used;
        cell_text(&b, &cells[i]);
    }
    for (int i = 0; i < cols; i++) {
        bool there = cells[i].width && strncasecmp(b.data + at[i], text, strlen(text)) == 0;
        if (there && (up ? i < edge : i >= edge))
            found = i;
        if (found >= 0 && !up)
            break;
    }
    return found;
}

bool ui_copy_search(struct ui_copy *c, const char *text, bool up, int height)
{
    for (size_t i = 0; *text && c->count && i <= c->count; i++) {
        size_t row = up ? (c->row + c->count * 2 - i) % c->count : (c->row + i) % c->count;
        int edge = up ? i ? UINT16_MAX : c->col : i ? 0 : c->col + 1;
        int col = line_search(c, row, text, up, edge);
        if (col < 0)
            continue;
        ui_copy_to(c, row, col, height);
        return true;
    }
    return false;
}
