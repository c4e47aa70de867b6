/*
 * The domains of several libvirts, told anew whenever one changes: each by a process of its own,
 * which hears that daemon's events, so that one that hangs holds up no other.
 */
#include "app/domains/domains.h"

#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    EVENTS_MOST = 64,       /* places */
    EVENTS_FIRST_MS = 2000, /* then who has said nothing hangs */
    EVENTS_AGAIN_MS = 500,
    EVENTS_AGAIN_MOST_MS = 10000,
    EVENTS_KEEPALIVE_S = 1,
    EVENTS_LINE_MOST = 4 << 20,
};

/* --- of one place, in its process ---------------------------------------------------------------
 */

struct events_place {
    const char *uri;
    virConnectPtr connection;
    json_t *last; /* owned; what was last heard; NULL: nothing yet */
    bool changed, lost;
};

/* One line; `why`: nobody can be asked, and these are the last ones known. */
static void place_say(const struct events_place *p, const char *why)
{
    json_t *j = json_pack("{s:s, s:O}", "uri", p->uri, "domains", p->last);
    if (why)
        json_object_set_new(j, "why", json_string(why));
    autofree char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    autofree char *line = str_format("%s\n", text ? text : "{}");
    if (fd_write_full(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(0); /* nobody listens */
}

static int on_event(virConnectPtr c, virDomainPtr domain, int event, int detail, void *data)
{
    ((struct events_place *)data)->changed = true;
    return 0;
}

static void on_lost(virConnectPtr c, int reason, void *data)
{
    ((struct events_place *)data)->lost = true;
}

static int place_connect(struct events_place *p, struct error *e)
{
    p->connection = domains_connect(p->uri, e);
    if (!p->connection)
        return -e->code;
    p->lost = false;
    p->changed = true;
    virConnectSetKeepAlive(p->connection, EVENTS_KEEPALIVE_S, 2);
    virConnectRegisterCloseCallback(p->connection, on_lost, p, NULL);
    if (virConnectDomainEventRegisterAny(p->connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_event), p, NULL) < 0)
        return domains_error(e, p->uri);
    return 0;
}

static void place_hang_up(struct events_place *p)
{
    if (!p->connection)
        return;
    virConnectUnregisterCloseCallback(p->connection, on_lost);
    virConnectClose(p->connection);
    p->connection = NULL;
}

/* While it answers. */
static void place_listen(struct events_place *p)
{
    while (!p->lost) {
        if (p->changed) {
            p->changed = false;
            json_t *list = domains_others(p->connection);
            if (!list)
                return;
            json_decref(p->last);
            p->last = list;
            place_say(p, NULL);
        }
        if (virEventRunDefaultImpl() < 0)
            return;
    }
}

/* A daemon that went away is not woken: somebody else does that, or nobody. */
static _Noreturn void place_main(const char *uri)
{
    struct events_place p = {.uri = uri, .last = json_array()};
    struct error e = {0};
    unsigned again = EVENTS_AGAIN_MS;
    setsid(); /* away from the terminal, on which an ssh would ask */
    setenv("LIBVIRT_AUTOSTART", "0", 1);
    virEventRegisterDefaultImpl();
    for (;;) {
        bool had = false;
        if (place_connect(&p, &e) == 0) {
            had = true;
            again = EVENTS_AGAIN_MS;
            place_listen(&p);
        }
        place_hang_up(&p);
        size_t named = str_starts(e.text, uri) ? strlen(uri) + 2 : 0; /* "URI: …" */
        place_say(&p, had ? "its daemon went away" : e.text + named);
        struct pollfd reader = {.fd = STDOUT_FILENO};
        if (poll(&reader, 1, (int)again) > 0)
            _exit(0);
        again = MIN(again * 2, (unsigned)EVENTS_AGAIN_MOST_MS);
    }
}

/* --- all of them --------------------------------------------------------------------------------
 */

struct events_child {
    pid_t pid;
    int fd;    /* owned */
    bool said; /* something, once */
    struct buf line;
};

static void child_begin(struct events_child *c, const char *uri)
{
    int pair[2];
    *c = (struct events_child){.fd = FD_NONE};
    if (fd_pipe(pair, 0) < 0)
        return;
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(pair[1], STDOUT_FILENO);
        place_main(uri);
    }
    fd_close(pair[1]);
    c->fd = pair[0];
}

/* Whole lines go on as they come: two never mix. */
static void child_hear(struct events_child *c)
{
    char piece[65536];
    ssize_t n = read(c->fd, piece, sizeof(piece));
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0 || c->line.used > EVENTS_LINE_MOST) {
        c->fd = fd_close(c->fd);
        return;
    }
    buf_add(&c->line, piece, (size_t)n);
    const char *last = memrchr(c->line.data, '\n', c->line.used);
    if (!last)
        return;
    size_t size = (size_t)(last - c->line.data) + 1;
    c->said = true;
    if (fd_write_full(STDOUT_FILENO, c->line.data, size) < 0)
        exit(0);
    memmove(c->line.data, c->line.data + size, c->line.used - size);
    c->line.used -= size;
}

static void children_late(struct events_child *of, char *const *uris, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (of[i].said)
            continue;
        struct events_place p = {.uri = uris[i], .last = json_array()};
        place_say(&p, "its daemon hangs");
        json_decref(p.last);
        of[i].said = true;
    }
}

int domains_watch(char *const *uris)
{
    struct events_child of[EVENTS_MOST];
    struct pollfd p[EVENTS_MOST + 1];
    size_t count = MIN(strv_length(uris), (size_t)EVENTS_MOST);
    for (size_t i = 0; i < count; i++)
        child_begin(&of[i], uris[i]);
    uint64_t late = loop_now_ms() + EVENTS_FIRST_MS;
    for (bool all = false;;) {
        for (size_t i = 0; i < count; i++)
            p[i] = (struct pollfd){.fd = of[i].fd, .events = POLLIN};
        p[count] = (struct pollfd){.fd = STDOUT_FILENO}; /* whoever listens leaves */
        uint64_t now = loop_now_ms();
        if (!all && now >= late) {
            children_late(of, uris, count);
            all = true;
        }
        if (poll(p, count + 1, all ? -1 : (int)(late - now)) < 0 && errno != EINTR)
            return 1;
        if (p[count].revents)
            break;
        for (size_t i = 0; i < count; i++)
            if (p[i].revents)
                child_hear(&of[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (of[i].pid > 0) {
            kill(-of[i].pid, SIGKILL); /* and the ssh to another host */
            kill(of[i].pid, SIGKILL);
        }
    return 0;
}
