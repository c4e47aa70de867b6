/* cofferdam inspect: a workload's state and the plan it runs by. */
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/plan_show.h"
#include "app/cli/verbs.h"
#include "console/snapshots_json.h"
#include "console/state_json.h"

#include <stdio.h>
#include <time.h>

static void inspect_when(const char *what, int64_t ms)
{
    if (!ms)
        return;
    time_t seconds = ms / 1000;
    struct tm tm;
    char text[40];
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", localtime_r(&seconds, &tm));
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

/* One workload; the array gets its document with --json. */
static int inspect_one(const struct cli *c, const struct dirs *d, const char *word, json_t *array)
{
    struct state_record s = {0};
    struct error e;
    if (state_find(d, word, &s, &e) < 0)
        return cli_fail(c, &e);
    autofree char *json = NULL;
    size_t size = 0;
    struct plan *p = NULL;
    bool planned =
        state_read_plan(d, s.id, &json, &size, &e) == 0 && plan_from_json(json, size, &p, &e) == 0;
    json_t *snapshots = c->json ? inspect_snapshots(d, &s, true) : NULL;
    if (c->json) {
        json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "state", live_record_json(&s),
                                               "plan", planned ? plan_show_json(p) : json_null(),
                                               "snapshots", snapshots));
    } else {
        inspect_state_text(&s);
        json_decref(inspect_snapshots(d, &s, false));
        putchar('\n');
        if (planned)
            plan_show_text(p);
        else
            cli_fail(c, &e);
    }
    plan_free(p);
    state_record_done(&s);
    return planned ? 0 : EXIT_OURS;
}

static int inspect_run(struct cli *c)
{
    if (!c->args_count)
        return cli_usage(c, "name a workload");
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
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = inspect_run,
};
