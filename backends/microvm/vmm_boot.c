/* From a plan to a command that runs in a guest. */
#include "backends/microvm/vmm_launch.h"

#include "backends/agent/agent_start.h"
#include "backends/root/setup.h"
#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BOOT_MS = 120000, BOOT_MEET_MS = 10000 };

/* --- before the guest ---------------------------------------------------------------------------
 */

static void boot_end_copies(struct launch *l)
{
    for (size_t i = 0; i < l->copies_count; i++) {
        fd_close(l->copies[i].socket);
        if (l->copies[i].pid <= 0)
            continue;
        kill(l->copies[i].pid, SIGKILL); /* it has sent everything, or nobody reads any more */
        while (waitpid(l->copies[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    free(l->copies);
    l->copies = NULL;
    l->copies_count = l->copies_taken = 0;
}

/* One process each, which may read what the person may, and that only writes to a socket. */
static int boot_begin_copies(struct launch *l, struct error *e)
{
    for (size_t i = 0; i < l->plan->mounts_count; i++) {
        struct plan one = {.mounts = &l->plan->mounts[i], .mounts_count = 1};
        int pair[2];
        if (one.mounts->kind != PLAN_MOUNT_COPY)
            continue;
        int r = fd_socketpair(pair);
        if (r < 0)
            return error_errno(e, -r, "a channel for copies");
        pid_t pid = fork();
        if (pid == 0) {
            fd_close(pair[0]);
            root_send_copies(&one, pair[1]);
            _exit(0);
        }
        fd_close(pair[1]);
        l->copies = mem_grow(l->copies, l->copies_count + 1, sizeof(l->copies[0]));
        l->copies[l->copies_count++] = (struct vmm_copy){.socket = pair[0], .pid = pid};
        if (pid < 0)
            return error_errno(e, errno, "starting the copies");
    }
    return 0;
}

/* agent_guest_sources.copy: in the order of the plan. */
static int boot_next_copy(void *data, const struct plan_mount *m, struct error *e)
{
    struct launch *l = data;
    int code = EIO, fd = FD_NONE;
    size_t count = 1;
    if (l->copies_taken == l->copies_count)
        return error_set(e, EINVAL, "%s: nobody sends it", m->source);
    int socket = l->copies[l->copies_taken++].socket;
    if (fd_receive(socket, &code, sizeof(code), &fd, &count) != (ssize_t)sizeof(code))
        code = -EIO;
    if (code == 0 && count == 1)
        return fd;
    if (count)
        fd_close(fd);
    return error_errno(e, code < 0 ? -code : EIO, "copying %s", m->source);
}

/* The folder it goes on from; NULL: it boots. */
static const char *boot_from(const struct launch *l)
{
    const struct plan *p = l->plan;
    return !l->resumed ? NULL : p->snapshot ? p->snapshot_path : p->machine.warmed;
}

struct boot_ends {
    int fds[VMM_FDS];                      /* owned; the program's */
    int agent, control, kernel, errors[2]; /* owned; ours (errors: a pipe) */
};

static void boot_close(struct boot_ends *b)
{
    for (int i = 0; i < VMM_FDS; i++)
        if (i != 2 || b->fds[1] != b->fds[2])
            b->fds[i] = fd_close(b->fds[i]);
    b->agent = fd_close(b->agent);
    b->control = fd_close(b->control);
    b->kernel = fd_close(b->kernel);
    b->errors[0] = fd_close(b->errors[0]);
}

static int boot_pair(int *ret_ours, int *ret_theirs, struct error *e)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "a channel to the machine");
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
    return 0;
}

/* It finds all by name; what the guest's kernel prints comes out of its standard output. */
static int boot_open_meeting(struct boot_ends *b, struct error *e)
{
    b->fds[VMM_FD_ROOT] = fd_close(b->fds[VMM_FD_ROOT]);
    for (int i = VMM_FD_AGENT; i < VMM_FDS; i++)
        if ((b->fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
            return error_errno(e, errno, "/dev/null");
    b->fds[1] = FD_NONE;
    return boot_pair(&b->kernel, &b->fds[1], e);
}

static int boot_open(const struct launch *l, struct boot_ends *b, struct vmm_saved *saved,
                     struct error *e)
{
    *b = (struct boot_ends){
        {FD_NONE,  FD_NONE, FD_NONE, FD_NONE, FD_NONE, FD_NONE, FD_NONE},
        FD_NONE,
        FD_NONE,
        FD_NONE,
        {FD_NONE, FD_NONE}
    };
    const char *root = l->plan->machine.root;
    *saved = (struct vmm_saved){FD_NONE, FD_NONE};
    b->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    b->fds[VMM_FD_ROOT] = open(root, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (b->fds[0] < 0 || b->fds[VMM_FD_ROOT] < 0)
        return error_errno(e, errno, "%s", b->fds[0] < 0 ? "/dev/null" : root);
    int r = fd_pipe(b->errors, O_NONBLOCK);
    if (r < 0)
        return error_errno(e, -r, "a pipe");
    b->fds[1] = b->fds[2] = b->errors[1];
    if (l->driver->meets)
        return boot_open_meeting(b, e);
    r = boot_pair(&b->agent, &b->fds[VMM_FD_AGENT], e);
    if (r == 0)
        r = boot_pair(&b->control, &b->fds[VMM_FD_CONTROL], e);
    if (r == 0)
        r = boot_pair(&b->kernel, &b->fds[VMM_FD_KERNEL], e);
    return r == 0 && boot_from(l) ? vmm_resume_open(l, boot_from(l), saved, e) : r;
}

static int boot_take(struct launch *l, struct boot_ends *b, struct error *e)
{
    l->kernel = TAKE_FD(b->kernel);
    l->errors = TAKE_FD(b->errors[0]);
    fd_nonblock(l->kernel);
    l->metrics = l->driver->measured ? TAKE_FD(l->meeting.metrics) : FD_NONE;
    int control =
        l->driver->meets ? vmm_meet(&l->meeting, l->pidfd, BOOT_MEET_MS, e) : TAKE_FD(b->control);
    if (control < 0)
        return control;
    l->control = l->driver->control_new(control, l->driver->name);
    if (!l->control)
        return error_errno(e, errno, "a channel to the machine");
    if (l->driver->meets)
        return 0;
    l->agent = agent_guest_new(TAKE_FD(b->agent));
    return l->agent ? 0 : error_errno(e, errno, "a channel to the guest");
}

/* Where it has ended, that is why nobody answers: the reason comes with it. */
static int boot_power_on(struct launch *l, struct boot_ends *b, struct error *e)
{
    int r = boot_take(l, b, e);
    if (r == 0 && l->driver->power_on)
        r = l->driver->power_on(l->control, l->plan, e);
    if (r == 0) {
        l->phases[VMM_PHASE_POWER] = l->driver->power_on ? loop_now_us() : 0;
        return 0;
    }
    if (e->code == EPIPE) {
        autofree char *text = str_dup(e->text);
        vmm_agent_gone(l, NULL);
        vmm_explain_end(l);
        error_set(e, EIO, "%s%s%s", text, l->why[0] ? ": " : "", l->why);
    }
    return -(e->code = EIO);
}

/* The jailer's share of a wish; `ret_argv` and `ret_base` are the caller's. */
static int boot_jailer(const struct launch *l, char ***argv, char **ret_base,
                       struct vmm_jailer_wish *ret, struct error *e)
{
    const struct plan *p = l->plan;
    char link[32], base[4096];
    uint32_t uid, gid;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", l->env.runtime_dir);
    ssize_t n = readlink(link, base, sizeof(base) - 1);
    if (n < 0 || !root_ids_outside(l->ids.uid_map, l->ids.uid_map_count, VMM_UID, &uid) ||
        !root_ids_outside(l->ids.gid_map, l->ids.gid_map_count, VMM_GID, &gid))
        return error_set(e, EINVAL, "the jailer: no folder or no ids for it");
    *ret_base = str_ndup(base, (size_t)n);
    char **plain = *argv;
    *argv = vmm_jailer_argv(p, plain, uid, gid, *ret_base);
    strv_free(plain);
    *ret = (struct vmm_jailer_wish){.jailer = p->machine.jailer,
                                    .program = p->machine.program,
                                    .id = p->id,
                                    .base = *ret_base,
                                    .argv = *argv};
    return 0;
}

static int boot_spawn(struct launch *l, struct error *e)
{
    struct cgroup_wish wish = {
        .plan = l->jail, .journal = l->env.journal, .journal_data = l->env.journal_data};
    struct boot_ends ends;
    struct vmm_saved saved;
    int r = root_ids_take(l->jail, &l->env, &l->ids, e);
    if (r == 0)
        r = cgroup_make(&wish, &l->cgroup, e);
    if (r == 0)
        r = boot_begin_copies(l, e);
    if (r == 0 && l->driver->dump)
        r = vmm_hands_start(l->plan, &l->hands, e);
    if (r < 0)
        return r;
    r = boot_open(l, &ends, &saved, e);
    l->phases[VMM_PHASE_JAIL] = loop_now_us();
    autostrv char **argv = l->resumed ? l->driver->argv_resumed(l->plan) : l->driver->argv(l->plan);
    struct vmm_wish w = {.jail = l->jail,
                         .env = &l->env,
                         .ids = &l->ids,
                         .cgroup = l->cgroup,
                         .program = l->plan->machine.program,
                         .argv = argv,
                         .fds = ends.fds,
                         .meets = l->driver->meets,
                         .memory = saved.memory};
    autofree char *base = NULL;
    struct vmm_jailer_wish jailer;
    if (r == 0 && l->plan->machine.jailer) {
        r = boot_jailer(l, &argv, &base, &jailer, e);
        w.jailer = &jailer;
    }
    if (r == 0)
        r = vmm_start(&w, l->driver->meets ? &l->meeting : NULL, &l->pid, &l->pidfd, e);
    if (r == 0) {
        l->phases[VMM_PHASE_EXEC] = loop_now_us();
        r = boot_power_on(l, &ends, e);
    }
    boot_close(&ends);
    if (r == 0)
        r = vmm_watch_open(l, e);
    if (r == 0 && l->resumed)
        r = l->driver->resume(l->control, saved.state, e);
    fd_close(saved.memory);
    fd_close(saved.state);
    return r;
}

/* --- with the guest -----------------------------------------------------------------------------
 */

static int boot_root(struct launch *l, struct error *e)
{
    const struct plan *p = l->plan;
    const struct agent_guest_step steps[] = {
        {.kind = AGENT_STEP_LOWER,
         .source = l->driver->root_device ? l->driver->root_device : "serial:" VMM_DISK_ROOT,
         .content = p->machine.root_type},
        {.kind = AGENT_STEP_UPPER,
         .number = p->limits.disk ? p->limits.disk : p->machine.memory / 2                                                         },
        {.kind = AGENT_STEP_ROOT,                        .flags = p->read_only ? AGENT_STEP_RO : 0 },
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
        r = agent_guest_step(l->agent, &steps[i], e);
    return r;
}

/* All of it at once: the guest works it off, and nobody waits for anybody. */
static int boot_ask(struct launch *l, struct error *e)
{
    const struct plan *p = l->plan;
    const struct agent_guest_sources sources = {.copy = boot_next_copy, .data = l};
    int r = agent_guest_refresh(l->agent, p->hostname, e);
    if (r == 0)
        r = boot_root(l, e);
    if (r == 0)
        r = agent_guest_plan(l->agent, p, &sources, e);
    if (r == 0)
        r = agent_guest_end(l->agent, e);
    return r < 0 ? r : agent_start_main(l->agent, p, &l->env, e);
}

struct boot_wait {
    bool warming, asked;
    struct launch *l;
    struct launch_streams *streams;
    struct error *error;
    bool started, ready, failed;
};

static void boot_started(void *data, uint32_t console, pid_t pid, struct launch_streams *streams)
{
    struct boot_wait *w = data;
    w->started = true;
    w->l->phases[VMM_PHASE_STARTED] = loop_now_us();
    *w->streams = *streams;
}

static void boot_failed(void *data, uint32_t console, const struct error *e)
{
    struct boot_wait *w = data;
    w->failed = true;
    *w->error = *e;
}

/* It was quick: the monitor hears of it as soon as it listens. */
static void boot_exited(void *data, uint32_t console, int status)
{
    struct launch *l = ((struct boot_wait *)data)->l;
    l->status = status;
    l->exit_untold = true;
    vmm_switch_off(l);
}

static void boot_copied(void *data, uint32_t transfer, const struct error *e)
{
}

static void boot_closed(void *data, const char *why)
{
    vmm_agent_gone(((struct boot_wait *)data)->l, why);
}

static void boot_ready(void *data, const struct agent_ready *ready)
{
    struct launch *l = ((struct boot_wait *)data)->l;
    l->phases[VMM_PHASE_READY] = loop_now_us();
    memcpy(l->guest_us, ready->phase_us, sizeof(l->guest_us));
    struct boot_wait *w = data;
    w->ready = true;
    if (l->plan->snapshot && vmm_resume_verify(l, ready, w->error) < 0)
        w->failed = true;
}

static void boot_quiet(void *data, const struct error *e)
{
    vmm_saving_quiet(((struct boot_wait *)data)->l, e);
}

static void boot_broken(void *data, const struct error *e)
{
    boot_failed(data, 0, e);
    struct boot_wait *w = data;
    w->error->code = EIO; /* whatever is wrong is not the command */
    error_wrap(w->error, "the guest");
}

/* It starts all the same. */
static void boot_no_template(struct launch *l, const struct error *why)
{
    strv_take(&l->shortfalls, str_format("no template for later starts: %s", why->text));
}

/* There is a template, and it is this machine's: by this very program. */
static bool boot_is_warm(const struct launch *l)
{
    struct vmm_saved saved;
    struct error ignored;
    const char *path = l->plan->machine.warmed;
    if (!path || !l->driver->resume || vmm_resume_open(l, path, &saved, &ignored) < 0)
        return false;
    fd_close(saved.memory);
    fd_close(saved.state);
    return true;
}

static const struct agent_host_events boot_events = {
    .started = boot_started,
    .failed = boot_failed,
    .exited = boot_exited,
    .copied = boot_copied,
    .closed = boot_closed,
    .ready = boot_ready,
    .quiet = boot_quiet,
    .broken = boot_broken,
};

/*
 * The guest's first word: only then is it asked, so that its clock is set to a time that is not
 * over. 1: it has spoken.
 */
static bool boot_spoken(const struct launch *l)
{
    struct pollfd p = {.fd = agent_host_fd(l->agent), .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* The last of what the monitor needs its freedom for; it gives that up while the guest boots. */
static void boot_settle(struct launch *l)
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
static int boot_greet(struct launch *l, struct error *e)
{
    if (l->agent)
        return 0;
    int r = vmm_greet(l, e);
    if (l->agent)
        boot_settle(l);
    return r;
}

/* Once it has spoken; what is to be kept for others comes first, as long as it knows nothing. */
static int boot_begin(struct launch *l, struct boot_wait *w, struct error *e)
{
    struct error why;
    if (!l->phases[VMM_PHASE_HELLO])
        l->phases[VMM_PHASE_HELLO] = loop_now_us();
    if (l->plan->machine.warmed && !l->resumed && !w->warming) {
        w->warming = true;
        if (vmm_saving_begin(l, FD_NONE, &why) == 0)
            return 0;
        boot_no_template(l, &why);
    }
    w->asked = true;
    int r = l->resumed ? vmm_resume_ask(l, e) : 0;
    return r < 0 || l->plan->snapshot ? r : boot_ask(l, e);
}

static bool boot_is_over(const struct boot_wait *w)
{
    return w->failed || (w->started && (w->ready || !w->l->plan->snapshot));
}

static int boot_wait(struct launch *l, struct boot_wait *w, struct error *e)
{
    if (l->resumed) { /* it waits for somebody to speak to */
        int r = boot_begin(l, w, e);
        if (r < 0)
            return r;
    }
    uint64_t limit = l->plan->time_limit_ms;
    limit = limit ? MIN(limit, (uint64_t)BOOT_MS) : BOOT_MS;
    uint64_t until = loop_now_ms() + limit;
    while (!boot_is_over(w)) {
        uint64_t now = loop_now_ms();
        struct pollfd p = {.fd = l->epoll, .events = POLLIN};
        if (now >= until)
            return error_set(e, ETIMEDOUT, "the guest has not answered within %u s",
                             (unsigned)(limit / 1000));
        if (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR)
            return error_errno(e, errno, "waiting for the guest");
        vmm_drain(l);
        vmm_reap(l);
        int r = boot_greet(l, e);
        if (r < 0)
            return r;
        bool saved = vmm_saving_turn(l);
        if (saved && l->saving.error.code)
            boot_no_template(l, &l->saving.error);
        if (!w->asked && l->agent && l->saving.step == SAVING_NONE && (saved || boot_spoken(l))) {
            r = boot_begin(l, w, e);
            if (r < 0)
                return r;
        }
        if (w->asked || w->warming)
            agent_host_dispatch(l->agent, &boot_events, w);
        if (!boot_is_over(w) && (l->reaped || l->agent_closed)) {
            vmm_explain_end(l);
            return error_set(e, EIO, "%s", l->why);
        }
    }
    return w->failed ? -w->error->code : 0;
}

int vmm_boot(struct launch *l, struct launch_streams *ret_streams, struct error *e)
{
    struct error mine = {0};
    struct launch_streams streams = {FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    struct boot_wait w = {.l = l, .streams = &streams, .error = &mine};
    l->status = -1;
    l->agent_closed = l->reaped = l->ended = l->frozen = l->exit_untold = false;
    l->why[0] = '\0';
    l->kernel_tail = l->errors_tail = (struct vmm_tail){{0}, 0, 0};
    memset(l->phases, 0, sizeof(l->phases));
    memset(&l->counts, 0xff, sizeof(l->counts));
    l->phases[VMM_PHASE_BEGIN] = loop_now_us();
    l->resumed = l->plan->snapshot || boot_is_warm(l);
    int r = boot_spawn(l, &mine);
    if (r < 0 && l->resumed && !l->plan->snapshot) { /* a template is a help, not a condition */
        struct error ignored;
        boot_end_copies(l);
        vmm_clean(l, &ignored);
        l->reaped = l->agent_closed = l->resumed = false;
        l->why[0] = '\0';
        r = boot_spawn(l, &mine);
    }
    if (r == 0) {
        if (l->agent)
            boot_settle(l);
        r = boot_wait(l, &w, &mine);
    } else {
        launch_own_failure(&mine);
    }
    boot_end_copies(l);
    if (r == 0) {
        *ret_streams = streams;
        return 0;
    }
    vmm_stop(l);
    struct error ignored;
    vmm_clean(l, &ignored);
    *e = mine;
    return -mine.code;
}
