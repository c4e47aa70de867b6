#include "app/cli/own_domain.h"

#include "app/cli/launch_run.h"
#include "app/cli/out.h"
#include "app/cli/snapshot_start.h"
#include "app/cli/snapshot_take.h"
#include "app/cli/tasks.h"
#include "base/cancel.h"
#include "base/fd.h"

#include <signal.h>

/* The snapshot that holds its memory: by this name it is found again. */
static char *own_saved_name(const char *name)
{
    return str_format("saved-%.57s", name);
}

static void own_pause(struct task *t, void *data)
{
    client_pause(t->client, true);
}

static void own_resume(struct task *t, void *data)
{
    client_pause(t->client, false);
}

static void own_kill(struct task *t, void *data)
{
    client_kill(t->client);
}

static void own_reset(struct task *t, void *data)
{
    client_signal(t->client, 0, SIGHUP);
}

static int own_ask(const struct dirs *d, char *id, void (*ask)(struct task *t, void *data),
                   struct error *e)
{
    struct tasks t;
    int r = tasks_find(d, &id, 1, &t, e);
    if (r < 0)
        return r;
    tasks_ask(d, &t, ask, NULL, -1);
    r = t.of[0].result;
    if (r < 0)
        *e = t.of[0].error;
    tasks_done(&t);
    return r;
}

/* --- save ------------------------------------------------------------------------------------- */

/* It stands still from before its memory is written until it is off: nothing it does is lost. */
static int own_take(const struct dirs *d, const struct state_record *r, const char *name,
                    struct error *e)
{
    struct snapshot_record s = {0};
    struct error later;
    const struct snapshot_wish wish = {.name = name, .kind = LAUNCH_SNAPSHOT_MEMORY};
    bool was_paused = r->phase == STATE_PAUSED;
    int result = was_paused ? 0 : own_ask(d, r->id, own_pause, e);
    if (result < 0)
        return result;
    cancel_on_signals();
    result = snapshot_take(d, r, &wish, &s, e);
    cancel_no_more();
    if (result < 0 && !was_paused)
        own_ask(d, r->id, own_resume, &later);
    if (result < 0)
        return result;
    snapshot_record_done(&s);
    launch_hold_signals(); /* from here on it has been saved */
    return own_ask(d, r->id, own_kill, e);
}

static int own_save(struct cli *c, const struct dirs *d, const struct state_record *r,
                    struct error *e)
{
    autofree char *name = own_saved_name(r->name);
    struct snapshot_record before = {0};
    struct error none;
    if (!state_phase_lives(r->phase))
        return error_set(e, ESRCH, "it does not run");
    int found = snapshots_find(d, name, &before, &none);
    bool there = found == 0 && str_equal(before.name, name);
    snapshot_record_done(&before);
    if (there)
        return error_set(e, EEXIST,
                         "it has been saved before, or another snapshot is called %s: \"cofferdam "
                         "domain forget-save %s\" or \"cofferdam snapshot rm %s\" makes room",
                         name, r->name, name);
    return own_take(d, r, name, e);
}

/* --- start, forget-save ----------------------------------------------------------------------- */

/* Others may have that name, and what is found is removed: only what save makes counts. */
static bool own_is_saved(const struct snapshot_record *s, const char *name, const char *workload)
{
    return str_equal(s->name, name) && str_equal(s->workload_name, workload) &&
           str_equal(s->runtime, "libvirt") && s->kind == LAUNCH_SNAPSHOT_MEMORY;
}

static int own_find_saved(const struct dirs *d, const char *workload, struct snapshot_record *ret,
                          struct error *e)
{
    autofree char *name = own_saved_name(workload);
    struct error none;
    int r = snapshots_find(d, name, ret, &none);
    if (r == 0 && own_is_saved(ret, name, workload))
        return 0;
    if (r == 0)
        snapshot_record_done(ret);
    return error_set(e, ENOENT,
                     "no memory of a machine of ours is saved under that name (domain save, "
                     "restart, snapshot restore); domains of other programs are called "
                     "libvirt:NAME");
}

static int own_name_is_free(const struct dirs *d, const char *name, struct error *e)
{
    struct state_record *list;
    size_t count;
    bool lives = false;
    int r = state_list(d, &list, &count, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        lives = lives || (state_phase_lives(list[i].phase) && str_equal(list[i].name, name));
    state_list_free(list, count);
    return lives ? error_set(e, EBUSY, "it runs") : 0;
}

/* It has disks of its own when it runs: what it was saved as goes. */
static int own_go_on(struct cli *c, const struct dirs *d, const struct snapshot_record *s,
                     struct error *e)
{
    struct launching l;
    bool command = false;
    const struct snapshot_start start = {
        .snapshot = s, .name = s->workload_name, .disks = PLAN_DISKS_COPIED};
    autoclose int hold = snapshots_hold(d, s->id, e);
    if (hold < 0)
        return hold;
    launch_hold_signals();
    int r = snapshot_prepare(&start, d, &l, e);
    if (r == 0)
        r = launch_start_detached(&l, &command, e);
    if (r == 0 && c->json)
        out_json(json_pack("{s:s, s:s}", "id", l.id, "name", s->workload_name));
    else if (r == 0)
        out_line("%s", l.id);
    launching_done(&l);
    return r;
}

static int own_start(struct cli *c, const struct dirs *d, const char *word, struct error *e)
{
    struct snapshot_record s = {0};
    int r = own_name_is_free(d, word, e);
    if (r == 0)
        r = own_find_saved(d, word, &s, e);
    if (r < 0)
        return r;
    r = own_go_on(c, d, &s, e);
    if (r == 0)
        snapshot_forget(d, &s, c->verb->name, true);
    snapshot_record_done(&s);
    return r;
}

static int own_forget(const struct dirs *d, const char *word, struct error *e)
{
    struct snapshot_record s = {0};
    int r = own_find_saved(d, word, &s, e);
    if (r == 0)
        r = snapshots_remove(d, s.id, snapshot_clear, e);
    snapshot_record_done(&s);
    return r;
}

/* --- one of them ------------------------------------------------------------------------------ */

static int own_living(struct cli *c, const struct dirs *d, const char *word, const char *what,
                      struct error *e)
{
    struct state_record r;
    struct error none;
    if (state_find(d, word, &r, &none) < 0)
        return error_set(e, EINVAL,
                         "it is no whole machine of ours, and domains of other programs are called "
                         "libvirt:NAME");
    int result = 0;
    if (!str_equal(r.runtime, "libvirt"))
        result = error_set(e, EOPNOTSUPP,
                           "it is no whole machine but %s's; pause, stop, restart and snapshot are "
                           "for all",
                           r.runtime);
    else if (str_equal(what, "save"))
        result = own_save(c, d, &r, e);
    else
        result = own_ask(d, r.id, own_reset, e);
    state_record_done(&r);
    return result;
}

/* A domain of ours is made each time, by its monitor: there is none that a daemon could begin. */
static int own_begins_not(const char *word, bool wanted, struct error *e)
{
    if (!wanted)
        return error_set(e, EOPNOTSUPP,
                         "what is ours never begins by itself; domains of other programs, which "
                         "may, are called libvirt:NAME");
    return error_set(e, EOPNOTSUPP,
                     "libvirt's daemon cannot begin what is ours, which needs its monitor (domains "
                     "of other programs are called libvirt:NAME): a user unit of systemd can, with "
                     "\"cofferdam run --detach\", or \"cofferdam domain start %.64s\" after a "
                     "\"domain save\"",
                     word);
}

int own_domain(struct cli *c, const char *word, const char *what)
{
    struct dirs d;
    struct error e;
    int r = dirs_init(&d, &e);
    if (r < 0)
        return cli_fail(c, &e);
    if (str_equal(what, "save") || str_equal(what, "reset"))
        r = own_living(c, &d, word, what, &e);
    else if (str_equal(what, "start"))
        r = own_start(c, &d, word, &e);
    else if (str_equal(what, "forget-save"))
        r = own_forget(&d, word, &e);
    else
        r = own_begins_not(word, str_equal(what, "autostart"), &e);
    dirs_done(&d);
    if (r == 0)
        return 0;
    autofree char *shown = str_escape_z(word);
    error_wrap(&e, "%s", shown);
    return cli_fail(c, &e);
}
