/* cofferdam snapshot: taken of workloads, shown, brought back, removed. */
#include "app/cli/launch_run.h"
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/snapshot_start.h"
#include "app/cli/snapshot_take.h"
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "console/snapshots_json.h"

#include <stdio.h>
#include <unistd.h>

static const char *const subverbs[] = {"create", "list", "restore", "rm", NULL};

// clang-format off
static const struct option_row snapshot_options[] = {
    {"name",      'n', "NAME", "create: what it is called (default: made up from the workload's)", NULL},
    {"files",      0,  NULL, "create: the files alone, though memory could be kept as well", NULL},
    {"memory",     0,  NULL, "create: memory too, or nothing", NULL},
    {"quiet",     'q', NULL, "list: ids alone", NULL},
    {"recursive", 'r', NULL, "rm: with the snapshots that come from it", NULL},
    {"force",     'f', NULL, "restore: end the workload that runs; rm: do not ask", NULL},
    {"dry-run",    0,  NULL, "only say what would be done and what it costs", NULL},
    {0},
};
// clang-format on

static char *size_text(uint64_t bytes)
{
    char text[32];
    return str_dup(bytes == UINT64_MAX ? "of unknown size" : str_from_size(bytes, text, 32));
}

/* --- create ----------------------------------------------------------------------------------- */

static void create_say(const struct cli *c, const struct snapshot_record *r, uint64_t room,
                       bool dry)
{
    if (c->json) {
        json_t *o = snapshot_record_to_json(r);
        if (r->bytes == UINT64_MAX)
            json_object_set_new(o, "bytes", json_null());
        json_object_set_new(o, "dry_run", json_boolean(dry));
        if (dry && room != UINT64_MAX)
            json_object_set_new(o, "bytes_free", json_integer((json_int_t)room));
        out_json(json_pack("{s:o}", "snapshot", o));
        return;
    }
    autofree char *name = out_text(r->name), *of = out_text(r->workload_name);
    autofree char *size = size_text(r->bytes), *left = size_text(room);
    if (dry)
        out_line("would take %s: %s of %s, %s; %s are free", name, snapshot_kind_name(r->kind), of,
                 size, left);
    else
        out_line("%s  %s: %s of %s, %s", r->id, name, snapshot_kind_name(r->kind), of, size);
}

static int create_one(struct cli *c, const struct dirs *d)
{
    struct error e;
    struct state_record of;
    struct snapshot_record made;
    const struct snapshot_wish wish = {
        .name = cli_option(c, "name"),
        .kind = cli_switch(c, "files")    ? LAUNCH_SNAPSHOT_FILES
                : cli_switch(c, "memory") ? LAUNCH_SNAPSHOT_MEMORY
                                          : 0,
    };
    bool dry = cli_switch(c, "dry-run");
    uint64_t room = UINT64_MAX;
    if (c->args_count != 2)
        return cli_usage(c, "create: one workload, please");
    if (cli_switch(c, "files") && cli_switch(c, "memory"))
        return cli_usage(c, "--files and --memory exclude each other");
    if (state_find(d, c->args[1], &of, &e) < 0)
        return cli_fail(c, &e);
    if (!dry)
        cancel_on_signals();
    int r = dry ? snapshot_measure(d, &of, &wish, &made, &room, &e)
                : snapshot_take(d, &of, &wish, &made, &e);
    if (r < 0)
        error_wrap(&e, "%s", of.name);
    state_record_done(&of);
    if (r < 0) {
        cli_fail(c, &e);
        cancel_end(); /* given up: nothing is left of it */
        return EXIT_OURS;
    }
    create_say(c, &made, room, dry);
    snapshot_record_done(&made);
    return 0;
}

/* --- list ------------------------------------------------------------------------------------- */

static const char *name_of(const struct snapshot_record *list, size_t count, const char *id)
{
    for (size_t i = 0; id && i < count; i++)
        if (str_equal(list[i].id, id))
            return list[i].name;
    return id;
}

static void list_row(struct out_table *t, const struct snapshot_record *list, size_t count,
                     const struct snapshot_record *r)
{
    char age[32];
    int64_t since = live_now_ms() - r->created_ms;
    autofree char *size = r->reason ? NULL : size_text(r->bytes);
    const char *cells[] = {
        r->id,
        r->name,
        r->reason ? r->reason : snapshot_kind_name(r->kind),
        r->workload_name,
        name_of(list, count, r->parent),
        r->boundary,
        size,
        r->created_ms && since >= 0 ? str_from_duration((uint64_t)since, age, sizeof(age)) : NULL,
    };
    out_table_add(t, cells);
}

static void list_print(const struct cli *c, const struct snapshot_record *list, size_t count)
{
    static const char *const columns[] = {"ID",       "NAME",  "KIND", "WORKLOAD", "FROM",
                                          "BOUNDARY", ">SIZE", ">AGE", NULL};
    struct out_table t = {.columns = columns};
    if (c->json) {
        json_t *array = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(array, snapshot_record_to_json(&list[i]));
        out_json(json_pack("{s:o}", "snapshots", array));
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (cli_switch(c, "quiet"))
            out_line("%s", list[i].id);
        else
            list_row(&t, list, count, &list[i]);
    if (!cli_switch(c, "quiet"))
        out_table_print(&t);
    out_table_done(&t);
}

static int list_all(struct cli *c, const struct dirs *d)
{
    struct error e;
    struct snapshot_record *list;
    size_t count;
    if (c->args_count != 1)
        return cli_usage(c, "list: it takes no argument");
    if (snapshots_list(d, &list, &count, &e) < 0)
        return cli_fail(c, &e);
    list_print(c, list, count);
    snapshots_list_free(list, count);
    return 0;
}

/* --- restore ---------------------------------------------------------------------------------- */

/* The workload that has the name now, if one lives. */
static int restore_find(const struct dirs *d, const struct snapshot_record *s, struct tasks *ret,
                        struct error *e)
{
    struct state_record *list;
    size_t count;
    int r = state_list(d, &list, &count, e);
    *ret = (struct tasks){0};
    if (r < 0)
        return r;
    char *ids[2] = {NULL, NULL};
    for (size_t i = 0; i < count && !ids[0]; i++)
        if (state_phase_lives(list[i].phase) && str_equal(list[i].name, s->workload_name))
            ids[0] = list[i].id;
    if (ids[0])
        r = tasks_find(d, ids, 1, ret, e);
    state_list_free(list, count);
    return r;
}

static void restore_kill(struct task *t, void *data)
{
    client_kill(t->client);
}

static int restore_end(const struct cli *c, const struct dirs *d, struct tasks *t, struct error *e)
{
    bool force = cli_switch(c, "force");
    if (!t->count)
        return 0;
    const char *name = t->of[0].record.name;
    if (!force && !isatty(STDIN_FILENO))
        return error_set(e, EBUSY,
                         "%s runs, and what it did since would be lost: --force ends it first; "
                         "\"cofferdam clone\" starts another beside it",
                         name);
    if (!out_confirm(force, "End %s and bring it back as the snapshot has it?", name))
        return error_set(e, ECANCELED, "%s runs on", name);
    tasks_ask(d, t, restore_kill, NULL, -1);
    if (t->of[0].result < 0)
        *e = t->of[0].error;
    return t->of[0].result;
}

static int restore_start(struct cli *c, const struct dirs *d, const struct snapshot_record *s,
                         struct tasks *t)
{
    struct error e;
    struct launching l;
    bool command = false, dry = cli_switch(c, "dry-run");
    const struct snapshot_start start = {.snapshot = s, .name = s->workload_name};
    int r = snapshot_prepare(&start, d, &l, &e); /* what can fail before anything ends, fails */
    if (r == 0 && !dry)
        r = restore_end(c, d, t, &e);
    if (r == 0 && !dry)
        r = launch_start_detached(&l, &command, &e);
    int status = r < 0 ? command ? cli_fail_command(c, &e) : cli_fail(c, &e) : 0;
    if (r == 0 && c->json)
        out_json(json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "snapshot", s->id, "kind",
                           snapshot_kind_name(s->kind), "id", l.id, "name", s->workload_name,
                           "ends_running", t->count > 0, "dry_run", dry));
    else if (r == 0 && dry)
        out_line("would start %s from %s (%s)%s", s->workload_name, s->name,
                 snapshot_kind_name(s->kind), t->count ? ", after ending the one that runs" : "");
    else if (r == 0)
        puts(l.id);
    launching_done(&l);
    return status;
}

static int restore_one(struct cli *c, const struct dirs *d)
{
    struct error e;
    struct snapshot_record s = {0};
    struct tasks t;
    if (c->args_count != 2)
        return cli_usage(c, "restore: one snapshot, please");
    int r = snapshots_find(d, c->args[1], &s, &e);
    autoclose int hold = r < 0 ? FD_NONE : snapshots_hold(d, s.id, &e);
    if (hold < 0 || restore_find(d, &s, &t, &e) < 0) {
        snapshot_record_done(&s);
        return cli_fail(c, &e);
    }
    int status = restore_start(c, d, &s, &t);
    tasks_done(&t);
    snapshot_record_done(&s);
    return status;
}

/* --- rm --------------------------------------------------------------------------------------- */

struct removing {
    const struct dirs *d;
    bool recursive;
    char **asked; /* owned; the ids of those that were named */
    char **ids;   /* owned; parents before their children */
};

static int rm_refuse(const char *name, const struct snapshot_children *k, bool recursive, bool all,
                     struct error *e)
{
    autofree char *living = strv_join(k->living, ", "), *ended = strv_join(k->ended, ", ");
    if (k->living)
        return error_set(e, EBUSY, "%s has children that run: %.300s; end them first", name,
                         living);
    if (recursive)
        return 0;
    if (k->snapshots && !all)
        return error_set(e, EBUSY,
                         "%s has children: %zu snapshot%s of what was started from it; "
                         "--recursive removes them as well",
                         name, strv_length(k->snapshots),
                         strv_length(k->snapshots) == 1 ? "" : "s");
    if (k->ended)
        return error_set(e, EBUSY,
                         "%s has children that have ended and are kept: %.300s; remove "
                         "them first, or use --recursive, which leaves them",
                         name, ended);
    return 0;
}

/* This one and, with --recursive, all that come from it. Each level is a level of snapshots. */
static int rm_collect(struct removing *rm, const char *id, const char *name, struct error *e)
{
    struct snapshot_children k;
    if (strv_has(rm->ids, id))
        return 0;
    int r = snapshot_children_find(rm->d, id, &k, e);
    bool all = true; /* its children are named as well */
    for (size_t i = 0; k.snapshots && k.snapshots[i]; i++)
        all &= strv_has(rm->asked, k.snapshots[i]);
    if (r == 0)
        r = rm_refuse(name, &k, rm->recursive, all, e);
    if (r == 0)
        strv_add(&rm->ids, id);
    for (size_t i = 0; r == 0 && k.snapshots && k.snapshots[i]; i++)
        r = rm_collect(rm, k.snapshots[i], k.snapshots[i], e);
    snapshot_children_done(&k);
    return r;
}

static int rm_remove(struct cli *c, const struct removing *rm)
{
    struct error e;
    int status = 0;
    size_t count = strv_length(rm->ids);
    bool force = cli_switch(c, "force");
    if (cli_switch(c, "dry-run")) {
        for (size_t i = count; i-- > 0;)
            out_line("would remove %s", rm->ids[i]);
        return 0;
    }
    if (!force && !isatty(STDIN_FILENO)) {
        error_set(&e, EPERM, "this removes files for good; without a terminal it needs --force");
        return cli_fail(c, &e);
    }
    if (!out_confirm(force, "Remove %zu snapshot%s?", count, count == 1 ? "" : "s"))
        return EXIT_OURS;
    for (size_t i = count; i-- > 0 && status == 0;)
        if (snapshots_remove(rm->d, rm->ids[i], snapshot_clear, &e) < 0)
            status = cli_fail(c, &e);
    return status;
}

static int rm_all(struct cli *c, const struct dirs *d)
{
    struct error e;
    struct removing rm = {.d = d, .recursive = cli_switch(c, "recursive")};
    int r = 0;
    if (c->args_count < 2)
        return cli_usage(c, "rm: name a snapshot");
    for (size_t i = 1; r == 0 && i < c->args_count; i++) {
        struct snapshot_record s;
        r = snapshots_find(d, c->args[i], &s, &e);
        if (r == 0) {
            strv_add(&rm.asked, s.id);
            snapshot_record_done(&s);
        }
    }
    for (size_t i = 0; r == 0 && rm.asked[i]; i++)
        r = rm_collect(&rm, rm.asked[i], c->args[i + 1], &e);
    int status = r < 0 ? cli_fail(c, &e) : rm_remove(c, &rm);
    strv_free(rm.asked);
    strv_free(rm.ids);
    return status;
}

static int snapshot_run(struct cli *c)
{
    static int (*const runs[])(struct cli * c, const struct dirs *d) = {create_one, list_all,
                                                                        restore_one, rm_all};
    struct dirs d;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status = EXIT_OURS;
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
        if (str_equal(subverbs[i], c->args[0]))
            status = runs[i](c, &d);
    dirs_done(&d);
    return status;
}

const struct verb verb_snapshot = {
    .name = "snapshot",
    .group = "Run",
    .usage = "create|list|restore|rm [OPTION…] [WORKLOAD | SNAPSHOT…]",
    .summary = "take snapshots of workloads, list them, bring them back, remove them",
    .subverbs = subverbs,
    .options = snapshot_options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = snapshot_run,
};
