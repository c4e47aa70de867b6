/* The host's side of the agent protocol: what the agent says, each word of it doubted. */
#include "backends/agent/agent_inner.h"

#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* --- from the agent --------------------------------------------------------------------------- */

/*
 * One frame at most, into h->head, payload and fds: 1, 0 when there is no whole one yet, -errno.
 * Head and payload are read apart, so nothing is ever read ahead, and descriptors can only belong
 * to the frame they came with.
 */
static int agent_host_read(struct agent_host *h)
{
    for (;;) {
        bool in_head = h->got < sizeof(h->head);
        size_t whole = sizeof(h->head) + (in_head ? 0 : h->head.size);
        if (!in_head && h->got == whole) {
            h->got = 0;
            return 1;
        }
        char *to = in_head ? (char *)&h->head + h->got : h->payload + h->got - sizeof(h->head);
        int fds[AGENT_STREAMS_MAX + 1];
        size_t count = ARRAY_SIZE(fds);
        ssize_t n = fd_receive(h->socket, to, whole - h->got, fds, &count);
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        for (size_t i = 0; i < count; i++) {
            if (h->fds_count < ARRAY_SIZE(h->fds))
                h->fds[h->fds_count++] = fds[i];
            else
                fd_close(fds[i]);
        }
        if (n == 0)
            return h->got ? -EBADMSG : -EPIPE;
        h->got += (size_t)n;
        if (in_head && h->got == sizeof(h->head) && h->head.size > h->payload_room)
            return -EBADMSG;
    }
}

int agent_host_take_u32(const struct agent_host *h, uint32_t *ret, const char **text)
{
    uint32_t size = h->head.size;
    if (size < sizeof(*ret) || (!text && size != sizeof(*ret)))
        return -EBADMSG;
    memcpy(ret, h->payload, sizeof(*ret));
    if (!text)
        return 0;
    if (agent_strings(h->payload + sizeof(*ret), size - sizeof(*ret), 1) < 0)
        return -EBADMSG;
    *text = h->payload + sizeof(*ret);
    return 0;
}

/* Words a failure to start, and sorts its errno into what a shell's 127, 126 and our 125 mean. */
static void agent_host_word_failure(struct error *e, const struct agent_console *slot,
                                    uint32_t code, const char *step)
{
    const char *what = slot->what;
    int number = code > 0 && code < 4096 ? (int)code : EIO;
    if (strcmp(step, "exec") == 0) {
        bool missing = number == ENOENT || number == ENOTDIR || number == ENAMETOOLONG;
        if (number == ENOENT)
            error_set(e, ENOENT, "%s: not found", what);
        else
            error_errno(e, number, "%s", what);
        e->code = missing ? ENOENT : EACCES;
        return;
    }
    autofree char *escaped = str_escape_z(step);
    if (strcmp(step, "chdir") == 0)
        error_errno(e, number, "the working directory %s", slot->where);
    else if (strcmp(step, "user") == 0 && number == ENOENT)
        error_set(e, EINVAL, "no such user or group inside the workload");
    else
        error_errno(e, number, "start %s: %s", what, escaped);
    e->code = EINVAL;
}

static int agent_host_on_started(struct agent_host *h, struct agent_console *slot,
                                 struct launch_streams *ret, pid_t *ret_pid)
{
    uint32_t pid;
    if (slot->state != CONSOLE_STARTING || agent_host_take_u32(h, &pid, NULL) < 0 || pid < 2 ||
        pid > INT32_MAX)
        return -EBADMSG;
    int r = h->ops ? h->ops->started(h, (uint16_t)(slot - h->consoles), ret)
                   : agent_streams_check(h->fds, h->fds_count, slot->terminal, ret);
    if (r < 0)
        return r;
    h->fds_count = 0;
    slot->state = CONSOLE_RUNNING;
    *ret_pid = (pid_t)pid;
    return 0;
}

static int agent_host_on_failed(struct agent_host *h, struct agent_console *slot, struct error *e)
{
    uint32_t code;
    const char *step;
    if (slot->state != CONSOLE_STARTING || agent_host_take_u32(h, &code, &step) < 0)
        return -EBADMSG;
    agent_host_word_failure(e, slot, code, step);
    if (slot == h->consoles)
        h->end_is_due = true;
    agent_console_done(slot);
    return 0;
}

static int agent_host_on_exited(struct agent_host *h, struct agent_console *slot, int *ret)
{
    uint32_t status;
    if (slot->state != CONSOLE_RUNNING || agent_host_take_u32(h, &status, NULL) < 0 || status > 255)
        return -EBADMSG;
    if (slot == h->consoles)
        h->end_is_due = true;
    agent_console_done(slot);
    *ret = (int)status;
    return 0;
}

static int agent_host_on_hello(struct agent_host *h)
{
    uint32_t version;
    if (h->greeted || h->head.size != 2 * sizeof(version))
        return -EBADMSG;
    memcpy(&version, h->payload, sizeof(version));
    if (version != AGENT_VERSION)
        return -EPROTONOSUPPORT;
    h->greeted = true;
    return 0;
}

static int agent_host_on_copied(struct agent_host *h, const struct agent_host_events *events,
                                void *data)
{
    uint32_t code;
    const char *text;
    if (h->head.channel >= ARRAY_SIZE(h->transfers) || agent_host_take_u32(h, &code, &text) < 0)
        return -EBADMSG;
    return agent_host_tell_copied(h, h->head.channel, code, text, events, data);
}

int agent_host_tell_copied(struct agent_host *h, uint16_t n, uint32_t code, const char *text,
                           const struct agent_host_events *events, void *data)
{
    struct agent_transfer *slot = &h->transfers[n];
    if (!slot->used || code >= 4096)
        return -EBADMSG;
    uint32_t number = slot->number;
    bool told = !slot->given_up;
    *slot = (struct agent_transfer){0};
    struct error e;
    if (code) {
        autofree char *escaped = str_escape_z(text);
        if (*escaped)
            error_errno(&e, (int)code, "%s", escaped);
        else
            error_set(&e, (int)code, "%s", strerror((int)code));
    }
    if (told && events->copied)
        events->copied(data, number, code ? &e : NULL);
    return 0;
}

/* It has begun after all, and nobody is there for whom it would run. */
static void agent_host_unwanted(struct agent_host *h, const struct agent_console *slot,
                                struct launch_streams *s)
{
    struct error ignored;
    uint32_t signo = SIGKILL;
    agent_host_put(h, AGENT_SIGNAL, (uint16_t)(slot - h->consoles), &signo, sizeof(signo),
                   &ignored);
    fd_close(s->terminal);
    fd_close(s->in);
    fd_close(s->out);
    fd_close(s->err);
}

/* Acts on the frame read last. 0, or -errno: the agent broke the protocol. */
static int agent_host_handle(struct agent_host *h, const struct agent_host_events *events,
                             void *data)
{
    if (h->head.type == AGENT_HELLO)
        return agent_host_on_hello(h);
    if (!h->greeted || (h->fds_count && h->head.type != AGENT_STARTED))
        return -EBADMSG;
    int r = h->ops ? (h->fds_count ? -EBADMSG : h->ops->frame(h, events, data)) : 1;
    if (r <= 0)
        return r;
    if (h->head.type == AGENT_COPIED)
        return agent_host_on_copied(h, events, data);
    if (h->head.channel >= ARRAY_SIZE(h->consoles))
        return -EBADMSG;

    struct agent_console *slot = &h->consoles[h->head.channel];
    uint32_t number = slot->number;
    bool told = !slot->given_up;
    struct launch_streams streams;
    struct error e;
    pid_t pid;
    int status;
    switch (h->head.type) {
    case AGENT_STARTED:
        r = agent_host_on_started(h, slot, &streams, &pid);
        if (r == 0 && told)
            events->started(data, number, pid, &streams);
        else if (r == 0)
            agent_host_unwanted(h, slot, &streams);
        return r;
    case AGENT_FAILED:
        r = agent_host_on_failed(h, slot, &e);
        if (r == 0 && told)
            events->failed(data, number, &e);
        return r;
    case AGENT_EXITED:
        r = agent_host_on_exited(h, slot, &status);
        if (r == 0)
            events->exited(data, number, status);
        return r;
    }
    return -EBADMSG; /* what the host sends, DATA where descriptors travel, or unknown */
}

/* Answers what is still open, then says the last word. */
static void agent_host_close(struct agent_host *h, int code, const struct agent_host_events *events,
                             void *data)
{
    h->dead = true;
    agent_host_drop_out(h);
    agent_host_drop_fds(h);
    epoll_ctl(h->epoll, EPOLL_CTL_DEL, h->socket, NULL);
    if (h->ops)
        h->ops->close(h, events, data);
    struct error e;
    error_set(&e, ECONNRESET, "the workload ended");
    for (size_t i = 0; i < ARRAY_SIZE(h->transfers); i++) {
        bool used = h->transfers[i].used;
        h->transfers[i].used = false;
        if (used && events->copied)
            events->copied(data, h->transfers[i].number, &e);
    }
    for (size_t i = 1; i < ARRAY_SIZE(h->consoles); i++) {
        struct agent_console *slot = &h->consoles[i];
        int state = slot->given_up ? CONSOLE_FREE : slot->state;
        uint32_t number = slot->number;
        agent_console_done(slot);
        if (state == CONSOLE_STARTING)
            events->failed(data, number, &e);
        else if (state == CONSOLE_RUNNING)
            events->exited(data, number, 128 + SIGKILL);
    }
    if (code == -EPIPE || code == -ECONNRESET)
        events->closed(data, h->end_is_due ? NULL : "the agent ended unasked");
    else if (code == -EPROTONOSUPPORT)
        events->closed(data, "the agent broke the protocol: another version");
    else
        events->closed(data, "the agent broke the protocol");
}

void agent_host_dispatch(struct agent_host *h, const struct agent_host_events *events, void *data)
{
    if (h->dead || h->socket < 0) /* on its way to another connection (agent_guest.h) */
        return;
    if (h->out)
        agent_host_flush(h);
    if (h->ops)
        h->ops->pump(h, events, data);
    for (int i = 0; i < AGENT_HOST_FRAMES_A_TURN; i++) {
        int r = agent_host_read(h);
        if (r > 0)
            r = agent_host_handle(h, events, data);
        else if (r == 0)
            return;
        if (r < 0) {
            agent_host_close(h, r, events, data);
            return;
        }
    }
}

/* --- the wait for main --------------------------------------------------------------------------
 */

static void agent_first_started(void *data, uint32_t console, pid_t pid,
                                struct launch_streams *streams)
{
    struct agent_first *first = data;
    first->over = true;
    first->streams = *streams;
    first->pid = pid;
}

static void agent_first_failed(void *data, uint32_t console, const struct error *e)
{
    struct agent_first *first = data;
    first->over = true;
    first->e = *e;
}

static void agent_first_broken(void *data, const struct error *e)
{
    agent_first_failed(data, 0, e);
}

/* What may come before main has started; a guest's set-up copies, and its clone goes on. */
static bool agent_host_is_early(const struct agent_host *h)
{
    return h->ops || (h->head.type != AGENT_EXITED && h->head.type != AGENT_COPIED);
}

int agent_host_wait(struct agent_host *h, int timeout_ms, const struct agent_host_events *events,
                    struct agent_first *first, struct error *e)
{
    uint64_t end = loop_now_ms() + (uint64_t)timeout_ms;
    while (!first->over) {
        if (h->out)
            agent_host_flush(h);
        if (h->ops)
            h->ops->pump(h, events, first);
        int r = agent_host_read(h);
        if (r == 0) {
            uint64_t now = loop_now_ms();
            struct pollfd p = {.fd = h->epoll, .events = POLLIN};
            if (now >= end) {
                h->dead = true;
                return error_set(e, ETIMEDOUT, "the agent does not answer");
            }
            poll(&p, 1, (int)(end - now));
            continue;
        }
        if (r > 0)
            r = agent_host_is_early(h) ? agent_host_handle(h, events, first) : -EBADMSG;
        if (r < 0) {
            h->dead = true;
            if (r == -EPIPE || r == -ECONNRESET)
                return error_set(e, EPIPE, "the agent ended before the command started");
            return error_set(e, EPROTO, "the agent broke the protocol");
        }
    }
    if (first->e.code) {
        *e = first->e;
        return -e->code;
    }
    return 0;
}

int agent_host_wait_started(struct agent_host *h, int timeout_ms,
                            struct launch_streams *ret_streams, pid_t *ret_pid, struct error *e)
{
    static const struct agent_host_events events = {
        .started = agent_first_started,
        .failed = agent_first_failed,
        .broken = agent_first_broken,
    };
    struct agent_first first = {0};
    int r = agent_host_wait(h, timeout_ms, &events, &first, e);
    if (r < 0)
        return r;
    *ret_streams = first.streams;
    *ret_pid = first.pid;
    return 0;
}
