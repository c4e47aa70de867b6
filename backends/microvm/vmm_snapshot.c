#include "backends/microvm/vmm_launch.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* QUIET_S: less than who reads the memory waits for the first of it (vmm_hands.c); SYNC_S: of one
 * that writes files, for which nobody waits there */
enum { RESUME_CLOCK_S = 5, SAVING_QUIET_S = 25, SAVING_SYNC_S = 120 };

/* --- one in the making --------------------------------------------------------------------------
 */

static void saving_fail(struct launch *l, const struct error *e)
{
    if (!l->saving.error.code)
        l->saving.error = *e;
}

/* How long the guest may be silent; 0: it has nothing to say. */
static void saving_patience(struct launch *l, unsigned seconds)
{
    const struct itimerspec when = {.it_value.tv_sec = seconds};
    l->saving.patience_s = seconds;
    l->saving.until_ms = loop_now_ms() + (uint64_t)seconds * 1000;
    if (l->patience >= 0)
        timerfd_settime(l->patience, 0, &when, NULL);
}

/* What is written is told of, the guest goes on. */
static void saving_awake(struct launch *l)
{
    struct vmm_saving *s = &l->saving;
    struct error e;
    vmm_hands_tell(&l->hands, !s->error.code);
    s->step = SAVING_AWAKE;
    if (!l->agent)
        return;
    if (agent_guest_quiesce(l->agent, AGENT_QUIESCE_OFF, &e) < 0)
        saving_fail(l, &e);
    else
        s->agent_due = true;
    saving_patience(l, s->agent_due ? SAVING_QUIET_S : 0);
}

/* Nobody could say to it any more what it has to do. */
static void saving_unreached(struct launch *l, const struct error *e)
{
    struct vmm_saving *s = &l->saving;
    saving_fail(l, e);
    snprintf(l->why, sizeof(l->why), "the guest was not reached after its snapshot: %.200s",
             e->text);
    vmm_hands_tell(&l->hands, false);
    s->step = SAVING_AWAKE;
    s->agent_due = false;
    vmm_switch_off(l);
}

/* Whatever has come of it: who waits for bytes sees their end, and the guest goes on. */
static void saving_wake(struct launch *l)
{
    struct vmm_saving *s = &l->saving;
    bool stood = s->step == SAVING_MEMORY || s->step == SAVING_DISK;
    struct error e;
    s->memory = fd_close(s->memory);
    s->state = fd_close(s->state);
    /* one that nobody has to be heard from never ran */
    if (stood && (l->agent || !s->paused) && l->driver->freeze(l->control, false, &e) < 0)
        saving_fail(l, &e);
    if (!stood || !l->driver->meets) {
        saving_awake(l);
        return;
    }
    s->step = SAVING_CALL;
    int r = agent_guest_move(l->agent, FD_NONE, &e);
    if (r == 0)
        r = vmm_hands_call(&l->hands, l->meeting.folder, &e);
    if (r < 0)
        saving_unreached(l, &e);
}

/* Takes `guest`. */
static void saving_called(struct launch *l, int guest, struct error *e)
{
    if (l->saving.step != SAVING_CALL)
        fd_close(guest);
    else if (guest < 0 || agent_guest_move(l->agent, guest, e) < 0)
        saving_unreached(l, e);
    else
        saving_awake(l);
}

/*
 * What is written to memory counts as the machine's own, so its bound is wider for as long. Where
 * there is no bound nothing has to be done.
 */
static int saving_bound(struct launch *l, bool wide, struct error *e)
{
    uint64_t memory = l->jail->limits.memory + (wide ? vmm_saving_room(l->plan) : 0);
    const struct launch_limits x = {.which = LAUNCH_LIMIT_MEMORY, .memory = memory};
    if (!l->driver->config || !l->jail->limits.memory || !l->cgroup)
        return 0;
    int r = cgroup_update(l->cgroup, &l->jail->limits, &x, e);
    return r == -EOPNOTSUPP ? 0 : r;
}

int vmm_saving_begin(struct launch *l, int dir, struct error *e)
{
    struct error ignored;
    struct vmm_saving s = {.step = SAVING_QUIET,
                           .template = dir < 0,
                           .paused = l->frozen,
                           .agent_due = l->agent != NULL,
                           .hands_due = true,
                           .memory = FD_NONE,
                           .state = FD_NONE};
    if (!plan_memory_is_one_piece(&l->plan->machine))
        return error_set(e, ENOTSUP, "a %s machine with more than 2 GiB of memory",
                         l->plan->machine.type);
    const int scratch = dir < 0 ? FD_NONE : l->scratch;
    s.changes = l->based && l->driver->dump_changes;
    l->based = false; /* until it is written whole */
    int r = saving_bound(l, true, e);
    if (r == 0)
        r = s.changes ? vmm_hands_begin_changes(&l->hands, dir, scratch, e)
                      : vmm_hands_begin(&l->hands, dir, scratch, &s.memory, &s.state, e);
    if (r < 0) {
        saving_bound(l, false, &ignored);
        return r;
    }
    l->saving = s;
    if (!l->agent) { /* nobody to write down what is not on its disk yet: it is in its memory */
        vmm_saving_quiet(l, NULL);
        return 0;
    }
    if (s.paused) /* it has to hear of it */
        r = l->driver->freeze(l->control, false, e);
    if (r == 0)
        r = agent_guest_quiesce(l->agent, AGENT_QUIESCE_ON, e);
    if (r < 0) {
        saving_fail(l, e);
        l->saving.agent_due = false;
        saving_wake(l);
    } else {
        saving_patience(l, l->driver->meets ? SAVING_SYNC_S : SAVING_QUIET_S);
    }
    return 0;
}

/* It goes on without the guest's word, which may still come (vmm_snapshot()). */
static void saving_give_up(struct launch *l)
{
    struct vmm_saving *s = &l->saving;
    struct error e;
    if (s->step == SAVING_QUIET) {
        error_set(&e, ETIMEDOUT, "the guest has not come to rest within %u s", s->patience_s);
        saving_fail(l, &e);
        saving_wake(l);
    }
    s->agent_due = false;
    saving_patience(l, 0);
}

void vmm_saving_quiet(struct launch *l, const struct error *why)
{
    struct vmm_saving *s = &l->saving;
    struct error e;
    if (s->step == SAVING_NONE) /* too late for the one that it belongs to */
        return;
    s->agent_due = l->agent && agent_guest_quiet_is_due(l->agent);
    if (why)
        saving_fail(l, why);
    if (s->step != SAVING_QUIET)
        return;
    saving_patience(l, 0);
    if (s->error.code) {
        saving_wake(l);
        return;
    }
    int r = l->driver->freeze(l->control, true, &e);
    if (r == 0) {
        s->step = SAVING_MEMORY;
        r = s->changes ? l->driver->dump_changes(l->control, &e)
                       : l->driver->dump(l->control, s->memory, &e);
    }
    s->memory = fd_close(s->memory);
    if (r == 0)
        return;
    saving_fail(l, &e);
    saving_wake(l);
}

static void saving_devices(struct launch *l)
{
    struct error e;
    int r = l->driver->dumped(l->control, &e);
    if (r == 0)
        return;
    if (l->saving.error.code) {
        saving_wake(l);
        return;
    }
    if (r > 0 && l->driver->devices)
        r = l->driver->devices(l->control, l->saving.state, &e);
    bool disk = r > 0 && l->driver->meets && l->scratch >= 0 && !l->saving.template;
    if (r >= 0 && disk) {
        l->saving.step = SAVING_DISK;
        r = vmm_hands_store(&l->hands, &e);
        if (r == 0)
            return;
    }
    if (r < 0)
        saving_fail(l, &e);
    saving_wake(l);
}

static void saving_hands(struct launch *l)
{
    struct vmm_saving *s = &l->saving;
    struct pollfd p = {.fd = l->hands.socket, .events = POLLIN};
    struct error e;
    int guest;
    if (!s->hands_due || poll(&p, 1, 0) <= 0)
        return;
    enum vmm_hands_word word = vmm_hands_hear(&l->hands, &guest, &e);
    if (word == VMM_HANDS_CALLED) {
        saving_called(l, guest, &e);
        return;
    }
    if (e.code == ENOSPC || e.code == EDQUOT || e.code == ESTALE)
        s->error = e; /* whatever else went wrong came of it */
    else if (e.code)
        saving_fail(l, &e);
    if (word == VMM_HANDS_STORED) {
        if (s->step == SAVING_DISK)
            saving_wake(l);
        return;
    }
    s->hands_due = false;
    if (p.revents & POLLHUP)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->hands.socket, NULL);
    if (s->step == SAVING_CALL)
        saving_unreached(l, &s->error);
    else if (s->step == SAVING_MEMORY && s->error.code != ETIMEDOUT &&
             l->driver->dumped(l->control, &e) == 0)
        return; /* it does not go on before it has seen that nobody reads: saving_devices() */
    else if (s->step != SAVING_AWAKE) /* before its time: nothing came for long */
        saving_wake(l);
}

bool vmm_saving_turn(struct launch *l)
{
    struct vmm_saving *s = &l->saving;
    struct error e;
    if (s->step == SAVING_NONE)
        return false;
    if (s->step == SAVING_MEMORY)
        saving_devices(l);
    saving_hands(l);
    if (s->patience_s && loop_now_ms() >= s->until_ms)
        saving_give_up(l);
    if (s->step != SAVING_AWAKE || s->agent_due || s->hands_due)
        return false;
    s->step = SAVING_NONE;
    saving_patience(l, 0);
    saving_bound(l, false, &e); /* what was written there has been swept */
    l->based = l->tracks && !s->error.code;
    if (s->paused && l->driver->freeze(l->control, true, &e) < 0)
        saving_fail(l, &e);
    return true;
}

void vmm_saving_lost(struct launch *l)
{
    struct vmm_saving *s = &l->saving;
    struct error e;
    if (s->step == SAVING_NONE)
        return;
    s->memory = fd_close(s->memory);
    s->state = fd_close(s->state);
    error_set(&e, ESRCH, "it ended before its memory was written");
    saving_fail(l, &e);
    s->step = SAVING_NONE;
}

/* --- launch_ops ---------------------------------------------------------------------------------
 */

unsigned vmm_snapshots(const struct launch *l, uint64_t ret_cost[2])
{
    struct launch_sample now;
    ret_cost[0] = UINT64_MAX;
    ret_cost[1] = l->plan->machine.memory;
    if (!l->driver->dump || l->pid <= 0 || l->agent_closed || l->status >= 0 ||
        l->plan->machine.shares || plan_more_disks(l->plan) ||
        !plan_memory_is_one_piece(&l->plan->machine))
        return 0;
    if (l->cgroup && cgroup_sample(l->cgroup, &now) == 0 && now.memory != UINT64_MAX)
        ret_cost[1] = MIN(ret_cost[1], now.memory);
    ret_cost[1] += vmm_scratch_bytes(l);
    return LAUNCH_SNAPSHOT_MEMORY;
}

int vmm_snapshot(struct launch *l, uint32_t request, const struct launch_snapshot *s,
                 struct error *e)
{
    autoclose int dir = s->dir;
    if (l->saving.step != SAVING_NONE)
        return error_set(e, EBUSY, "a snapshot of it is being taken");
    if (l->agent && agent_guest_quiet_is_due(l->agent)) /* or its late word would count for this */
        return error_set(e, EBUSY, "the guest has not answered yet to the snapshot before");
    int r = vmm_saving_begin(l, dir, e);
    l->saving.request = request;
    return r;
}

/* --- starting from one --------------------------------------------------------------------------
 */

static int resume_check(const struct launch *l, int dir, struct error *e)
{
    autofree char *by = NULL, *now = vmm_saved_by(l->plan, l->over);
    int r = file_read(dir, VMM_SAVED_BY, 4096, &by, NULL);
    if (r < 0)
        return error_errno(e, -r, "who has written the snapshot");
    if (now && strcspn(by, "\n") == strcspn(now, "\n") && !str_equal(by, now) &&
        strncmp(by, now, strcspn(now, "\n")) == 0)
        return error_set(e, ESTALE, VMM_OVER_CHANGED, l->plan->machine.disks[0]);
    if (!str_equal(by, now))
        return error_set(e, ESTALE,
                         "%s is not the one any more that has written this memory, and another "
                         "cannot be trusted to read it",
                         l->plan->machine.program);
    return 0;
}

void vmm_saved_close(struct vmm_saved *s)
{
    s->memory = fd_close(s->memory);
    s->state = fd_close(s->state);
    s->scratch = fd_close(s->scratch);
}

int vmm_resume_open(const struct launch *l, const char *path, struct vmm_saved *ret,
                    struct error *e)
{
    struct stat st;
    autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = dir < 0 ? error_errno(e, errno, "%s", path) : resume_check(l, dir, e);
    if (r < 0)
        return r;
    const int how = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
    autoclose int memory = openat(dir, VMM_SAVED_MEMORY, how);
    autoclose int state = openat(dir, VMM_SAVED_STATE, how);
    if (memory < 0 || state < 0 || fstat(memory, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != l->plan->machine.memory)
        return error_set(e, EINVAL, "%s: that is not the memory of this machine", path);
    autoclose int scratch = openat(dir, VMM_SAVED_SCRATCH, how);
    if (scratch < 0 && (errno != ENOENT || (vmm_writes(l->plan) && l->plan->snapshot)))
        return error_errno(e, errno, "%s", path);
    *ret = (struct vmm_saved){TAKE_FD(memory), TAKE_FD(state), TAKE_FD(scratch)};
    return 0;
}

static int resume_tell(struct launch *l, struct error *e)
{
    const struct plan *p = l->plan;
    int r = agent_guest_refresh(l->agent, p->hostname, e);
    for (size_t i = 0; r == 0 && i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->kind != PLAN_MOUNT_FILE ||
            (!str_equal(m->target, "/etc/machine-id") && !str_equal(m->target, "/etc/hostname") &&
             !str_equal(m->target, "/etc/hosts")))
            continue;
        r = agent_guest_step(l->agent,
                             &(struct agent_guest_step){.kind = AGENT_STEP_FILE,
                                                        .target = m->target,
                                                        .mode = m->mode ? m->mode : 0644,
                                                        .data = m->content,
                                                        .data_size = strlen(m->content)},
                             e);
    }
    return r < 0 ? r : agent_guest_end(l->agent, e);
}

/* What names it in its own files; a root that takes nothing keeps what it has. */
static int resume_identity(struct launch *l, struct error *e)
{
    agent_host_cork(l->agent, true);
    int r = resume_tell(l, e);
    agent_host_cork(l->agent, false);
    return r;
}

/* Its device has the address of whom the memory is from. */
static int resume_mac(struct launch *l, struct error *e)
{
    if (l->plan->network == PLAN_NETWORK_NONE)
        return 0;
    autofree char *mac = vmm_mac(l->plan);
    const struct agent_guest_step s = {.kind = AGENT_STEP_MAC, .source = mac};
    return agent_guest_step(l->agent, &s, e);
}

int vmm_resume_ask(struct launch *l, struct error *e)
{
    bool memory = l->plan->snapshot_kind == PLAN_SNAPSHOT_MEMORY;
    int r = memory ? agent_guest_adopt(l->agent, l->plan->terminal, e)
                   : agent_guest_adopt_empty(l->agent, e);
    if (r == 0)
        r = resume_mac(l, e);
    return r < 0 || !memory ? r : resume_identity(l, e);
}

int vmm_resume_verify(const struct launch *l, const struct agent_ready *ready, struct error *e)
{
    const struct plan *p = l->plan;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t off = (int64_t)(ready->realtime_ns / 1000000000) - (int64_t)now.tv_sec;
    if (!str_equal(ready->hostname, p->hostname))
        return error_set(e, EPROTO, "the clone is still called %s", ready->hostname);
    if (off < -RESUME_CLOCK_S || off > RESUME_CLOCK_S)
        return error_set(e, EPROTO, "the clone's clock is %lld s off", (long long)off);
    if (!ready->seeded)
        return error_set(e, EPROTO, "the clone's random numbers are its template's");
    autofree char *mac = p->network == PLAN_NETWORK_NONE ? NULL : vmm_mac(p);
    if (mac && !str_equal(ready->mac, mac))
        return error_set(e, EPROTO, "the clone's network card is still %s", ready->mac);
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        size_t size = m->content ? strcspn(m->content, "\n") : 0;
        if (m->kind == PLAN_MOUNT_FILE && str_equal(m->target, "/etc/machine-id") &&
            !p->read_only &&
            (strlen(ready->machine_id) != size || memcmp(ready->machine_id, m->content, size) != 0))
            return error_set(e, EPROTO, "the clone has another's machine-id");
    }
    return 0;
}

bool vmm_is_warm(const struct launch *l)
{
    struct vmm_saved saved;
    struct error ignored;
    const char *path = l->plan->machine.warmed;
    if (!path || !l->driver->resume || vmm_resume_open(l, path, &saved, &ignored) < 0)
        return false;
    vmm_saved_close(&saved);
    return true;
}
