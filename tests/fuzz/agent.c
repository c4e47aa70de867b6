/*
 * The agent protocol from both ends: the bytes as what an agent says to the host's side, and as a
 * host's START.
 */
#include "init/agent.h"
#include "backends/agent/agent_host.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

/* What has been answered: nothing twice, nothing after the end. */
struct seen {
    bool over[2], started[2], copied, closed;
};

static void on_started(void *data, uint32_t console, pid_t pid, struct launch_streams *streams)
{
    abort(); /* no descriptors came */
}

static void end(struct seen *s, uint32_t console)
{
    if (console > 1 || s->over[console] || s->closed)
        abort();
    s->over[console] = true;
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    if (e->code <= 0 || !e->text[0] || strchr(e->text, '\x1b'))
        abort();
    end(data, console);
}

static void on_exited(void *data, uint32_t console, int status)
{
    abort(); /* nothing started */
}

static void on_copied(void *data, uint32_t transfer, const struct error *e)
{
    struct seen *s = data;
    if (s->copied || s->closed || transfer != 7)
        abort();
    s->copied = true;
}

static void on_closed(void *data, const char *why)
{
    struct seen *s = data;
    if (s->closed)
        abort();
    s->closed = true;
}

static void as_agent(const uint8_t *data, size_t size)
{
    static const struct agent_host_events events = {
        .started = on_started,
        .failed = on_failed,
        .exited = on_exited,
        .copied = on_copied,
        .closed = on_closed,
    };
    int pair[2], pipe[2];
    struct error e;
    struct seen seen = {0};
    char word[] = "word", *argv[] = {word, NULL};
    struct agent_host_command c = {.argv = argv, .cwd = "/"};
    if (fd_socketpair(pair) < 0 || fd_pipe(pipe, 0) < 0)
        abort();
    struct agent_host *h = agent_host_new(pair[0]);
    if (!h || agent_host_start(h, 0, &c, &e) < 0)
        abort();
    c.terminal = true;
    if (agent_host_start(h, 1, &c, &e) < 0 || agent_host_copy_in(h, 7, "/x", pipe[0], &e) < 0)
        abort();
    if (send(pair[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size && size)
        abort();
    shutdown(pair[1], SHUT_WR);
    for (size_t i = 0; !seen.closed; i++) {
        if (i > size + 2)
            abort();
        agent_host_dispatch(h, &events, &seen);
    }
    agent_host_free(h);
    close(pair[1]);
    close(pipe[1]);
}

static void as_host(const uint8_t *data, size_t size)
{
    struct agent_frame f;
    struct agent_command c;
    long used = agent_decode((const char *)data, size, &f);
    if (used <= 0)
        return;
    if ((size_t)used > size || f.size > AGENT_FRAME_MAX)
        abort();
    if (agent_decode_start(&f, &c) < 0)
        return;
    const char *p = c.strings, *limit = f.payload + f.size;
    for (uint32_t i = 0; i < c.head.argc + c.head.envc; i++)
        p += strlen(p) + 1;
    if (p != limit || c.cwd[0] != '/')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (data[0] & 1)
        as_agent(data + 1, MIN(size - 1, (size_t)32768));
    else
        as_host(data + 1, size - 1);
    return 0;
}
