/* Connections to monitors, and what those say. */
#include "ui/world.h"

#include "base/loop.h"
#include "console/wire.h"
#include "ui/update.h"

#include <time.h>

int64_t world_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* --- what a monitor says --- */

static struct ui_console *link_pane(const struct world_link *l, uint32_t console)
{
    return ui_pane_of(l->world->model, l->id, console);
}

static void on_sample(void *data, const struct wire_sample *s)
{
    struct world_link *l = data;
    const struct launch_sample *f = &s->figures;
    const uint64_t waits[] = {f->pressure_cpu_us, f->pressure_memory_us, f->pressure_io_us};
    uint64_t all = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        if (waits[i] != UINT64_MAX)
            all = (all == UINT64_MAX ? 0 : all) + waits[i];
    autofree char *says = state_said(f->says_memory, f->says_available, f->says_load[0]);
    struct ui_sample numbers = {
        .network_in = f->network_in,
        .network_out = f->network_out,
        .cpu_us = f->cpu_us,
        .memory = f->memory,
        .memory_peak = f->memory_peak,
        .pids = f->pids,
        .io_read = f->io_read,
        .io_write = f->io_write,
        .pressure_us = all,
        .oom_kills = f->oom_kills,
        .at_ms = l->asked_ms,
        .says = says,
        .pid = (pid_t)s->pid,
    };
    l->asked_ms = 0;
    l->answered = true;
    ui_model_sample(l->world->model, l->id, s->phase, &numbers);
}

static void on_screen(void *data, uint32_t console, struct cells *c)
{
    struct world_link *l = data;
    struct ui_console *pane = link_pane(l, console);
    if (!pane)
        return;
    l->world->ring |= pane->cells.rows && c->modes.bells > pane->cells.modes.bells;
    ui_model_cells(l->world->model, pane, c);
}

static void on_history(void *data, uint32_t console, uint64_t first,
                       const struct cell *const *lines, const uint16_t *cols, size_t count)
{
    struct world_link *l = data;
    struct ui_console *pane = link_pane(l, console);
    if (pane)
        ui_model_history(l->world->model, pane, first, lines, cols, count);
}

static void on_role(void *data, uint32_t console, bool may_type, unsigned viewers)
{
    struct world_link *l = data;
    struct ui_console *pane = link_pane(l, console);
    if (!pane || pane->may_type == may_type)
        return;
    pane->may_type = may_type;
    l->world->model->dirty = true;
}

static void console_over(struct world_link *l, struct ui_console *pane, const char *how)
{
    if (!pane || pane->ended)
        return;
    if (!l->closed) /* the monitor does not stay for us */
        client_detach(l->client, pane->number);
    ui_update_ended(l->world->model, pane, how);
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct world_link *l = data;
    autofree char *how =
        str_format("ended with status %d%s%s", status, reason ? ": " : "", reason ? reason : "");
    console_over(l, link_pane(l, console), how);
}

/* --- of a launch of ours --- */

static void on_started(void *data, uint32_t console)
{
    struct world_link *l = data;
    struct ui_model *m = l->world->model;
    l->awaits = false;
    if (console)
        ui_update_shell(m, l->id, console);
    if (console || !l->launch.text)
        return;
    ui_intent_done(&l->launch);
    l->launch = (struct ui_intent){0};
    world_refresh(l->world);
    ui_update_started(m, l->id, l->name);
    world_keys(l->world, l->id);
}

/* True if it was one that never began: the sheet comes back. */
static bool launch_failed(struct world_link *l, const char *why)
{
    struct ui_intent launch = l->launch;
    if (!launch.text)
        return false;
    l->launch = (struct ui_intent){0};
    ui_model_message(l->world->model, true, why);
    ui_update_relaunch(l->world->model);
    ui_intent_done(&launch);
    return true;
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct world_link *l = data;
    l->awaits = false;
    if (e)
        ui_model_message(l->world->model, true, e->text);
    l->asked_ms = world_now_ms(); /* a sign of life; and what has come of it is shown at once */
    client_ask_sample(l->client);
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct world_link *l = data;
    l->awaits = false;
    if (!launch_failed(l, e->text))
        ui_model_message(l->world->model, true, e->text);
}

static void on_closed(void *data, const char *why)
{
    struct world_link *l = data;
    l->closed = true;
    l->world->look_soon |= l->answered;
    l->world->look = true;
    launch_failed(l, why);
    struct ui_model *m = l->world->model;
    struct ui_console *c = l->wrote.used ? link_pane(l, 0) : NULL;
    if (c && c->streams) /* its last words */
        ui_model_output(m, c, l->wrote.data, l->wrote.used);
    for (size_t i = 0; i < m->panes_count && l->eager; i++)
        if (str_equal(m->panes[i].id, l->id))
            console_over(l, &m->panes[i], why);
}

/* Who writes faster than it can be shown is not waited for: the oldest of it is left out. */
static void on_log(void *data, const char *bytes, size_t size, bool last)
{
    enum { WROTE_MOST = 1 << 20, WROTE_KEPT = 256 << 10 };
    struct world_link *l = data;
    const struct ui_console *pane = link_pane(l, 0);
    if (!pane || !pane->streams)
        return;
    buf_add(&l->wrote, bytes, size);
    if (l->wrote.used > WROTE_MOST) {
        const char *from = l->wrote.data + l->wrote.used - WROTE_KEPT;
        const char *line = memchr(from, '\n', WROTE_KEPT);
        buf_drop(&l->wrote, (size_t)((line ? line : from) - l->wrote.data));
    }
}

static const struct client_events world_events = {
    .screen = on_screen,
    .history = on_history,
    .role = on_role,
    .started = on_started,
    .exited = on_exited,
    .failed = on_failed,
    .sample = on_sample,
    .log = on_log,
    .done = on_done,
    .closed = on_closed,
};

/* --- links --- */

static struct world_link *link_of(const struct world *w, const char *id, bool eager)
{
    for (size_t i = 0; i < w->links_count; i++)
        if (!w->links[i]->closed && w->links[i]->eager == eager && str_equal(w->links[i]->id, id))
            return w->links[i];
    return NULL;
}

struct world_link *world_link_find(const struct world *w, const char *id)
{
    struct world_link *l = link_of(w, id, true);
    return l ? l : link_of(w, id, false);
}

static void link_add(struct world *w, struct world_link *l, const char *id)
{
    l->world = w;
    l->id = str_dup(id);
    w->links = mem_grow(w->links, w->links_count + 1, sizeof(*w->links));
    w->links[w->links_count++] = l;
}

static struct world_link *link_make(struct world *w, const char *id, struct error *e)
{
    struct world_link *l = NEW(struct world_link);
    autofree char *path = state_socket_path(&w->dirs, id);
    if (client_connect(path, &world_events, l, &l->client, e) < 0) {
        free(l);
        return NULL;
    }
    link_add(w, l, id);
    return l;
}

void world_adopt(struct world *w, const char *id, const char *name, int fd,
                 struct ui_intent *intent)
{
    struct world_link *l = NEW(struct world_link);
    l->client = client_handed(fd, &world_events, l);
    l->eager = true;
    l->name = str_dup(name);
    l->launch = *intent;
    *intent = (struct ui_intent){0};
    link_add(w, l, id);
}

void world_link_free(struct world_link *l)
{
    client_free(l->client);
    buf_done(&l->wrote);
    ui_intent_done(&l->launch);
    free(l->name);
    free(l->id);
    free(l);
}

void world_links_sweep(struct world *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->links_count; i++) {
        if (w->links[i]->closed)
            world_link_free(w->links[i]);
        else
            w->links[kept++] = w->links[i];
    }
    w->links_count = kept;
}

struct world_link *world_link_want(struct world *w, const char *id, struct error *e)
{
    struct world_link *l = world_link_find(w, id);
    return l ? l : link_make(w, id, e);
}

static bool link_is_waited_for(const struct world_link *l)
{
    const struct ui_model *m = l->world->model;
    bool waits = l->awaits || l->behind || l->launch.text;
    for (size_t i = 0; i < m->panes_count && !waits; i++)
        waits = str_equal(m->panes[i].id, l->id);
    return waits;
}

struct world_link *world_link_to_look(struct world *w, const char *id, struct error *e)
{
    struct world_link *eager = link_of(w, id, true);
    if (eager && !link_is_waited_for(eager))
        eager->eager = false;
    struct world_link *l = link_of(w, id, false);
    if (!l)
        l = link_make(w, id, e);
    return l ? l : eager;
}
