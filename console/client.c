#include "base/fd.h"
#include "base/str.h"
#include "console/client_inner.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct client *client_from_fd(int fd, const struct client_events *events, void *data)
{
    struct client *c = NEW(struct client);
    fd_nonblock(fd);
    link_init(&c->link, fd, true);
    c->events = events;
    c->data = data;
    return c;
}

struct client *client_handed(int fd, const struct client_events *events, void *data)
{
    struct client *c = client_from_fd(fd, events, data);
    buf_drop(&c->link.out, c->link.out.used); /* a second HELLO would be one too many */
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
            if ((r = client_frame(c, &f, fd)) < 0)
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

uint32_t client_update(struct client *c, const struct wire_limits *limits)
{
    return ask(c, WIRE_UPDATE, 0, limits, sizeof(*limits));
}

uint32_t client_wait(struct client *c)
{
    return ask(c, WIRE_WAIT, 0, NULL, 0);
}

uint32_t client_ask_state(struct client *c)
{
    return ask(c, WIRE_ASK_STATE, 0, NULL, 0);
}

uint32_t client_ask_sample(struct client *c)
{
    return ask(c, WIRE_ASK_SAMPLE, 0, NULL, 0);
}

uint32_t client_ask_log(struct client *c, uint32_t which, bool follow, int64_t since_ms)
{
    struct wire_ask_log a = {since_ms, follow, which};
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

uint32_t client_hold(struct client *c, bool held)
{
    uint32_t h = held;
    return ask(c, WIRE_HOLD, 0, &h, sizeof(h));
}

uint32_t client_ask_held(struct client *c)
{
    const uint32_t h = 2;
    return ask(c, WIRE_HOLD, 0, &h, sizeof(h));
}

/* A request with a path behind its `head` and a descriptor. */
static uint32_t ask_fd(struct client *c, enum wire_type type, const void *head, size_t head_size,
                       const char *path, int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (++c->requests == 0)
        c->requests = 1;
    struct error e;
    autobuf payload = {0};
    buf_add(&payload, head, head_size);
    buf_puts(&payload, path);
    if (own < 0)
        error_errno(&e, errno, "copy");
    else if (strlen(path) > 4095 || !*path)
        error_set(&e, ENAMETOOLONG, "copy: the path is empty or too long");
    else if (link_put_fd(&c->link, type, c->requests, payload.data, payload.used, TAKE_FD(own)) < 0)
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
    return ask_fd(c, WIRE_COPY_IN, "", 0, path, fd);
}

uint32_t client_copy_out(struct client *c, const char *path, int fd)
{
    return ask_fd(c, WIRE_COPY_OUT, "", 0, path, fd);
}

uint32_t client_snapshot(struct client *c, unsigned kind, const char *path, int dir)
{
    struct wire_snapshot s = {.kind = kind};
    return ask_fd(c, WIRE_SNAPSHOT, &s, sizeof(s), path, dir);
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
