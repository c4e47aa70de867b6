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
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENTS_MOST = 64,       /* places */
    EVENTS_FIRST_MS = 2000, /* then who has said nothing hangs */
    EVENTS_AGAIN_MS = 500,
    EVENTS_AGAIN_MOST_MS = 10000,
    EVENTS_KEEPALIVE_S = 1,
    EVENTS_CALL_S = 30, /* a daemon that hangs may keep a connection alive all the same */
    EVENTS_HUNG = 124,  /* as domains_limit() leaves */
    EVENTS_LINE_MOST = 4 << 20,
};

/* --- of one place, in its process ---------------------------------------------------------------
 */

struct events_place {
    const char *uri;
    virConnectPtr connection;
    json_t *last; /* owned; what was last heard; NULL: nothing yet */
    bool changed, lost;
    int heard; /* the callback's id, or -1 */
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
    p->heard = -1;
    p->changed = true;
    virConnectSetKeepAlive(p->connection, EVENTS_KEEPALIVE_S, 2);
    virConnectRegisterCloseCallback(p->connection, on_lost, p, NULL);
    p->heard = virConnectDomainEventRegisterAny(p->connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                VIR_DOMAIN_EVENT_CALLBACK(on_event), p, NULL);
    return p->heard < 0 ? domains_error(e, p->uri) : 0;
}

static void place_hang_up(struct events_place *p)
{
    if (!p->connection)
        return;
    if (p->heard >= 0)
        virConnectDomainEventDeregisterAny(p->connection, p->heard);
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
            domains_limit(EVENTS_CALL_S, NULL);
            json_t *list = domains_others(p->connection);
            domains_limit(0, NULL);
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

/* The domains of such a line; the caller's. */
static json_t *place_last(const char *line)
{
    json_t *j = line ? json_loads(line, 0, NULL) : NULL, *domains = json_object_get(j, "domains");
    json_t *list = domains ? json_incref(domains) : json_array();
    json_decref(j);
    return list;
}

/* A daemon that went away is not woken: somebody else does that, or nobody. */
static _Noreturn void place_main(const char *uri, const char *last)
{
    struct events_place p = {.uri = uri, .last = place_last(last)};
    struct error e = {0};
    unsigned again = EVENTS_AGAIN_MS;
    setenv("LIBVIRT_AUTOSTART", "0", 1);
    virEventRegisterDefaultImpl();
    for (;;) {
        domains_limit(CONNECT_S, NULL);
        bool had = place_connect(&p, &e) == 0;
        domains_limit(0, NULL);
        if (had) {
            again = EVENTS_AGAIN_MS;
            place_listen(&p);
        }
        domains_limit(EVENTS_CALL_S, NULL);
        place_hang_up(&p);
        domains_limit(0, NULL);
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
    const char *uri;
    pid_t pid;
    int fd;                      /* owned */
    bool said;                   /* something, once */
    uint64_t begun_ms, again_ms; /* again_ms: it has ended, and begins anew then; 0: it is there */
    unsigned wait_ms;            /* longer each time it ends soon after its begin */
    struct buf line;
    char *last; /* owned; the last whole one; NULL: none yet */
};

/* It alone begins again, and nobody else notices. */
static void child_rest(struct events_child *c)
{
    uint64_t now = loop_now_ms();
    bool soon = now - c->begun_ms < EVENTS_AGAIN_MOST_MS;
    c->wait_ms = soon && c->wait_ms ? MIN(c->wait_ms * 2, (unsigned)EVENTS_AGAIN_MOST_MS)
                                    : (unsigned)EVENTS_AGAIN_MS;
    c->again_ms = now + c->wait_ms;
}

/* Nor does an ssh stay behind. */
static void on_parents_end(int number)
{
    kill(0, SIGKILL);
}

static void child_begin(struct events_child *of, size_t count, struct events_child *c)
{
    pid_t parent = getpid();
    int pair[2];
    c->begun_ms = loop_now_ms();
    c->again_ms = 0;
    if (fd_pipe(pair, 0) < 0) {
        child_rest(c);
        return;
    }
    c->pid = fork();
    if (c->pid == 0) {
        setsid(); /* away from the terminal, on which an ssh would ask */
        signal(SIGTERM, on_parents_end);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(0);
        dup2(pair[1], STDOUT_FILENO);
        fd_close(pair[0]);
        fd_close(pair[1]);
        for (size_t i = 0; i < count; i++)
            fd_close(of[i].fd);
        place_main(c->uri, c->last);
    }
    fd_close(pair[1]);
    c->fd = pair[0];
    if (c->pid < 0) {
        c->fd = fd_close(c->fd);
        child_rest(c);
    }
}

/* Its status as waitpid(2) has it; 0: there was none. */
static int child_end(struct events_child *c)
{
    int status = 0;
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL); /* and the ssh to another host */
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    c->pid = 0;
    c->fd = fd_close(c->fd);
    buf_done(&c->line);
    return status;
}

/* The domains it told of last stay known. */
static void child_lost(struct events_child *c)
{
    struct events_place p = {.uri = c->uri, .last = place_last(c->last)};
    int status = child_end(c);
    bool hung = WIFEXITED(status) && WEXITSTATUS(status) == EVENTS_HUNG;
    place_say(&p, hung ? "its daemon hangs" : "its watcher ended");
    json_decref(p.last);
    c->said = true;
    child_rest(c);
}

/* Whole lines go on as they come: two never mix. */
static void child_hear(struct events_child *c)
{
    char piece[65536];
    ssize_t n = read(c->fd, piece, sizeof(piece));
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0 || c->line.used > EVENTS_LINE_MOST) {
        child_lost(c);
        return;
    }
    buf_add(&c->line, piece, (size_t)n);
    const char *end = memrchr(c->line.data, '\n', c->line.used);
    if (!end)
        return;
    size_t size = (size_t)(end - c->line.data) + 1;
    const char *before = memrchr(c->line.data, '\n', size - 1);
    const char *last = before ? before + 1 : c->line.data;
    free(c->last);
    c->last = str_ndup(last, (size_t)(end - last));
    c->said = true;
    if (fd_write_full(STDOUT_FILENO, c->line.data, size) < 0)
        exit(0);
    memmove(c->line.data, c->line.data + size, c->line.used - size);
    c->line.used -= size;
}

static void children_late(struct events_child *of, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (of[i].said)
            continue;
        struct events_place p = {.uri = of[i].uri, .last = json_array()};
        place_say(&p, "its daemon hangs");
        json_decref(p.last);
        of[i].said = true;
    }
}

/* Begins those whose time has come; when the next one's is, or `until`. */
static uint64_t children_again(struct events_child *of, size_t count, uint64_t until)
{
    for (size_t i = 0; i < count; i++) {
        if (of[i].again_ms && loop_now_ms() >= of[i].again_ms)
            child_begin(of, count, &of[i]);
        if (of[i].again_ms)
            until = MIN(until, of[i].again_ms);
    }
    return until;
}

static int children_wait_ms(uint64_t until)
{
    uint64_t now = loop_now_ms();
    return until == UINT64_MAX ? -1 : until <= now ? 0 : (int)MIN(until - now, (uint64_t)60000);
}

int domains_watch(char *const *uris)
{
    struct events_child of[EVENTS_MOST];
    struct pollfd p[EVENTS_MOST + 1];
    size_t count = MIN(strv_length(uris), (size_t)EVENTS_MOST);
    for (size_t i = 0; i < count; i++)
        of[i] = (struct events_child){.uri = uris[i], .fd = FD_NONE};
    for (size_t i = 0; i < count; i++)
        child_begin(of, count, &of[i]);
    uint64_t late = loop_now_ms() + EVENTS_FIRST_MS;
    int status = 0;
    for (bool all = false;;) {
        uint64_t until = children_again(of, count, all ? UINT64_MAX : late);
        for (size_t i = 0; i < count; i++)
            p[i] = (struct pollfd){.fd = of[i].fd, .events = POLLIN};
        p[count] = (struct pollfd){.fd = STDOUT_FILENO}; /* whoever listens leaves */
        if (!all && loop_now_ms() >= late) {
            children_late(of, count);
            all = true;
        }
        if (poll(p, count + 1, children_wait_ms(until)) < 0 && errno != EINTR)
            status = 1;
        if (status || p[count].revents)
            break;
        for (size_t i = 0; i < count; i++)
            if (p[i].revents)
                child_hear(&of[i]);
    }
    for (size_t i = 0; i < count; i++) {
        child_end(&of[i]);
        free(of[i].last);
    }
    return status;
}
