#include "console/client.h"

#include "base/fd.h"
#include "base/str.h"
#include "console/link.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REPORT_MOST = 64 * 1024 * 1024 };

/* The picture of one console as the monitor has told it so far. */
struct mirror {
    struct mirror *next; /* owned */
    uint32_t console;
    struct cells cells;
};

struct client {
    struct link link;
    const struct client_events *events; /* borrowed */
    void *data;
    struct mirror *mirrors; /* owned */
    struct buf report;      /* what has come of it */
    uint32_t requests;      /* the last number given out */
    size_t input_out;       /* bytes of input that the monitor has not dealt with yet */
    bool greeted, closed;
};

struct client *client_from_fd(int fd, const struct client_events *events, void *data)
{
    struct client *c = NEW(struct client);
    fd_nonblock(fd);
    link_init(&c->link, fd, true);
    c->events = events;
    c->data = data;
    return c;
}

/* connect(2) by a path that may be longer than a socket address has room for. */
static int connect_path(int fd, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(a.sun_path)) {
        strcpy(a.sun_path, path);
        return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
    }
    autofree char *folder = str_dup(path);
    char *slash = strrchr(folder, '/');
    if (!slash)
        return -ENAMETOOLONG;
    *slash = 0;
    autoclose int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    int n = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dir, slash + 1);
    if (n < 0 || (size_t)n >= sizeof(a.sun_path))
        return -ENAMETOOLONG;
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

int client_connect(const char *socket_path, const struct client_events *events, void *data,
                   struct client **ret, struct error *e)
{
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(e, errno, "socket");
    int r = connect_path(fd, socket_path);
    if (r == -EAGAIN)
        return error_set(e, EAGAIN, "the workload's monitor has no room for another client now");
    if (r < 0)
        return error_errno(e, -r, "the workload's monitor does not answer");
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return error_errno(e, errno, "who owns the monitor's socket");
    if (peer.uid != geteuid() && peer.uid != 0 && geteuid() != 0)
        return error_set(e, EPERM, "the monitor's socket is another user's (uid %u)", peer.uid);
    *ret = client_from_fd(TAKE_FD(fd), events, data);
    return 0;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    while (c->mirrors) {
        struct mirror *m = c->mirrors;
        c->mirrors = m->next;
        cells_done(&m->cells);
        free(m);
    }
    link_done(&c->link);
    buf_done(&c->report);
    free(c);
}

int client_fd(const struct client *c)
{
    return c->link.fd;
}

bool client_wants_write(const struct client *c)
{
    return link_backlog(&c->link) > 0;
}

size_t client_backlog(const struct client *c)
{
    return MAX(link_backlog(&c->link), c->input_out);
}

/* --- what comes ------------------------------------------------------------------------------- */

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

static void got_screen(struct client *c, const struct wire_frame *f)
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

/* Deals with one frame; takes `fd` over. */
static int got_frame(struct client *c, const struct wire_frame *f, int fd)
{
    const struct client_events *ev = c->events;
    if (!c->greeted && f->type != WIRE_HELLO)
        return -EPROTO;
    if (f->type == WIRE_DESCRIPTOR) {
        if (ev->fd)
            ev->fd(c->data, f->request, fd);
        else
            fd_close(fd);
        return 0;
    }
    fd_close(fd);
    switch (f->type) {
    case WIRE_HELLO:
        return got_hello(c, f);
    case WIRE_SCREEN:
        got_screen(c, f);
        return 0;
    case WIRE_LINES:
        return got_lines(c, f);
    case WIRE_HISTORY:
        return got_history(c, f);
    case WIRE_STREAM:
        return got_stream(c, f);
    case WIRE_ROLE:
        return got_role(c, f);
    case WIRE_STARTED:
        if (ev->started)
            ev->started(c->data, f->console);
        return 0;
    case WIRE_EXITED:
    case WIRE_FAILED:
    case WIRE_DONE:
        return got_result(c, f);
    case WIRE_STATE:
        if (ev->state)
            ev->state(c->data, f->payload, f->size);
        return 0;
    case WIRE_LOG:
        if (ev->log)
            ev->log(c->data, f->payload, f->size, f->flags & WIRE_LAST);
        return 0;
    case WIRE_REPORT:
        return got_report(c, f);
    case WIRE_INPUT_TAKEN:
        return got_taken(c, f);
    case WIRE_ATTACH:
    case WIRE_DETACH:
    case WIRE_TAKE_OVER:
    case WIRE_INPUT:
    case WIRE_INPUT_END:
    case WIRE_OUTPUT_CLOSED:
    case WIRE_RESIZE:
    case WIRE_ASK_HISTORY:
    case WIRE_SIGNAL:
    case WIRE_STOP:
    case WIRE_KILL:
    case WIRE_PAUSE:
    case WIRE_WAIT:
    case WIRE_ASK_STATE:
    case WIRE_ASK_LOG:
    case WIRE_ASK_CHANGES:
    case WIRE_ASK_REPORT:
    case WIRE_COPY_IN:
    case WIRE_COPY_OUT:
    case WIRE_EXEC:
    case WIRE_DESCRIPTOR:
    case WIRE_TYPE_COUNT:
        break;
    }
    return -EBADMSG;
}

static int close_with(struct client *c, int r)
{
    if (!c->closed) {
        c->closed = true;
        const char *why = r == -EPROTO    ? "the monitor is of another version"
                          : r == -EBADMSG ? "the monitor broke the protocol"
                                          : "the monitor is gone";
        if (c->events->closed)
            c->events->closed(c->data, why);
    }
    return -EPIPE;
}

int client_dispatch(struct client *c)
{
    if (c->closed)
        return -EPIPE;
    int sent = link_send(&c->link); /* a broken pipe may still hold the last words */
    for (int round = 0; round < 16; round++) {
        long n = link_receive(&c->link);
        if (n == -EAGAIN)
            return sent < 0 ? close_with(c, sent) : 0;
        struct wire_frame f;
        int fd, r = 0;
        while (n > 0 && (r = link_next(&c->link, &f, &fd)) == 1)
            if ((r = got_frame(c, &f, fd)) < 0)
                break;
        if (n <= 0 || r < 0)
            return close_with(c, r < 0 ? r : (int)n);
        sent = link_send(&c->link);
    }
    return 0;
}

int client_flush(struct client *c, int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t end = t.tv_sec * 1000LL + t.tv_nsec / 1000000 + timeout_ms;
    for (;;) {
        int r = link_send(&c->link);
        if (r <= 0)
            return r;
        clock_gettime(CLOCK_MONOTONIC, &t);
        int64_t left = end - (t.tv_sec * 1000LL + t.tv_nsec / 1000000);
        if (left <= 0)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = c->link.fd, .events = POLLOUT | POLLIN};
        if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
            return -errno;
        if (p.revents & POLLIN) {
            r = client_dispatch(c);
            if (r < 0)
                return r;
        }
    }
}

/* --- requests --------------------------------------------------------------------------------- */

static uint32_t ask(struct client *c, enum wire_type type, uint32_t console, const void *payload,
                    size_t size)
{
    if (++c->requests == 0)
        c->requests = 1;
    link_put(&c->link, type, console, c->requests, payload, size, NULL, 0);
    link_send(&c->link); /* whatever is wrong shows in the next dispatch */
    return c->requests;
}

uint32_t client_attach(struct client *c, uint32_t console, bool read_only, uint16_t rows,
                       uint16_t cols)
{
    struct wire_attach a = {rows, cols, read_only};
    return ask(c, WIRE_ATTACH, console, &a, sizeof(a));
}

uint32_t client_detach(struct client *c, uint32_t console)
{
    return ask(c, WIRE_DETACH, console, NULL, 0);
}

uint32_t client_take_over(struct client *c, uint32_t console)
{
    return ask(c, WIRE_TAKE_OVER, console, NULL, 0);
}

uint32_t client_input(struct client *c, uint32_t console, const char *bytes, size_t size)
{
    uint32_t request = c->requests;
    c->input_out += size;
    for (size_t at = 0; at < size; at += WIRE_CHUNK)
        request = ask(c, WIRE_INPUT, console, bytes + at, MIN(size - at, (size_t)WIRE_CHUNK));
    return request;
}

uint32_t client_input_end(struct client *c, uint32_t console)
{
    return ask(c, WIRE_INPUT_END, console, NULL, 0);
}

uint32_t client_output_closed(struct client *c, uint32_t console, int stream)
{
    uint32_t s = (uint32_t)stream;
    return ask(c, WIRE_OUTPUT_CLOSED, console, &s, sizeof(s));
}

uint32_t client_resize(struct client *c, uint32_t console, uint16_t rows, uint16_t cols)
{
    struct wire_size s = {rows, cols};
    return ask(c, WIRE_RESIZE, console, &s, sizeof(s));
}

uint32_t client_history(struct client *c, uint32_t console, uint64_t first, uint32_t count)
{
    struct wire_range r = {first, count, 0};
    return ask(c, WIRE_ASK_HISTORY, console, &r, sizeof(r));
}

uint32_t client_signal(struct client *c, uint32_t console, int signo)
{
    uint32_t s = (uint32_t)signo;
    return ask(c, WIRE_SIGNAL, console, &s, sizeof(s));
}

uint32_t client_stop(struct client *c, int64_t grace_ms)
{
    return ask(c, WIRE_STOP, 0, &grace_ms, sizeof(grace_ms));
}

uint32_t client_kill(struct client *c)
{
    return ask(c, WIRE_KILL, 0, NULL, 0);
}

uint32_t client_pause(struct client *c, bool paused)
{
    uint32_t p = paused;
    return ask(c, WIRE_PAUSE, 0, &p, sizeof(p));
}

uint32_t client_wait(struct client *c)
{
    return ask(c, WIRE_WAIT, 0, NULL, 0);
}

uint32_t client_ask_state(struct client *c)
{
    return ask(c, WIRE_ASK_STATE, 0, NULL, 0);
}

uint32_t client_ask_log(struct client *c, bool follow, int64_t since_ms)
{
    struct wire_ask_log a = {since_ms, follow, 0};
    return ask(c, WIRE_ASK_LOG, 0, &a, sizeof(a));
}

uint32_t client_ask_changes(struct client *c)
{
    return ask(c, WIRE_ASK_CHANGES, 0, NULL, 0);
}

uint32_t client_ask_report(struct client *c)
{
    return ask(c, WIRE_ASK_REPORT, 0, NULL, 0);
}

static uint32_t copy(struct client *c, enum wire_type type, const char *path, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (++c->requests == 0)
        c->requests = 1;
    struct error e;
    if (own < 0)
        error_errno(&e, errno, "copy");
    else if (strlen(path) > 4095 || !*path)
        error_set(&e, ENAMETOOLONG, "copy: the path is empty or too long");
    else if (link_put_fd(&c->link, type, c->requests, path, strlen(path), TAKE_FD(own)) < 0)
        error_set(&e, EMFILE, "copy: too many at once");
    else
        return link_send(&c->link), c->requests;
    fd_close(own);
    if (c->events->done)
        c->events->done(c->data, c->requests, &e);
    return c->requests;
}

uint32_t client_copy_in(struct client *c, const char *path, int fd)
{
    return copy(c, WIRE_COPY_IN, path, fd);
}

uint32_t client_copy_out(struct client *c, const char *path, int fd)
{
    return copy(c, WIRE_COPY_OUT, path, fd);
}

uint32_t client_exec(struct client *c, const struct client_exec *x)
{
    struct wire_exec head = {.terminal = x->terminal,
                             .rows = x->rows,
                             .cols = x->cols,
                             .argc = (uint32_t)strv_length((char *const *)x->argv),
                             .envc = (uint32_t)strv_length((char *const *)x->env)};
    autobuf b = {0};
    buf_add(&b, &head, sizeof(head));
    buf_add(&b, x->cwd ? x->cwd : "", x->cwd ? strlen(x->cwd) + 1 : 1);
    buf_add(&b, x->user ? x->user : "", x->user ? strlen(x->user) + 1 : 1);
    for (uint32_t i = 0; i < head.argc; i++)
        buf_add(&b, x->argv[i], strlen(x->argv[i]) + 1);
    for (uint32_t i = 0; i < head.envc; i++)
        buf_add(&b, x->env[i], strlen(x->env[i]) + 1);

    /* chosen by chance, so that two clients do not meet; the monitor refuses one that is taken */
    uint32_t console = 0;
    while (console == 0 || console >> 31)
        if (getrandom(&console, sizeof(console), 0) < 0 || console >> 31)
            console &= 0x7fffffff;
    if (b.used > WIRE_FRAME_MAX || head.argc > WIRE_STRINGS_MAX || head.envc > WIRE_STRINGS_MAX) {
        struct error e;
        error_set(&e, E2BIG, "exec: the command and its environment are too long");
        if (c->events->failed)
            c->events->failed(c->data, console, &e);
        return console;
    }
    ask(c, WIRE_EXEC, console, b.data, b.used);
    return console;
}
