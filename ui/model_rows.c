/* The workloads: from records and samples to rows. */
#include "ui/columns.h"
#include "ui/model_inner.h"

#include <stdio.h>

void ui_row_done(struct ui_row *r)
{
    free(r->id);
    free(r->name);
    free(r->profile);
    free(r->boundary);
    free(r->command);
    free(r->reason);
    free(r->runtime);
    free(r->image);
    free(r->snapshot);
    free(r->history);
    strv_free(r->labels);
    free(r->says);
}

void ui_snapshots_free(struct ui_snapshot *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].id);
        free(list[i].name);
        free(list[i].workload);
        free(list[i].workload_name);
        free(list[i].kind);
    }
    free(list);
}

struct ui_row *ui_model_row(const struct ui_model *m, const char *id)
{
    size_t low = 0, high = m->by_id ? m->count : 0;
    while (id && low < high) {
        size_t middle = low + (high - low) / 2;
        struct ui_row *r = &m->list[m->by_id[middle]];
        int by = strcmp(id, r->id);
        if (!by)
            return r;
        if (by < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static struct ui_row row_of(const struct state_record *r)
{
    autofree char *boundary = state_boundary_text(r);
    bool foreign = str_starts(r->id, UI_FOREIGN);
    return (struct ui_row){
        .foreign = foreign,
        .silent = foreign && r->reason,
        .id = ui_safe(r->id),
        .name = ui_safe(r->name),
        .profile = ui_safe(r->profile),
        .boundary = ui_safe(boundary),
        .command = ui_safe(r->command),
        .reason = r->reason ? ui_safe(r->reason) : NULL,
        .phase = r->phase,
        .created_ms = r->created_ms,
        .started_ms = r->started_ms,
        .ended_ms = r->ended_ms,
        .status = r->status,
        .terminal = r->terminal,
        .pid = r->pid,
        .cpu_permille = -1,
        .pressure_permille = -1,
        .read_rate = UINT64_MAX,
        .write_rate = UINT64_MAX,
        .in_rate = UINT64_MAX,
        .out_rate = UINT64_MAX,
        .pids = UINT64_MAX,
        .oom_kills = UINT64_MAX,
        .runtime = ui_safe(r->runtime),
        .image = ui_safe(r->image),
        .snapshot = str_dup_or_null(r->snapshot),
    };
}

/* What was learnt of it stays, whatever the files say anew. */
static void row_inherit(struct ui_row *to, struct ui_row *old)
{
    to->sampled = old->sampled;
    to->silent = to->foreign ? to->silent : old->silent && state_phase_lives(to->phase);
    to->marked = old->marked;
    to->cpu_us = old->cpu_us;
    to->memory = old->memory;
    to->memory_peak = old->memory_peak;
    to->pids = old->pids;
    to->oom_kills = old->oom_kills;
    to->io_read = old->io_read;
    to->io_write = old->io_write;
    to->network_in = old->network_in;
    to->network_out = old->network_out;
    to->in_rate = old->in_rate;
    to->out_rate = old->out_rate;
    to->pressure_us = old->pressure_us;
    to->read_rate = old->read_rate;
    to->write_rate = old->write_rate;
    to->pressure_permille = old->pressure_permille;
    to->sampled_ms = old->sampled_ms;
    to->cpu_permille = old->cpu_permille;
    to->history = TAKE(old->history);
    to->says = TAKE(old->says);
}

static bool rows_look_alike(const struct ui_row *a, const struct ui_row *b)
{
    return a->phase == b->phase && a->silent == b->silent && a->status == b->status &&
           a->ended_ms == b->ended_ms && str_equal(a->id, b->id) && str_equal(a->name, b->name) &&
           str_equal(a->command, b->command) && str_equal(a->reason, b->reason);
}

void ui_model_list(struct ui_model *m, const struct state_record *list, size_t count)
{
    struct ui_row *rows = mem_zero(count + 1, sizeof(*rows));
    bool changed = count != m->count || !m->listed;
    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(&list[i]);
        for (size_t k = 0; list[i].labels && list[i].labels[k]; k++)
            strv_take(&rows[i].labels, ui_safe(list[i].labels[k]));
        changed |= i < m->count && !rows_look_alike(&rows[i], &m->list[i]);
        struct ui_row *old = ui_model_row(m, rows[i].id);
        if (old)
            row_inherit(&rows[i], old);
    }
    for (size_t i = 0; i < m->count; i++)
        ui_row_done(&m->list[i]);
    free(m->list);
    m->list = rows;
    m->count = count;
    m->listed = true;
    free(TAKE(m->list_failed));
    m->dirty |= changed;
    ui_model_arrange(m);
    if (m->wanted && ui_model_row(m, m->wanted)) {
        free(m->selected);
        m->selected = TAKE(m->wanted);
    }
}

void ui_model_snapshots(struct ui_model *m, struct ui_snapshot *list, size_t count)
{
    bool changed = count != m->snapshots_count || !m->snapshots_known || m->snapshots_failed;
    for (size_t i = 0; !changed && i < count; i++)
        changed = !str_equal(list[i].id, m->snapshots[i].id);
    ui_snapshots_free(m->snapshots, m->snapshots_count);
    m->snapshots = list;
    m->snapshots_count = count;
    m->snapshots_known = true;
    free(TAKE(m->snapshots_failed));
    m->dirty |= changed && (m->arrange == UI_ARRANGE_TREE || m->page == UI_PAGE_HOST);
    ui_model_arrange(m);
    if (changed)
        ui_model_snapshots_page(m);
}

void ui_model_snapshots_failed(struct ui_model *m, const char *why)
{
    free(m->snapshots_failed);
    m->snapshots_failed = ui_safe(why);
    m->dirty = true;
    ui_model_snapshots_page(m);
}

void ui_model_list_failed(struct ui_model *m, const char *why)
{
    free(m->list_failed);
    m->list_failed = ui_safe(why);
    m->dirty = true;
}

static uint64_t rate_of(uint64_t before, uint64_t now, int64_t ms)
{
    if (before == UINT64_MAX || now == UINT64_MAX || now < before || ms < 100)
        return UINT64_MAX;
    return (now - before) * 1000 / (uint64_t)ms;
}

static void history_add(struct ui_row *r)
{
    if (!r->history)
        r->history = NEW(struct ui_history);
    struct ui_history *h = r->history;
    const uint64_t now[UI_HISTORY_COUNT] = {
        [UI_HISTORY_CPU] = (uint64_t)MAX(r->cpu_permille, 0),
        [UI_HISTORY_MEMORY] = r->memory == UINT64_MAX ? 0 : r->memory / 1024,
        [UI_HISTORY_READ] = r->read_rate == UINT64_MAX ? 0 : r->read_rate / 1024,
        [UI_HISTORY_WRITTEN] = r->write_rate == UINT64_MAX ? 0 : r->write_rate / 1024,
        [UI_HISTORY_IN] = r->in_rate == UINT64_MAX ? 0 : r->in_rate / 1024,
        [UI_HISTORY_OUT] = r->out_rate == UINT64_MAX ? 0 : r->out_rate / 1024,
        [UI_HISTORY_WAITS] = (uint64_t)MAX(r->pressure_permille, 0),
    };
    for (int i = 0; i < UI_HISTORY_COUNT; i++)
        h->values[i][h->next] = (uint32_t)MIN(now[i], (uint64_t)UINT32_MAX);
    h->next = (h->next + 1) % UI_HISTORY;
    h->used = MIN(h->used + 1, (unsigned)UI_HISTORY);
}

/* What is shown of the numbers; two that are equal look alike. */
static void row_numbers(const struct ui_model *m, const struct ui_row *r, char to[192])
{
    static const enum ui_column shown[] = {UI_COL_CPU, UI_COL_MEMORY, UI_COL_READ, UI_COL_WRITTEN,
                                           UI_COL_IN,  UI_COL_OUT,    UI_COL_PIDS, UI_COL_PRESSURE};
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
        char text[32];
        if (ui_column_width(m, shown[i]))
            used += (size_t)snprintf(to + used, 192 - used, "%s ",
                                     ui_column_text(m, r, shown[i], text, sizeof(text)));
    }
    to[used] = '\0';
}

static void row_take_sample(struct ui_row *r, const struct ui_sample *s, int64_t now)
{
    int64_t passed = r->sampled ? now - r->sampled_ms : 0;
    if (s->cpu_us == UINT64_MAX)
        r->cpu_permille = -1;
    else if (passed > 100 && s->cpu_us >= r->cpu_us)
        r->cpu_permille = (int)((s->cpu_us - r->cpu_us) / (uint64_t)passed);
    if (passed > 100) {
        uint64_t waits = rate_of(r->pressure_us, s->pressure_us, passed);
        r->read_rate = rate_of(r->io_read, s->io_read, passed);
        r->write_rate = rate_of(r->io_write, s->io_write, passed);
        r->in_rate = rate_of(r->network_in, s->network_in, passed);
        r->out_rate = rate_of(r->network_out, s->network_out, passed);
        r->pressure_permille = waits == UINT64_MAX ? -1 : (int)MIN(waits / 1000, 9999u);
    }
    if (s->pid > 0) /* the list may be from before it was there */
        r->pid = s->pid;
    r->sampled = true;
    r->cpu_us = s->cpu_us;
    r->memory = s->memory;
    r->memory_peak = s->memory_peak;
    r->pids = s->pids;
    r->oom_kills = s->oom_kills;
    r->io_read = s->io_read;
    r->io_write = s->io_write;
    r->network_in = s->network_in;
    r->network_out = s->network_out;
    r->pressure_us = s->pressure_us;
    free(r->says);
    r->says = str_dup_or_null(s->says);
    r->sampled_ms = now;
}

void ui_model_sample(struct ui_model *m, const char *id, enum state_phase phase,
                     const struct ui_sample *s)
{
    struct ui_row *r = ui_model_row(m, id);
    char before[192], after[192];
    if (!r)
        return;
    row_numbers(m, r, before);
    row_take_sample(r, s, s->at_ms ? s->at_ms : m->now_ms);
    history_add(r);
    m->dirty |= r->phase != phase || r->silent;
    r->phase = phase;
    r->silent = false;
    row_numbers(m, r, after);
    bool changed =
        m->page == UI_PAGE_GRAPHS ? str_equal(m->selected, id) : !str_equal(before, after);
    m->dirty |= changed && !m->still;
    m->moved |= changed;
    if (!m->still)
        ui_model_numbers(m);
}

void ui_model_stalled(struct ui_model *m, bool stalled)
{
    m->dirty |= m->stalled != stalled;
    m->stalled = stalled;
}

void ui_model_silent(struct ui_model *m, const char *id, bool silent)
{
    struct ui_row *r = ui_model_row(m, id);
    if (!r || r->silent == silent)
        return;
    r->silent = silent;
    m->dirty = true;
}

void ui_model_time(struct ui_model *m, int64_t now_ms)
{
    char before[32], after[32];
    bool due = !m->still || now_ms / UI_STILL_MS != m->now_ms / UI_STILL_MS;
    m->dirty |= m->still && due && m->moved;
    if (due)
        ui_model_numbers(m);
    m->moved = m->moved && !due;
    due &= m->page == UI_PAGE_LIST;
    for (size_t i = 0; i < m->count && due && !m->dirty; i++)
        m->dirty = !str_equal(ui_row_age(&m->list[i], m->now_ms, before, sizeof(before)),
                              ui_row_age(&m->list[i], now_ms, after, sizeof(after)));
    m->now_ms = now_ms;
    m->dirty |= ui_task_seen(m, 0) != NULL; /* for how long */
    if (m->message && now_ms >= m->message_until) {
        free(TAKE(m->message));
        m->dirty = true;
    }
}

const char *ui_row_state(const struct ui_row *r, char *to, size_t room)
{
    if (r->foreign)
        snprintf(to, room, "%s%s", r->phase == STATE_EXITED ? "off" : state_phase_name(r->phase),
                 r->silent ? "?" : "");
    else if (r->silent)
        snprintf(to, room, "no answer");
    else if (r->phase == STATE_EXITED)
        snprintf(to, room, "exited %d", r->status);
    else
        snprintf(to, room, "%s", state_phase_name(r->phase));
    return to;
}

const char *ui_row_cpu(const struct ui_row *r, char *to, size_t room)
{
    if (r->phase == STATE_EXITED || r->phase == STATE_LOST || r->cpu_permille < 0)
        snprintf(to, room, "-");
    else if (r->cpu_permille < 100)
        snprintf(to, room, "%d.%d%%", r->cpu_permille / 10, r->cpu_permille % 10);
    else
        snprintf(to, room, "%d%%", r->cpu_permille / 10);
    return to;
}

const char *ui_row_memory(const struct ui_row *r, char *to, size_t room)
{
    if (r->phase == STATE_EXITED || r->phase == STATE_LOST || !r->sampled ||
        r->memory == UINT64_MAX)
        snprintf(to, room, "-");
    else
        str_from_size(r->memory, to, room);
    return to;
}

const char *ui_row_age(const struct ui_row *r, int64_t now_ms, char *to, size_t room)
{
    int64_t from = r->ended_ms ? r->ended_ms : r->started_ms ? r->started_ms : r->created_ms;
    int64_t ms = from && now_ms > from ? now_ms - from : 0;
    str_from_duration((uint64_t)(ms / 1000 * 1000), to, room);
    if (ms < 1000)
        snprintf(to, room, "0s");
    else if (ms < 10000)
        snprintf(to, room, "%ds", (int)(ms / 1000));
    return to;
}
