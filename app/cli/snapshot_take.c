#include "app/cli/snapshot_take.h"

#include "app/cli/kept.h"
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/progress.h"
#include "app/cli/talk.h"
#include "app/plan/plan.h"
#include "backends/root/snapshot.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/file.h"
#include "console/state_json.h"
#include "profiles/forms.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PLAN_MOST = 1024 * 1024, NAMES_MOST = 100000 };

/* One in the making. */
struct taking {
    const struct dirs *d;
    const struct state_record *of;
    struct plan *plan; /* owned */
    char *json;        /* owned; the plan's */
    size_t json_size;
    struct talk *talk, own; /* one is to be held still by another */
    bool lives, stays_held;
    unsigned kind;
    uint64_t cost;
    int files; /* borrowed; where its runtime writes */
};

static void taking_done(struct taking *t)
{
    if (t->lives && !t->stays_held)
        talk_close(t->talk);
    plan_free(t->plan);
    free(t->json);
}

/* --- which kind ------------------------------------------------------------------------------- */

/* gVisor restores only for one that is root in its own namespace. */
static const char *taking_mend(const struct taking *t, unsigned wanted)
{
    struct plan *p = t->plan;
    for (size_t i = 0; i < p->uid_map_count; i++)
        if (p->uid_map[i].inside == 0)
            return "";
    return wanted == LAUNCH_SNAPSHOT_MEMORY && p->boundary == PLAN_SANDBOX
               ? ", which needs an id 0 inside: start it with --user root (isolation.user)"
               : "";
}

static int taking_choose(struct taking *t, unsigned can, const uint64_t cost[2], unsigned wanted,
                         struct error *e)
{
    if (!can && plan_is_far(t->plan))
        return error_set(e, EOPNOTSUPP,
                         "no snapshot of it can be taken: its disks are on another host, and go "
                         "with it. Of a machine at a libvirt of this host one can; of a domain "
                         "that is defined there \"cofferdam domain snapshot create "
                         "libvirt:NAME@%s\" takes one",
                         t->plan->machine.uri);
    if (wanted && !(can & wanted))
        return error_set(e, EOPNOTSUPP, "%s can take no snapshot of %s%s%s", t->of->runtime,
                         snapshot_kind_name(wanted), taking_mend(t, wanted),
                         can & LAUNCH_SNAPSHOT_FILES ? "; --files takes its files" : " of it now");
    if (!can)
        return error_set(e, EOPNOTSUPP,
                         "no snapshot of it can be taken: it keeps no changes of its "
                         "own, or %s cannot",
                         t->of->runtime);
    t->kind = wanted                         ? wanted
              : can & LAUNCH_SNAPSHOT_MEMORY ? LAUNCH_SNAPSHOT_MEMORY
                                             : LAUNCH_SNAPSHOT_FILES;
    t->cost = cost[t->kind == LAUNCH_SNAPSHOT_MEMORY];
    return 0;
}

static int taking_begin(struct taking *t, const struct dirs *d, const struct state_record *of,
                        const struct snapshot_wish *wish, struct error *e)
{
    unsigned wanted = wish->kind;
    *t = (struct taking){.d = d, .of = of, .lives = state_phase_lives(of->phase)};
    t->talk = wish->hold ? wish->hold : &t->own;
    uint64_t cost[2] = {UINT64_MAX, UINT64_MAX};
    int r = state_read_plan(d, of->id, &t->json, &t->json_size, e);
    if (r == 0)
        r = plan_from_json(t->json, t->json_size, &t->plan, e);
    if (r < 0 || !t->lives)
        return r < 0 ? r : taking_choose(t, LAUNCH_SNAPSHOT_FILES, cost, wanted, e);
    r = talk_open(t->talk, d, of->id, e);
    if (r == 0)
        r = talk_await(t->talk, client_ask_state(t->talk->client), e);
    if (r < 0)
        return r;
    json_t *state = t->talk->state ? json_loads(t->talk->state, 0, NULL) : NULL;
    unsigned can = state_snapshots_from_json(json_object_get(state, "snapshots"), cost);
    json_decref(state);
    return taking_choose(t, can, cost, wanted, e);
}

/* The changes, of one that lives or was kept. FD_NONE: its backend has to do it. */
static int taking_changes(struct taking *t, struct error *e)
{
    if (!t->lives)
        return kept_open_scratch(t->d, t->of, e);
    if (t->kind != LAUNCH_SNAPSHOT_FILES)
        return FD_NONE;
    struct error none;
    int r = talk_await(t->talk, client_ask_changes(t->talk->client), &none);
    if (r == -ENOTSUP)
        return FD_NONE;
    if (r < 0)
        return *e = none, r;
    return TAKE_FD(t->talk->fd);
}

/* --- its name --------------------------------------------------------------------------------- */

static bool name_is_taken(const struct snapshot_record *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].name, name))
            return true;
    return false;
}

static int take_name(const struct dirs *d, const struct state_record *of, const char *wanted,
                     char **ret, struct error *e)
{
    struct snapshot_record *list;
    size_t count;
    if (wanted && !form_is_name(wanted)) {
        autofree char *safe = str_escape(wanted, strnlen(wanted, 80));
        return error_set(e, EINVAL,
                         "\"%s\" is no name: letters, digits and _ . - after the first, at most 63",
                         safe);
    }
    int r = snapshots_list(d, &list, &count, e);
    if (r < 0)
        return r;
    char *name = wanted ? str_dup(wanted) : NULL;
    if (wanted && name_is_taken(list, count, wanted))
        r = error_set(e, EEXIST, "there is a snapshot called \"%s\"", wanted);
    for (unsigned i = 1; !name && i < NAMES_MOST; i++) {
        autofree char *made = str_format("%.56s-%u", of->name, i);
        if (!name_is_taken(list, count, made))
            name = TAKE(made);
    }
    snapshots_list_free(list, count);
    if (r < 0)
        free(name);
    else
        *ret = name;
    return r;
}

/* --- taking it -------------------------------------------------------------------------------- */

static uint64_t free_room(int dir)
{
    struct statvfs fs;
    if (fstatvfs(dir, &fs) < 0)
        return UINT64_MAX;
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return bytes - bytes / 20; /* the last of it is not for a stranger's files */
}

/* Bytes of the files that are there already. */
static void take_tells(void *data, uint64_t bytes)
{
    const struct taking *t = data;
    progress_tell("copying its files", bytes, t->cost == UINT64_MAX ? 0 : t->cost);
}

static int take_copies(struct taking *t, int scratch, struct snapshot_writer *w,
                       struct copy_counts *ret, struct error *e)
{
    int files = snapshot_writer_files(w), r = 0;
    struct error later;
    /* before it stands still: how much there is */
    if (t->cost == UINT64_MAX && progress_is_wanted() &&
        root_snapshot_take(t->plan, scratch, FD_NONE, UINT64_MAX, NULL, ret, &later) == 0)
        t->cost = ret->bytes;
    if (t->lives && (r = talk_await(t->talk, client_hold(t->talk->client, true), e)) < 0)
        return r;
    const struct snapshot_watch watch = {take_tells, t};
    r = root_snapshot_take(t->plan, scratch, files, free_room(files), &watch, ret, e);
    if (r == -ENOSPC)
        error_set(e, ENOSPC, "the disk has no room for its files");
    if (!t->lives)
        return r;
    struct client *c = t->talk->client;
    bool stays = r == 0 && t->talk != &t->own;
    int held = talk_await(t->talk, stays ? client_ask_held(c) : client_hold(c, false), &later);
    if (r == 0 && held < 0) {
        *e = later;
        return held;
    }
    return r;
}

/* What the runtime has put there by now. */
static void take_looks(void *data)
{
    const struct taking *t = data;
    struct copy_counts n;
    struct error ignored;
    const struct copy_wish count = {.from = t->files, .to = FD_NONE, .bytes_most = UINT64_MAX};
    if (copy_tree(&count, &n, &ignored) == 0)
        progress_tell("writing its memory", n.bytes, t->cost == UINT64_MAX ? 0 : t->cost);
}

static int take_by_backend(struct taking *t, struct snapshot_writer *w, struct copy_counts *ret,
                           struct error *e)
{
    autofree char *path = snapshot_writer_path(w);
    int files = snapshot_writer_files(w);
    struct error ignored;
    if (!t->lives)
        return error_set(e, ENODATA, "it has ended and its changes were not kept");
    int r = talk_await(t->talk, client_ask_changes(t->talk->client), &ignored);
    /* a guest's are a list, and no folder to be given */
    if (r == 0 && t->talk->fd >= 0 && (r = root_snapshot_give(t->plan, t->talk->fd, files, e)) < 0)
        return r;
    t->files = files;
    t->talk->meanwhile = progress_is_wanted() ? take_looks : NULL;
    t->talk->data = t;
    t->talk->whole = true; /* a runtime is never stopped half-way: its workload would be lost */
    r = talk_await(t->talk, client_snapshot(t->talk->client, t->kind, path, files), e);
    t->talk->meanwhile = NULL;
    t->talk->whole = false;
    if (r == 0 && cancelled)
        r = error_set(e, ECANCELED, "given up");
    struct copy_wish count = {.from = files, .to = FD_NONE, .bytes_most = UINT64_MAX};
    return r < 0 ? r : copy_tree(&count, ret, e);
}

static void take_describe(const struct taking *t, struct snapshot_record *ret)
{
    const struct state_record *of = t->of;
    *ret = (struct snapshot_record){
        .workload = str_dup(of->id),
        .workload_name = str_dup(of->name),
        .parent = str_dup_or_null(plan_stands_on(t->plan)),
        .profile = str_dup_or_null(of->profile),
        .boundary = str_dup_or_null(of->boundary),
        .runtime = str_dup(t->plan->runtime),
        .image = str_dup_or_null(of->image),
        .command = str_dup_or_null(of->command),
        .labels = strv_copy(of->labels),
        .kind = t->kind,
        .bytes = t->cost,
        .created_ms = live_now_ms(),
    };
}

static int take_into(struct taking *t, struct snapshot_record *made, struct error *e)
{
    struct snapshot_writer *w = NULL;
    struct copy_counts counts = {0};
    int r = snapshot_writer_open(t->d, made->id, &w, e);
    if (r < 0)
        return r;
    r = snapshot_writer_plan(w, t->json, t->json_size, e);
    if (r == 0) {
        autoclose int scratch = taking_changes(t, e);
        r = scratch >= 0         ? take_copies(t, scratch, w, &counts, e)
            : scratch == FD_NONE ? take_by_backend(t, w, &counts, e)
                                 : scratch;
    }
    progress_over();
    made->bytes = counts.bytes;
    if (r == 0)
        r = snapshot_writer_publish(w, made, e);
    snapshot_writer_free(w, snapshot_clear);
    return r;
}

int snapshot_take(const struct dirs *d, const struct state_record *of,
                  const struct snapshot_wish *wish, struct snapshot_record *ret, struct error *e)
{
    struct taking t;
    struct snapshot_record made = {0};
    char id[13];
    snapshots_sweep(d, snapshot_clear, false);
    int r = taking_begin(&t, d, of, wish, e);
    if (r == 0)
        r = state_new_id(id, e);
    if (r == 0) {
        take_describe(&t, &made);
        made.id = str_dup(id);
        r = take_name(d, of, wish->name, &made.name, e);
    }
    if (r == 0)
        r = take_into(&t, &made, e);
    if (r == 0)
        *ret = made;
    else
        snapshot_record_done(&made);
    t.stays_held = r == 0 && wish->hold;
    taking_done(&t);
    return r;
}

/* Of the folder, or of the nearest above it that is there already. */
static uint64_t room_at(const char *path)
{
    autofree char *at = str_dup(path);
    for (char *slash; (slash = strrchr(at, '/')); *slash = '\0') {
        autoclose int place = open(*at ? at : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (place >= 0)
            return free_room(place);
    }
    return UINT64_MAX;
}

int snapshot_measure(const struct dirs *d, const struct state_record *of,
                     const struct snapshot_wish *wish, struct snapshot_record *ret,
                     uint64_t *ret_free, struct error *e)
{
    struct taking t;
    struct copy_counts counts;
    char *name = NULL;
    int r = taking_begin(&t, d, of, wish, e);
    if (r == 0)
        r = take_name(d, of, wish->name, &name, e);
    autoclose int scratch = r == 0 && t.cost == UINT64_MAX ? taking_changes(&t, e) : FD_NONE;
    if (scratch < 0 && scratch != FD_NONE)
        r = scratch;
    if (r == 0 && scratch >= 0)
        r = root_snapshot_take(t.plan, scratch, FD_NONE, UINT64_MAX, NULL, &counts, e);
    if (r == 0 && scratch >= 0)
        t.cost = counts.bytes;
    if (r == 0) {
        *ret_free = room_at(d->state);
        take_describe(&t, ret);
        ret->name = TAKE(name);
    }
    free(name);
    taking_done(&t);
    return r;
}

/* --- those there are -------------------------------------------------------------------------- */

int snapshot_clear(int folder, struct error *e)
{
    autofree char *json = NULL;
    size_t size;
    struct plan *p = NULL;
    int r = file_read(folder, "plan", PLAN_MOST, &json, &size);
    if (r < 0 || plan_from_json(json, size, &p, e) < 0)
        return 0; /* nothing was put there yet; or what can be removed goes */
    r = root_snapshot_clear(p, folder, e);
    plan_free(p);
    return r;
}

int snapshot_children_find(const struct dirs *d, const char *id, struct snapshot_children *ret,
                           struct error *e)
{
    struct snapshot_record *list;
    struct state_record *workloads;
    size_t count;
    *ret = (struct snapshot_children){0};
    int r = snapshots_list(d, &list, &count, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].parent, id))
            strv_add(&ret->snapshots, list[i].id);
    snapshots_list_free(list, count);
    r = state_list(d, &workloads, &count, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (str_equal(workloads[i].snapshot, id))
            strv_add(state_phase_lives(workloads[i].phase) ? &ret->living : &ret->ended,
                     workloads[i].name);
    state_list_free(workloads, count);
    return 0;
}

void snapshot_children_done(struct snapshot_children *c)
{
    strv_free(c->snapshots);
    strv_free(c->living);
    strv_free(c->ended);
}

void snapshot_forget(const struct dirs *d, const struct snapshot_record *s, const char *verb,
                     bool started)
{
    struct error e;
    struct plan *p = NULL;
    autofree char *json = NULL, *name = out_text(s->name);
    size_t size;
    bool again = started && snapshots_read_plan(d, s->id, &json, &size, &e) == 0 &&
                 plan_from_json(json, size, &p, &e) == 0 && p->restart != PLAN_RESTART_NO;
    plan_free(p);
    if (again)
        fprintf(stderr,
                "cofferdam %s: the snapshot %s stays: what was started begins from it again if it "
                "fails\n",
                verb, name);
    else if (snapshots_remove(d, s->id, snapshot_clear, &e) < 0)
        fprintf(stderr, "cofferdam %s: the snapshot %s stays: %s\n", verb, name, e.text);
}
