/* The client's mirror: what the monitor's frames mean. */
#include "base/fd.h"
#include "base/str.h"
#include "console/client_inner.h"
#include "console/state.h"

#include <stdio.h>

enum { REPORT_MOST = 64 * 1024 * 1024 };

static struct mirror *mirror_of(struct client *c, uint32_t console, bool make)
{
    for (struct mirror *m = c->mirrors; m; m = m->next)
        if (m->console == console)
            return m;
    if (!make)
        return NULL;
    struct mirror *m = NEW(struct mirror);
    m->console = console;
    cells_init(&m->cells, 1, 1);
    m->next = c->mirrors;
    c->mirrors = m;
    return m;
}

static void set_title(struct cells *c, const char *title, size_t size)
{
    /* the monitor sends printable text; a broken one must not reach a terminal either */
    autofree char *safe = str_escape(title, size);
    snprintf(c->title, sizeof(c->title), "%s", safe);
}

static int got_screen(struct client *c, const struct wire_frame *f)
{
    struct wire_screen s;
    wire_get(f, &s, sizeof(s));
    struct mirror *m = mirror_of(c, f->console, true);
    if (m->cells.rows != s.rows || m->cells.cols != s.cols)
        cells_resize(&m->cells, s.rows, s.cols);
    m->cells.cursor_row = s.cursor_row;
    m->cells.cursor_col = s.cursor_col;
    m->cells.history = s.history;
    m->cells.kept = s.kept;
    m->cells.modes = (struct cells_modes){
        .cursor_visible = s.flags & WIRE_SCREEN_CURSOR,
        .alternate = s.flags & WIRE_SCREEN_ALTERNATE,
        .app_cursor = s.flags & WIRE_SCREEN_APP_CURSOR,
        .app_keypad = s.flags & WIRE_SCREEN_APP_KEYPAD,
        .bracketed_paste = s.flags & WIRE_SCREEN_PASTE,
        .focus = s.flags & WIRE_SCREEN_FOCUS,
        .mouse = s.mouse <= 3 ? s.mouse : 0,
        .cursor_shape = s.shape <= 3 ? s.shape : 0,
        .bells = s.bells,
    };
    set_title(&m->cells, f->payload + sizeof(s), s.title_size);
    if (s.flags & WIRE_SCREEN_FULL)
        memset(m->cells.dirty, true, s.rows * sizeof(bool));
    if (f->flags & WIRE_LAST && c->events->screen)
        c->events->screen(c->data, f->console, &m->cells);
    return 0;
}

/* The head of a line in LINES and HISTORY: its row or its width, and the bytes of its compact form.
 */
struct line_head {
    uint16_t what, size;
};

static int get_line_head(const char **at, const char *end, struct line_head *ret)
{
    if (end - *at < (long)sizeof(*ret))
        return -EBADMSG;
    memcpy(ret, *at, sizeof(*ret));
    *at += sizeof(*ret);
    return end - *at < ret->size ? -EBADMSG : 0;
}

static int got_lines(struct client *c, const struct wire_frame *f)
{
    struct mirror *m = mirror_of(c, f->console, false);
    if (!m)
        return -EBADMSG;
    const char *at = f->payload, *end = f->payload + f->size;
    while (at < end) {
        struct line_head h;
        if (get_line_head(&at, end, &h) < 0 || h.what >= m->cells.rows)
            return -EBADMSG;
        struct cell *line = &m->cells.cell[(size_t)h.what * m->cells.cols];
        if (cells_line_decode(at, h.size, line, m->cells.cols) != h.size)
            return -EBADMSG;
        m->cells.dirty[h.what] = true;
        at += h.size;
    }
    if (f->flags & WIRE_LAST && c->events->screen)
        c->events->screen(c->data, f->console, &m->cells);
    return 0;
}

static int get_history(const char *at, const char *end, struct cell **lines, uint16_t *cols,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct line_head h;
        if (get_line_head(&at, end, &h) < 0 || !h.what || h.what > WIRE_SIZE_MAX)
            return -EBADMSG;
        cols[i] = h.what;
        lines[i] = mem_zero(h.what, sizeof(struct cell));
        if (cells_line_decode(at, h.size, lines[i], h.what) != h.size)
            return -EBADMSG;
        at += h.size;
    }
    return 0;
}

static int got_history(struct client *c, const struct wire_frame *f)
{
    enum { MOST = 4096 };
    struct wire_range r;
    wire_get(f, &r, sizeof(r));
    if (r.count > MOST)
        return -EBADMSG;
    autofree struct cell **lines = mem_zero(r.count + 1, sizeof(*lines));
    autofree uint16_t *cols = mem_zero(r.count + 1, sizeof(*cols));
    int result = get_history(f->payload + sizeof(r), f->payload + f->size, lines, cols, r.count);
    if (result == 0 && c->events->history)
        c->events->history(c->data, f->console, r.first, (const struct cell *const *)lines, cols,
                           r.count);
    for (uint32_t i = 0; i < r.count; i++)
        free(lines[i]);
    return result;
}

static int got_report(struct client *c, const struct wire_frame *f)
{
    if (c->report.used + f->size > REPORT_MOST)
        return -EBADMSG;
    buf_add(&c->report, f->payload, f->size);
    if (f->flags & WIRE_LAST) {
        if (c->events->report)
            c->events->report(c->data, c->report.data ? c->report.data : "", c->report.used);
        buf_done(&c->report);
    }
    return 0;
}

/* i32 code, text. The text is a person's: made printable whatever the monitor sent. */
static void get_result(const struct wire_frame *f, int32_t *ret_code, struct error *ret)
{
    wire_get(f, ret_code, sizeof(*ret_code));
    autofree char *text = str_escape(f->payload + 4, f->size - 4);
    ret->code = *ret_code > 0 && *ret_code < 4096 ? *ret_code : EIO;
    snprintf(ret->text, sizeof(ret->text), "%s", text);
}

static int got_result(struct client *c, const struct wire_frame *f)
{
    const struct client_events *ev = c->events;
    struct error e = {0};
    int32_t code;
    get_result(f, &code, &e);
    if (f->type == WIRE_EXITED && ev->exited)
        ev->exited(c->data, f->console, code & 0xff, e.text[0] ? e.text : NULL);
    else if (f->type == WIRE_FAILED && ev->failed)
        ev->failed(c->data, f->console, &e);
    else if (f->type == WIRE_DONE && ev->done)
        ev->done(c->data, f->request, code ? &e : NULL);
    return 0;
}

static int got_stream(struct client *c, const struct wire_frame *f)
{
    uint32_t stream;
    wire_get(f, &stream, sizeof(stream));
    if (stream != 1 && stream != 2)
        return -EBADMSG;
    if (c->events->stream)
        c->events->stream(c->data, f->console, (int)stream, f->payload + 4, f->size - 4);
    return 0;
}

static int got_taken(struct client *c, const struct wire_frame *f)
{
    uint32_t bytes;
    wire_get(f, &bytes, sizeof(bytes));
    c->input_out -= MIN(c->input_out, (size_t)bytes);
    return 0;
}

static int got_role(struct client *c, const struct wire_frame *f)
{
    struct wire_role role;
    wire_get(f, &role, sizeof(role));
    if (c->events->role)
        c->events->role(c->data, f->console, role.may_type, role.viewers);
    return 0;
}

static int got_hello(struct client *c, const struct wire_frame *f)
{
    struct wire_hello hello;
    wire_get(f, &hello, sizeof(hello));
    if (hello.magic != WIRE_MAGIC || hello.version != WIRE_VERSION)
        return -EPROTO;
    c->greeted = true;
    return 0;
}

static int got_started(struct client *c, const struct wire_frame *f)
{
    if (c->events->started)
        c->events->started(c->data, f->console);
    return 0;
}

static int got_state(struct client *c, const struct wire_frame *f)
{
    if (c->events->state)
        c->events->state(c->data, f->payload, f->size);
    return 0;
}

static int got_sample(struct client *c, const struct wire_frame *f)
{
    struct wire_sample s;
    wire_get(f, &s, sizeof(s));
    if (s.phase > STATE_LOST || s.pid > INT32_MAX)
        return -EBADMSG;
    if (c->events->sample)
        c->events->sample(c->data, &s);
    return 0;
}

static int got_log(struct client *c, const struct wire_frame *f)
{
    if (c->events->log)
        c->events->log(c->data, f->payload, f->size, f->flags & WIRE_LAST);
    return 0;
}

/* What a monitor may send, but for descriptors. */
static int (*const frames[WIRE_TYPE_COUNT])(struct client *c, const struct wire_frame *f) = {
    [WIRE_HELLO] = got_hello,     [WIRE_SCREEN] = got_screen,     [WIRE_LINES] = got_lines,
    [WIRE_HISTORY] = got_history, [WIRE_STREAM] = got_stream,     [WIRE_ROLE] = got_role,
    [WIRE_STARTED] = got_started, [WIRE_EXITED] = got_result,     [WIRE_FAILED] = got_result,
    [WIRE_DONE] = got_result,     [WIRE_STATE] = got_state,       [WIRE_LOG] = got_log,
    [WIRE_REPORT] = got_report,   [WIRE_INPUT_TAKEN] = got_taken, [WIRE_SAMPLE] = got_sample,
};

/* Deals with one frame; takes `fd` over. */
int client_frame(struct client *c, const struct wire_frame *f, int fd)
{
    if (!c->greeted && f->type != WIRE_HELLO) {
        fd_close(fd);
        return -EPROTO;
    }
    if (f->type == WIRE_DESCRIPTOR) {
        if (c->events->fd)
            c->events->fd(c->data, f->request, fd);
        else
            fd_close(fd);
        return 0;
    }
    fd_close(fd);
    return f->type < WIRE_TYPE_COUNT && frames[f->type] ? frames[f->type](c, f) : -EBADMSG;
}
