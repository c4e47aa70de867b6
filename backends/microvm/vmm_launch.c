/* A machine as the monitor drives it: what is the same whatever its program is called. */
#include "backends/microvm/vmm_launch.h"

#include "backends/agent/agent_start.h"
#include "backends/guest/guest_serial.h"
#include "backends/microvm/said.h"
#include "backends/planned.h"
#include "backends/root/check.h"
#include "base/fd.h"
#include "base/loop.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEASURE_MS = 900, SAID_OLD_MS = 5000, UPDATE_MEMORY_LEAST = 64 << 20 };

/* --- reading the plan ---------------------------------------------------------------------------
 */

/* What cannot be left to whoever made the plan. */
static int launch_check(const struct vmm_driver *d, const struct plan *p, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    bool mine = p->runtime && (str_equal(p->runtime, d->name) ||
                               (p->runtime[0] == '/' && str_equal(p->runtime, m->program)));
    if (!mine || !m->type)
        return error_set(e, EINVAL, "the plan is not one for %s", d->name);
    bool whole = plan_boots_disk(p)
                     ? d->press && m->disks && m->disk_format && m->disk_size && m->blank &&
                           (str_equal(m->disk_format, "raw") || str_equal(m->disk_format, "qcow2"))
                     : m->kernel && m->initramfs && m->root && m->root_type;
    if (!m->program || !whole)
        return error_set(e, EINVAL, "the plan lacks a part of the machine");
    if (plan_more_disks(p) && (p->snapshot || m->warm || plan_more_disks(p) > PLAN_DISKS_MAX))
        return error_set(e, ENOTSUP, "machine.disk: this machine has no place for them");
    if (m->served &&
        (!d->served || !m->virtiofsd || p->snapshot || m->warm || vmm_served(p) > VMM_SHARES_MAX))
        return error_set(e, ENOTSUP, "machine.shares: nobody serves folders to this machine");
    if (p->network != PLAN_NETWORK_NONE &&
        (p->network != PLAN_NETWORK_PRIVATE || !plan_runtime_leads_out(d->name)))
        return error_set(e, ENOTSUP, "network.mode: this machine has no such network");
    if (p->snapshot && (p->snapshot_kind != PLAN_SNAPSHOT_MEMORY || !p->snapshot_path))
        return error_set(e, ENOTSUP, "a machine starts from snapshots with its memory alone");
    if (p->snapshot && !d->resume)
        return error_set(e, ENOTSUP, "%s cannot start from a snapshot", d->name);
    return 0;
}

int vmm_open(const struct vmm_driver *d, const char *plan, size_t size,
             const struct launch_env *env, struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    l->driver = d;
    l->env = *env;
    l->pidfd = l->epoll = l->kernel = l->errors = l->metrics = l->control_watched = FD_NONE;
    l->scratch = l->patience = FD_NONE;
    l->status = -1;
    vmm_meeting_init(&l->meeting);
    vmm_serving_init(&l->serving);
    root_ids_init(&l->ids);
    net_translator_init(&l->net);
    int r = plan_from_json(plan, size, &l->plan, e);
    if (r == 0)
        r = launch_check(d, l->plan, e);
    if (r < 0) {
        vmm_free(l);
        return r;
    }
    l->command = strv_join(l->plan->argv, " ");
    planned_wishes(l->plan, l->command, &l->wishes);
    *ret = l;
    return 0;
}

const struct launch_wishes *vmm_wishes(const struct launch *l)
{
    return &l->wishes;
}

/* --- while it runs ------------------------------------------------------------------------------
 */

pid_t vmm_pid(const struct launch *l)
{
    return l->pid;
}

int vmm_running(const struct launch *l, struct error *e)
{
    return l->pid > 0 && !l->booting && !l->agent_closed && l->status < 0
               ? 0
               : error_set(e, ESRCH, "it is not running");
}

/* That, and somebody of ours is in it. */
static int launch_reaches(const struct launch *l, struct error *e)
{
    int r = vmm_running(l, e);
    return r < 0 || l->agent
               ? r
               : error_set(e, EOPNOTSUPP,
                           "it boots its own disk, and there is nobody of ours in it; mend: "
                           "cofferdam attach, and log in");
}

int vmm_exec(struct launch *l, uint32_t console, const struct launch_exec *x, struct error *e)
{
    int r = launch_reaches(l, e);
    if (r == 0 && x->cwd)
        r = root_check_cwd(x->cwd, e);
    return r < 0 ? r : agent_start_exec(l->agent, l->plan, console, x, e);
}

/* What a machine whose system is not ours can be told. */
static int launch_press(struct launch *l, int signo, struct error *e)
{
    if (signo == SIGKILL)
        return vmm_kill(l, e);
    if (signo == SIGHUP && l->resumed)
        return error_set(e, EOPNOTSUPP,
                         "it goes on from a snapshot, which has no firmware to begin anew with");
    if (signo == SIGHUP)
        return l->driver->press(l->control, VMM_BUTTON_RESET, e);
    if (signo == l->plan->stop_signal || signo == SIGTERM || signo == SIGINT || signo == SIGPWR)
        return l->driver->press(l->control, VMM_BUTTON_POWER, e);
    return error_set(e, EINVAL, GUEST_SERIAL_SIGNALS);
}

int vmm_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    int r = vmm_running(l, e);
    if (r == 0 && !l->agent)
        return launch_press(l, signo, e);
    return r < 0 ? r : agent_host_signal(l->agent, console, signo, e);
}

int vmm_resize(struct launch *l, uint32_t console, uint16_t rows, uint16_t cols)
{
    struct error ignored;
    int r = launch_reaches(l, &ignored);
    return r < 0 ? r : agent_host_resize(l->agent, console, rows, cols);
}

int vmm_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e)
{
    autoclose int mine = fd;
    int r = launch_reaches(l, e);
    return r < 0 ? r : agent_host_copy_in(l->agent, transfer, path, TAKE_FD(mine), e);
}

int vmm_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e)
{
    autoclose int mine = fd;
    int r = launch_reaches(l, e);
    return r < 0 ? r : agent_host_copy_out(l->agent, transfer, path, TAKE_FD(mine), e);
}

int vmm_freeze(struct launch *l, bool frozen, struct error *e)
{
    int r = vmm_running(l, e);
    if (r == 0 && l->saving.step != SAVING_NONE)
        r = error_set(e, EBUSY, "a snapshot of it is being taken");
    if (r == 0)
        r = l->driver->freeze(l->control, frozen, e);
    if (r == 0)
        l->frozen = frozen;
    if (r == 0 && l->agent)
        agent_guest_pause(l->agent, frozen);
    return r;
}

/* What a guest has it has; less of its memory is a request, which it may go back on. */
static int update_check(const struct launch *l, const struct launch_limits *x, struct error *e)
{
    const struct plan_machine *m = &l->plan->machine;
    if (x->which & LAUNCH_LIMIT_PIDS)
        return error_set(e, EOPNOTSUPP, "pids: the guest's own kernel counts its processes");
    if (!(x->which & LAUNCH_LIMIT_MEMORY))
        return 0;
    if (x->memory > m->memory)
        return error_set(e, EOPNOTSUPP, "memory: the guest was started with %llu MiB, and no more",
                         (unsigned long long)(m->memory >> 20));
    if (x->memory < UPDATE_MEMORY_LEAST)
        return error_set(e, EBUSY, "memory: less than %d MiB leave a guest nothing to run in",
                         UPDATE_MEMORY_LEAST >> 20);
    return 0;
}

static int update_balloon(struct launch *l, uint64_t bytes, struct error *e)
{
    int r = l->driver->balloon(l->control, bytes, e);
    if (r == 0)
        l->ballooned = bytes;
    return r;
}

int vmm_update(struct launch *l, const struct launch_limits *x, struct error *e)
{
    struct error ignored;
    uint64_t before = l->ballooned;
    bool memory = x->which & LAUNCH_LIMIT_MEMORY;
    struct launch_limits rest = *x;
    rest.which &= ~(uint32_t)LAUNCH_LIMIT_MEMORY;
    int r = vmm_running(l, e);
    if (r == 0 && l->saving.step != SAVING_NONE)
        r = error_set(e, EBUSY, "a snapshot of it is being taken");
    if (r == 0)
        r = update_check(l, x, e);
    if (r == 0 && memory)
        r = update_balloon(l, (l->plan->machine.memory - x->memory) >> 20 << 20, e);
    if (r < 0 || !rest.which)
        return r;
    r = cgroup_update(l->cgroup, &l->jail->limits, &rest, e);
    if (r < 0 && memory)
        update_balloon(l, before, &ignored);
    return r;
}

int vmm_ask_changes(struct launch *l, uint32_t request, struct error *e)
{
    int r = launch_reaches(l, e);
    return r < 0 ? r : guest_told_ask(&l->told, l->agent, request, e);
}

const char *vmm_told_changes(const struct launch *l)
{
    return l->told.json;
}

/* Its program writes what it counts when it is asked, which is not oftener than people look. */
static void launch_measure(struct launch *l)
{
    struct error ignored;
    uint64_t now = loop_now_ms();
    if (!l->driver->measure || !l->control || l->reaped || l->booting ||
        l->saving.step != SAVING_NONE || now < l->measured_ms + MEASURE_MS)
        return;
    l->measured_ms = now;
    vmm_drain_metrics(l);
    if (l->driver->measure(l->control, &l->counts, &ignored) == 0)
        vmm_drain_metrics(l);
}

/* It answers when it can; one that stands still has said what it had to say. */
static void launch_ask_guest(struct launch *l)
{
    struct error ignored;
    uint64_t now = loop_now_ms();
    if (launch_reaches(l, &ignored) < 0 || l->saving.step != SAVING_NONE || l->frozen ||
        now < l->asked_ms + MEASURE_MS)
        return;
    int r = agent_guest_ask_sample(l->agent, &ignored);
    if (r == 0)
        l->asked_ms = now;
    else if (now > l->asked_ms + SAID_OLD_MS)
        said_forget(&l->counts);
}

int vmm_sample(struct launch *l, struct launch_sample *ret)
{
    int r = l->cgroup ? cgroup_sample(l->cgroup, ret) : -ENODATA;
    if (r < 0)
        return r;
    launch_measure(l);
    launch_ask_guest(l);
    size_t mine = offsetof(struct launch_sample, guest_read);
    memcpy((char *)ret + mine, (const char *)&l->counts + mine, sizeof(*ret) - mine);
    net_translator_sample(&l->net, &ret->network_in, &ret->network_out);
    return 0;
}

int vmm_kill(struct launch *l, struct error *e)
{
    if (l->reaped || l->pid <= 0)
        return 0;
    struct error ignored;
    l->killed = true;
    cgroup_kill(l->cgroup, &ignored);
    if (syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(e, errno, "killing the machine");
    return 0;
}

/* The control group's parents, to remove it; the ids folder, to give the range back. */
size_t vmm_reach(const struct launch *l, struct launch_reach *ret, size_t most, bool *ret_proc)
{
    return cgroup_reach(l->cgroup, ret, most, ret_proc);
}

static int phases_compare(const void *a, const void *b)
{
    uint64_t x = ((const struct launch_phase *)a)->us, y = ((const struct launch_phase *)b)->us;
    return (x > y) - (x < y);
}

/* Ours by our clock; the guest's, of which the last is the moment it told us, put in between. */
size_t vmm_phases(const struct launch *l, struct launch_phase *ret, size_t most)
{
    static const char *const ours[VMM_PHASES] = {
        [VMM_PHASE_JAIL] = "sockets", [VMM_PHASE_EXEC] = "program", [VMM_PHASE_KERNEL] = "console",
        [VMM_PHASE_HELLO] = "agent",  [VMM_PHASE_READY] = "root",   [VMM_PHASE_STARTED] = "command",
        [VMM_PHASE_POWER] = "power",
    };
    static const char *const guests[AGENT_PHASES] = {
        [AGENT_PHASE_INIT] = "guest: init",
        [AGENT_PHASE_MODULES] = "guest: modules",
        [AGENT_PHASE_ROOT] = "guest: root",
    };
    uint64_t begin = l->phases[VMM_PHASE_BEGIN], ready = l->phases[VMM_PHASE_READY];
    uint64_t told = l->guest_us[AGENT_PHASE_READY];
    size_t count = 0;
    for (size_t i = 0; i < VMM_PHASES && count < most; i++)
        if (ours[i] && l->phases[i] >= begin && begin)
            ret[count++] = (struct launch_phase){ours[i], l->phases[i] - begin};
    for (size_t i = 0; i < AGENT_PHASES && count < most; i++) {
        uint64_t ago = told - MIN(told, l->guest_us[i]);
        if (guests[i] && ready && ago <= ready - begin)
            ret[count++] = (struct launch_phase){guests[i], ready - begin - ago};
    }
    qsort(ret, count, sizeof(ret[0]), phases_compare);
    return count;
}

char *const *vmm_shortfalls(const struct launch *l)
{
    static char *const none[] = {NULL};
    return l->shortfalls ? l->shortfalls : none;
}

/* --- after the end ------------------------------------------------------------------------------
 */

int vmm_clean(struct launch *l, struct error *e)
{
    vmm_stop(l);
    net_translator_end(&l->net);
    int r = cgroup_end(&l->cgroup, e);
    root_ids_release(&l->ids);
    return r;
}

void vmm_free(struct launch *l)
{
    if (!l)
        return;
    struct error ignored;
    vmm_clean(l, &ignored);
    cgroup_free(l->cgroup);
    strv_free(l->shortfalls);
    free(l->told.json);
    free(l->command);
    free(l->over);
    plan_free(l->jail);
    plan_free(l->plan);
    free(l);
}
