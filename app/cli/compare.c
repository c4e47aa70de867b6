#include "app/cli/compare.h"

#include "app/cli/launch.h"
#include "base/loop.h"

#include <jansson.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct watch {
    struct trial result;
    uint64_t begun;
    uint32_t wait; /* its request's number */
    bool started, exited, over;
    struct error error; /* code 0: none */
};

static void on_started(void *data, uint32_t console)
{
    struct watch *w = data;
    if (console != 0 || w->started)
        return;
    w->started = true;
    w->result.start_us = loop_now_us() - w->begun;
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct watch *w = data;
    if (console != 0 || w->exited)
        return;
    w->exited = true;
    w->result.total_us = loop_now_us() - w->begun;
    w->result.status = status;
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct watch *w = data;
    if (console != 0 || w->started || w->error.code)
        return;
    w->error = *e;
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct watch *w = data;
    w->over = w->over || request == w->wait;
}

static uint64_t usage_of(const json_t *report, const char *name)
{
    const json_t *n = json_object_get(json_object_get(report, "usage"), name);
    return json_is_integer(n) && json_integer_value(n) >= 0 ? (uint64_t)json_integer_value(n)
                                                            : UINT64_MAX;
}

static void on_report(void *data, const char *json, size_t size)
{
    struct watch *w = data;
    json_t *report = json_loadb(json, size, 0, NULL);
    w->result.cpu_us = usage_of(report, "cpu_us");
    w->result.memory = usage_of(report, "memory_peak");
    json_decref(report);
}

static void on_closed(void *data, const char *why)
{
    struct watch *w = data;
    w->over = true;
    if (!w->exited && !w->error.code)
        error_set(&w->error, EPIPE, "%s", why && *why ? why : "its monitor is gone");
}

/* Until it is gone. Whether it was interrupted. */
static bool watch_to_the_end(struct watch *w, struct client *client, int signals)
{
    bool interrupted = false;
    client_ask_report(client);
    w->wait = client_wait(client);
    while (client_dispatch(client), !w->over) {
        struct signalfd_siginfo info;
        struct pollfd p[] = {
            {.fd = client_fd(client),
             .events = (short)(POLLIN | (client_wants_write(client) ? POLLOUT : 0))},
            {.fd = interrupted ? -1 : signals, .events = POLLIN                    },
        };
        poll(p, ARRAY_SIZE(p), -1);
        if (p[1].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
            interrupted = true;
            client_kill(client);
        }
    }
    return interrupted;
}

bool compare_has_name(const struct backend *b)
{
    struct settings s;
    struct error e;
    settings_init(&s);
    int r = settings_set(&s, KEY_ISOLATION_RUNTIME, b->name, "compare", &e);
    settings_done(&s);
    return r == 0;
}

int compare_options(const struct cli *c, struct error *e)
{
    struct launching l = {0};
    int r = launching_options(&l, c, e);
    launching_done(&l);
    return r;
}

static int prepare(const struct cli *c, const struct backend *b, struct launching *l,
                   struct error *e)
{
    const struct {
        enum key_id key;
        const char *value;
    } fixed[] = {
        {KEY_ISOLATION_BOUNDARY,         plan_boundary_name(b->boundary)},
        {KEY_ISOLATION_RUNTIME,          b->name                        },
        {KEY_LIFECYCLE_KEEP,             "never"                        },
        {KEY_LIFECYCLE_RESTART,          "no"                           },
        {KEY_LIFECYCLE_SNAPSHOT_ON_EXIT, "no"                           },
    };
    int r = launching_options(l, c, e);
    l->request.terminal_wanted = false;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
        r = settings_set(&l->settings, fixed[i].key, fixed[i].value, "compare", e);
    if (r == 0)
        r = launching_build(l, e);
    return r < 0 ? r : launching_check(l, NULL, NULL, e);
}

int compare_trial(const struct cli *c, const struct backend *b, int signals, struct trial *ret,
                  struct error *e)
{
    static const struct client_events events = {
        .started = on_started,
        .exited = on_exited,
        .failed = on_failed,
        .done = on_done,
        .report = on_report,
        .closed = on_closed,
    };
    struct launching l = {0};
    struct watch w = {
        .begun = loop_now_us(), .result = {.cpu_us = UINT64_MAX, .memory = UINT64_MAX}
    };
    struct client *client = NULL;
    struct error ignored;
    pid_t monitor;
    bool interrupted = false;
    launching_begin(&l, &ignored); /* what hinders it now will be said by launching_start() */
    int r = prepare(c, b, &l, e);
    if (r == 0)
        r = launching_start(&l, 0, 0, &events, &w, &client, &monitor, e);
    if (r == 0) {
        w.result.emulated = l.plan->machine.type && l.plan->machine.accel == PLAN_ACCEL_TCG;
        interrupted = watch_to_the_end(&w, client, signals);
        client_free(client);
        while (waitpid(monitor, NULL, 0) < 0 && errno == EINTR)
            ;
        if (w.error.code)
            *e = w.error;
        r = interrupted ? -EINTR : -w.error.code;
    }
    launching_done(&l);
    if (r == 0)
        *ret = w.result;
    return r;
}
