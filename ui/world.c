#include "ui/world.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "ui/columns.h"
#include "ui/update.h"

static void link_ask(struct world *w, const char *id, int64_t now)
{
    struct error e;
    struct world_link *l = world_link_to_look(w, id, &e);
    if (l && !l->asked_ms) {
        l->asked_ms = now;
        client_ask_sample(l->client);
    }
    ui_model_silent(w->model, id, !l || now - l->asked_ms > UI_SILENT_MS);
}

static void snapshots_take(struct world *w, const struct snapshot_record *list, size_t count)
{
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
    ui_model_snapshots(w->model, to, count);
}

static bool item_lives(const struct ui_model *m, size_t nth)
{
    const struct ui_item *it = &m->items[nth];
    return it->kind == UI_ITEM_ROW && state_phase_lives(m->list[it->index].phase) &&
           !m->list[it->index].foreign;
}

/* Whose console is seen is asked, too, whatever hides the list: a pane says who does not answer. */
static void ask_panes(struct world *w, int64_t now)
{
    struct ui_model *m = w->model;
    struct ui_rect r[UI_PANES];
    ui_model_tiles(m, r);
    for (size_t i = 0; i < m->panes_count && !m->hidden; i++)
        if (!m->panes[i].ended && r[i].rows > 0)
            link_ask(w, m->panes[i].id, now);
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
    const struct ui_row *chosen = ui_model_selected(m);
    bool each = m->sort != UI_COL_COUNT || m->page == UI_PAGE_HOST;
    const char *one = ui_shows_numbers(m)         ? m->text_id
                      : m->page == UI_PAGE_GRAPHS ? chosen ? chosen->id : ""
                                                  : NULL;
    ui_model_layout(m, &list, &pane);
    size_t from = ui_list_from(m, list.rows - 1), to = from + (size_t)MAX(list.rows, 1);
    w->turn++;
    for (size_t i = 0; i < m->items_count && ui_numbers_are_seen(m); i++)
        if (item_lives(m, i) &&
            (one ? str_equal(one, m->list[m->items[i].index].id)
                 : each || (i >= from && i < to) || i % TURNS == w->turn % TURNS))
            link_ask(w, m->list[m->items[i].index].id, now);
    ask_panes(w, now);
}

/* Settings come first: they say what is looked for, and how it is shown. */
static void ask_scout(struct world *w, unsigned what)
{
    struct error e;
    if (w->scout.fd < 0 && scout_start(&w->scout, &w->dirs, &e) < 0)
        ui_model_message(w->model, true, e.text);
    if (!w->profiles_known)
        what |= SCOUT_PROFILES;
    scout_ask(&w->scout, w->settings_known ? what : SCOUT_SETTINGS, world_now_ms());
}

void world_tick(struct world *w)
{
    struct ui_model *m = w->model;
    int64_t now = world_now_ms();
    ui_model_time(m, now);
    scout_reap(&w->scout);
    ask_scout(w, (w->look ? SCOUT_ALL : 0) | (m->page == UI_PAGE_HOST ? SCOUT_DISK : 0));
    w->look = false;
    ui_model_stalled(m, scout_is_busy(&w->scout) && now - w->scout.asked_ms > UI_SILENT_MS);
    w->collecting = true;
    if (m->page == UI_PAGE_HOST && !m->hidden)
        world_host_facts(w);
    if (ui_shows_processes(m) && !m->hidden)
        world_processes(w, m->text_id);
    world_others_tick(w);
}

static bool link_is_lazy(const struct world_link *l)
{
    return !l->closed && !l->eager && l->answered;
}

enum { DISPATCH_MS = 4 };

/*
 * Of what is only looked at the answers wait for the next second, or each of hundreds would wake
 * us; then it is asked again. Its end is heard of at once.
 */
bool world_collect(struct world *w)
{
    uint64_t until = loop_now_ms() + DISPATCH_MS;
    if (!w->collecting)
        return false;
    for (; w->collected < w->links_count; w->collected++) {
        struct world_link *l = w->links[w->collected];
        if (loop_now_ms() > until)
            return true;
        if (link_is_lazy(l) && l->asked_ms)
            client_dispatch(l->client);
    }
    w->collected = 0;
    w->collecting = false;
    if (w->model->sort != UI_COL_COUNT)
        ui_model_arrange(w->model);
    ask_all(w, world_now_ms());
    return false;
}

void world_refresh(struct world *w)
{
    ui_model_time(w->model, world_now_ms());
    ask_scout(w, SCOUT_ALL | SCOUT_DISK);
    if (w->model->page == UI_PAGE_HOST)
        world_host_facts(w);
}

void world_profiles(struct world *w)
{
    w->profiles_known = false;
    ask_scout(w, SCOUT_PROFILES);
}

static void settings_take(struct world *w, const struct scout_news *n)
{
    w->settings = n->settings;
    w->settings_known = w->settings_new = true;
    w->model->tour = n->first_time ? 1 : w->model->tour;
    w->model->own_only = !n->settings.others;
    world_others_again(w);
    ask_scout(w, SCOUT_ALL);
}

static void profiles_take(struct world *w, struct scout_news *n)
{
    if (!n->profiles_listed && !n->profiles_error.code)
        return;
    w->profiles_known = true;
    if (!n->profiles_listed)
        ui_model_message(w->model, true, n->profiles_error.text);
    else
        ui_model_profiles(w->model, TAKE(n->profiles), n->profiles_count);
    n->profiles_count = 0;
}

/* What the files say, once it is known. */
void world_news(struct world *w)
{
    struct scout_news n;
    int64_t now = world_now_ms();
    if (!scout_read(&w->scout, &n))
        return;
    ui_model_stalled(w->model, false);
    if (n.settings_read) {
        settings_take(w, &n);
        return;
    }
    if (n.error.code)
        ui_model_message(w->model, true, n.error.text);
    if (n.error.code && !w->model->listed)
        ui_model_list_failed(w->model, n.error.text);
    if (n.snapshots_error.code)
        ui_model_snapshots_failed(w->model, n.snapshots_error.text);
    profiles_take(w, &n);
    if (n.snapshots_listed)
        snapshots_take(w, n.snapshots, n.snapshots_count);
    if (n.listed) {
        world_others_list(w, TAKE(n.list), n.count);
        n.count = 0;
        ask_all(w, now);
    }
    if (n.disk) {
        w->model->facts.disk = n.disk;
        w->model->facts.disk_free = n.disk_free;
    }
    scout_news_done(&n);
    if (w->scout.again)
        ask_scout(w, w->scout.again);
}

/* --- intents --- */

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

/* Its title is what it is called behind ":", by the names of workloads; what only helps is left
 * out. */
static char *task_title(const struct world *w, char *const *words)
{
    struct buf b = {0};
    for (size_t i = 0; words[i]; i++) {
        const struct ui_row *r = ui_model_row(w->model, words[i]);
        if (!str_equal(words[i], "--force"))
            buf_printf(&b, "%s%s", b.used ? " " : "", r ? r->name : words[i]);
    }
    return buf_take(&b);
}

static void run_task(struct world *w, struct ui_intent *i)
{
    autostrv char **words = args_of(i);
    char **args = NULL;
    if (!words)
        return;
    strv_add(&args, "task");
    for (size_t k = 0; words[k]; k++)
        strv_add(&args, words[k]);
    autofree char *title = task_title(w, words);
    world_start_task(w, i, title, (const char *const *)args);
    strv_free(args);
}

static void run_verb(struct world *w, struct ui_intent *i, const char *a, const char *b,
                     const char *c)
{
    const char *const args[] = {a, b, c, NULL};
    world_start_job(w, i, args);
}

/* What a monitor is asked for of ours, a verb asks of libvirt. true: it was that. */
static bool carry_out_foreign(struct world *w, struct ui_intent *i)
{
    static const struct {
        enum ui_intent_kind kind;
        const char *verb;
    } rows[] = {
        {UI_INTENT_STOP,   "stop"  },
        {UI_INTENT_KILL,   "kill"  },
        {UI_INTENT_PAUSE,  "pause" },
        {UI_INTENT_RESUME, "resume"},
    };
    for (size_t k = 0; i->id && str_starts(i->id, UI_FOREIGN) && k < ARRAY_SIZE(rows); k++)
        if (rows[k].kind == i->kind) {
            run_verb(w, i, rows[k].verb, i->id, NULL);
            return true;
        }
    return false;
}

static void carry_out(struct world *w, struct ui_intent *i)
{
    if (carry_out_foreign(w, i))
        return;
    if (world_consoles_carry_out(w, i))
        return;
    switch ((int)i->kind) {
    case UI_INTENT_QUIT:
        w->quit = true;
        break;
    case UI_INTENT_REFRESH:
        world_refresh(w);
        if (w->model->page == UI_PAGE_IMAGES)
            world_images(w);
        world_others_again(w);
        break;
    case UI_INTENT_REMOVE:
        run_verb(w, i, "rm", "--force", i->id);
        break;
    case UI_INTENT_PAGE:
        run_args(w, i);
        break;
    case UI_INTENT_IMAGES:
        world_images(w);
        break;
    case UI_INTENT_DO:
        run_task(w, i);
        break;
    case UI_INTENT_GIVE_UP:
        world_give_up(w, (unsigned)strtoul(i->id, NULL, 10));
        break;
    case UI_INTENT_PAGE_END:
        world_end_page(w);
        break;
    case UI_INTENT_DIAL:
        run_verb(w, i, "sheet", "dial", *i->text ? i->text : NULL);
        break;
    case UI_INTENT_COMPLETE:
        run_verb(w, i, "sheet", "paths", i->text);
        break;
    case UI_INTENT_KEEP:
        world_keep(w, i);
        break;
    case UI_INTENT_SAVE:
        world_sheet_save(w, i);
        break;
    case UI_INTENT_NUMBERS:
        ask_all(w, world_now_ms());
        break;
    case UI_INTENT_PROCESSES:
        world_processes(w, i->id);
        break;
    case UI_INTENT_EDIT:
        ui_intent_done(&w->edit);
        w->edit = *i;
        *i = (struct ui_intent){0};
        break;
    case UI_INTENT_SUSPEND:
        w->suspend = true;
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
    world_consoles_output(w);
    world_consoles_size(w);
    world_consoles_behind(w);
}

/* --- descriptors --- */

size_t world_watch(struct world *w, struct pollfd **ret)
{
    w->watched_links = w->links_count;
    w->watched_jobs = w->jobs_count;
    struct pollfd *fds = mem_zero(w->links_count + w->jobs_count + 2, sizeof(*fds));
    size_t n = 0;
    for (size_t i = 0; i < w->links_count; i++, n++) {
        const struct client *c = w->links[i]->client;
        fds[n].fd = w->links[i]->closed ? -1 : client_fd(c);
        fds[n].events = (short)((link_is_lazy(w->links[i]) ? POLLRDHUP : POLLIN) |
                                (client_wants_write(c) ? POLLOUT : 0));
    }
    for (size_t i = 0; i < w->jobs_count; i++, n++)
        fds[n] =
            (struct pollfd){.fd = w->jobs[i]->output < 0 ? w->jobs[i]->pidfd : w->jobs[i]->output,
                            .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = w->scout.fd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = world_others_fd(w->others), .events = POLLIN};
    *ret = fds;
    return n;
}

void world_dispatch(struct world *w, const struct pollfd *fds, size_t count)
{
    /* What is added meanwhile stands behind these and waits for the next round. */
    size_t links = w->watched_links, jobs = w->watched_jobs;
    uint64_t until = loop_now_ms() + DISPATCH_MS; /* then keys are looked for again */
    for (size_t k = 0; k < links && links <= count && loop_now_ms() <= until; k++) {
        size_t i = (w->next_link + k) % links;
        if (fds[i].revents && !w->links[i]->closed)
            client_dispatch(w->links[i]->client);
        if (k + 1 == links || loop_now_ms() > until)
            w->next_link = i + 1;
    }
    if (links + jobs < count && fds[links + jobs].revents)
        world_news(w);
    if (links + jobs + 1 < count && fds[links + jobs + 1].revents)
        world_others_read(w);
    /* each leaves its place at once: what one leads to looks at the others */
    for (size_t i = 0, k = 0; k < jobs && links + k < count; k++)
        if (!fds[links + k].revents || world_read_job(w, w->jobs[i]))
            i++;
        else
            memmove(&w->jobs[i], &w->jobs[i + 1], (--w->jobs_count - i) * sizeof(*w->jobs));
    world_jobs_sweep(w);
    world_links_sweep(w);
}

int world_init(struct world *w, const struct ui_host *host, struct ui_model *m, struct error *e)
{
    *w = (struct world){.host = host, .model = m, .mouse = true, .scout.fd = FD_NONE};
    w->others = world_others_new();
    int r = dirs_init(&w->dirs, e);
    if (r == 0)
        r = scout_start(&w->scout, &w->dirs, e);
    if (r == 0)
        scout_ask(&w->scout, SCOUT_SETTINGS, world_now_ms());
    return r;
}

void world_done(struct world *w)
{
    for (size_t i = 0; i < w->links_count; i++)
        world_link_free(w->links[i]);
    free(w->links);
    world_end_readers(w);
    for (size_t i = 0; i < w->jobs_count; i++)
        world_free_job(w->jobs[i]);
    free(w->jobs);
    free(w->copied);
    ui_intent_done(&w->edit);
    scout_done(&w->scout);
    world_others_free(w->others);
    dirs_done(&w->dirs);
}
