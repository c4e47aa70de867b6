/* Snapshots while it runs: the workload held still for who copies, or the backend at work. */
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
    return 0;
}

void on_hold(struct peer *p, const struct wire_frame *f)
{
    struct error e;
    uint32_t wanted;
    wire_get(f, &wanted, sizeof(wanted));
    int r = 0;
    if (wanted)
        r = hold_begin(p, &e);
    else if (p->monitor->holder != p) /* what was copied meanwhile is not of one moment */
        r = error_set(&e, EINTR, "it was not held still to the end: it was stopped or has ended");
    else
        r = hold_end(p->monitor, &e);
    peer_done(p, f->request, r < 0 ? &e : NULL);
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
    }
    if (r < 0)
        peer_done(p, f->request, &e);
}
