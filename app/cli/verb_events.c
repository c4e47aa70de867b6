/*
 * cofferdam events: what happens to workloads, a line each, until interrupted. There is no daemon
 * to ask: inotify on the runtime folder says when to look again, each monitor tells its own end.
 */
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "base/fd.h"
#include "base/file.h"

#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { WORKLOADS_MOST = 1024 };
#define EVENT_LIMITS "limits changed"

/* What was last said of a workload. */
struct known {
    struct known *next; /* owned */
    struct state_record record;
    struct client *client; /* owned; waits for the end */
    int watch;             /* inotify's, of its folder */
    bool exited, closed, seen;
    int status;
    unsigned ended_restarts; /* how often it had begun again when it exited */
    char *reason;            /* owned */
};

struct events {
    const struct dirs *dirs;
    int inotify;
    struct known *list; /* owned */
    bool json, first;
};

static void say(const struct events *ev, const struct known *k, const char *what)
{
    bool ended = k->exited && str_equal(what, "exited");
    autofree char *all = strv_join(k->record.limits, " ");
    const char *limits = str_equal(what, EVENT_LIMITS) ? all : NULL;
    if (ev->json) {
        json_t *j = json_pack("{s:I, s:s, s:o, s:o, s:o}", "time_ms", (json_int_t)live_now_ms(),
                              "event", what, "id", out_json_string(k->record.id), "name",
                              out_json_string(k->record.name), "profile",
                              out_json_string(k->record.profile));
        if (ended)
            json_object_set_new(j, "status", json_integer(k->status));
        if (ended && k->reason)
            json_object_set_new(j, "reason", out_json_string(k->reason));
        if (limits)
            json_object_set_new(j, "limits", json_string(limits));
        out_json_line(j);
    } else {
        autofree char *name = out_text(k->record.name);
        autofree char *why = ended && k->reason ? out_text(k->reason) : NULL;
        autofree char *status = ended ? str_format(" %d", k->status) : NULL;
        autofree char *changed = limits ? out_text(limits) : NULL;
        const char *more = why ? why : changed;
        printf("%s %s %s%s%s%s\n", k->record.id, name, what, status ? status : "", more ? ": " : "",
               more ? more : "");
    }
    fflush(stdout);
}

/* --- a monitor's own word --------------------------------------------------------------------- */

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct known *k = data;
    if (console || k->exited)
        return;
    k->exited = true;
    k->ended_restarts = k->record.restarts;
    k->status = status;
    free(k->reason);
    k->reason = str_dup_or_null(reason);
}

static void on_closed(void *data, const char *why)
{
    ((struct known *)data)->closed = true;
}

static const struct client_events wait_events = {.exited = on_exited, .closed = on_closed};

/* --- the list --------------------------------------------------------------------------------- */

static struct known *known_find(struct events *ev, const char *id)
{
    for (struct known *k = ev->list; k; k = k->next)
        if (str_equal(k->record.id, id))
            return k;
    return NULL;
}

static void known_free(struct events *ev, struct known *k)
{
    if (k->watch >= 0)
        inotify_rm_watch(ev->inotify, k->watch);
    client_free(k->client);
    state_record_done(&k->record);
    free(k->reason);
    free(k);
}

/* To its monitor: the first one, or that of a restart, whose folder is another one as well. */
static void known_listen(struct events *ev, struct known *k)
{
    struct error e;
    if (!state_phase_lives(k->record.phase) || (k->client && !k->closed))
        return;
    client_free(TAKE(k->client));
    k->closed = false;
    autofree char *folder = str_format("%s/%s", ev->dirs->runtime, k->record.id);
    autofree char *socket = state_socket_path(ev->dirs, k->record.id);
    k->watch = inotify_add_watch(ev->inotify, folder, IN_MOVED_TO | IN_CLOSE_WRITE);
    if (client_connect(socket, &wait_events, k, &k->client, &e) == 0)
        client_wait(k->client);
}

static struct known *known_add(struct events *ev, struct state_record r)
{
    struct known *k = NEW(struct known);
    k->record = r;
    k->watch = -1;
    k->next = ev->list;
    ev->list = k;
    known_listen(ev, k);
    return k;
}

static const char *phase_event(enum state_phase before, enum state_phase now)
{
    switch (now) {
    case STATE_STARTING:
        return "starting";
    case STATE_RUNNING:
        return before == STATE_PAUSED ? "resumed" : "started";
    case STATE_PAUSED:
        return "paused";
    case STATE_STOPPING:
        return "stopping";
    case STATE_RESTARTING:
        return "restarting";
    case STATE_EXITED:
        return "exited";
    case STATE_LOST:
        return "lost";
    }
    return "changed";
}

static void update(struct events *ev, struct state_record r)
{
    struct known *k = known_find(ev, r.id);
    if (!k) {
        enum state_phase phase = r.phase;
        k = known_add(ev, r);
        k->seen = true;
        if (!ev->first)
            say(ev, k, phase == STATE_EXITED ? "exited" : phase_event(STATE_STARTING, phase));
        return;
    }
    enum state_phase before = k->record.phase;
    autofree char *limits = strv_join(k->record.limits, " "), *now = strv_join(r.limits, " ");
    state_record_done(&k->record);
    k->record = r;
    k->seen = true;
    known_listen(ev, k);
    if (r.limits && !str_equal(limits, now))
        say(ev, k, EVENT_LIMITS);
    if (before == r.phase)
        return;
    if (r.restarts > k->ended_restarts)
        k->exited = false; /* it has begun again */
    if (r.phase == STATE_EXITED && !k->exited) {
        k->exited = true;
        k->ended_restarts = r.restarts;
        k->status = r.status;
        free(k->reason);
        k->reason = str_dup_or_null(r.reason);
    } else if (r.phase == STATE_EXITED) {
        return; /* its monitor has said so */
    }
    say(ev, k, phase_event(before, r.phase));
}

static void look(struct events *ev)
{
    struct state_record *list;
    size_t count;
    struct error e;
    if (state_list(ev->dirs, &list, &count, &e) < 0)
        return;
    for (struct known *k = ev->list; k; k = k->next)
        k->seen = false;
    for (size_t i = count; i-- > 0;) {
        update(ev, list[i]);
        list[i] = (struct state_record){0};
    }
    state_list_free(list, count);
    for (struct known **at = &ev->list; *at;) {
        struct known *k = *at;
        if (k->seen || (k->client && !k->closed)) {
            at = &k->next;
            continue;
        }
        say(ev, k, "removed");
        *at = k->next;
        known_free(ev, k);
    }
    ev->first = false;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void drain(int fd)
{
    char chunk[4096] __attribute__((aligned(8)));
    while (read(fd, chunk, sizeof(chunk)) > 0)
        ;
}

/* False: whoever reads us is gone. */
static bool wait_for_more(struct events *ev)
{
    struct pollfd p[WORKLOADS_MOST + 2] = {
        {.fd = ev->inotify, .events = POLLIN},
        {.fd = STDOUT_FILENO                }
    };
    struct known *of[WORKLOADS_MOST + 2] = {0};
    nfds_t count = 2;
    for (struct known *k = ev->list; k && count < ARRAY_SIZE(p); k = k->next)
        if (k->client && !k->closed) {
            p[count].fd = client_fd(k->client);
            p[count].events = POLLIN | (client_wants_write(k->client) ? POLLOUT : 0);
            of[count++] = k;
        }
    if (poll(p, count, -1) < 0)
        return errno == EINTR;
    if (p[1].revents & POLLERR)
        return false;
    if (p[0].revents)
        drain(ev->inotify);
    for (nfds_t i = 2; i < count; i++) {
        bool before = of[i]->exited;
        if (p[i].revents)
            client_dispatch(of[i]->client);
        if (before || !of[i]->exited)
            continue;
        if (of[i]->record.phase == STATE_STARTING) { /* it was quicker than our look at the list */
            of[i]->record.phase = STATE_RUNNING;
            say(ev, of[i], "started");
        }
        say(ev, of[i], "exited");
    }
    return true;
}

static int events_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    if (c->args_count)
        return cli_usage(c, "it takes no workloads");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    struct events ev = {.dirs = &d, .json = c->json, .first = true};
    autoclose int runtime = file_open_private_dir(d.runtime, true, &e);
    ev.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int status = 0;
    if (runtime < 0) {
        status = cli_fail(c, &e);
    } else if (ev.inotify < 0 || inotify_add_watch(ev.inotify, d.runtime,
                                                   IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0) {
        error_errno(&e, errno, "cannot watch %s", d.runtime);
        status = cli_fail(c, &e);
    } else {
        do
            look(&ev);
        while (wait_for_more(&ev));
    }
    while (ev.list) {
        struct known *k = ev.list;
        ev.list = k->next;
        known_free(&ev, k);
    }
    fd_close(ev.inotify);
    dirs_done(&d);
    return status;
}

const struct verb verb_events = {
    .name = "events",
    .group = "Watch",
    .usage = "[--json]",
    .summary = "print what happens to workloads, a line each, until interrupted",
    .flags = VERB_JSON,
    .run = events_run,
};
