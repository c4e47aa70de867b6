/* cofferdam stats: what running workloads use, from the kernel. */
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "console/state_json.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

// clang-format off
static const struct option_row stats_options[] = {
    {"watch", 'w', NULL, "go on, once a second", NULL},
    {0},
};
// clang-format on

enum { FIRST_MS = 200, EVERY_MS = 1000 };

/* One picture: the tasks it was asked of, so that the records stay, and the numbers. */
struct picture {
    struct tasks tasks;
    struct live *live;
};

static void picture_done(struct picture *p)
{
    tasks_done(&p->tasks);
    free(p->live);
    *p = (struct picture){0};
}

static int take_picture(const struct cli *c, const struct dirs *d, struct picture *ret,
                        struct error *e)
{
    struct picture p = {0};
    int r;
    if (c->args_count) {
        r = tasks_find(d, c->args, c->args_count, &p.tasks, e);
    } else {
        struct state_record *list;
        size_t count, living = 0;
        r = state_list(d, &list, &count, e);
        for (size_t i = 0; r == 0 && i < count; i++)
            if (state_phase_lives(list[i].phase))
                list[living++] = list[i];
            else
                state_record_done(&list[i]);
        if (r == 0)
            tasks_of(&p.tasks, list, living);
    }
    if (r < 0)
        return r;
    live_ask(d, &p.tasks, &p.live);
    *ret = p;
    return 0;
}

static uint64_t cpu_since(const struct picture *before, const struct live *now)
{
    for (size_t i = 0; i < before->tasks.count; i++)
        if (str_equal(before->live[i].record->id, now->record->id))
            return live_cpu(&before->live[i], now);
    return UINT64_MAX;
}

static void print_table(const struct picture *before, const struct picture *now)
{
    static const char *const columns[] = {"NAME",  ">CPU",     ">MEMORY", ">PEAK", ">PIDS",
                                          ">READ", ">WRITTEN", ">OOM",    NULL};
    struct out_table t = {.columns = columns};
    for (size_t i = 0; i < now->tasks.count; i++) {
        const struct live *l = &now->live[i];
        const struct launch_sample *s = &l->sample;
        autofree char *cpu = live_text_percent(cpu_since(before, l));
        autofree char *memory = live_text_size(s->memory), *peak = live_text_size(s->memory_peak);
        autofree char *pids = live_text_number(s->pids), *oom = live_text_number(s->oom_kills);
        autofree char *in = live_text_size(s->io_read), *out = live_text_size(s->io_write);
        const char *cells[] = {l->record->name, cpu, memory, peak, pids, in, out, oom};
        out_table_add(&t, cells);
    }
    out_table_print(&t);
    out_table_done(&t);
}

static json_t *one_json(const struct picture *before, const struct live *l)
{
    json_t *j = state_sample_to_json(&l->sample);
    uint64_t cpu = cpu_since(before, l);
    json_object_set_new(j, "id", out_json_string(l->record->id));
    json_object_set_new(j, "name", out_json_string(l->record->name));
    if (cpu != UINT64_MAX)
        json_object_set_new(j, "cpu_milli",
                            json_integer((json_int_t)cpu / 10)); /* of one processor */
    return j;
}

/* `top` is `stats --watch`. */
static bool is_watched(const struct cli *c)
{
    return c->verb == &verb_top || cli_switch(c, "watch");
}

static void print_json(const struct cli *c, const struct picture *before, const struct picture *now)
{
    bool stream = is_watched(c);
    json_t *array = json_array();
    for (size_t i = 0; i < now->tasks.count; i++) {
        json_t *j = one_json(before, &now->live[i]);
        if (stream)
            out_json_line(j);
        else
            json_array_append_new(array, j);
    }
    if (stream)
        json_decref(array);
    else
        out_json(json_pack("{s:o}", "stats", array));
    fflush(stdout);
}

static int stats_loop(const struct cli *c, const struct dirs *d)
{
    struct picture before = {0}, now = {0};
    struct error e;
    bool watch = is_watched(c);
    if (take_picture(c, d, &before, &e) < 0)
        return cli_fail(c, &e);
    for (int ms = FIRST_MS;; ms = EVERY_MS) {
        poll(NULL, 0, ms); /* a rate needs two looks */
        if (take_picture(c, d, &now, &e) < 0)
            break;
        if (watch && !c->json && isatty(STDOUT_FILENO))
            fputs("\033[H\033[J", stdout);
        if (c->json)
            print_json(c, &before, &now);
        else
            print_table(&before, &now);
        fflush(stdout);
        picture_done(&before);
        before = now;
        now = (struct picture){0};
        if (!watch || ferror(stdout) || !before.tasks.count)
            break;
    }
    picture_done(&before);
    return 0;
}

static int stats_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status = stats_loop(c, &d);
    dirs_done(&d);
    return status;
}

const struct verb verb_stats = {
    .name = "stats",
    .group = "Watch",
    .usage = "[OPTION…] [WORKLOAD…]",
    .summary = "processor, memory and input/output of running workloads",
    .options = stats_options,
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = stats_run,
};
