#include "ui/world.h"

#include "base/fd.h"
#include "base/loop.h"
#include "console/snapshots.h"
#include "ui/columns.h"
#include "ui/update.h"

#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* --- what a monitor says --- */

static bool link_is_shown(const struct world_link *l)
{
    return l->attached && str_equal(l->world->model->console.id, l->id);
}

static uint64_t number(const json_t *o, const char *name)
{
    const json_t *j = json_object_get(o, name);
    return json_is_integer(j) ? (uint64_t)json_integer_value(j) : UINT64_MAX;
}

static struct ui_sample sample_of(const json_t *o)
{
    uint64_t waits[] = {number(o, "pressure_cpu_us"), number(o, "pressure_memory_us"),
                        number(o, "pressure_io_us")};
    uint64_t all = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        if (waits[i] != UINT64_MAX)
            all = (all == UINT64_MAX ? 0 : all) + waits[i];
    return (struct ui_sample){
        .cpu_us = number(o, "cpu_us"),
        .memory = number(o, "memory"),
        .memory_peak = number(o, "memory_peak"),
        .pids = number(o, "pids"),
        .io_read = number(o, "io_read"),
        .io_write = number(o, "io_write"),
        .pressure_us = all,
    };
}

static void on_state(void *data, const char *json, size_t size)
{
    struct world_link *l = data;
    json_t *j = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(j, "phase"));
    const json_t *sample = json_object_get(j, "sample");
    struct ui_sample numbers = sample_of(sample);
    enum state_phase phase = STATE_STARTING;
    while (phase < STATE_LOST && !str_equal(state_phase_name(phase), name))
        phase++;
    l->asked_ms = 0;
    l->answered = true;
    if (name)
        ui_model_sample(l->world->model, l->id, phase, &numbers);
    json_decref(j);
}

static void on_screen(void *data, uint32_t console, struct cells *c)
{
    struct world_link *l = data;
    if (!link_is_shown(l) || console != l->shown)
        return;
    l->world->ring |= c->modes.bells > l->world->bells;
    l->world->bells = c->modes.bells;
    ui_model_cells(l->world->model, c);
}

static void on_role(void *data, uint32_t console, bool may_type, unsigned viewers)
{
    struct world_link *l = data;
    struct ui_model *m = l->world->model;
    if (!link_is_shown(l) || console != l->shown || m->console.may_type == may_type)
        return;
    m->console.may_type = may_type;
    m->dirty = true;
}

static void console_over(struct world_link *l, const char *how)
{
    struct ui_model *m = l->world->model;
    if (!link_is_shown(l) || m->console.ended)
        return;
    if (!l->closed) /* the monitor does not stay for us */
        client_detach(l->client, l->shown);
    l->attached = false;
    ui_update_ended(m, how);
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct world_link *l = data;
    if (console != l->shown)
        return;
    autofree char *how =
        str_format("ended with status %d%s%s", status, reason ? ": " : "", reason ? reason : "");
    console_over(l, how);
}

/* --- of a launch of ours --- */

static void on_started(void *data, uint32_t console)
{
    struct world_link *l = data;
    struct ui_model *m = l->world->model;
    if (console && l->attached && console == l->shown) {
        ui_update_shell(m, l->id, console);
        return;
    }
    if (console || !l->launch.text)
        return;
    ui_intent_done(&l->launch);
    l->launch = (struct ui_intent){0};
    world_refresh(l->world);
    ui_update_started(m, l->id, l->name);
    autofree char *detach_keys = state_plan_text(&l->world->dirs, l->id, "detach_keys");
    ui_model_keys(m, detach_keys);
    l->world->bells = 0;
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
    if (e)
        ui_model_message(l->world->model, true, e->text);
    l->asked_ms = now_ms(); /* a sign of life; and what has come of it is shown at once */
    client_ask_state(l->client);
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct world_link *l = data;
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
    console_over(l, why);
}

static const struct client_events world_events = {
    .screen = on_screen,
    .role = on_role,
    .started = on_started,
    .exited = on_exited,
    .failed = on_failed,
    .state = on_state,
    .done = on_done,
    .closed = on_closed,
};

/* --- links --- */

static struct world_link *link_find(const struct world *w, const char *id)
{
    for (size_t i = 0; i < w->links_count; i++)
        if (!w->links[i]->closed && str_equal(w->links[i]->id, id))
            return w->links[i];
    return NULL;
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
    l->name = str_dup(name);
    l->attached = true;
    l->launch = *intent;
    *intent = (struct ui_intent){0};
    link_add(w, l, id);
}

static void link_free(struct world_link *l)
{
    client_free(l->client);
    ui_intent_done(&l->launch);
    free(l->name);
    free(l->id);
    free(l);
}

static void links_sweep(struct world *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->links_count; i++) {
        if (w->links[i]->closed)
            link_free(w->links[i]);
        else
            w->links[kept++] = w->links[i];
    }
    w->links_count = kept;
}

/* The link to a workload, or a message why there is none. */
static struct world_link *link_want(struct world *w, const char *id)
{
    struct error e;
    struct world_link *l = link_find(w, id);
    if (!l)
        l = link_make(w, id, &e);
    if (!l)
        ui_model_message(w->model, true, e.text);
    return l;
}

static void link_ask(struct world *w, const char *id, int64_t now)
{
    struct error e;
    struct world_link *l = link_find(w, id);
    if (!l)
        l = link_make(w, id, &e);
    if (l && !l->asked_ms) {
        l->asked_ms = now;
        client_ask_state(l->client);
    }
    ui_model_silent(w->model, id, !l || now - l->asked_ms > UI_SILENT_MS);
}

static void snapshots_look(struct world *w, int64_t now)
{
    enum { EVERY_MS = 5000 };
    struct snapshot_record *list;
    size_t count;
    struct error ignored;
    if (now - w->snapshots_ms < EVERY_MS || snapshots_list(&w->dirs, &list, &count, &ignored) < 0)
        return;
    w->snapshots_ms = now;
    struct ui_snapshot *to = mem_zero(count + 1, sizeof(*to));
    for (size_t i = 0; i < count; i++)
        to[i] = (struct ui_snapshot){
            .id = str_escape_z(list[i].id),
            .name = str_escape_z(list[i].name ? list[i].name : ""),
            .workload = str_escape_z(list[i].workload ? list[i].workload : ""),
            .workload_name = str_escape_z(list[i].workload_name ? list[i].workload_name : ""),
            .kind = str_dup(snapshot_kind_name(list[i].kind)),
            .bytes = list[i].bytes,
            .created_ms = list[i].created_ms,
        };
    snapshots_list_free(list, count);
    ui_model_snapshots(w->model, to, count);
}

/* Only what is seen is asked for. */
static bool numbers_are_seen(const struct ui_model *m)
{
    return (m->page == UI_PAGE_LIST && m->dialog != UI_DIALOG_LAUNCH) || m->page == UI_PAGE_HOST;
}

static bool item_lives(const struct ui_model *m, size_t nth)
{
    const struct ui_item *it = &m->items[nth];
    return it->kind == UI_ITEM_ROW && state_phase_lives(m->list[it->index].phase);
}

/*
 * Rows on the screen each second; those beyond its edges in turns, unless their order or their sum
 * hangs on it: hundreds of monitors answering at once would hold up the keys.
 */
static void ask_all(struct world *w, int64_t now)
{
    enum { TURNS = 5 };
    struct ui_model *m = w->model;
    struct ui_rect list, pane;
    bool each = m->sort != UI_COL_COUNT || m->page == UI_PAGE_HOST;
    ui_model_layout(m, &list, &pane);
    size_t from = ui_list_from(m, list.rows - 1), to = from + (size_t)MAX(list.rows, 1);
    w->turn++;
    for (size_t i = 0; i < m->items_count && numbers_are_seen(m); i++)
        if (item_lives(m, i) && (each || (i >= from && i < to) || i % TURNS == w->turn % TURNS))
            link_ask(w, m->list[m->items[i].index].id, now);
}

static int64_t changed_ns(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? 0 : st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
}

/* Whether there may be other workloads than before: what becomes of each its own monitor tells. */
static bool list_changed(struct world *w)
{
    enum { ANYWAY_MS = 20000 };
    autofree char *kept = str_join_path(w->dirs.state, "workloads");
    int64_t changed = changed_ns(w->dirs.runtime) ^ changed_ns(kept), now = now_ms();
    if (changed == w->list_changed && now - w->listed_ms < ANYWAY_MS && !w->look)
        return false;
    w->list_changed = changed;
    return true;
}

/* Reading the files of hundreds takes longer than a frame may wait: only when it has to be. */
void world_tick(struct world *w)
{
    struct ui_model *m = w->model;
    if (list_changed(w)) {
        world_refresh(w);
        return;
    }
    int64_t now = now_ms();
    ui_model_time(m, now);
    snapshots_look(w, now);
    if (m->sort != UI_COL_COUNT)
        ui_model_arrange(m);
    if (m->page == UI_PAGE_HOST)
        world_host_facts(w);
    ask_all(w, now);
}

void world_refresh(struct world *w)
{
    struct state_record *list;
    size_t count;
    struct error e;
    int64_t now = now_ms();
    ui_model_time(w->model, now);
    w->look = false;
    w->listed_ms = now;
    if (state_list(&w->dirs, &list, &count, &e) < 0) {
        ui_model_message(w->model, true, e.text);
        return;
    }
    snapshots_look(w, now);
    ui_model_list(w->model, list, count);
    if (w->model->page == UI_PAGE_HOST)
        world_host_facts(w);
    ask_all(w, now);
    state_list_free(list, count);
}

/* --- intents --- */

static void console_show(struct world *w, const char *id)
{
    struct ui_rect list, pane;
    struct world_link *l = link_want(w, id);
    ui_model_layout(w->model, &list, &pane);
    if (!l)
        return;
    autofree char *detach_keys = state_plan_text(&w->dirs, id, "detach_keys");
    ui_model_keys(w->model, detach_keys);
    if (l->attached)
        client_detach(l->client, l->shown);
    l->attached = true;
    l->shown = 0;
    w->bells = UINT64_MAX; /* those before we came are not rung */
    client_attach(l->client, 0, false, (uint16_t)MAX(pane.rows, 1), (uint16_t)pane.cols);
}

static void console_size(struct world *w)
{
    struct ui_rect list, pane;
    struct world_link *l = link_find(w, w->model->console.id);
    ui_model_layout(w->model, &list, &pane);
    if (l && l->attached && pane.rows > 0)
        client_resize(l->client, l->shown, (uint16_t)pane.rows, (uint16_t)pane.cols);
}

static void console_hide(struct world *w, const char *id)
{
    struct world_link *l = link_find(w, id);
    if (!l || !l->attached)
        return;
    l->attached = false;
    client_detach(l->client, l->shown);
}

/* Another console in it, with a shell; started() shows it. */
static void shell_open(struct world *w, const char *id)
{
    static const char *const argv[] = {"/bin/sh", NULL};
    struct ui_rect pane;
    struct world_link *l = link_want(w, id);
    if (!l)
        return;
    ui_model_pane(w->model, &pane);
    if (l->attached)
        client_detach(l->client, l->shown);
    struct client_exec x = {.argv = argv,
                            .terminal = true,
                            .rows = (uint16_t)MAX(pane.rows, 1),
                            .cols = (uint16_t)pane.cols};
    l->attached = true;
    l->shown = client_exec(l->client, &x);
}

/* The intent's text as words; owned by the caller. */
static char **args_of(const struct ui_intent *i)
{
    return strv_split(i->text, (const char[]){UI_ARG_END, '\0'});
}

static void start_workload(struct world *w, struct ui_intent *i)
{
    autostrv char **words = args_of(i);
    char **args = NULL;
    strv_add(&args, "--tty");
    for (size_t k = 0; words && words[k]; k++)
        if (k || !str_equal(words[k], "--tty"))
            strv_add(&args, words[k]);
    world_start_launch(w, i, (const char *const *)args);
    strv_free(args);
}

static void run_args(struct world *w, struct ui_intent *i)
{
    autostrv char **words = args_of(i);
    if (words)
        world_start_job(w, i, (const char *const *)words);
}

static void run_verb(struct world *w, struct ui_intent *i, const char *a, const char *b,
                     const char *c)
{
    const char *const args[] = {a, b, c, NULL};
    world_start_job(w, i, args);
}

/* Requests to a monitor that are answered with done(). */
static void ask_monitor(struct world *w, const struct ui_intent *i)
{
    struct world_link *l = link_want(w, i->id);
    if (!l)
        return;
    if (i->kind == UI_INTENT_STOP)
        client_stop(l->client, -1);
    else if (i->kind == UI_INTENT_KILL)
        client_kill(l->client);
    else
        client_pause(l->client, i->kind == UI_INTENT_PAUSE);
}

static void carry_out(struct world *w, struct ui_intent *i)
{
    struct world_link *l;
    switch (i->kind) {
    case UI_INTENT_QUIT:
        w->quit = true;
        break;
    case UI_INTENT_REFRESH:
        world_refresh(w);
        break;
    case UI_INTENT_OPEN:
        console_show(w, i->id);
        break;
    case UI_INTENT_CLOSE:
        console_hide(w, i->id);
        break;
    case UI_INTENT_INPUT:
        l = link_find(w, i->id);
        if (l && l->attached)
            client_input(l->client, l->shown, i->text, i->size);
        break;
    case UI_INTENT_TAKE_OVER:
        l = link_find(w, i->id);
        if (l && l->attached)
            client_take_over(l->client, l->shown);
        break;
    case UI_INTENT_RESIZE:
        console_size(w);
        break;
    case UI_INTENT_STOP:
    case UI_INTENT_KILL:
    case UI_INTENT_PAUSE:
    case UI_INTENT_RESUME:
        ask_monitor(w, i);
        break;
    case UI_INTENT_REMOVE:
        run_verb(w, i, "rm", "--force", i->id);
        break;
    case UI_INTENT_PAGE:
    case UI_INTENT_DO:
        run_args(w, i);
        break;
    case UI_INTENT_PAGE_END:
        world_end_page(w);
        break;
    case UI_INTENT_SHELL:
        shell_open(w, i->id);
        break;
    case UI_INTENT_DIAL:
        run_verb(w, i, "sheet", "dial", *i->text ? i->text : NULL);
        break;
    case UI_INTENT_COMPLETE:
        run_verb(w, i, "sheet", "paths", i->text);
        break;
    case UI_INTENT_SAVE:
        world_sheet_save(w, i);
        break;
    case UI_INTENT_MOUSE:
        w->mouse = true;
        break;
    case UI_INTENT_EXPLAIN:
        run_verb(w, i, "profile", "explain", i->text);
        break;
    case UI_INTENT_START:
        start_workload(w, i);
        break;
    }
}

void world_carry_out(struct world *w)
{
    struct ui_intent i;
    while (ui_take_intent(w->model, &i)) {
        carry_out(w, &i);
        ui_intent_done(&i);
    }
}

/* --- descriptors --- */

size_t world_watch(struct world *w, struct pollfd **ret)
{
    w->watched_links = w->links_count;
    w->watched_jobs = w->jobs_count;
    struct pollfd *fds = mem_zero(w->links_count + w->jobs_count, sizeof(*fds));
    size_t n = 0;
    for (size_t i = 0; i < w->links_count; i++, n++) {
        const struct client *c = w->links[i]->client;
        fds[n].fd = w->links[i]->closed ? -1 : client_fd(c);
        fds[n].events = (short)(POLLIN | (client_wants_write(c) ? POLLOUT : 0));
    }
    for (size_t i = 0; i < w->jobs_count; i++, n++)
        fds[n] = (struct pollfd){.fd = w->jobs[i]->output, .events = POLLIN};
    *ret = fds;
    return n;
}

enum { DISPATCH_MS = 4 };

void world_dispatch(struct world *w, const struct pollfd *fds, size_t count)
{
    /* What is added meanwhile stands behind these and waits for the next round. */
    size_t links = w->watched_links, jobs = w->watched_jobs, kept = 0;
    uint64_t until = loop_now_ms() + DISPATCH_MS; /* then keys are looked for again */
    for (size_t k = 0; k < links && links <= count && loop_now_ms() <= until; k++) {
        size_t i = (w->next_link + k) % links;
        if (fds[i].revents && !w->links[i]->closed)
            client_dispatch(w->links[i]->client);
        if (k + 1 == links || loop_now_ms() > until)
            w->next_link = i + 1;
    }
    for (size_t i = 0; i < jobs && links + i < count; i++)
        if (!fds[links + i].revents || world_read_job(w, w->jobs[i]))
            w->jobs[kept++] = w->jobs[i];
    for (size_t i = jobs; i < w->jobs_count; i++)
        w->jobs[kept++] = w->jobs[i];
    w->jobs_count = kept;
    links_sweep(w);
}

int world_init(struct world *w, const struct ui_host *host, struct ui_model *m, struct error *e)
{
    *w = (struct world){.host = host, .model = m, .mouse = true};
    m->verbs = host->verbs;
    m->verbs_count = host->verbs_count;
    int r = dirs_init(&w->dirs, e);
    if (r < 0)
        return r;
    struct profile_path path;
    struct profile_entry *list;
    size_t count;
    if (profile_path_init(&path, e) == 0) {
        if (profile_list(&path, "profiles", &list, &count, e) == 0)
            ui_model_profiles(m, list, count);
        else
            ui_model_message(m, true, e->text);
        profile_path_done(&path);
    }
    return 0;
}

void world_done(struct world *w)
{
    for (size_t i = 0; i < w->links_count; i++)
        link_free(w->links[i]);
    free(w->links);
    for (size_t i = 0; i < w->jobs_count; i++)
        world_free_job(w->jobs[i]);
    free(w->jobs);
    dirs_done(&w->dirs);
}
