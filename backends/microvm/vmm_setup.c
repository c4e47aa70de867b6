/* From a guest that boots to a command that runs in it; turn by turn, nobody waits. */
#include "backends/microvm/vmm_launch.h"

#include "base/fd.h"
#include "base/loop.h"

#include <poll.h>

static int setup_ask(struct launch *l, struct error *e)
{
    bool scratch = l->plan->machine.scratch, order = l->driver->disks_by_order;
    const struct guest_disks disks = {
        /* to look for a serial number takes an emulated guest 5 ms */
        .root = scratch && !order ? "serial:" VMM_DISK_ROOT : "vda",
        .scratch = !scratch ? NULL
                   : order  ? "vdb"
                            : "serial:" VMM_DISK_SCRATCH,
        .scratch_type = scratch ? VMM_SCRATCH_TYPE : NULL,
        .more = !order    ? NULL
                : scratch ? "vdc"
                          : "vdb",
        .shares = l->plan->machine.shares ? VMM_SHARE_TAG : NULL,
        .shares_type = l->plan->machine.served ? "virtiofs" : "9p",
    };
    return guest_ask(l->agent, l->plan, &disks, &l->copies, &l->env, e);
}

/* --- what it says -------------------------------------------------------------------------------
 */

static void setup_started(void *data, uint32_t console, pid_t pid, struct launch_streams *streams)
{
    struct launch *l = data;
    l->booting->started = true;
    l->booting->pid_inside = pid;
    l->booting->streams = *streams;
    l->phases[VMM_PHASE_STARTED] = loop_now_us();
}

static void setup_failed(void *data, uint32_t console, const struct error *e)
{
    struct vmm_booting *b = ((struct launch *)data)->booting;
    b->failed = true;
    b->error = *e;
}

static void setup_exited(void *data, uint32_t console, int status)
{
    struct vmm_booting *b = ((struct launch *)data)->booting;
    b->exited = true;
    b->status = status;
}

static void setup_copied(void *data, uint32_t transfer, const struct error *e)
{
}

static void setup_closed(void *data, const char *why)
{
    vmm_agent_gone(data, why);
}

static void setup_ready(void *data, const struct agent_ready *ready)
{
    struct launch *l = data;
    struct vmm_booting *b = l->booting;
    l->phases[VMM_PHASE_READY] = loop_now_us();
    memcpy(l->guest_us, ready->phase_us, sizeof(l->guest_us));
    b->ready = true;
    if (l->resumed && vmm_resume_verify(l, ready, &b->error) < 0)
        b->failed = true;
}

static void setup_quiet(void *data, const struct error *e)
{
    vmm_saving_quiet(data, e);
}

static void setup_broken(void *data, const struct error *e)
{
    struct vmm_booting *b = ((struct launch *)data)->booting;
    setup_failed(data, 0, e);
    b->error.code = EIO; /* whatever is wrong is not the command */
    error_wrap(&b->error, "the guest");
}

static const struct agent_host_events setup_events = {
    .started = setup_started,
    .failed = setup_failed,
    .exited = setup_exited,
    .copied = setup_copied,
    .closed = setup_closed,
    .ready = setup_ready,
    .quiet = setup_quiet,
    .broken = setup_broken,
};

/* --- turn by turn -------------------------------------------------------------------------------
 */

/* It starts all the same. */
static void setup_no_template(struct launch *l, const struct error *why)
{
    strv_take(&l->shortfalls, str_format("no template for later starts: %s", why->text));
}

/*
 * The guest's first word: only then is it asked, so that its clock is set to a time that is not
 * over. 1: it has spoken.
 */
static bool setup_spoken(const struct launch *l)
{
    struct pollfd p = {.fd = agent_host_fd(l->agent), .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* The last of what the monitor needs its freedom for; it gives that up while the guest boots. */
void vmm_settle(struct launch *l)
{
    cgroup_keep(l->cgroup, l->pid);
    strv_free(l->shortfalls);
    l->shortfalls = strv_copy(cgroup_shortfalls(l->cgroup));
    if (l->plan->machine.accel == PLAN_ACCEL_TCG)
        strv_add(&l->shortfalls, "emulated (tcg): by QEMU's own word no security boundary");
    if (l->env.settled)
        l->env.settled(l->env.settled_data);
}

/* Before it has said a word; a channel is made, which takes more than a locked-in monitor may. */
static int setup_greet(struct launch *l, struct error *e)
{
    if (l->agent)
        return 0;
    int r = vmm_greet(l, e);
    if (l->agent)
        vmm_settle(l);
    return r;
}

/* Once it has spoken; what is to be kept for others comes first, as long as it knows nothing. */
static int setup_talk(struct launch *l, struct error *e)
{
    struct vmm_booting *b = l->booting;
    struct error why;
    if (!l->phases[VMM_PHASE_HELLO])
        l->phases[VMM_PHASE_HELLO] = loop_now_us();
    if (l->plan->machine.warmed && !l->resumed && !b->warming) {
        b->warming = true;
        if (vmm_saving_begin(l, FD_NONE, &why) == 0)
            return 0;
        setup_no_template(l, &why);
    }
    b->asked = true;
    int r = l->resumed ? vmm_resume_ask(l, e) : 0;
    return r < 0 || l->plan->snapshot ? r : setup_ask(l, e);
}

static int setup_listen(struct launch *l, struct error *e)
{
    struct vmm_booting *b = l->booting;
    vmm_drain(l);
    vmm_serving_look(l);
    vmm_reap(l);
    int r = setup_greet(l, e);
    if (r < 0)
        return r;
    if (b->asked || b->warming)
        agent_host_dispatch(l->agent, &setup_events, l);
    bool saved = vmm_saving_turn(l); /* with what the agent has just said of it */
    if (saved && l->saving.error.code)
        setup_no_template(l, &l->saving.error);
    if (b->asked || !l->agent || l->saving.step != SAVING_NONE || !(saved || setup_spoken(l)))
        return 0;
    r = setup_talk(l, e);
    if (r == 0)
        agent_host_dispatch(l->agent, &setup_events, l);
    return r;
}

static bool setup_is_over(const struct launch *l)
{
    const struct vmm_booting *b = l->booting;
    return b->failed || (b->started && (b->ready || !l->plan->snapshot));
}

/* 0: it goes on. */
static int setup_turn(struct launch *l, struct error *e)
{
    struct vmm_booting *b = l->booting;
    int r = setup_listen(l, e);
    if (r < 0 || setup_is_over(l)) {
        if (r == 0 && b->failed)
            *e = b->error;
        return r < 0 ? r : b->failed ? -e->code : 1;
    }
    if (l->reaped || l->agent_closed) {
        vmm_explain_end(l);
        return error_set(e, EIO, "%s", l->why);
    }
    return guest_limit_check(b->limit, b->limit_s, e);
}

void vmm_setup_end(struct launch *l)
{
    struct vmm_booting *b = l->booting;
    if (!b)
        return;
    guest_copies_end(&l->copies);
    fd_close(b->limit);
    fd_close(b->streams.terminal);
    fd_close(b->streams.in);
    fd_close(b->streams.out);
    fd_close(b->streams.err);
    free(b);
    l->booting = NULL;
}

/* Whatever the one that it was taken of had been asked for: this one has all its memory. */
static void setup_give_back(struct launch *l)
{
    struct error why;
    if (!l->plan->snapshot || !l->resumed || !l->driver->balloon)
        return;
    if (l->driver->balloon(l->control, 0, &why) < 0)
        strv_take(&l->shortfalls,
                  str_format("memory it had been asked for is not given back: %s; mend: cofferdam "
                             "update --memory",
                             why.text));
}

/*
 * What it went on from may be the reason, and would be that of every later start: the next one
 * boots. Here nothing can be begun any more.
 */
static void setup_distrust(const struct launch *l, struct error *e)
{
    struct error why;
    if (!l->resumed || l->plan->snapshot || l->booting->ready || l->killed)
        return;
    autofree char *text = str_dup(e->text);
    if (vmm_hands_drop_template(&l->hands, &why) == 0)
        error_set(e, e->code,
                  "%s; the template that it began from is removed, the next start boots", text);
    else
        error_set(e, e->code, "%s; the template that it began from stays: %s", text, why.text);
}

void vmm_setup_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    struct error e;
    int r = setup_turn(l, &e);
    vmm_tell_printed(l, events, data);
    if (r == 0)
        return;
    if (r < 0)
        setup_distrust(l, &e);
    struct vmm_booting over = *l->booting;
    l->booting->streams = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    if (r < 0) {
        l->booting->streams = over.streams;
        vmm_stop(l);
        l->ended = true;
        events->failed(data, 0, &e);
        return;
    }
    vmm_setup_end(l);
    events->started(data, 0, over.pid_inside, &over.streams);
    if (over.exited)
        vmm_main_exited(l, over.status, events, data);
    else if (l->agent_closed) /* by what came with its word that the command runs */
        vmm_switch_off(l);
    else
        setup_give_back(l);
}

int vmm_setup_begin(struct launch *l, struct error *e)
{
    struct vmm_booting *b = l->booting = NEW(struct vmm_booting);
    b->streams = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    b->limit = FD_NONE;
    int r = guest_limit_begin(l->plan->time_limit_ms, GUEST_LIMIT_MS, &b->limit_s, e);
    if (r < 0)
        return r;
    b->limit = r;
    r = guest_watch(l->epoll, b->limit, e);
    if (r < 0)
        return r;
    if (l->agent)
        vmm_settle(l);
    return l->resumed ? setup_talk(l, e) : 0; /* such a one waits for somebody to speak to */
}
