#include "base/fd.h"
#include "console/monitor_parts.h"

#include <unistd.h>

struct console *console_new(struct monitor *m, uint32_t number, uint32_t slot, bool terminal)
{
    struct console *c = NEW(struct console);
    *c = (struct console){.monitor = m,
                          .number = number,
                          .slot = slot,
                          .terminal = terminal,
                          .master = FD_NONE,
                          .in = FD_NONE,
                          .rows = 24,
                          .cols = 80};
    for (int i = 0; i < 2; i++)
        c->out[i] = (struct stream){.console = c, .number = i + 1, .fd = FD_NONE};
    c->next = m->consoles;
    m->consoles = c;
    return c;
}

struct console *console_find(struct monitor *m, uint32_t number)
{
    for (struct console *c = m->consoles; c; c = c->next)
        if (c->number == number)
            return c;
    return NULL;
}

struct console *console_of_slot(struct monitor *m, uint32_t slot)
{
    for (struct console *c = m->consoles; c; c = c->next)
        if (c->slot == slot)
            return c;
    return NULL;
}

void monitor_active(struct monitor *m)
{
    life_settle_state(m); /* what it says shows that it runs */
    if (m->idle_limit)
        m->active_ms = loop_now_ms();
}

void console_start(struct console *c, struct launch_streams *s)
{
    c->started = true;
    if (c->command)
        monitor_note(c->monitor, "started beside it: %s", c->command);
    c->master = TAKE_FD(s->terminal);
    c->in = TAKE_FD(s->in);
    c->out[0].fd = TAKE_FD(s->out);
    c->out[1].fd = TAKE_FD(s->err);
    if (c->terminal)
        terminal_start(c);
    else
        streams_start(c);
    for (struct view *v = c->views; v; v = v->next)
        link_put(&v->peer->link, WIRE_STARTED, c->number, 0, NULL, 0, NULL, 0);
    if (c->starter && !view_find(c, c->starter))
        link_put(&c->starter->link, WIRE_STARTED, c->number, c->request, NULL, 0, NULL, 0);
    console_push_input(c);
}

void console_free(struct console *c)
{
    struct console **at = &c->monitor->consoles;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    while (c->views) {
        struct view *v = c->views;
        c->views = v->next;
        if (c->typist == v)
            v->peer->full = v->peer->blocked = false;
        free(v);
    }
    loop_unwatch(c->master_watch);
    loop_unwatch(c->in_watch);
    loop_timer_free(c->reopen);
    loop_timer_free(c->settle);
    for (int i = 0; i < 2; i++)
        stream_close(&c->out[i]);
    fd_close(c->master);
    fd_close(c->in);
    screen_free(c->screen);
    free(c->command);
    free(c->marks);
    buf_done(&c->input);
    free(c);
}

/* --- input ------------------------------------------------------------------------------------ */

static void input_ready(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    console_push_input(data);
}

static void input_close(struct console *c)
{
    loop_unwatch(c->in_watch);
    c->in_watch = NULL;
    c->in = fd_close(c->in);
    buf_done(&c->input);
}

/* Wants to hear when the workload has room again, or not. */
static void input_watch(struct console *c, bool want)
{
    if (c->terminal) {
        if (c->master_watch)
            loop_rewatch(c->master_watch, EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0));
        return;
    }
    if (!c->in_watch && want)
        c->in_watch = loop_watch(c->monitor->loop, c->in, EPOLLOUT, input_ready, c);
    else if (c->in_watch)
        loop_rewatch(c->in_watch, want ? EPOLLOUT : 0);
}

static void input_note(struct console *c)
{
    if (!c->typist)
        return;
    c->typist->peer->full = c->input.used >= INPUT_QUEUE;
    c->typist->peer->blocked = c->input.used >= INPUT_HARD;
}

void console_push_input(struct console *c)
{
    int fd = c->terminal ? c->master : c->in;
    if (!c->started || fd < 0)
        return;
    size_t sent = 0;
    while (sent < c->input.used) {
        ssize_t n = write(fd, c->input.data + sent, c->input.used - sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            sent = c->input.used; /* nobody will ever read it */
            if (!c->terminal) {
                input_close(c);
                return;
            }
            break;
        }
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    if (sent)
        buf_drop(&c->input, sent);
    if (!c->input.used && c->input.room > 4096)
        buf_done(&c->input);
    if (!c->input.used && c->input_ends && !c->terminal)
        input_close(c);
    else
        input_watch(c, c->input.used);
    input_note(c);
}

void console_input(struct console *c, const char *data, size_t size)
{
    if (c->input_ends || c->exited || (c->started && (c->terminal ? c->master : c->in) < 0))
        return;
    monitor_active(c->monitor);
    buf_add(&c->input, data, size);
    console_push_input(c);
    input_note(c);
}

void console_input_end(struct console *c)
{
    if (c->terminal) {
        console_input(c, "\004", 1); /* what the end of typing is to a terminal */
        return;
    }
    c->input_ends = true;
    console_push_input(c);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void put_exited(struct console *c, struct peer *p)
{
    const struct monitor *m = c->monitor;
    int32_t status = c->status;
    const char *reason = c == m->main && m->reason ? m->reason : "";
    link_put(&p->link, WIRE_EXITED, c->number, 0, &status, sizeof(status), reason, strlen(reason));
}

void console_tell_exit(struct console *c)
{
    if (c->told)
        return;
    c->told = true;
    if (c->terminal)
        terminal_show(c);
    for (struct peer *p = c->monitor->peers; p; p = p->next)
        if (view_find(c, p) || c->starter == p || (c == c->monitor->main && p->waits))
            put_exited(c, p);
}

void console_exit(struct console *c, int status)
{
    if (c->exited)
        return;
    c->exited = true;
    c->status = status;
    if (c->command && c->started)
        monitor_note(c->monitor, "that ended with status %d: %s", status, c->command);
    loop_unwatch(c->in_watch);
    c->in_watch = NULL;
    c->in = fd_close(c->in);
    if (c->typist)
        c->typist->peer->full = c->typist->peer->blocked = false;
    if (c->terminal)
        terminal_drain(c);
    else
        streams_drain(c);
}
