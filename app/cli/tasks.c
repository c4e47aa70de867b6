#include "app/cli/tasks.h"

#include "app/cli/foreign.h"
#include "app/cli/out.h"
#include "base/file.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

static bool tasks_have(const struct tasks *t, const char *id)
{
    for (size_t i = 0; i < t->count; i++)
        if (str_equal(t->of[i].record.id, id))
            return true;
    return false;
}

int tasks_find(const struct dirs *d, char *const *words, size_t count, struct tasks *ret,
               struct error *e)
{
    struct tasks t = {.of = mem_zero(count + 1, sizeof(struct task))};
    for (size_t i = 0; i < count; i++) {
        struct state_record r;
        if (state_find(d, words[i], &r, e) < 0) {
            tasks_done(&t);
            return -e->code;
        }
        if (tasks_have(&t, r.id))
            state_record_done(&r);
        else
            t.of[t.count++].record = r;
    }
    *ret = t;
    return 0;
}

void tasks_of(struct tasks *t, struct state_record *list, size_t count)
{
    *t = (struct tasks){.of = mem_zero(count + 1, sizeof(struct task)), .count = count};
    for (size_t i = 0; i < count; i++)
        t->of[i].record = list[i];
    free(list);
}

void tasks_done(struct tasks *t)
{
    for (size_t i = 0; i < t->count; i++) {
        client_free(t->of[i].client);
        state_record_done(&t->of[i].record);
        free(t->of[i].state);
    }
    free(t->of);
    *t = (struct tasks){0};
}

/* --- events: the data is the task ------------------------------------------------------------- */

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct task *t = data;
    if (console)
        return;
    t->exited = true;
    t->status = status;
}

static void on_state(void *data, const char *json, size_t size)
{
    struct task *t = data;
    free(t->state);
    t->state = str_ndup(json, size);
    t->done = true;
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct task *t = data;
    t->done = true;
    if (e) {
        t->error = *e;
        t->result = -e->code;
    }
}

static void on_closed(void *data, const char *why)
{
    struct task *t = data;
    if (t->done)
        return;
    t->done = true;
    if (!t->exited)
        t->result = error_set(&t->error, EPIPE, "%s", why);
}

static const struct client_events task_events = {
    .exited = on_exited,
    .state = on_state,
    .done = on_done,
    .closed = on_closed,
};

static void task_begin(const struct dirs *d, struct task *t,
                       void (*ask)(struct task *t, void *data), void *data)
{
    t->done = true;
    if (!state_phase_lives(t->record.phase))
        return;
    autofree char *path = state_socket_path(d, t->record.id);
    t->result = client_connect(path, &task_events, t, &t->client, &t->error);
    if (t->result < 0)
        return;
    t->done = false;
    ask(t, data);
}

enum { TASKS_WORD_MS = 3000 };

/* Stopped by somebody, it answers nobody; that it is waited for has to be explained. */
static void task_explain(struct task *t)
{
    autofree char *path = str_format("/proc/%d/stat", t->record.monitor_pid), *text = NULL;
    size_t size = 0;
    if (t->done || t->explained || file_read_virtual(AT_FDCWD, path, 4096, &text, &size) < 0)
        return;
    const char *state = strrchr(text, ')');
    if (!state || !str_starts(state, ") T"))
        return;
    t->explained = true;
    fprintf(stderr,
            "cofferdam: %s: its monitor (process %d) is stopped: kill -CONT %d lets it go on, "
            "kill -KILL %d ends it and all inside\n",
            t->record.name, t->record.monitor_pid, t->record.monitor_pid, t->record.monitor_pid);
}

/* False: nobody is waited for, or the time is over. */
static bool wait_once(struct tasks *t, int timeout_ms)
{
    autofree struct pollfd *p = mem_zero(t->count + 1, sizeof(*p));
    bool waits = false;
    for (size_t i = 0; i < t->count; i++) {
        struct task *k = &t->of[i];
        p[i].fd = k->done || !k->client ? -1 : client_fd(k->client);
        p[i].events = POLLIN;
        if (p[i].fd >= 0 && client_wants_write(k->client))
            p[i].events |= POLLOUT;
        waits |= p[i].fd >= 0;
    }
    int ready = waits ? poll(p, t->count, timeout_ms < 0 ? TASKS_WORD_MS : timeout_ms) : 0;
    for (size_t i = 0; i < t->count && waits && ready == 0 && timeout_ms < 0; i++)
        task_explain(&t->of[i]);
    if (!waits || (ready == 0 && timeout_ms >= 0))
        return false;
    for (size_t i = 0; i < t->count; i++)
        if (p[i].fd >= 0 && p[i].revents)
            client_dispatch(t->of[i].client);
    return true;
}

void tasks_ask(const struct dirs *d, struct tasks *t, void (*ask)(struct task *t, void *data),
               void *data, int timeout_ms)
{
    uint64_t end = loop_now_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
    for (size_t i = 0; i < t->count; i++)
        task_begin(d, &t->of[i], ask, data);
    for (;;) {
        uint64_t now = loop_now_ms();
        int left = timeout_ms < 0 ? -1 : now >= end ? 0 : (int)(end - now);
        if (!wait_once(t, left))
            break;
    }
    for (size_t i = 0; i < t->count; i++)
        if (!t->of[i].done)
            t->of[i].result = error_set(&t->of[i].error, ETIMEDOUT, "its monitor does not answer");
}

int tasks_report(const struct cli *c, const struct tasks *t)
{
    int status = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->of[i].result >= 0)
            continue;
        struct error e = t->of[i].error;
        error_wrap(&e, "%s", t->of[i].record.name);
        status = cli_fail(c, &e);
    }
    return status;
}

/* Those of other programs first; what is left are ours. */
static int tasks_foreign(struct cli *c)
{
    static const char *const can[] = {"stop", "kill", "pause", "resume"};
    int status = 0;
    size_t kept = 0;
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(can); i++)
        known = known || str_equal(can[i], c->verb->name);
    for (size_t i = 0; i < c->args_count; i++) {
        struct error e;
        if (!foreign_is(c->args[i])) {
            c->args[kept++] = c->args[i];
        } else if (!known) {
            error_set(&e, ENOTSUP,
                      "%s is not ours: stop, kill, pause, resume and domain are for it",
                      c->args[i]);
            status = cli_fail(c, &e);
        } else if (foreign_control(c, c->args[i], c->verb->name)) {
            status = 125;
        }
    }
    c->args_count = kept;
    c->args[kept] = NULL;
    return status;
}

int tasks_run(struct cli *c, tasks_work_fn *work, void *data)
{
    struct dirs d;
    struct tasks t;
    struct error e;
    if (!c->args_count)
        return cli_usage(c, "a workload is needed");
    int status = tasks_foreign(c);
    if (!c->args_count)
        return status;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    if (tasks_find(&d, c->args, c->args_count, &t, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        int worked = work(c, &d, &t, data);
        status = worked ? worked : status;
        tasks_done(&t);
    }
    dirs_done(&d);
    return status;
}

int tasks_ask_living(struct cli *c, const struct dirs *d, struct tasks *t,
                     void (*ask)(struct task *t, void *data), void *data)
{
    tasks_ask(d, t, ask, data, -1);
    for (size_t i = 0; i < t->count; i++)
        if (!state_phase_lives(t->of[i].record.phase))
            t->of[i].result = error_set(&t->of[i].error, ESRCH, "it is not running");
    return tasks_report(c, t);
}
