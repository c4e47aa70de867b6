/* Consoles without a terminal: three pipes, copied byte for byte. */
#include "base/fd.h"
#include "console/monitor_parts.h"

#include <sys/ioctl.h>
#include <unistd.h>

static char chunk[READ_CHUNK];

/*
 * The owner gets every byte: its queue is bounded by not reading the pipe, so the workload waits
 * for it as it would for any pipe. Whoever else looks on gets what fits and never holds anything
 * up.
 */
static void hand_out(struct stream *s, const char *data, size_t size)
{
    struct console *c = s->console;
    uint32_t number = (uint32_t)s->number;
    for (struct view *v = c->views; v; v = v->next)
        if (c->typist == v || !size || link_backlog(&v->peer->link) < STREAM_BACKLOG)
            link_put(&v->peer->link, WIRE_STREAM, c->number, 0, &number, sizeof(number), data,
                     size);
    if (size && c == c->monitor->main)
        console_log_add(&c->monitor->log, real_ms(), number, data, size);
}

void stream_close(struct stream *s)
{
    loop_unwatch(s->watch);
    s->watch = NULL;
    s->fd = fd_close(s->fd);
}

static void stream_end(struct stream *s)
{
    if (s->fd < 0)
        return;
    stream_close(s);
    hand_out(s, NULL, 0);
}

static bool owner_is_full(const struct console *c)
{
    return c->typist && link_backlog(&c->typist->peer->link) >= STREAM_BACKLOG;
}

/* Reads once. False: nothing more now, or never. */
static bool stream_read(struct stream *s, size_t most)
{
    ssize_t n = read(s->fd, chunk, MIN(most, sizeof(chunk)));
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        stream_end(s);
        return false;
    }
    monitor_active(s->console->monitor);
    hand_out(s, chunk, (size_t)n);
    return true;
}

static void stream_ready(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    enum { READS = 8 };
    struct stream *s = data;
    for (int i = 0; i < READS; i++) {
        if (owner_is_full(s->console)) {
            loop_rewatch(w, 0);
            return;
        }
        if (!stream_read(s, sizeof(chunk)))
            return;
    }
}

void streams_start(struct console *c)
{
    if (c->in >= 0)
        fd_nonblock(c->in);
    for (int i = 0; i < 2; i++) {
        struct stream *s = &c->out[i];
        if (s->fd < 0)
            continue;
        fd_nonblock(s->fd);
        s->watch = loop_watch(c->monitor->loop, s->fd, EPOLLIN, stream_ready, s);
    }
}

void streams_resume(struct console *c)
{
    if (owner_is_full(c))
        return;
    for (int i = 0; i < 2; i++)
        if (c->out[i].watch)
            loop_rewatch(c->out[i].watch, EPOLLIN);
}

/* What stood in the pipes when the command ended; what a child of it holds open is not waited for.
 */
void streams_drain(struct console *c)
{
    for (int i = 0; i < 2; i++) {
        struct stream *s = &c->out[i];
        int left = 0;
        if (s->fd >= 0 && ioctl(s->fd, FIONREAD, &left) < 0)
            left = 0;
        while (left > 0 && s->fd >= 0) {
            ssize_t n = read(s->fd, chunk, MIN((size_t)left, sizeof(chunk)));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            left -= (int)n;
            hand_out(s, chunk, (size_t)n);
        }
        stream_end(s);
    }
    console_tell_exit(c);
}

/* A late viewer begins with what is remembered. */
void streams_replay(struct console *c, struct view *v)
{
    struct monitor *m = c->monitor;
    if (c != m->main)
        return;
    uint64_t at = m->log_own;
    struct log_chunk head;
    const char *bytes;
    while ((bytes = console_log_next(&m->log, &at, &head)))
        link_put(&v->peer->link, WIRE_STREAM, c->number, 0, &head.stream, sizeof(head.stream),
                 bytes, head.size);
    for (int i = 0; i < 2; i++) {
        uint32_t number = (uint32_t)c->out[i].number;
        if (c->started && c->out[i].fd < 0)
            link_put(&v->peer->link, WIRE_STREAM, c->number, 0, &number, sizeof(number), NULL, 0);
    }
}
