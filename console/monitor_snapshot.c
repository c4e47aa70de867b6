/* Snapshots while it runs: the workload held still for who copies, or the backend at work. */
#include "base/copy.h"
#include "base/fd.h"
#include "console/monitor_parts.h"

static bool has_started(const struct monitor *m)
{
    return m->main && m->main->started && !m->main_exited && !m->ended;
}

unsigned snapshot_kinds(const struct monitor *m, uint64_t ret_cost[2])
{
    ret_cost[0] = ret_cost[1] = UINT64_MAX;
    if (!m->ops->snapshots || !has_started(m))
        return 0;
    return m->ops->snapshots(m->launch, ret_cost);
}

/* --- held still ------------------------------------------------------------------------------- */

int hold_end(struct monitor *m, struct error *e)
{
    int r = 0;
    m->holder = NULL;
    if (m->held && !m->ended)
        r = m->ops->freeze(m->launch, false, e);
    m->held = false;
    return r;
}

static int hold_begin(struct peer *p, struct error *e)
{
    struct monitor *m = p->monitor;
    if (!m->ops->freeze)
        return error_set(e, EOPNOTSUPP, "this boundary cannot pause");
    if (!has_started(m))
        return error_set(e, ESRCH, "it is not running");
    if (m->stopping)
        return error_set(e, EBUSY, "it is being stopped");
    if (m->holder)
        return error_set(e, EBUSY, "a snapshot of it is being taken");
    if (!m->paused) {
        int r = m->ops->freeze(m->launch, true, e);
        if (r < 0)
            return r;
        m->held = true;
    }
    m->holder = p;
    monitor_note(m, "held still for a snapshot");
    return 0;
}

void on_hold(struct peer *p, const struct wire_frame *f)
{
    struct error e;
    uint32_t wanted;
    wire_get(f, &wanted, sizeof(wanted));
    int r = 0;
    if (wanted == 1)
        r = hold_begin(p, &e);
    else if (p->monitor->holder != p) /* what was copied meanwhile is not of one moment */
        r = error_set(&e, EINTR, "it was not held still to the end: it was stopped or has ended");
    else if (wanted == 0)
        r = hold_end(p->monitor, &e);
    peer_done(p, f->request, r < 0 ? &e : NULL);
}

/* --- at the end ------------------------------------------------------------------------------- */

int exit_snapshot_begin(struct monitor *m, struct error *e)
{
    struct dirs d = {.state = (char *)m->setup->state_dir};
    if (!m->wishes->snapshot_on_exit)
        return 0;
    int r = snapshot_writer_open(&d, m->setup->id, &m->exit_snapshot, e);
    return r < 0 ? r
                 : snapshot_writer_plan(m->exit_snapshot, m->setup->plan, m->setup->plan_size, e);
}

/* The id is the workload's own, and so is the name, with a part of it behind. */
static int exit_snapshot_publish(struct monitor *m, uint64_t bytes, struct error *e)
{
    const struct state_record *of = &m->record;
    autofree char *name = str_format("%.50s-exit-%.4s", of->name, of->id);
    const struct snapshot_record r = {
        .id = of->id,
        .name = name,
        .workload = of->id,
        .workload_name = of->name,
        .parent = of->snapshot,
        .profile = of->profile,
        .boundary = of->boundary,
        .runtime = of->runtime,
        .image = of->image,
        .command = of->command,
        .labels = of->labels,
        .kind = LAUNCH_SNAPSHOT_FILES,
        .bytes = bytes,
        .created_ms = real_ms(),
    };
    return snapshot_writer_publish(m->exit_snapshot, &r, e);
}

void exit_snapshot_take(struct monitor *m)
{
    struct error e;
    struct copy_counts counts = {0};
    if (!m->exit_snapshot)
        return;
    int r = snapshot_writer_move(m->exit_snapshot, state_writer_kept_dir(m->writer), "scratch", &e);
    if (r == 0) {
        struct error ignored;
        struct copy_wish count = {.from = snapshot_writer_files(m->exit_snapshot),
                                  .to = FD_NONE,
                                  .bytes_most = UINT64_MAX};
        copy_tree(&count, &counts, &ignored); /* a folder closed to us is not counted */
        r = exit_snapshot_publish(m, counts.bytes, &e);
    }
    if (r == 0)
        return;
    autofree char *why = str_escape_z(e.text);
    autofree char *before = m->record.reason;
    m->record.reason = before ? str_format("%s; no snapshot: %s", before, why)
                              : str_format("no snapshot: %s", why);
}

/* --- by the backend --------------------------------------------------------------------------- */

void on_snapshot(struct peer *p, const struct wire_frame *f, int fd)
{
    struct monitor *m = p->monitor;
    struct wire_snapshot w;
    struct error e;
    uint64_t cost[2];
    wire_get(f, &w, sizeof(w));
    autoclose int dir = fd;
    autofree char *path = str_ndup(f->payload + sizeof(w), f->size - sizeof(w));
    struct launch_snapshot s = {.kind = w.kind, .path = path, .dir = dir};
    int r = 0;
    if (!has_started(m))
        r = error_set(&e, ESRCH, "it is not running");
    else if (m->stopping)
        r = error_set(&e, EBUSY, "it is being stopped");
    else if (m->holder)
        r = error_set(&e, EBUSY, "a snapshot of it is being taken");
    else if (!m->ops->snapshot || !(snapshot_kinds(m, cost) & w.kind))
        r = error_set(&e, EOPNOTSUPP, "no such snapshot can be taken of it");
    if (r == 0) {
        TAKE_FD(dir);
        r = m->ops->snapshot(m->launch, transfer_new(p, f->request), &s, &e);
        if (r < 0)
            transfer_drop(m, m->transfers_made);
        else
            monitor_note(m, "a snapshot of it is taken");
    }
    if (r < 0)
        peer_done(p, f->request, &e);
}
