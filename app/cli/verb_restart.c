/* cofferdam restart: a workload's command from its beginning, on the files as they are now. */
#include "app/cli/launch_run.h"
#include "app/cli/out.h"
#include "app/cli/snapshot_start.h"
#include "app/cli/snapshot_take.h"
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"
#include "base/fd.h"

#include <signal.h>
#include <stdio.h>

static void restart_kill(struct task *t, void *data)
{
    client_kill(t->client);
}

static int restart_end(const struct dirs *d, struct state_record *r, struct error *e)
{
    struct tasks t;
    if (!state_phase_lives(r->phase))
        return 0;
    int result = tasks_find(d, &r->id, 1, &t, e);
    if (result < 0)
        return result;
    tasks_ask(d, &t, restart_kill, NULL, -1);
    result = t.of[0].result;
    if (result < 0)
        *e = t.of[0].error;
    tasks_done(&t);
    return result;
}

/*
 * What can fail before anything ends, fails before. `*ret_ended`: it did end. From `held` on it
 * stands still until then: what it writes after its files were copied would be lost.
 */
static int restart_from(const struct dirs *d, struct state_record *r,
                        const struct snapshot_record *s, struct talk *held, bool *ret_ended,
                        bool *ret_command, char **ret_id, struct error *e)
{
    struct launching l;
    const struct snapshot_start start = {
        .snapshot = s, .name = r->name, .disks = PLAN_DISKS_COPIED};
    autoclose int hold = snapshots_hold(d, s->id, e);
    if (hold < 0) {
        talk_close(held);
        return hold;
    }
    int result = snapshot_prepare(&start, d, &l, e);
    if (result == 0)
        result = restart_end(d, r, e);
    talk_close(held);
    if (result == 0) {
        *ret_ended = true;
        result = launch_start_detached(&l, ret_command, e);
    }
    if (result == 0)
        *ret_id = str_dup(l.id);
    launching_done(&l);
    return result;
}

static int restart_one(const struct cli *c, const struct dirs *d, struct state_record *r)
{
    struct error e;
    struct snapshot_record s = {0};
    struct talk held = {0};
    const struct snapshot_wish wish = {.kind = LAUNCH_SNAPSHOT_FILES, .hold = &held};
    bool ended = false, command = false;
    autofree char *id = NULL;
    if (snapshot_take(d, r, &wish, &s, &e) < 0) {
        error_wrap(&e, "%s", r->name);
        return cli_fail(c, &e);
    }
    launch_hold_signals(); /* an interrupt must leave it neither ended nor with a snapshot */
    int result = restart_from(d, r, &s, &held, &ended, &command, &id, &e);
    if (result < 0 && ended)
        fprintf(stderr, "cofferdam restart: %s has ended; its files are the snapshot %s\n", r->name,
                s.name);
    else
        snapshot_forget(d, &s, c->verb->name, result == 0);
    snapshot_record_done(&s);
    if (result < 0)
        return command ? cli_fail_command(c, &e) : cli_fail(c, &e);
    if (c->json)
        out_json(json_pack("{s:s, s:s}", "id", id, "name", r->name));
    else
        puts(id);
    return 0;
}

static int restart_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    int status = 0;
    for (size_t i = 0; i < t->count; i++) {
        sigset_t before;
        sigprocmask(SIG_SETMASK, NULL, &before);
        int one = restart_one(c, d, &t->of[i].record);
        sigprocmask(SIG_SETMASK, &before, NULL);
        status = status ? status : one;
    }
    return status;
}

static int restart_run(struct cli *c)
{
    return tasks_run(c, restart_work, NULL);
}

const struct verb verb_restart = {
    .name = "restart",
    .group = "Run",
    .usage = "WORKLOAD…",
    .summary = "end workloads and start their commands again, on their files as they are",
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = restart_run,
};
