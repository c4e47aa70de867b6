/* A guest's agent as a liar: any bytes as what it says, while everything is asked of it. */
#include "backends/agent/agent_guest.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct seen {
    struct launch_streams streams[2]; /* owned */
    bool started[2], over[2], copied[2], closed, changed;
};

static void on_started(void *data, uint32_t n, pid_t pid, struct launch_streams *streams)
{
    struct seen *s = data;
    if (n > 1 || s->started[n] || s->over[n] || s->closed || pid < 2)
        abort();
    s->started[n] = true;
    s->streams[n] = *streams;
    if ((n == 1) != (streams->terminal >= 0) || (n == 0) != (streams->out >= 0))
        abort();
}

static void on_failed(void *data, uint32_t n, const struct error *e)
{
    struct seen *s = data;
    if (n > 1 || s->started[n] || s->over[n] || e->code <= 0 || strchr(e->text, '\x1b'))
        abort();
    s->over[n] = true;
}

static void on_exited(void *data, uint32_t n, int status)
{
    struct seen *s = data;
    if (n > 1 || !s->started[n] || s->over[n] || status < 0 || status > 255)
        abort();
    s->over[n] = true;
}

static void on_copied(void *data, uint32_t n, const struct error *e)
{
    struct seen *s = data;
    if (n < 7 || n > 8 || s->copied[n - 7])
        abort();
    s->copied[n - 7] = true;
}

static void on_closed(void *data, const char *why)
{
    struct seen *s = data;
    if (s->closed)
        abort();
    s->closed = true;
}

static void on_ready(void *data, const struct agent_ready *ready)
{
    if (strlen(ready->hostname) >= sizeof(ready->hostname) || strchr(ready->hostname, '\x1b'))
        abort();
}

static void on_said(void *data, const struct error *e)
{
    if (e && (e->code <= 0 || strchr(e->text, '\x1b')))
        abort();
}

static void on_changes(void *data, struct changes *c, const struct error *e)
{
    struct seen *s = data;
    if (s->changed || c->count > 10)
        abort();
    s->changed = true;
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].path[0] != '/' || strstr(c->list[i].path, "/../"))
            abort();
}

static void drop(struct launch_streams *s)
{
    fd_close(s->terminal);
    fd_close(s->in);
    fd_close(s->out);
    fd_close(s->err);
}

/* The first byte: a clone's, or one that says nothing before all has been given up. */
enum { CLONE = 1, LATE = 2 };

static void ask(struct agent_host *h, int kind, int in, int out)
{
    struct error e;
    struct agent_host_command c = {
        .argv = (char **)(const char *[]){"x", NULL},
             .env = (char *[]){NULL  },
             .cwd = "/"
    };
    bool clone = kind == CLONE;
    if (clone ? agent_guest_adopt(h, false, &e) : agent_host_start(h, 0, &c, &e))
        abort();
    c.terminal = true;
    if (agent_host_start(h, 1, &c, &e) < 0 || agent_host_copy_in(h, 7, "/x", in, &e) < 0 ||
        agent_host_copy_out(h, 8, "/x", out, &e) < 0 || agent_guest_changes(h, 10, &e) < 0 ||
        agent_guest_end(h, &e) < 0 || agent_guest_ask_sample(h, &e) < 0 ||
        (kind != LATE && agent_guest_quiesce(h, AGENT_QUIESCE_ON, &e) < 0))
        abort();
}

/* Whatever comes after it, nobody is told again. */
static void await_nothing(struct agent_host *h, const struct agent_host_events *events,
                          struct seen *s)
{
    while (!s->over[1] || !s->copied[0] || !s->copied[1] || !s->changed) {
        struct pollfd f = {.fd = agent_host_fd(h), .events = POLLIN};
        poll(&f, 1, -1);
        agent_host_dispatch(h, events, s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct agent_host_events events = {
        .started = on_started,
        .failed = on_failed,
        .exited = on_exited,
        .copied = on_copied,
        .closed = on_closed,
        .ready = on_ready,
        .broken = on_said,
        .quiet = on_said,
        .changes = on_changes,
    };
    int pair[2], in[2], out[2];
    if (!size || fd_socketpair(pair) < 0 || fd_pipe(in, O_NONBLOCK) < 0 ||
        fd_pipe(out, O_NONBLOCK) < 0)
        return 0;
    struct seen seen = {
        .streams = {{-1, -1, -1, -1}, {-1, -1, -1, -1}}
    };
    struct agent_host *h = agent_guest_new(pair[0]);
    if (!h)
        abort();
    int kind = data[0] == LATE ? LATE : data[0] & CLONE;
    agent_guest_patience(h, 1);
    ask(h, kind, in[0], out[1]);
    if (write(in[1], "some", 4) != 4)
        abort();
    if (kind == LATE) {
        in[1] = fd_close(in[1]);
        await_nothing(h, &events, &seen);
    }
    size = MIN(size - 1, (size_t)65536);
    if (send(pair[1], data + 1, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && size)
        abort();
    shutdown(pair[1], SHUT_WR);
    for (size_t i = 0; !seen.closed; i++) {
        if (i > size + 8)
            abort();
        agent_host_dispatch(h, &events, &seen);
    }
    agent_host_free(h);
    drop(&seen.streams[0]);
    drop(&seen.streams[1]);
    close(pair[1]);
    fd_close(in[1]);
    close(out[0]);
    return 0;
}
