/* Consoles with a terminal: the pty's bytes become a screen, the screen becomes pictures. */
#include "base/fd.h"
#include "console/monitor_parts.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum {
    READS = 64, /* of a pty in one round: each gives 4 KiB at the most */
    REOPEN_MS = 100,
    MARK_MS = 1000,
    SETTLE_MS = 50,
    LINES_FRAME = 128 * 1024,
    HISTORY_FRAME = 64 * 1024,
    DRAIN_MOST = 1024 * 1024,
};

static char chunk[READ_CHUNK];

static void reply(const char *data, size_t size, void *data_)
{
    struct console *c = data_;
    if (c->input.used + size <= REPLY_QUEUE)
        buf_add(&c->input, data, size);
}

/* --- from the workload ------------------------------------------------------------------------ */

/* Raw bytes for whoever wanted the session on file. */
static void keep_raw(struct monitor *m, const char *data, size_t size)
{
    if (m->record_file < 0 || m->record_size + size > LOG_RECORD)
        return;
    ssize_t n = write(m->record_file, data, size);
    if (n > 0)
        m->record_size += (uint64_t)n;
}

/*
 * Notes the line the cursor has come to, once a second: lines above it were written before, which
 * is how `logs --since` knows them. What a program rewrites further up counts as written then.
 */
static void mark_time(struct console *c)
{
    struct cells s;
    screen_state(c->screen, &s);
    int64_t now = real_ms();
    size_t n = c->marks_count;
    if (!c->marks)
        c->marks = mem_alloc(sizeof(*c->marks) * TIME_MARKS);
    bool same = n && now >= c->marks[n - 1].at_ms && now - c->marks[n - 1].at_ms < MARK_MS;
    if (!same && n == TIME_MARKS) {
        for (size_t i = 0; i < n / 2; i++)
            c->marks[i] = c->marks[i * 2 + 1];
        n /= 2;
    }
    struct time_mark *mark = &c->marks[same ? n - 1 : n];
    if (!same)
        mark->at_ms = now;
    mark->line = s.history + (s.modes.alternate ? 0 : s.cursor_row);
    mark->stamp = screen_stamp(c->screen);
    c->marks_count = same ? n : n + 1;
}

/* How far it was at that time, at the latest; NULL: nothing is known from before. */
static const struct time_mark *mark_before(const struct console *c, int64_t ms)
{
    for (size_t i = c->marks_count; i-- > 0;)
        if (c->marks[i].at_ms + MARK_MS <= ms)
            return &c->marks[i];
    return NULL;
}

uint64_t terminal_line_at(const struct console *c, int64_t ms)
{
    const struct time_mark *mark = mark_before(c, ms);
    return mark ? mark->line : 0;
}

static void look_again(struct loop_timer *t, void *data)
{
    struct console *c = data;
    if (c->master_watch)
        loop_rewatch(c->master_watch, EPOLLIN | (c->input.used ? (uint32_t)EPOLLOUT : 0));
}

static void terminal_close(struct console *c)
{
    loop_unwatch(c->master_watch);
    c->master_watch = NULL;
    c->master = fd_close(c->master);
    loop_timer_set(c->reopen, 0);
}

/* Reads what is there. 0: nothing more now; -EIO: nobody holds the terminal open; 1: there is more.
 */
static int terminal_read(struct console *c, int reads)
{
    int r = 1;
    bool got = false;
    for (int i = 0; i < reads && r > 0; i++) {
        ssize_t n = read(c->master, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 && errno == EAGAIN ? 0 : -EIO;
            break;
        }
        got = true;
        screen_feed(c->screen, chunk, (size_t)n);
        if (c == c->monitor->main)
            keep_raw(c->monitor, chunk, (size_t)n);
    }
    if (got) {
        monitor_active(c->monitor);
        mark_time(c);
        if (c->input.used)
            console_push_input(c);
    }
    return r;
}

static void terminal_ready(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct console *c = data;
    if (events & EPOLLOUT)
        console_push_input(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    if (c->exited) {
        terminal_drain(c);
    } else if (terminal_read(c, READS) < 0) {
        /* the last of them has closed it, but another may open it yet; nothing tells us */
        loop_rewatch(w, 0);
        loop_timer_set(c->reopen, REOPEN_MS);
    }
}

void terminal_start(struct console *c)
{
    struct monitor *m = c->monitor;
    fd_nonblock(c->master);
    c->screen = screen_new(c->rows, c->cols, c == m->main ? m->wishes->scrollback : 1000, reply, c);
    c->master_watch = loop_watch(m->loop, c->master, EPOLLIN, terminal_ready, c);
    c->reopen = loop_timer_new(m->loop, look_again, c);
    if (c->typist && (c->typist->rows != c->rows || c->typist->cols != c->cols))
        console_resize(c, c->typist->rows, c->typist->cols);
}

static void settled(struct loop_timer *t, void *data)
{
    struct console *c = data;
    terminal_close(c);
    console_tell_exit(c);
}

/*
 * After the exit. The kernel hands a pty's last bytes over in its own time, so an empty pty means
 * nothing until its other end is closed; a background child may hold that for ever.
 */
void terminal_drain(struct console *c)
{
    if (c->told)
        return;
    if (c->master < 0 || !c->screen || terminal_read(c, DRAIN_MOST / 4096) < 0) {
        settled(NULL, c);
        return;
    }
    if (!c->settle) {
        c->settle = loop_timer_new(c->monitor->loop, settled, c);
        loop_timer_set(c->settle, SETTLE_MS);
        if (c->master_watch)
            loop_rewatch(c->master_watch, EPOLLIN);
    }
}

void console_resize(struct console *c, uint16_t rows, uint16_t cols)
{
    rows = MIN(MAX(rows, 1), WIRE_SIZE_MAX);
    cols = MIN(MAX(cols, 1), WIRE_SIZE_MAX);
    if (!c->terminal || (c->rows == rows && c->cols == cols && c->screen))
        return;
    c->rows = rows;
    c->cols = cols;
    if (!c->screen)
        return;
    screen_resize(c->screen, rows, cols);
    struct winsize w = {.ws_row = rows, .ws_col = cols};
    const struct monitor *m = c->monitor;
    if (m->ops->resize)
        m->ops->resize(m->launch, c->slot, rows, cols);
    else if (c->master >= 0)
        ioctl(c->master, TIOCSWINSZ, &w);
    for (struct view *v = c->views; v; v = v->next)
        v->whole = true;
}

/* --- to the viewers --------------------------------------------------------------------------- */

static void fill_head(const struct cells *s, struct wire_screen *ret)
{
    const struct cells_modes *m = &s->modes;
    *ret = (struct wire_screen){
        .bells = m->bells,
        .history = s->history,
        .kept = s->kept,
        .rows = s->rows,
        .cols = s->cols,
        .cursor_row = MIN(s->cursor_row, s->rows - 1),
        .cursor_col = MIN(s->cursor_col, s->cols - 1),
        .flags = (uint8_t)((m->cursor_visible ? WIRE_SCREEN_CURSOR : 0) |
                           (m->alternate ? WIRE_SCREEN_ALTERNATE : 0) |
                           (m->app_cursor ? WIRE_SCREEN_APP_CURSOR : 0) |
                           (m->app_keypad ? WIRE_SCREEN_APP_KEYPAD : 0) |
                           (m->bracketed_paste ? WIRE_SCREEN_PASTE : 0) |
                           (m->focus ? WIRE_SCREEN_FOCUS : 0)),
        .mouse = m->mouse,
        .shape = m->cursor_shape,
        .title_size = (uint8_t)strnlen(s->title, sizeof(s->title) - 1),
    };
}

/* `what`: the row, or the width of a line of the history. */
static void put_line(struct link *l, uint16_t what, const struct cell *line, uint16_t cols)
{
    uint16_t head[2] = {what, 0};
    buf_add(&l->out, head, sizeof(head));
    buf_reserve(&l->out, cells_line_most(cols));
    head[1] = (uint16_t)cells_line_encode(line, cols, l->out.data + l->out.used);
    memcpy(l->out.data + l->out.used - sizeof(head), head, sizeof(head));
    l->out.used += head[1];
}

/* The lines changed since `seen`, in frames of a bounded size. */
static void put_lines(struct console *c, struct view *v, const struct cells *s)
{
    struct link *l = &v->peer->link;
    size_t frame = link_begin(l, WIRE_LINES, c->number, 0);
    for (uint16_t row = 0; row < s->rows; row++) {
        if (!v->whole && screen_line_stamp(c->screen, row) <= v->seen)
            continue;
        if (l->out.used - frame + cells_line_most(s->cols) > LINES_FRAME) {
            link_end(l, frame, 0);
            frame = link_begin(l, WIRE_LINES, c->number, 0);
        }
        put_line(l, row, screen_line(c->screen, row), s->cols);
    }
    link_end(l, frame, WIRE_LAST);
}

static void put_picture(struct console *c, struct view *v, const struct cells *s,
                        const struct wire_screen *head, uint64_t stamp)
{
    struct link *l = &v->peer->link;
    struct wire_screen sent = *head;
    bool lines = v->whole || stamp > v->seen;
    if (v->whole)
        sent.flags |= WIRE_SCREEN_FULL;
    size_t frame = link_begin(l, WIRE_SCREEN, c->number, 0);
    buf_add(&l->out, &sent, sizeof(sent));
    buf_add(&l->out, s->title, head->title_size);
    link_end(l, frame, lines ? 0 : WIRE_LAST);
    if (lines)
        put_lines(c, v, s);
    v->shown = *head;
    memcpy(v->title, s->title, sizeof(v->title));
    v->seen = stamp;
    v->whole = false;
}

/*
 * A viewer whose socket is not empty yet gets nothing now: when it is, it gets the screen as it is
 * then. So a slow one costs one picture of memory and no time.
 */
void terminal_show(struct console *c)
{
    if (!c->views || !c->screen)
        return;
    struct monitor *m = c->monitor;
    struct cells s;
    struct wire_screen head;
    uint64_t stamp = screen_stamp(c->screen), now = loop_now_ms();
    screen_state(c->screen, &s);
    fill_head(&s, &head);
    for (struct view *v = c->views; v; v = v->next) {
        if (!v->whole && v->seen == stamp && memcmp(&v->shown, &head, sizeof(head)) == 0 &&
            strcmp(v->title, s.title) == 0)
            continue;
        if (v->peer->dead || (link_backlog(&v->peer->link) && !c->told))
            continue;
        if (!v->whole && !c->told && now - v->sent_ms < FRAME_MS) {
            if (!m->frame_armed) {
                m->frame_armed = true;
                loop_timer_set(m->frame, FRAME_MS - (now - v->sent_ms));
            }
            continue;
        }
        put_picture(c, v, &s, &head, stamp);
        v->sent_ms = now;
    }
}

void terminal_send_history(struct console *c, struct peer *p, uint32_t request, uint64_t first,
                           uint32_t count)
{
    struct link *l = &p->link;
    struct cells s = {0};
    if (c->screen)
        screen_state(c->screen, &s);
    /* what is gone already: begin with the oldest there is */
    struct wire_range r = {.first = MAX(first, s.history - MIN(s.history, (uint64_t)s.kept))};
    size_t frame = link_begin(l, WIRE_HISTORY, c->number, request), head = l->out.used;
    buf_add(&l->out, &r, sizeof(r));
    while (r.count < MIN(count, 4096u) && r.first + r.count < s.history) {
        uint16_t cols;
        const struct cell *line = screen_history(c->screen, r.first + r.count, &cols);
        if (!line || l->out.used - head + cells_line_most(cols) > HISTORY_FRAME)
            break;
        put_line(l, cols, line, cols);
        r.count++;
    }
    memcpy(l->out.data + head, &r, sizeof(r));
    link_end(l, frame, WIRE_LAST);
}

/* --- as text ---------------------------------------------------------------------------------- */

static void add_text(struct buf *to, const struct cell *line, uint16_t cols)
{
    uint16_t end = cols;
    while (end && (!line[end - 1].chars[0] || line[end - 1].chars[0] == ' '))
        end--;
    for (uint16_t i = 0; i < end; i++) {
        char utf8[4];
        if (line[i].width == 0)
            continue;
        if (!line[i].chars[0])
            buf_putc(to, ' ');
        for (int k = 0; k < CELL_CHARS && line[i].chars[k]; k++)
            buf_add(to, utf8, str_utf8_encode(line[i].chars[k], utf8));
    }
    buf_putc(to, '\n');
}

/* Line `n` as the history counts: the screen's rows stand behind it. */
static void line_text(struct console *c, const struct cells *s, uint64_t n, struct buf *to)
{
    uint16_t cols = s->cols;
    const struct cell *line = n < s->history ? screen_history(c->screen, n, &cols)
                                             : screen_line(c->screen, (uint16_t)(n - s->history));
    if (line)
        add_text(to, line, cols);
}

/* The lines of the history from `*at` on, at most `most` bytes of them. */
static void history_text(struct console *c, uint64_t *at, struct buf *to, size_t most)
{
    struct cells s;
    screen_state(c->screen, &s);
    if (*at + s.kept < s.history)
        *at = s.history - s.kept;
    while (*at < s.history && to->used < most)
        line_text(c, &s, (*at)++, to);
}

/* The screen's rows from that line on; a full-screen program's screen is one piece. */
static void screen_text(struct console *c, uint64_t from, struct buf *to)
{
    struct cells s;
    screen_state(c->screen, &s);
    size_t end = to->used;
    for (uint16_t row = 0; row < s.rows; row++) {
        size_t before = to->used;
        if (s.history + row < from && !s.modes.alternate)
            continue;
        add_text(to, screen_line(c->screen, row), s.cols);
        if (to->used > before + 1)
            end = to->used;
    }
    to->used = end;
}

bool terminal_log(struct console *c, struct peer *p)
{
    autobuf text = {0};
    if (!c->screen)
        return false;
    struct cells s;
    history_text(c, &p->log.line, &text, READ_CHUNK);
    screen_state(c->screen, &s);
    bool last = p->log.line >= s.history && (!p->log.follow || c->told);
    if (!text.used && !last)
        return false;
    const struct time_mark *mark = mark_before(c, p->log.since_ms);
    if (last && (!mark || mark->stamp < screen_stamp(c->screen)))
        screen_text(c, p->log.line, &text);
    /* a screen of 1000 × 1000 is more than a frame holds */
    for (size_t at = 0; at < text.used; at += READ_CHUNK)
        link_put(&p->link, WIRE_LOG, 0, p->log.request, text.data + at,
                 MIN(text.used - at, (size_t)READ_CHUNK), NULL, 0);
    if (last) {
        link_put_last(&p->link, WIRE_LOG, 0, p->log.request, NULL, 0);
        p->log.active = false;
    }
    return true;
}

/* Behind the last line that has anything in it. */
static uint64_t text_end(struct console *c, const struct cells *s)
{
    autobuf text = {0};
    uint64_t end = s->history + s->rows;
    while (end > s->history) {
        text.used = 0;
        line_text(c, s, end - 1, &text);
        if (text.used > 1)
            break;
        end--;
    }
    return end;
}

void terminal_add_log(struct console *c, struct console_log *to)
{
    enum { PIECE = 4096 };
    struct cells s;
    if (!c->screen || !c->marks_count)
        return;
    screen_state(c->screen, &s);
    uint64_t end = text_end(c, &s);
    size_t mark = 0;
    for (uint64_t at = s.history - MIN(s.history, (uint64_t)s.kept); at < end;) {
        autobuf text = {0};
        while (mark + 1 < c->marks_count && c->marks[mark].line <= at)
            mark++;
        bool last = mark + 1 == c->marks_count;
        while (at < end && text.used < PIECE && (last || at < c->marks[mark].line))
            line_text(c, &s, at++, &text);
        console_log_add(to, c->marks[mark].at_ms + MARK_MS - 1, 1, text.data, text.used);
    }
}
