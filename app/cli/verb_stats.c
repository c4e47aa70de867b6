/* cofferdam stats: what running workloads use, from the kernel. */
#include "app/cli/foreign.h"
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "app/cli/watch.h"
#include "base/loop.h"
#include "console/state_json.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

// clang-format off
static const struct option_row stats_options[] = {
    {"watch", 'w', NULL, "go on, once a second", NULL},
    {"once", '1', NULL, "one look, at once: without the share of the processors", NULL},
    {0},
};
// clang-format on

enum { FIRST_MS = 200, EVERY_MS = 1000 };

/* One picture: the tasks it was asked of, so that the records stay, and the numbers. */
struct picture {
    struct tasks tasks;
    struct live *live;
    json_t *domains; /* of other programs; NULL: not asked for, or there is no libvirt */
    uint64_t domains_ms;
};

static void picture_done(struct picture *p)
{
    tasks_done(&p->tasks);
    free(p->live);
    json_decref(p->domains);
    *p = (struct picture){0};
}

/* Those that live, or of these ids those that are there still. */
static int tasks_now(const struct dirs *d, char *const *ids, struct tasks *ret, struct error *e)
{
    struct state_record *list;
    size_t count, kept = 0;
    int r = state_list(d, &list, &count, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (ids ? strv_has(ids, list[i].id) : state_phase_lives(list[i].phase))
            list[kept++] = list[i];
        else
            state_record_done(&list[i]);
    tasks_of(ret, list, kept);
    return 0;
}

/* `ids`: as they were found before; NULL: they are looked for by what they were called. */
static int take_picture(const struct cli *c, const struct dirs *d, char *const *ids,
                        struct picture *ret, struct error *e)
{
    struct picture p = {0};
    int r = c->args_count && !ids ? tasks_find(d, c->args, c->args_count, &p.tasks, e)
                                  : tasks_now(d, ids, &p.tasks, e);
    if (r < 0)
        return r;
    live_ask(d, &p.tasks, &p.live);
    p.domains = c->args_count ? NULL : foreign_list(c, d, true);
    p.domains_ms = loop_now_ms();
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

/* --- domains of other programs ---------------------------------------------------------------- */

static uint64_t domain_number(const json_t *one, const char *name)
{
    const json_t *j = json_object_get(one, name);
    return j ? (uint64_t)json_integer_value(j) : UINT64_MAX;
}

/* As live_cpu(). */
static uint64_t domain_cpu(const struct picture *before, const struct picture *now,
                           const json_t *one)
{
    const char *uuid = json_string_value(json_object_get(one, "uuid"));
    uint64_t ms = now->domains_ms - before->domains_ms;
    size_t i;
    const json_t *old;
    json_array_foreach(before->domains, i, old)
    {
        uint64_t was = domain_number(old, "cpu_us"), is = domain_number(one, "cpu_us");
        if (ms && is >= was && str_equal(uuid, json_string_value(json_object_get(old, "uuid"))))
            return (is - was) * 10 / ms;
    }
    return UINT64_MAX;
}

static void add_domains(struct out_table *t, const struct picture *before,
                        const struct picture *now)
{
    size_t i;
    const json_t *one;
    json_array_foreach(now->domains, i, one)
    {
        autofree char *name =
            str_format(FOREIGN_PREFIX "%s", json_string_value(json_object_get(one, "name")));
        autofree char *cpu = live_text_percent(domain_cpu(before, now, one));
        autofree char *memory = live_text_size(domain_number(one, "memory"));
        autofree char *in = live_text_size(domain_number(one, "io_read"));
        autofree char *out = live_text_size(domain_number(one, "io_write"));
        const char *cells[] = {name, cpu, memory, NULL, NULL, in, out, NULL, NULL, NULL, NULL};
        out_table_add(t, cells);
    }
}

static json_t *domains_json(const struct picture *before, const struct picture *now)
{
    size_t i;
    json_t *one;
    json_array_foreach(now->domains, i, one)
    {
        uint64_t cpu = domain_cpu(before, now, one);
        if (cpu != UINT64_MAX)
            json_object_set_new(one, "cpu_milli", json_integer((json_int_t)cpu / 10));
    }
    return json_incref(now->domains);
}

/* Nobody else could know it; the column is there where one of them says something. */
static bool guest_speaks(const struct picture *now)
{
    for (size_t i = 0; i < now->tasks.count; i++)
        if (now->live[i].sample.says_memory != UINT64_MAX)
            return true;
    return false;
}

static void print_table(const struct picture *before, const struct picture *now)
{
    const char *columns[] = {"NAME",     ">CPU",    ">MEMORY",  ">PEAK", ">PIDS", ">READ",
                             ">WRITTEN", ">NET IN", ">NET OUT", ">OOM",  NULL,    NULL};
    if (guest_speaks(now))
        columns[10] = "ITS GUEST SAYS";
    struct out_table t = {.columns = columns};
    for (size_t i = 0; i < now->tasks.count; i++) {
        const struct live *l = &now->live[i];
        const struct launch_sample *s = &l->sample;
        autofree char *cpu = live_text_percent(cpu_since(before, l));
        autofree char *memory = live_text_size(s->memory), *peak = live_text_size(s->memory_peak);
        autofree char *pids = live_text_number(s->pids), *oom = live_text_number(s->oom_kills);
        autofree char *in = live_text_size(s->io_read), *out = live_text_size(s->io_write);
        autofree char *says = state_said(s->says_memory, s->says_available, s->says_load[0]);
        autofree char *came = live_text_size(s->network_in), *went = live_text_size(s->network_out);
        const char *cells[] = {
            l->record->name, cpu, memory, peak, pids, in, out, came, went, oom, says};
        out_table_add(&t, cells);
    }
    add_domains(&t, before, now);
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
    json_t *all = stream ? array : json_pack("{s:o}", "stats", array);
    if (now->domains && !stream)
        json_object_set_new(all, "domains", domains_json(before, now));
    if (stream)
        json_decref(all);
    else
        out_json(all);
    fflush(stdout);
}

static bool any_lives(const struct picture *p)
{
    for (size_t i = 0; i < p->tasks.count; i++)
        if (state_phase_lives(p->tasks.of[i].record.phase))
            return true;
    return json_array_size(p->domains) > 0;
}

static void stats_show(const struct cli *c, const struct picture *before, const struct picture *now,
                       struct watch *w)
{
    if (c->json) {
        print_json(c, before, now);
        return;
    }
    if (w)
        watch_draw(w);
    if (is_watched(c) && !any_lives(now) && !c->args_count)
        puts("nothing runs");
    else
        print_table(before, now);
    if (w)
        watch_show(w);
}

static int stats_loop(const struct cli *c, const struct dirs *d, struct watch *w)
{
    struct picture before = {0}, now = {0};
    struct error e;
    bool once = c->verb == &verb_stats && cli_switch(c, "once");
    int status = 0;
    autostrv char **ids = NULL; /* of what is watched: one that goes is none of them any more */
    if (!once && take_picture(c, d, NULL, &before, &e) < 0)
        return cli_fail(c, &e);
    for (size_t i = 0; is_watched(c) && c->args_count && i < before.tasks.count; i++)
        strv_add(&ids, before.tasks.of[i].record.id);
    for (int ms = FIRST_MS;; ms = EVERY_MS) {
        if (!once && w && !watch_wait(w, ms))
            break;
        if (!once && !w)
            poll(NULL, 0, ms); /* a rate needs two looks */
        if (take_picture(c, d, ids, &now, &e) < 0) {
            status = cli_fail(c, &e);
            break;
        }
        if (ids && !now.tasks.count) { /* what was watched is gone: an end, too */
            picture_done(&now);
            break;
        }
        stats_show(c, &before, &now, w);
        fflush(stdout);
        picture_done(&before);
        before = now;
        now = (struct picture){0};
        if (!is_watched(c) || ferror(stdout) || !any_lives(&before))
            break;
    }
    picture_done(&before);
    return status;
}

static int stats_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    struct watch w;
    bool watched = is_watched(c) && !c->json;
    if (watched)
        watch_begin(&w);
    int status = stats_loop(c, &d, watched ? &w : NULL);
    if (watched)
        watch_end(&w);
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
