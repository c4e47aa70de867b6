/* The clients: who may connect, what is sent when, who is dropped. */
#include "base/fd.h"
#include "console/monitor_parts.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GREET_MS = 5000, FRAMES_A_ROUND = 64 };

void peer_kill(struct peer *p)
{
    p->dead = true;
}

void peer_fail(struct peer *p, uint32_t console, uint32_t request, const struct error *e)
{
    int32_t code = e->code;
    link_put(&p->link, WIRE_FAILED, console, request, &code, sizeof(code), e->text,
             strnlen(e->text, WIRE_TEXT_MAX));
}

void peer_done(struct peer *p, uint32_t request, const struct error *e)
{
    int32_t code = e ? e->code : 0;
    link_put(&p->link, WIRE_DONE, 0, request, &code, sizeof(code), e ? e->text : "",
             e ? strnlen(e->text, WIRE_TEXT_MAX) : 0);
}

static bool greets_well(struct peer *p, const struct wire_frame *f)
{
    struct wire_hello hello;
    if (f->type != WIRE_HELLO)
        return false;
    wire_get(f, &hello, sizeof(hello));
    if (hello.magic != WIRE_MAGIC || hello.version != WIRE_VERSION)
        return false;
    p->greeted = true;
    loop_timer_free(p->greet);
    p->greet = NULL;
    return true;
}

/* Frames that are already here, until the workload's input is full. */
static void peer_handle(struct peer *p)
{
    struct wire_frame f;
    int fd;
    for (int i = 0; i < FRAMES_A_ROUND && !p->dead && !p->blocked; i++) {
        int r = link_next(&p->link, &f, &fd);
        if (r < 0)
            peer_kill(p);
        if (r <= 0) {
            p->busy = false;
            return;
        }
        if (p->greeted) {
            request_handle(p, &f, fd);
        } else {
            fd_close(fd);
            if (!greets_well(p, &f))
                peer_kill(p);
        }
    }
    p->busy = true; /* some may be left: they are looked at in the next round */
}

void peer_receive(struct peer *p)
{
    long n = link_receive(&p->link);
    if (n == -EAGAIN)
        return;
    if (n <= 0)
        peer_kill(p);
    else
        peer_handle(p);
}

static void peer_ready(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct peer *p = data;
    if (p->dead)
        return;
    if (events & EPOLLIN)
        peer_receive(p);
    else if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        peer_kill(p);
}

static void greet_late(struct loop_timer *t, void *data)
{
    peer_kill(data);
}

struct peer *peer_add(struct monitor *m, int fd)
{
    if (m->peers_count == PEERS_MAX) {
        fd_close(fd);
        return NULL;
    }
    struct peer *p = NEW(struct peer);
    fd_nonblock(fd);
    link_init(&p->link, fd, false);
    p->monitor = m;
    p->watch = loop_watch(m->loop, fd, EPOLLIN, peer_ready, p);
    p->greet = loop_timer_new(m->loop, greet_late, p);
    loop_timer_set(p->greet, GREET_MS);
    p->next = m->peers;
    m->peers = p;
    m->peers_count++;
    return p;
}

static void peer_free(struct peer *p)
{
    struct monitor *m = p->monitor;
    struct error ignored;
    views_drop_peer(m, p);
    if (m->holder == p)
        hold_end(m, &ignored);
    for (struct transfer *t = m->transfers; t; t = t->next)
        if (t->peer == p)
            t->peer = NULL;
    loop_unwatch(p->watch);
    loop_timer_free(p->greet);
    link_done(&p->link);
    free(p);
    m->peers_count--;
}

void peers_free(struct monitor *m)
{
    while (m->peers) {
        struct peer *p = m->peers;
        m->peers = p->next;
        peer_free(p);
    }
}

/* --- the socket ------------------------------------------------------------------------------- */

/* Only this user and root: the folder says so already, the peer's credentials say it again. */
static void accept_one(struct loop_watch *w, int listener, uint32_t events, void *data)
{
    struct monitor *m = data;
    autoclose int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return;
    if (peer.uid != geteuid() && peer.uid != 0)
        return;
    life_settle_state(m);
    peer_add(m, TAKE_FD(fd));
}

void peers_stop_listening(struct monitor *m)
{
    unsigned before;
    do {
        before = m->peers_count;
        accept_one(NULL, m->listener, EPOLLIN, m);
    } while (m->peers_count > before);
    loop_unwatch(m->listener_watch);
    m->listener_watch = NULL;
    m->listener = fd_close(m->listener);
}

int peers_listen(struct monitor *m, struct error *e)
{
    m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (m->listener < 0)
        return error_errno(e, errno, "cannot make the monitor's socket");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/socket",
             state_writer_dir(m->writer));
    if (bind(m->listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(m->listener, 16) < 0)
        return error_errno(e, errno, "cannot bind the monitor's socket");
    m->listener_watch = loop_watch(m->loop, m->listener, EPOLLIN, accept_one, m);
    return 0;
}

/* --- each round ------------------------------------------------------------------------------- */

/* Some more of the log, once what was sent before has gone. */
static void feed_log(struct peer *p)
{
    struct monitor *m = p->monitor;
    struct log_chunk head;
    const char *bytes = "";
    const struct console_log *log = p->log.kernel ? &m->kernel : &m->log;
    while (link_backlog(&p->link) < READ_CHUNK) {
        bytes = console_log_next(log, &p->log.at, &head);
        if (!bytes)
            break;
        if (head.at_ms >= p->log.since_ms)
            link_put(&p->link, WIRE_LOG, 0, p->log.request, bytes, head.size, NULL, 0);
    }
    if (bytes)
        return;
    if (m->main->terminal && !p->log.kernel) { /* its earlier runs are told */
        terminal_log(m->main, p);
    } else if (!p->log.follow || (p->log.kernel ? m->ended : m->main->told)) {
        link_put_last(&p->link, WIRE_LOG, 0, p->log.request, NULL, 0);
        p->log.active = false;
    }
}

static void peer_round(struct peer *p)
{
    if (p->busy && !p->blocked)
        peer_handle(p);
    if (p->untaken && !p->full) {
        link_put(&p->link, WIRE_INPUT_TAKEN, 0, 0, &p->untaken, sizeof(p->untaken), NULL, 0);
        p->untaken = 0;
    }
    int r = link_send(&p->link);
    if (r == 0 && p->log.active) {
        feed_log(p);
        r = link_send(&p->link);
    }
    if (r < 0) {
        peer_kill(p);
        return;
    }
    uint32_t want = (p->blocked || p->busy ? 0 : (uint32_t)EPOLLIN) | (r ? (uint32_t)EPOLLOUT : 0);
    loop_rewatch(p->watch, want ? want : (uint32_t)EPOLLRDHUP);
}

/* What waits goes first: only an empty queue takes a picture. */
static void send_all(struct monitor *m)
{
    for (struct peer *p = m->peers; p; p = p->next)
        if (!p->dead)
            peer_round(p);
    for (struct console *c = m->consoles; c; c = c->next)
        if (c->terminal)
            terminal_show(c);
    for (struct peer *p = m->peers; p; p = p->next)
        if (!p->dead && link_backlog(&p->link))
            peer_round(p);
    for (struct console *c = m->consoles; c; c = c->next)
        if (!c->terminal && c->typist)
            streams_resume(c);
}

static bool reap(struct monitor *m)
{
    bool any = false;
    for (struct peer **at = &m->peers; *at;) {
        struct peer *p = *at;
        if (!p->dead) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        peer_free(p);
        any = true;
    }
    if (any && m->wishes->while_watched && !m->main->views) {
        struct error ignored;
        life_kill(m, NULL, &ignored);
    }
    return any;
}

void peers_round(struct monitor *m)
{
    do
        send_all(m);
    while (reap(m)); /* whoever goes leaves others something to be told */
}
