/* cofferdam clone: new workloads, each somebody of its own, from one snapshot or one workload. */
#include "app/cli/launch_run.h"
#include "app/cli/out.h"
#include "app/cli/snapshot_start.h"
#include "app/cli/snapshot_take.h"
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"
#include "base/cancel.h"
#include "base/fd.h"

#include <stdio.h>

enum { CLONES_MOST = 1000, NAMES_MOST = 100000 };

// clang-format off
static const struct option_row clone_options[] = {
    {"number",  'n', "NUMBER", "how many (default: 1)", NULL},
    {"name",     0,  "NAME", "what they are called: NAME for one, NAME-1, NAME-2 … for more", NULL},
    {"label",   'l', "NAME=VALUE", "to find them by, beside those of the workload", NULL},
    {"full",     0,  NULL, "whole machines: with disks that need neither the snapshot nor the disk below it", NULL},
    {"dry-run",  0,  NULL, "only say what would be done", NULL},
    {0},
};
// clang-format on

struct cloning {
    const struct cli *c;
    const struct dirs *d;
    struct snapshot_record snapshot;
    bool ours; /* the snapshot: taken for this alone, and to go again */
    uint64_t number;
    char **labels;       /* owned */
    char **names, **ids; /* owned; of those that were started */
    struct state_record *workloads;
    size_t workloads_count;
    const char *same; /* static; what they cannot be told; NULL: nothing */
};

static bool clone_name_is_free(const struct cloning *k, const char *name)
{
    if (strv_has(k->names, name))
        return false;
    for (size_t i = 0; i < k->workloads_count; i++)
        if (str_equal(k->workloads[i].name, name))
            return false;
    return true;
}

/* The name as it was said for one; else, and where none was said, numbered from the first free. */
static char *clone_name(const struct cloning *k)
{
    const char *said = cli_option(k->c, "name");
    if (said && k->number == 1)
        return str_dup(said);
    const char *base = said ? said : k->snapshot.workload_name;
    for (unsigned i = 1; i < NAMES_MOST; i++) {
        char *name = str_format("%.56s-%u", base, i);
        if (clone_name_is_free(k, name))
            return name;
        free(name);
    }
    return str_dup(base);
}

static int clone_one(struct cloning *k, bool dry, bool *ret_command, struct error *e)
{
    struct launching l;
    autofree char *name = clone_name(k);
    const struct snapshot_start s = {
        .snapshot = &k->snapshot,
        .name = name,
        .fresh = true,
        .labels = k->labels,
        .command = k->c->command,
        .disks = cli_switch(k->c, "full") ? PLAN_DISKS_FULL
                 : k->ours                ? PLAN_DISKS_COPIED
                                          : PLAN_DISKS_LINKED,
    };
    int r = snapshot_prepare(&s, k->d, &l, e);
    if (r == 0 && !dry)
        r = launch_start_detached(&l, ret_command, e);
    if (r == 0) {
        k->same = snapshot_same_inside(&s, l.plan);
        strv_add(&k->names, name);
        strv_add(&k->ids, l.id);
    }
    launching_done(&l);
    return r;
}

static void clone_kill(struct task *t, void *data)
{
    client_kill(t->client);
}

/* All or none: those that had started go again. */
static void clone_undo(struct cloning *k)
{
    struct tasks t;
    struct error ignored;
    if (!k->ids || tasks_find(k->d, k->ids, strv_length(k->ids), &t, &ignored) < 0)
        return;
    tasks_ask(k->d, &t, clone_kill, NULL, -1);
    for (size_t i = 0; i < t.count; i++)
        state_clean(k->d, t.of[i].record.id, &ignored);
    tasks_done(&t);
}

static void clone_say(const struct cloning *k, bool dry)
{
    if (k->c->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < k->number; i++)
            json_array_append_new(list, json_pack("{s:s?, s:s}", "id", k->ids ? k->ids[i] : NULL,
                                                  "name", k->names[i]));
        out_json(json_pack("{s:s?, s:s, s:b, s:o}", "snapshot", k->ours ? NULL : k->snapshot.id,
                           "kind", snapshot_kind_name(k->snapshot.kind), "dry_run", dry, "clones",
                           list));
        return;
    }
    char size[32];
    str_from_size(k->snapshot.bytes, size, sizeof(size));
    for (size_t i = 0; i < k->number; i++)
        if (dry && !k->snapshot.id)
            out_line("would start %s from what %s is now (%s, %s)", k->names[i],
                     k->snapshot.workload_name, snapshot_kind_name(k->snapshot.kind), size);
        else if (dry)
            out_line("would start %s from %s (%s, %s)", k->names[i], k->snapshot.name,
                     snapshot_kind_name(k->snapshot.kind), size);
        else
            puts(k->ids[i]);
}

static int clone_all(struct cloning *k)
{
    struct error e;
    bool dry = cli_switch(k->c, "dry-run"), command = false;
    for (uint64_t i = 0; i < k->number; i++) {
        if (clone_one(k, dry, &command, &e) == 0)
            continue;
        clone_undo(k);
        if (k->number > 1)
            error_wrap(&e, "clone %llu of %llu", (unsigned long long)i + 1,
                       (unsigned long long)k->number);
        return command ? cli_fail_command(k->c, &e) : cli_fail(k->c, &e);
    }
    if (k->same)
        fprintf(stderr, "cofferdam clone: %s\n", k->same);
    clone_say(k, dry);
    return 0;
}

static int clone_label(void *data, const char *value, struct error *e)
{
    struct cloning *k = data;
    strv_add(&k->labels, value);
    return 0;
}

/* What its own plan forbids: no snapshot is there yet that could be asked. */
static int clone_check(const struct cloning *k, const struct state_record *of, struct error *e)
{
    const struct snapshot_start s = {.snapshot = &k->snapshot, .fresh = true};
    autofree char *json = NULL;
    size_t size;
    struct plan *p = NULL;
    int r = state_read_plan(k->d, of->id, &json, &size, e);
    if (r == 0)
        r = plan_from_json(json, size, &p, e);
    if (r == 0)
        r = snapshot_may_be_fresh(&s, p, e);
    plan_free(p);
    return r;
}

/* Of a workload: its memory too, if it can be had and no other command is to run. */
static int clone_take(struct cloning *k, const struct state_record *of, struct error *e)
{
    const struct snapshot_wish wish = {.kind = k->c->command ? LAUNCH_SNAPSHOT_FILES : 0};
    bool dry = cli_switch(k->c, "dry-run");
    uint64_t room;
    if (!dry)
        cancel_on_signals();
    int r = dry ? snapshot_measure(k->d, of, &wish, &k->snapshot, &room, e)
                : snapshot_take(k->d, of, &wish, &k->snapshot, e);
    if (r == 0 && dry)
        r = clone_check(k, of, e);
    k->ours = r == 0 && !dry;
    cancel_no_more();
    if (k->ours && cancelled)
        r = error_set(e, ECANCELED, "given up");
    return r < 0 ? error_wrap(e, "%s", of->name) : 0;
}

/* Nothing is there yet to make a plan from; only names can be said. */
static int clone_dry(struct cloning *k)
{
    for (uint64_t i = 0; i < k->number; i++) {
        autofree char *name = clone_name(k);
        strv_add(&k->names, name);
    }
    clone_say(k, true);
    return 0;
}

/* A snapshot, or else a workload of which one is taken. 1: that would be done. */
static int clone_find(struct cloning *k, struct error *e)
{
    struct state_record of;
    struct error none;
    int r = snapshots_find(k->d, k->c->args[0], &k->snapshot, e);
    if (r != -ENOENT || state_find(k->d, k->c->args[0], &of, &none) < 0)
        return r;
    r = clone_take(k, &of, e);
    state_record_done(&of);
    return r < 0 ? r : !k->ours;
}

static int clone_from(struct cloning *k)
{
    struct error e;
    autoclose int hold = snapshots_hold(k->d, k->snapshot.id, &e);
    return hold < 0 ? cli_fail(k->c, &e) : clone_all(k);
}

static int clone_with(struct cloning *k)
{
    struct error e;
    cli_each(k->c, "label", clone_label, k, &e);
    int r = clone_find(k, &e);
    if (r >= 0 && cli_switch(k->c, "full") && !str_equal(k->snapshot.runtime, "libvirt"))
        r = error_set(&e, EOPNOTSUPP,
                      "--full is for whole machines with disks of their own; this is %s's, and its "
                      "clones keep their changes apart already",
                      k->snapshot.runtime);
    if (r >= 0 && state_list(k->d, &k->workloads, &k->workloads_count, &e) < 0)
        r = -1;
    int status = r < 0 ? cli_fail(k->c, &e) : r ? clone_dry(k) : clone_from(k);
    state_list_free(k->workloads, k->workloads_count);
    if (k->ours)
        snapshot_forget(k->d, &k->snapshot, k->c->verb->name, status == 0);
    return status;
}

static int clone_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    struct cloning k = {.c = c, .d = &d, .number = 1};
    const char *number = cli_option(c, "number");
    if (c->args_count != 1)
        return cli_usage(c, "one snapshot or workload, please; \"cofferdam snapshot list\" and "
                            "\"cofferdam ps\" name "
                            "them");
    if (number && (str_to_uint(number, &k.number) < 0 || !k.number || k.number > CLONES_MOST))
        return cli_usage(c, "--number: 1 to %d", CLONES_MOST);
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status = clone_with(&k);
    snapshot_record_done(&k.snapshot);
    strv_free(k.labels);
    strv_free(k.names);
    strv_free(k.ids);
    dirs_done(&d);
    return status;
}

const struct verb verb_clone = {
    .name = "clone",
    .group = "Run",
    .usage = "[OPTION…] SNAPSHOT|WORKLOAD [-- COMMAND [ARG…]]",
    .summary =
        "start new workloads from a snapshot or a workload, each with an identity of its own",
    .options = clone_options,
    .flags = VERB_JSON | VERB_TAIL,
    .run = clone_run,
};
