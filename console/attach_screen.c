/* A terminal console on the user's terminal: frames, and lines where there can be no frames. */
#include "console/attach_inner.h"

#include "base/fd.h"
#include "base/loop.h"
#include "console/tty.h"

#include <stdio.h>
#include <unistd.h>

enum { ENTER_AFTER_MS = 40, NOTICE_MS = 6000, HISTORY_CHUNK = 500, FRAME_ROOM = 1 << 16 };

void attach_screen_begin(struct attach *a)
{
    uint16_t rows, cols;
    tty_size(STDOUT_FILENO, &rows, &cols);
    render_init(&a->render, &a->terminal, rows, cols);
    a->render.mirrors_input = !a->o.read_only;
    a->enter_at = loop_now_ms() + ENTER_AFTER_MS;
}

void attach_screen_changed(struct attach *a, struct cells *c)
{
    a->cells = c;
    a->dirty = true;
    if (!a->counted) {
        /* What had scrolled off before we came stays there, except for who started it. */
        a->next_line = a->o.from_start || a->o.exec ? 0 : c->history;
        a->counted = true;
    }
    if (a->plain)
        attach_screen_lines(a, false);
}

int attach_screen_timeout(const struct attach *a)
{
    uint64_t now = loop_now_ms(), at = UINT64_MAX;
    if (a->plain || !a->cells)
        return -1;
    if (!a->entered)
        at = a->enter_at;
    if (a->notice[0])
        at = MIN(at, a->notice_until);
    return at == UINT64_MAX ? -1 : at <= now ? 0 : (int)MIN(at - now, (uint64_t)1000);
}

void attach_screen_draw(struct attach *a)
{
    struct buf *to = &a->out[0].pending;
    uint64_t now = loop_now_ms();
    if (a->plain || !a->cells)
        return;
    if (a->notice[0] && now >= a->notice_until) {
        a->notice[0] = '\0';
        a->dirty = true;
    }
    if (!a->entered) {
        if (now < a->enter_at)
            return;
        tty_note_screen(STDOUT_FILENO);
        render_enter(&a->render, to);
        a->entered = a->dirty = true;
    }
    /* A terminal that lags is sent the newest picture when it is ready for one. */
    if (!a->dirty || to->used > FRAME_ROOM)
        return;
    render_frame(&a->render, a->cells, a->notice[0] ? a->notice : NULL, to);
    a->dirty = false;
}

void attach_screen_resize(struct attach *a)
{
    uint16_t rows, cols;
    tty_size(STDOUT_FILENO, &rows, &cols);
    render_resize(&a->render, rows, cols);
    a->dirty = true;
    client_resize(a->client, a->console, rows, cols);
}

void attach_screen_leave(struct attach *a)
{
    if (!a->entered)
        return;
    render_leave(&a->render, &a->out[0].pending);
    a->entered = false;
    a->enter_at = 0;
}

void attach_screen_notice(struct attach *a, const char *text)
{
    snprintf(a->notice, sizeof(a->notice), " %s", text);
    a->notice_until = loop_now_ms() + NOTICE_MS;
    a->dirty = true;
    if (a->plain)
        fprintf(stderr, "[%s]\n", text);
}

void attach_screen_history(struct attach *a, uint64_t first, const struct cell *const *lines,
                           const uint16_t *cols, size_t count)
{
    struct buf *to = &a->out[0].pending;
    a->asked = false;
    /* What is gone already is skipped, and no loop may come of an empty answer. */
    if (first > a->next_line)
        a->next_line = first;
    for (size_t i = 0; i < count; i++) {
        if (first + i != a->next_line)
            continue;
        render_line(&a->terminal, lines[i], cols[i], to);
        buf_putc(to, '\n');
        a->next_line++;
        a->printed = 0;
    }
    if (!count && a->cells)
        a->next_line = a->cells->history;
}

/* The cursor's own line, as far as it has come. */
static void lines_partial(struct attach *a, const struct cell *line)
{
    uint16_t end = MIN(a->cells->cursor_col, a->cells->cols);
    for (uint16_t col = a->printed; col < end; col++)
        if (line[col].width)
            render_text(&a->terminal, &line[col], &a->out[0].pending);
    a->printed = MAX(a->printed, end);
}

void attach_screen_lines(struct attach *a, bool all)
{
    const struct cells *c = a->cells;
    struct buf *to = &a->out[0].pending;
    if (!c || c->modes.alternate || a->asked)
        return;
    if (a->next_line + c->kept < c->history)
        a->next_line = c->history - c->kept;
    if (a->next_line < c->history) {
        a->asked = true;
        client_history(a->client, a->console, a->next_line,
                       (uint32_t)MIN(c->history - a->next_line, (uint64_t)HISTORY_CHUNK));
        return;
    }
    uint16_t end = c->cursor_row;
    for (uint16_t row = c->rows; all && row > end; row--)
        for (uint16_t col = 0; col < c->cols; col++)
            if (c->cell[(size_t)(row - 1) * c->cols + col].chars[0] > ' ') {
                end = row;
                break;
            }
    for (uint16_t row = (uint16_t)MIN(a->next_line - c->history, (uint64_t)c->rows); row < end;
         row++) {
        uint16_t from = MIN(a->printed, c->cols);
        render_line(&a->terminal, c->cell + (size_t)row * c->cols + from, c->cols - from, to);
        buf_putc(to, '\n');
        a->printed = 0;
        a->next_line++;
    }
    if (!all && end < c->rows)
        lines_partial(a, c->cell + (size_t)end * c->cols);
}
