/* The console of a domain that other programs made, or that is on another host: bytes between a
 * stream of libvirt's and a socket. */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/mem.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCH_ROOM = 65536 };

struct watch_way {
    char bytes[WATCH_ROOM];
    size_t used;
};

struct domains_console {
    virStreamPtr stream;
    int fd, handle; /* owned; the person's other end, as the loop knows it */
    bool closed;    /* the domain's end: only what it has said is still told */
    bool over;
    void (*ended)(void *data);
    void *data;
    struct watch_way out, in; /* to the person, to the domain */
};

static void way_drop(struct watch_way *w, size_t size)
{
    memmove(w->bytes, w->bytes + size, w->used - size);
    w->used -= size;
}

/* What either side may do now: neither is read beyond what the other takes. */
static void console_wait(struct domains_console *c)
{
    int stream = (c->out.used < WATCH_ROOM ? VIR_STREAM_EVENT_READABLE : 0) |
                 (c->in.used ? VIR_STREAM_EVENT_WRITABLE : 0);
    int person = (c->in.used < WATCH_ROOM ? VIR_EVENT_HANDLE_READABLE : 0) |
                 (c->out.used ? VIR_EVENT_HANDLE_WRITABLE : 0);
    if (!c->closed)
        virStreamEventUpdateCallback(c->stream,
                                     stream | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP);
    virEventUpdateHandle(c->handle, person);
}

static void console_close(struct domains_console *c)
{
    if (!c->closed)
        virStreamEventRemoveCallback(c->stream);
    c->closed = true;
}

static void console_over(struct domains_console *c)
{
    if (c->over)
        return;
    c->over = true;
    virEventUpdateHandle(c->handle, 0);
    console_close(c);
    c->ended(c->data);
}

/* As read(2) and write(2) where nothing can be moved now: -2. */
static int console_receive(struct domains_console *c)
{
    ssize_t n = read(c->fd, c->in.bytes + c->in.used, WATCH_ROOM - c->in.used);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? -2 : (int)n;
}

static int console_send(struct domains_console *c)
{
    ssize_t n = send(c->fd, c->out.bytes, c->out.used, MSG_NOSIGNAL);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? -2 : (int)n;
}

static void console_move(struct domains_console *c)
{
    int n = c->out.used < WATCH_ROOM && !c->closed
                ? virStreamRecv(c->stream, c->out.bytes + c->out.used, WATCH_ROOM - c->out.used)
                : -2;
    if (n == 0 || n == -1)
        console_close(c);
    c->out.used += n > 0 ? (size_t)n : 0;
    n = c->in.used < WATCH_ROOM ? console_receive(c) : -2;
    bool over = n == 0 || n == -1;
    c->in.used += n > 0 ? (size_t)n : 0;
    if (c->closed)
        c->in.used = 0; /* nobody takes it */
    if (c->out.used && (n = console_send(c)) > 0)
        way_drop(&c->out, (size_t)n);
    over = over || n == -1 || (c->closed && !c->out.used);
    if (c->in.used && (n = virStreamSend(c->stream, c->in.bytes, c->in.used)) > 0)
        way_drop(&c->in, (size_t)n);
    if (over || n == -1)
        console_over(c);
    else
        console_wait(c);
}

static void on_stream(virStreamPtr stream, int events, void *data)
{
    struct domains_console *c = data;
    if (!c->over)
        console_move(c);
}

static void on_person(int handle, int fd, int events, void *data)
{
    struct domains_console *c = data;
    if (!c->over)
        console_move(c);
}

static int console_connect(virDomainPtr d, const char *channel, virStreamPtr s, struct error *e)
{
    if (channel ? virDomainOpenChannel(d, channel, s, 0) < 0
                : virDomainOpenConsole(d, NULL, s, 0) < 0)
        return domains_error(e, channel ? "its agent" : "its console");
    return 0;
}

int domains_console_open(virDomainPtr d, const char *channel, int fd, void (*ended)(void *data),
                         void *data, struct domains_console **ret, struct error *e)
{
    autoclose int mine = fd;
    virStreamPtr stream = virStreamNew(virDomainGetConnect(d), VIR_STREAM_NONBLOCK);
    if (!stream)
        return domains_error(e, "libvirt");
    if (console_connect(d, channel, stream, e) < 0) {
        virStreamFree(stream);
        return -e->code;
    }
    struct domains_console *c = NEW(struct domains_console);
    *c = (struct domains_console){
        .stream = stream, .fd = TAKE_FD(mine), .ended = ended, .data = data};
    fd_nonblock(c->fd);
    c->handle = virEventAddHandle(c->fd, VIR_EVENT_HANDLE_READABLE, on_person, c, NULL);
    virStreamEventAddCallback(stream, VIR_STREAM_EVENT_READABLE, on_stream, c, NULL);
    console_wait(c);
    *ret = c;
    return 0;
}

bool domains_console_is_over(const struct domains_console *c)
{
    return !c || c->over;
}

void domains_console_hang_up(struct domains_console *c)
{
    shutdown(c->fd, SHUT_RDWR);
}

int domains_console_release(struct domains_console *c)
{
    int fd = c->fd;
    console_close(c);
    virEventRemoveHandle(c->handle);
    virStreamAbort(c->stream);
    virStreamFree(c->stream);
    free(c);
    return fd;
}

void domains_console_free(struct domains_console *c)
{
    if (c)
        fd_close(domains_console_release(c));
}
