/* What the monitor says about a workload: now, and when it has ended. */
#include "console/monitor_parts.h"

int monitor_sample(struct monitor *m, struct launch_sample *ret)
{
    struct launch_sample s;
    int r = m->ops->sample ? m->ops->sample(m->launch, &s) : -ENODATA;
    if (r < 0)
        return r;
    if (s.network_in == UINT64_MAX)
        s.network_in = m->wishes->no_network ? 0 : s.guest_in;
    if (s.network_out == UINT64_MAX)
        s.network_out = m->wishes->no_network ? 0 : s.guest_out;
    *ret = s;
    return 0;
}

static int sample_what_runs(struct monitor *m, struct launch_sample *ret)
{
    return m->main->started && !m->ended ? monitor_sample(m, ret) : -ENODATA;
}

void report_sample(struct monitor *m, struct wire_sample *ret)
{
    ret->phase = m->record.phase;
    ret->pid = (uint32_t)m->record.pid;
    if (sample_what_runs(m, &ret->figures) < 0)
        memset(&ret->figures, 0xff, sizeof(ret->figures));
}

json_t *report_state(struct monitor *m)
{
    m->record.viewers = monitor_viewers(m);
    json_t *o = state_record_to_json(&m->record);
    struct launch_sample s;
    if (sample_what_runs(m, &s) == 0)
        json_object_set_new(o, "sample", state_sample_to_json(&s));
    uint64_t cost[2];
    unsigned kinds = snapshot_kinds(m, cost);
    json_object_set_new(o, "snapshots", state_snapshots_to_json(kinds, cost));
    json_t *consoles = json_array();
    for (struct console *c = m->consoles; c; c = c->next) {
        json_t *j = json_object();
        json_object_set_new(j, "console", json_integer(c->number));
        json_object_set_new(j, "terminal", json_boolean(c->terminal));
        json_object_set_new(j, "taken", json_boolean(c->typist));
        json_object_set_new(j, "viewers", json_integer((json_int_t)views_count(c)));
        if (c->command)
            json_object_set_new(j, "command", json_string(c->command));
        json_array_append_new(consoles, j);
    }
    json_object_set_new(o, "consoles", consoles);
    return o;
}

static const char *how_it_ended(const struct monitor *m)
{
    if (m->reason)
        return m->reason;
    return m->status > 128 ? "signal" : "exit";
}

static json_t *ending(const struct monitor *m)
{
    json_t *o = json_object();
    json_object_set_new(o, "how", json_string(how_it_ended(m)));
    json_object_set_new(o, "status", json_integer(m->status));
    if (m->status > 128 && m->status < 193)
        json_object_set_new(o, "signal", json_integer(m->status - 128));
    int64_t began = m->record.started_ms; /* 0: it never ran */
    json_object_set_new(o, "duration_ms", json_integer(began ? m->record.ended_ms - began : 0));
    return o;
}

static json_t *neutralised(const struct monitor *m)
{
    struct screen_counts n = {0};
    if (m->main->screen)
        screen_counts(m->main->screen, &n);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "clipboard", (json_int_t)n.clipboard, "titles",
                     (json_int_t)n.titles, "queries", (json_int_t)n.queries, "images",
                     (json_int_t)n.images, "unknown", (json_int_t)n.unknown);
}

/* Null where nobody counted: none refused is something else. */
static json_t *refused_calls(const struct monitor *m)
{
    const uint32_t *counts = NULL;
    size_t end = m->ops->refused ? m->ops->refused(m->launch, &counts) : 0;
    json_t *a = end ? json_array() : json_null();
    for (size_t i = 0; i < end; i++)
        if (counts[i])
            json_array_append_new(a, json_pack("{s:I, s:I}", "number", (json_int_t)i, "count",
                                               (json_int_t)counts[i]));
    return a;
}

/* One page, the same at every boundary. Owned by the caller. */
char *report_make(struct monitor *m)
{
    json_t *o = state_record_to_json(&m->record);
    json_object_del(o, "viewers");
    json_object_del(o, "monitor_pid");
    json_object_del(o, "pid");
    json_object_set_new(o, "phase", json_string(state_phase_name(STATE_EXITED)));
    json_object_set_new(o, "ended", ending(m));
    if (m->sampled)
        json_object_set_new(o, "usage", state_sample_to_json(&m->last));
    if (m->main->terminal)
        json_object_set_new(o, "neutralised", neutralised(m));
    json_t *lacks = json_array();
    char *const *list = m->ops->shortfalls ? m->ops->shortfalls(m->launch) : NULL;
    for (size_t i = 0; list && list[i]; i++)
        json_array_append_new(lacks, json_string(list[i]));
    json_object_set_new(o, "shortfalls", lacks);
    json_object_set_new(o, "refused_calls", refused_calls(m));
    int fd = m->ops->changes ? m->ops->changes(m->launch) : -1;
    autofree char *changes = fd >= 0 && m->setup->changes ? m->setup->changes(fd) : NULL;
    const char *told = m->ops->told_changes ? m->ops->told_changes(m->launch) : changes;
    json_t *j = told ? json_loads(told, 0, NULL) : NULL;
    json_object_set_new(o, "changes", j ? j : json_null());
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text ? text : str_dup("{}");
}

void report_send(struct peer *p, const char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size; at += READ_CHUNK)
        link_put(&p->link, WIRE_REPORT, 0, 0, text + at, MIN(size - at, (size_t)READ_CHUNK), NULL,
                 0);
    link_put_last(&p->link, WIRE_REPORT, 0, 0, NULL, 0);
}
