#include "ui/world.h"

#include "base/fd.h"
#include "base/loop.h"
#include "ui/update.h"

#include <jansson.h>
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

static void on_state(void *data, const char *json, size_t size)
{
    struct world_link *l = data;
    json_t *j = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(j, "phase"));
    const json_t *sample = json_object_get(j, "sample");
    const json_t *cpu = json_object_get(sample, "cpu_us");
    const json_t *memory = json_object_get(sample, "memory");
    enum state_phase phase = STATE_STARTING;
    while (phase < STATE_LOST && !str_equal(state_phase_name(phase), name))
        phase++;
    l->asked_ms = 0;
    l->answered = true;
    if (name)
        ui_model_sample(l->world->model, l->id, phase,
                        json_is_integer(cpu) ? (uint64_t)json_integer_value(cpu) : UINT64_MAX,
                        json_is_integer(memory) ? (uint64_t)json_integer_value(memory)
                                                : UINT64_MAX);
    json_decref(j);
}

static void on_screen(void *data, uint32_t console, struct cells *c)
{
    struct world_link *l = data;
    if (console || !link_is_shown(l))
        return;
    l->world->ring |= c->modes.bells > l->world->bells;
    l->world->bells = c->modes.bells;
    ui_model_cells(l->world->model, c);
}

static void on_role(void *data, uint32_t console, bool may_type, unsigned viewers)
{
    struct world_link *l = data;
    struct ui_model *m = l->world->model;
    if (console || !link_is_shown(l) || m->console.may_type == may_type)
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
        client_detach(l->client, 0);
    l->attached = false;
    ui_update_ended(m, how);
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct world_link *l = data;
    if (console)
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
    if (console || !l->launch.id)
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
    if (!launch.id)
        return false;
    l->launch = (struct ui_intent){0};
    ui_model_message(l->world->model, true, why);
    ui_update_relaunch(l->world->model, launch.id, launch.text);
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

void world_refresh(struct world *w)
{
    struct state_record *list;
    size_t count;
    struct error e;
    int64_t now = now_ms();
    ui_model_time(w->model, now);
    if (state_list(&w->dirs, &list, &count, &e) < 0) {
        ui_model_message(w->model, true, e.text);
        return;
    }
    ui_model_list(w->model, list, count);
    for (size_t i = 0; i < count; i++)
        if (list[i].phase != STATE_EXITED && list[i].phase != STATE_LOST)
            link_ask(w, list[i].id, now);
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
        client_detach(l->client, 0);
    l->attached = true;
    w->bells = UINT64_MAX; /* those before we came are not rung */
    client_attach(l->client, 0, false, (uint16_t)MAX(pane.rows, 1), (uint16_t)pane.cols);
}

static void console_size(struct world *w)
{
    struct ui_rect list, pane;
    struct world_link *l = link_find(w, w->model->console.id);
    ui_model_layout(w->model, &list, &pane);
    if (l && l->attached && pane.rows > 0)
        client_resize(l->client, 0, (uint16_t)pane.rows, (uint16_t)pane.cols);
}

static void console_hide(struct world *w, const char *id)
{
    struct world_link *l = link_find(w, id);
    if (!l || !l->attached)
        return;
    l->attached = false;
    client_detach(l->client, 0);
}

static void start_workload(struct world *w, struct ui_intent *i)
{
    autostrv char **words = ui_words(i->text);
    autofree const char **args = mem_zero(strv_length(words) + 8, sizeof(char *));
    size_t n = 0;
    args[n++] = "--tty";
    args[n++] = "--profile";
    args[n++] = i->id;
    if (strv_length(words))
        args[n++] = "--";
    for (size_t k = 0; words && words[k]; k++)
        args[n++] = words[k];
    world_start_launch(w, i, args);
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
            client_input(l->client, 0, i->text, i->size);
        break;
    case UI_INTENT_TAKE_OVER:
        l = link_find(w, i->id);
        if (l && l->attached)
            client_take_over(l->client, 0);
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
    case UI_INTENT_DETAILS:
        run_verb(w, i, "inspect", i->id, NULL);
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

size_t world_watch(const struct world *w, struct pollfd **ret)
{
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

void world_dispatch(struct world *w, const struct pollfd *fds, size_t count)
{
    /* What is added meanwhile stands behind these and waits for the next round. */
    size_t links = w->links_count, jobs = w->jobs_count, kept = 0;
    for (size_t i = 0; i < links && i < count; i++)
        if (fds[i].revents && !w->links[i]->closed)
            client_dispatch(w->links[i]->client);
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
    *w = (struct world){.host = host, .model = m};
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
