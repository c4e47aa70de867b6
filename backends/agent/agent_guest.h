/*
 * The host's side of a guest's agent: the requests and events of agent_host.h, with everything over
 * one byte stream (init/agent.h, "guests"), and what only guests have. Commands' streams come as
 * sockets and pipes made here and are filled by agent_host_dispatch(); terminals are sockets, so
 * sizes go through agent_host_resize().
 *
 *   h = agent_guest_new(socket);            the other end of QEMU's chardev, a vsock, …
 *   agent_guest_clock/seed/…, agent_guest_step(), agent_guest_plan(), agent_guest_end();
 *   agent_host_start(h, 0, …);              all of it may be queued before the guest runs
 *   agent_host_wait_started(h, …);          ready() comes before started()
 */
#ifndef COFFERDAM_BACKENDS_AGENT_AGENT_GUEST_H
#define COFFERDAM_BACKENDS_AGENT_AGENT_GUEST_H

#include "app/plan/plan.h"
#include "backends/agent/agent_host.h"
#include "backends/changes.h"
#include "init/agent.h"

/* Takes `socket` (a connected stream that reads and writes bytes), also on failure. NULL with
 * errno.
 */
struct agent_host *agent_guest_new(int socket);

/* --- set-up -----------------------------------------------------------------------------------
 * Queued in order; the guest stops at the first that fails: broken() with the step's name. Strings
 * and data are copied. NULL is "".
 */
struct agent_guest_step {
    enum agent_step_kind kind;
    unsigned flags; /* AGENT_STEP_… */
    uint64_t number, more;
    unsigned mode;
    uint32_t uid, gid;
    const char *source, *target, *content;
    const void *data;
    size_t data_size;
};
int agent_guest_step(struct agent_host *h, const struct agent_guest_step *s, struct error *e);

/* Clock, 64 bytes of our own random pool, hostname (NULL: stays): what a start and a clone need. */
int agent_guest_refresh(struct agent_host *h, const char *hostname, struct error *e);

/*
 * Every mount of the plan as steps, and limits, capabilities, no_new_privs, sysctls. An OVERLAY of
 * "/" is passed over: LOWER, UPPER and ROOT are the caller's, before this. BIND is passed over
 * where `bind` says how (it queues a SHARE or DISK step, or a copy) and returns 0; NULL: -ENOTSUP.
 * COPY asks `copy` for a pipe with the records (base/records.h) of m->source.
 */
struct agent_guest_sources {
    int (*bind)(void *data, struct agent_host *h, const struct plan_mount *m, struct error *e);
    int (*copy)(void *data, const struct plan_mount *m,
                struct error *e); /* a descriptor, or -errno */
    void *data;
    const char *more; /* the first of machine.disks, whose order tells them apart ("vdb"); NULL:
                         they have serial numbers */
};
int agent_guest_plan(struct agent_host *h, const struct plan *p,
                     const struct agent_guest_sources *sources, struct error *e);

/* A copy in the middle of the set-up: what is queued behind it waits until it is done. */
int agent_guest_copy(struct agent_host *h, const char *target, int fd, struct error *e);

int agent_guest_end(struct agent_host *h, struct error *e); /* ready() answers */

/* Blocks until ready(), broken() (-errno as the step's) or the end, as agent_host_wait_started().
 */
int agent_guest_wait_ready(struct agent_host *h, int timeout_ms, struct agent_ready *ret,
                           struct error *e);

/*
 * In a clone, after agent_guest_adopt(), steps and end(): blocks until ready(); main's new streams
 * are the caller's. -ESRCH: main had ended before the snapshot.
 */
int agent_guest_wait_adopted(struct agent_host *h, int timeout_ms,
                             struct launch_streams *ret_streams, pid_t *ret_pid,
                             struct agent_ready *ret, struct error *e);

/* What the last ready() and sampled() said; NULL before. Borrowed, changes with dispatch(). */
const struct agent_ready *agent_guest_ready(const struct agent_host *h);
const struct agent_sample *agent_guest_sample(const struct agent_host *h);

/* --- while it runs ---------------------------------------------------------------------------- */

int agent_host_resize(struct agent_host *h, uint32_t console, uint16_t rows, uint16_t cols);

/* Asks for figures; sampled() tells. -EALREADY: asked before, not yet answered. */
int agent_guest_ask_sample(struct agent_host *h, struct error *e);

/*
 * A guest is not waited for without end. A command beside main that it has neither begun nor
 * refused for so long has failed(), -ETIMEDOUT; should it begin yet, it is killed, and nobody hears
 * of it. A copy or list, while it is the guest's turn, if nothing of it has come for so long and
 * the agent does not answer a PING either: who is slow, on whichever side, is waited for. What has
 * begun may be silent. The clock stands while the guest holds still and, as it is told here, while
 * its processors are stopped.
 */
enum { AGENT_GUEST_PATIENCE_MS = 120000 };
void agent_guest_pause(struct agent_host *h, bool paused);
void agent_guest_patience(struct agent_host *h, uint64_t ms); /* another; nothing is asked yet */

/*
 * AGENT_QUIESCE_ON: after quiet() the agent says nothing, nothing is on its way in either
 * direction, and what lies on disks is synced and frozen: stop the processors, take the snapshot.
 * OFF goes on with the same host. In a clone a new host begins with agent_guest_new() and ADOPT:
 * started() comes for console 0 if main lives on, then quiet(); refresh() and end() may be queued
 * right behind it. Other commands lose their consoles there.
 */
int agent_guest_quiesce(struct agent_host *h, enum agent_quiesce how, struct error *e);
bool agent_guest_quiet_is_due(const struct agent_host *h); /* quiet() has still to answer one */
/*
 * From quiet() to OFF: the same guest is spoken to over another connection, which is taken. Before
 * it is there the old one can be let go of (FD_NONE): nothing is heard or said then. 0 or -errno.
 */
int agent_guest_move(struct agent_host *h, int socket, struct error *e);
/* `terminal`: what main was started with; anything else the guest says is a breach. */
int agent_guest_adopt(struct agent_host *h, bool terminal, struct error *e);
/* The same where the snapshot was taken before the first step: everything is still to be said. */
int agent_guest_adopt_empty(struct agent_host *h, struct error *e);

/* Reads what the workload changed; changes() tells. `most`: as changes_read(). Also after main has
 * exited, until agent_host_shutdown(). */
int agent_guest_changes(struct agent_host *h, size_t most, struct error *e);

#endif
