#include "ui/world.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "ui/columns.h"
#include "ui/update.h"

#include <sys/stat.h>

static void link_ask(struct world *w, const char *id, int64_t now)
{
    struct error e;
    struct world_link *l = world_link_want(w, id, &e);
    if (l && !l->asked_ms) {
        l->asked_ms = now;
        client_ask_state(l->client);
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

/* Only what is seen is asked for. */
static bool numbers_are_seen(const struct ui_model *m)
{
    return (m->page == UI_PAGE_LIST && m->dialog != UI_DIALOG_LAUNCH) || m->page == UI_PAGE_HOST ||
           m->page == UI_PAGE_GRAPHS;
}

static bool item_lives(const struct ui_model *m, size_t nth)
{
    const struct ui_item *it = &m->items[nth];
    return it->kind == UI_ITEM_ROW && state_phase_lives(m->list[it->index].phase) &&
           !m->list[it->index].foreign;
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

void world_tick(struct world *w)
{
    struct ui_model *m = w->model;
    struct error e;
    int64_t now = world_now_ms();
    ui_model_time(m, now);
    if (w->scout.fd < 0 && scout_start(&w->scout, &w->dirs, &e) < 0)
        ui_model_message(m, true, e.text);
    scout_ask(&w->scout, w->look, now);
    w->look = false;
    ui_model_stalled(m, w->scout.busy && now - w->scout.asked_ms > UI_SILENT_MS);
    if (m->sort != UI_COL_COUNT)
        ui_model_arrange(m);
    if (m->page == UI_PAGE_HOST)
        world_host_facts(w);
    if (ui_shows_processes(m))
        world_processes(w, m->text_id);
    ask_all(w, now);
    world_others_tick(w);
}

void world_refresh(struct world *w)
{
    ui_model_time(w->model, world_now_ms());
    scout_ask(&w->scout, true, world_now_ms());
    if (w->model->page == UI_PAGE_HOST)
        world_host_facts(w);
}

/* What the files say, once it is known. */
void world_news(struct world *w)
{
    struct scout_news n;
    int64_t now = world_now_ms();
    if (!scout_read(&w->scout, &n))
        return;
    if (n.error.code)
        ui_model_message(w->model, true, n.error.text);
    if (n.snapshots_listed)
        snapshots_take(w, n.snapshots, n.snapshots_count);
    if (n.listed) {
        world_others_list(w, TAKE(n.list), n.count);
        n.count = 0;
        ask_all(w, now);
    }
    w->model->facts.disk = n.disk;
    w->model->facts.disk_free = n.disk_free;
    ui_model_stalled(w->model, false);
    scout_news_done(&n);
    if (w->scout.again) {
        w->scout.again = false;
        scout_ask(&w->scout, true, now);
    }
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
        world_others_again(w);
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
    case UI_INTENT_PROCESSES:
        world_processes(w, i->id);
        break;
    case UI_INTENT_EDIT:
        ui_intent_done(&w->edit);
        w->edit = *i;
        *i = (struct ui_intent){0};
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
        fds[n].events = (short)(POLLIN | (client_wants_write(c) ? POLLOUT : 0));
    }
    for (size_t i = 0; i < w->jobs_count; i++, n++)
        fds[n] = (struct pollfd){.fd = w->jobs[i]->output, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = w->scout.fd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = world_others_fd(w->others), .events = POLLIN};
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
    if (links + jobs < count && fds[links + jobs].revents)
        world_news(w);
    if (links + jobs + 1 < count && fds[links + jobs + 1].revents)
        world_others_read(w);
    for (size_t i = 0; i < jobs && links + i < count; i++)
        if (!fds[links + i].revents || world_read_job(w, w->jobs[i]))
            w->jobs[kept++] = w->jobs[i];
    for (size_t i = jobs; i < w->jobs_count; i++)
        w->jobs[kept++] = w->jobs[i];
    w->jobs_count = kept;
    world_links_sweep(w);
}

bool world_first_time(const struct world *w)
{
    autofree char *mark = str_join_path(w->dirs.state, "toured");
    if (file_make_dirs(w->dirs.state, 0700) < 0)
        return false;
    return mkdir(mark, 0700) == 0;
}

void world_profiles(struct world *w)
{
    struct ui_model *m = w->model;
    struct error e;
    struct profile_path path;
    struct profile_entry *list;
    size_t count;
    if (profile_path_init(&path, &e) == 0) {
        if (profile_list(&path, "profiles", &list, &count, &e) == 0)
            ui_model_profiles(m, list, count);
        else
            ui_model_message(m, true, e.text);
        profile_path_done(&path);
    }
}

int world_init(struct world *w, const struct ui_host *host, struct ui_model *m, struct error *e)
{
    *w = (struct world){.host = host, .model = m, .mouse = true, .scout.fd = FD_NONE};
    m->verbs = host->verbs;
    m->verbs_count = host->verbs_count;
    int r = dirs_init(&w->dirs, e);
    if (r == 0)
        r = scout_start(&w->scout, &w->dirs, e);
    if (r < 0)
        return r;
    scout_ask(&w->scout, true, world_now_ms());
    w->others = world_others_new(w);
    world_profiles(w);
    return 0;
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
