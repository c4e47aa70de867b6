/* cofferdam inspect: a workload's state and the plan it runs by. */
#include "app/cli/inspect_parts.h"
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/plan_show.h"
#include "app/cli/verbs.h"
#include "console/snapshots_json.h"
#include "console/state_json.h"

#include "backends/libvirt/libvirt.h"
#include "base/module.h"
#include "base/spawn.h"

#include <stdio.h>

// clang-format off
static const struct option_row inspect_options[] = {
    {"part", 0, "PART", "state, plan, mounts, network, consoles or events, and nothing else",
     "state|plan|mounts|network|consoles|events"},
    {0},
};
// clang-format on

enum { INSPECT_ADDRESSES_MS = 8000, INSPECT_ADDRESSES_MOST = 65536 };

static void inspect_when(const char *what, int64_t ms)
{
    char text[40];
    if (!ms)
        return;
    inspect_time(ms, text);
    printf("  %-14s %s\n", what, text);
}

/* How the start went: each point with its time since the first, and since the one before. */
static void inspect_phases(const struct state_record *s)
{
    uint64_t before = 0;
    for (size_t i = 0; s->phases && s->phases[i]; i++) {
        uint64_t us;
        const char *equals = strchr(s->phases[i], '=');
        if (!equals || str_to_uint(equals + 1, &us) < 0)
            continue;
        autofree char *name = str_ndup(s->phases[i], (size_t)(equals - s->phases[i]));
        autofree char *shown = out_text(name);
        printf("  %-14s %-14s %9.1f ms  +%.1f ms\n", i ? "" : "start", shown, (double)us / 1000,
               (double)(us - MIN(us, before)) / 1000);
        before = us;
    }
}

/* Those the plan below does not tell. */
static void inspect_limits(const struct state_record *s)
{
    for (size_t i = 0; s->limits && s->limits[i]; i++) {
        uint64_t bytes;
        char size[32];
        bool memory = str_starts(s->limits[i], "memory=") &&
                      str_to_uint(s->limits[i] + strlen("memory="), &bytes) == 0;
        autofree char *text = memory ? str_format("memory=%s", str_from_size(bytes, size, 32))
                                     : out_text(s->limits[i]);
        printf("  %-14s %s\n", i ? "" : "limits now", text);
    }
}

static void inspect_state_text(const struct state_record *s)
{
    autofree char *name = out_text(s->name), *reason = s->reason ? out_text(s->reason) : NULL;
    printf("%s%s%s %s: %s", out_colour(OUT_BOLD), name, out_colour(OUT_PLAIN), s->id,
           state_phase_name(s->phase));
    if (!state_phase_lives(s->phase))
        printf(", status %d", s->status);
    printf("%s%s\n", reason ? ", " : "", reason ? reason : "");
    inspect_when("created", s->created_ms);
    inspect_when("started", s->started_ms);
    inspect_when("ended", s->ended_ms);
    inspect_phases(s);
    inspect_limits(s);
    if (state_phase_lives(s->phase))
        printf("  %-14s %d\n  %-14s %d\n", "monitor", (int)s->monitor_pid, "process", (int)s->pid);
}

/* What it was started from, and what was taken of it. */
static json_t *inspect_snapshots(const struct dirs *d, const struct state_record *s, bool json)
{
    struct snapshot_record *list = NULL;
    size_t count = 0;
    struct error ignored;
    json_t *array = json_array();
    snapshots_list(d, &list, &count, &ignored);
    for (size_t i = 0; i < count; i++) {
        autofree char *name = out_text(list[i].name);
        bool of = str_equal(list[i].workload, s->id);
        if (json && of)
            json_array_append_new(array, snapshot_record_to_json(&list[i]));
        else if (!json && (of || str_equal(list[i].id, s->snapshot)))
            printf("  %-14s %s %s (%s)\n", of ? "snapshot" : "started from", list[i].id, name,
                   snapshot_kind_name(list[i].kind));
    }
    snapshots_list_free(list, count);
    return array;
}

/* Of a guest that boots its own disk, where an agent in it tells: an array, the caller's. */
static json_t *inspect_addresses(const struct state_record *s, const struct plan *p)
{
    if (!p || !state_phase_lives(s->phase) || !plan_boots_disk(p) || plan_is_by_qemu_alone(p) ||
        p->network == PLAN_NETWORK_NONE)
        return json_array();
    autofree char *program = module_program(DOMAIN_PROGRAM), *said = NULL;
    const char *const argv[] = {program, "addresses", p->machine.uri, p->id, NULL};
    struct error ignored;
    int status = 0;
    int r = spawn_run(argv, INSPECT_ADDRESSES_MS, INSPECT_ADDRESSES_MOST, &status, &said, &ignored);
    json_t *list = r == 0 && status == 0 ? json_loads(said, 0, NULL) : NULL;
    return json_is_array(list) ? list : json_array();
}

static void inspect_addresses_text(const struct state_record *s, const struct plan *p)
{
    json_t *list = inspect_addresses(s, p), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        const char *address = json_string_value(json_object_get(one, "address"));
        const char *name = json_string_value(json_object_get(one, "interface"));
        autofree char *shown = out_text(address ? address : ""), *on = out_text(name ? name : "");
        printf("  %-14s %s (%s, as the guest says)\n", i ? "" : "address", shown, on);
    }
    json_decref(list);
}

/* All that is known of one. */
struct inspected {
    const struct state_record *s;       /* borrowed */
    const struct launch_sample *sample; /* borrowed; NULL: nothing is known */
    struct plan *p;                     /* owned; NULL: it cannot be read, as `error` says */
    json_t *told;                       /* owned; the monitor's own word, or NULL */
    struct error error;
};

static void inspect_title(const char *title)
{
    printf("%s%s%s\n", out_colour(OUT_BOLD), title, out_colour(OUT_PLAIN));
}

static void inspect_state(const struct dirs *d, const struct inspected *i)
{
    inspect_state_text(i->s);
    inspect_addresses_text(i->s, i->p);
    json_decref(inspect_snapshots(d, i->s, false));
}

static void inspect_part(const struct dirs *d, const struct inspected *i, const char *part)
{
    if (str_equal(part, "state"))
        inspect_state(d, i);
    else if (str_equal(part, "consoles"))
        inspect_consoles(i->s, json_object_get(i->told, "consoles"));
    else if (str_equal(part, "events"))
        inspect_events(i->s);
    else if (i->p && str_equal(part, "plan"))
        plan_show_text(i->p);
    else if (i->p && str_equal(part, "mounts"))
        inspect_mounts(i->p);
    else if (i->p)
        inspect_network(i->p, i->sample);
}

static void inspect_all(const struct dirs *d, const struct inspected *i)
{
    inspect_state(d, i);
    putchar('\n');
    inspect_part(d, i, "plan");
    inspect_title("consoles");
    inspect_part(d, i, "consoles");
    inspect_title("events");
    inspect_part(d, i, "events");
}

static json_t *inspect_json(const struct dirs *d, const struct inspected *i)
{
    json_t *consoles = json_object_get(i->told, "consoles");
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "state", live_record_json(i->s), "plan",
                     i->p ? plan_show_json(i->p) : json_null(), "snapshots",
                     inspect_snapshots(d, i->s, true), "addresses", inspect_addresses(i->s, i->p),
                     "consoles", consoles ? json_incref(consoles) : json_array());
}

/* One workload; the array gets its document with --json. */
static int inspect_one(const struct cli *c, const struct dirs *d, char *word, json_t *array)
{
    struct tasks t = {0};
    struct live *live = NULL;
    struct inspected i = {0};
    const char *part = cli_option(c, "part");
    autofree char *json = NULL;
    size_t size = 0;
    if (tasks_find(d, (char *const[]){word, NULL}, 1, &t, &i.error) < 0)
        return cli_fail(c, &i.error);
    live_ask(d, &t, &live);
    i.s = &t.of[0].record;
    i.sample = live[0].sampled ? &live[0].sample : NULL;
    i.told = t.of[0].state ? json_loads(t.of[0].state, 0, NULL) : NULL;
    if (state_read_plan(d, i.s->id, &json, &size, &i.error) == 0)
        plan_from_json(json, size, &i.p, &i.error);
    if (c->json)
        json_array_append_new(array, inspect_json(d, &i));
    else if (part)
        inspect_part(d, &i, part);
    else
        inspect_all(d, &i);
    int status = i.p ? 0 : EXIT_OURS;
    if (!i.p && !c->json)
        cli_fail(c, &i.error);
    plan_free(i.p);
    json_decref(i.told);
    free(live);
    tasks_done(&t);
    return status;
}

static bool inspect_has(const char *part)
{
    autostrv char **parts = strv_split(inspect_options[0].complete, "|");
    return strv_has(parts, part);
}

static int inspect_run(struct cli *c)
{
    if (!c->args_count)
        return cli_usage(c, "name a workload");
    const char *part = cli_option(c, "part");
    if (part && !inspect_has(part))
        return cli_usage(c, "--part: \"%s\" is none of %s", part, inspect_options[0].complete);
    if (part && c->json)
        return cli_usage(c, "--json has every part");
    struct dirs d;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    json_t *array = json_array();
    int status = 0;
    for (size_t i = 0; i < c->args_count; i++) {
        int one = inspect_one(c, &d, c->args[i], array);
        status = status ? status : one;
    }
    if (c->json)
        out_json(json_pack("{s:O}", "workloads", array));
    json_decref(array);
    dirs_done(&d);
    return status;
}

const struct verb verb_inspect = {
    .name = "inspect",
    .group = "Watch",
    .usage = "[OPTION…] WORKLOAD…",
    .summary = "print a workload's state and the plan it runs by",
    .options = inspect_options,
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = inspect_run,
};
