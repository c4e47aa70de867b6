/* From a plan to a program that runs a guest. */
#include "backends/microvm/vmm_launch.h"

#include "backends/guest/guest_serial.h"
#include "backends/microvm/jailer_trust.h"
#include "backends/microvm/vmm_call.h"
#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BOOT_MEET_MS = 10000, BOOT_CALL_MS = 20000, BOOT_OVERLAY_MORE = 16 << 20 };

/* --- before the guest ---------------------------------------------------------------------------
 */

/* The folder it goes on from; NULL: it boots. */
static const char *boot_from(const struct launch *l)
{
    const struct plan *p = l->plan;
    return !l->resumed ? NULL : p->snapshot ? p->snapshot_path : p->machine.warmed;
}

struct boot_ends {
    int fds[VMM_FDS_MAX];                  /* owned; the program's */
    int agent, control, kernel, errors[2]; /* owned; ours (errors: a pipe) */
    int saves[VMM_SAVES], base;            /* owned; of a driver that meets */
    int listeners[VMM_SHARES_MAX];         /* owned; of one that does not: who serves is called */
};

/* To files that have a name for a moment. */
static bool boot_saves(const struct launch *l)
{
    return l->driver->meets && l->driver->dump && !l->driver->config;
}

/* Only what has a name can be mounted; they have one until that is done. */
static int boot_make_saves(const struct launch *l, struct boot_ends *b, struct error *e)
{
    for (size_t i = 0; boot_saves(l) && i < VMM_SAVES; i++) {
        autofree char *path = vmm_saving_path(l->plan, i);
        int r = l->env.journal ? l->env.journal(l->env.journal_data, "file", path, e) : 0;
        if (r < 0)
            return r;
        b->saves[i] = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        /* the program may be of an id that is neither ours nor our group's */
        if (b->saves[i] < 0 || fchmod(b->saves[i], 0666) < 0)
            return error_errno(e, errno, "%s", path);
    }
    return 0;
}

static void boot_unname_saves(const struct launch *l, const struct boot_ends *b)
{
    if (!l->driver->meets)
        return;
    for (size_t i = 0; i < VMM_SAVES; i++) {
        autofree char *path = vmm_saving_path(l->plan, i);
        if (b->saves[i] >= 0)
            unlink(path);
    }
    autofree char *scratch = vmm_scratch_path(l->plan);
    if (l->plan->machine.scratch)
        unlink(scratch);
}

static void boot_close(struct boot_ends *b)
{
    for (int i = 0; i < VMM_FDS_MAX; i++)
        if (i != 2 || b->fds[1] != b->fds[2])
            b->fds[i] = fd_close(b->fds[i]);
    b->agent = fd_close(b->agent);
    b->control = fd_close(b->control);
    b->kernel = fd_close(b->kernel);
    b->errors[0] = fd_close(b->errors[0]);
    for (size_t i = 0; i < VMM_SAVES; i++)
        b->saves[i] = fd_close(b->saves[i]);
    b->base = fd_close(b->base);
    for (size_t i = 0; i < VMM_SHARES_MAX; i++)
        b->listeners[i] = fd_close(b->listeners[i]);
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

/* Who finds all by name is given none of them, and what it is to find is looked at. */
static int boot_open_disks(const struct launch *l, struct boot_ends *b, struct error *e)
{
    for (size_t i = 0; i < plan_more_disks(l->plan); i++) {
        int fd = vmm_disk_open(l->plan, i, e);
        if (fd < 0)
            return fd;
        if (l->driver->meets)
            fd_close(fd);
        else
            b->fds[VMM_FDS + i] = fd;
    }
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

/* From a snapshot it has what was on it then; a template was made before anybody wrote to it. */
static int boot_open_scratch(struct launch *l, struct boot_ends *b, const struct vmm_saved *saved,
                             struct error *e)
{
    int *fd = &b->fds[VMM_FD_SCRATCH];
    if (vmm_writes(l->plan))
        return vmm_scratch_make(l, saved->scratch, fd, e);
    *fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? error_errno(e, errno, "/dev/null") : 0;
}

/* The same of one that opens it by a name, which it has until it is mounted. */
static int boot_make_scratch(struct launch *l, const struct vmm_saved *saved, struct error *e)
{
    int fd = FD_NONE;
    if (!l->plan->machine.scratch)
        return 0;
    autofree char *path = vmm_scratch_path(l->plan);
    int r = l->env.journal ? l->env.journal(l->env.journal_data, "file", path, e) : 0;
    if (r == 0)
        r = vmm_scratch_make(l, saved->scratch, &fd, e);
    if (r == 0)
        fd_close(fd);
    return r;
}

/* In a disk's own system there is nobody of ours. */
static int boot_open_agent(const struct launch *l, struct boot_ends *b, struct error *e)
{
    if (!plan_boots_disk(l->plan))
        return boot_pair(&b->agent, &b->fds[VMM_FD_AGENT], e);
    b->fds[VMM_FD_AGENT] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return b->fds[VMM_FD_AGENT] < 0 ? error_errno(e, errno, "/dev/null") : 0;
}

/* Before anything looks at a snapshot or makes one: what is opened then has to be the same. */
static int boot_over(struct launch *l, struct error *e)
{
    free(l->over);
    l->over = vmm_over(l->plan, FD_NONE);
    return l->over ? 0 : error_errno(e, errno, "%s", l->plan->machine.disks[0]);
}

/* Its connections are there before anybody listens. */
static int boot_open_shares(const struct launch *l, struct boot_ends *b, struct error *e)
{
    int pair[2], r = 0, *fds = b->fds + vmm_share_fd(l->plan);
    for (unsigned i = 0; r == 0 && i < vmm_served(l->plan); i++) {
        r = vmm_serving_pair(l->env.runtime_dir, pair, e);
        b->listeners[i] = r < 0 ? FD_NONE : pair[0];
        fds[i] = r < 0 ? FD_NONE : pair[1];
    }
    return r;
}

static int boot_open(struct launch *l, struct boot_ends *b, struct vmm_saved *saved,
                     struct error *e)
{
    *b = (struct boot_ends){
        .agent = FD_NONE,
        .control = FD_NONE,
        .kernel = FD_NONE,
        .errors = {FD_NONE, FD_NONE},
        .saves = {FD_NONE, FD_NONE},
        .base = FD_NONE
    };
    for (int i = 0; i < VMM_FDS_MAX; i++)
        b->fds[i] = FD_NONE;
    for (size_t i = 0; i < VMM_SHARES_MAX; i++)
        b->listeners[i] = FD_NONE;
    *saved = (struct vmm_saved){FD_NONE, FD_NONE, FD_NONE};
    b->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (b->fds[0] < 0)
        return error_errno(e, errno, "/dev/null");
    b->fds[VMM_FD_ROOT] = vmm_base_open(l->plan, e);
    if (b->fds[VMM_FD_ROOT] < 0)
        return -e->code;
    autofree char *over = vmm_over(l->plan, b->fds[VMM_FD_ROOT]);
    if (!str_equal(over, l->over))
        return error_set(e, ESTALE, VMM_OVER_CHANGED, l->plan->machine.disks[0]);
    int r = fd_pipe(b->errors, O_NONBLOCK);
    if (r < 0)
        return error_errno(e, -r, "a pipe");
    b->fds[1] = b->fds[2] = b->errors[1];
    if (l->driver->meets && boot_from(l)) /* it opens them itself */
        r = vmm_resume_open(l, boot_from(l), saved, e);
    if (l->driver->meets) {
        b->base = saved->memory;
        saved->memory = FD_NONE;
        saved->state = fd_close(saved->state);
        if (r == 0)
            r = boot_make_saves(l, b, e);
        if (r == 0)
            r = boot_make_scratch(l, saved, e);
        if (r == 0)
            r = boot_open_disks(l, b, e);
        return r < 0 ? r : boot_open_meeting(b, e);
    }
    r = boot_open_agent(l, b, e);
    if (r == 0)
        r = boot_pair(&b->control, &b->fds[VMM_FD_CONTROL], e);
    if (r == 0)
        r = boot_pair(&b->kernel, &b->fds[VMM_FD_KERNEL], e);
    if (r == 0 && boot_from(l))
        r = vmm_resume_open(l, boot_from(l), saved, e);
    if (r == 0)
        r = boot_open_scratch(l, b, saved, e);
    if (r == 0)
        r = boot_open_disks(l, b, e);
    return r < 0 ? r : boot_open_shares(l, b, e);
}

/*
 * What it goes on from is what is still called so: the program has opened the same. And in a file
 * of small blocks a hole is a page that was not written.
 */
static bool boot_tracks(const struct launch *l, const struct boot_ends *b)
{
    enum { PAGE = 4096 };
    struct stat had, has, save;
    if (!l->driver->dump_changes || !boot_from(l) || b->base < 0 || b->saves[0] < 0)
        return false;
    if (l->driver->tells_changes && !l->driver->tells_changes(l->plan))
        return false;
    autofree char *path = str_join_path(boot_from(l), VMM_SAVED_MEMORY);
    return fstat(b->base, &had) == 0 && stat(path, &has) == 0 && fstat(b->saves[0], &save) == 0 &&
           had.st_dev == has.st_dev && had.st_ino == has.st_ino && save.st_blksize <= PAGE;
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
    if (l->driver->meets || plan_boots_disk(l->plan))
        return 0;
    l->agent = agent_guest_new(TAKE_FD(b->agent));
    return l->agent ? 0 : error_errno(e, errno, "a channel to the guest");
}

/* From a snapshot that it opens itself; its guest is one to call, and calls nobody. */
static int boot_go_on(struct launch *l, struct error *e)
{
    l->meeting.agent = fd_close(l->meeting.agent);
    int r = l->driver->resume(l->control, l->plan, FD_NONE, e);
    if (r < 0)
        return r;
    l->phases[VMM_PHASE_POWER] = loop_now_us();
    int guest = vmm_call(l->meeting.folder, l->pidfd, BOOT_CALL_MS, e);
    if (guest < 0)
        return guest;
    l->agent = agent_guest_new(guest);
    return l->agent ? 0 : error_errno(e, errno, "a channel to the guest");
}

static int boot_start(struct launch *l, struct boot_ends *b, struct error *e)
{
    int r = boot_take(l, b, e);
    if (r == 0 && boot_saves(l))
        r = vmm_hands_lend(&l->hands, b->saves, VMM_SAVES, e);
    else if (r == 0 && l->meeting.saves >= 0)
        r = vmm_hands_lend(&l->hands, &l->meeting.saves, 1, e);
    l->meeting.saves = fd_close(l->meeting.saves);
    l->tracks = l->based = r == 0 && boot_tracks(l, b);
    if (l->based)
        r = vmm_hands_base(&l->hands, b->base, e);
    if (r == 0 && l->driver->meets && l->resumed)
        return boot_go_on(l, e);
    if (r < 0 || !l->driver->power_on)
        return r;
    r = l->driver->power_on(l->control, l->plan, e);
    l->phases[VMM_PHASE_POWER] = loop_now_us();
    return r;
}

/* Where it has ended, that is why nobody answers: the reason comes with it. */
static int boot_power_on(struct launch *l, struct boot_ends *b, struct error *e)
{
    int r = boot_start(l, b, e);
    if (r == 0)
        return 0;
    vmm_serving_look(l); /* who has ended may have broken a call off */
    if (l->why[0]) {
        error_set(e, EIO, "%s", l->why);
    } else if (e->code == EPIPE) {
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
    if (jailer_trusted(p->machine.jailer, e) < 0) /* it is not the plan's word that counts */
        return error_wrap(e, "the jailer");
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

/* It depends on where this start begins. */
static void boot_jail(struct launch *l)
{
    plan_free(l->jail);
    l->jail = l->driver->jail ? l->driver->jail(l->plan) : vmm_jail(l->plan);
    if (boot_saves(l))
        vmm_jail_saving(l->jail, l->plan);
    else if (l->driver->config)
        vmm_jail_saving_folder(l->jail, l->plan);
    if (l->driver->config && boot_from(l)) {
        autofree char *config = l->driver->config(l->plan);
        vmm_jail_loading_folder(l->jail, boot_from(l), config);
    } else if (l->driver->meets && boot_from(l)) {
        vmm_jail_loading(l->jail, boot_from(l));
    }
}

/* A scratch disk does not grow; what is written of the machine's state has a bound of its own. */
static uint64_t boot_file_max(const struct launch *l)
{
    if (l->driver->meets)
        return vmm_file_max(l->plan);
    if (plan_boots_disk(l->plan)) /* all of it, and what says where it lies */
        return MAX(l->plan->machine.disk_size + l->plan->machine.disk_size / 1024 +
                       BOOT_OVERLAY_MORE,
                   (uint64_t)VMM_SAVE_STATE_MAX);
    if (!l->plan->machine.scratch)
        return 0;
    /* what is shared of a guest's memory is a file of that size */
    return MAX(MAX(l->plan->limits.disk, l->plan->machine.memory), (uint64_t)VMM_SAVE_STATE_MAX);
}

static int boot_spawn(struct launch *l, struct error *e)
{
    boot_jail(l);
    struct cgroup_wish wish = {
        .plan = l->jail, .journal = l->env.journal, .journal_data = l->env.journal_data};
    struct boot_ends ends;
    struct vmm_saved saved;
    int r = root_ids_take(l->jail, &l->env, &l->ids, e);
    if (r == 0)
        r = cgroup_make(&wish, &l->cgroup, e);
    if (r == 0)
        r = guest_copies_begin(l->plan, &l->copies, e);
    if (r == 0 && l->driver->dump)
        r = vmm_hands_start(l->plan, l->over, &l->hands, e);
    if (r < 0)
        return r;
    r = boot_open(l, &ends, &saved, e);
    l->phases[VMM_PHASE_JAIL] = loop_now_us();
    const unsigned served = vmm_served(l->plan);
    autostrv char **argv = l->resumed ? l->driver->argv_resumed(l->plan) : l->driver->argv(l->plan);
    struct vmm_wish w = {.jail = l->jail,
                         .env = &l->env,
                         .ids = &l->ids,
                         .cgroup = l->cgroup,
                         .program = l->plan->machine.program,
                         .argv = argv,
                         .fds = ends.fds,
                         .fds_count =
                             l->driver->meets ? VMM_FDS : vmm_share_fd(l->plan) + (int)served,
                         .meets = l->driver->meets,
                         .shares = served,
                         .saves = l->driver->config != NULL,
                         .net = &l->net,
                         /* translated code fills few of them; they made no start faster */
                         .small_pages = l->plan->machine.accel == PLAN_ACCEL_TCG,
                         .file_max = boot_file_max(l),
                         .memory = saved.memory};
    autofree char *base = NULL;
    struct vmm_jailer_wish jailer;
    if (r == 0 && l->plan->machine.jailer) {
        r = boot_jailer(l, &argv, &base, &jailer, e);
        w.jailer = &jailer;
    }
    if (r == 0)
        r = vmm_start(&w, l->driver->meets ? &l->meeting : NULL, &l->pid, &l->pidfd, e);
    boot_unname_saves(l, &ends);
    if (r == 0)
        r = vmm_serving_start(l->plan, &w, l->driver->meets ? l->meeting.shares : ends.listeners,
                              &l->serving, e);
    for (size_t i = 0; i < VMM_SHARES_MAX; i++) /* nobody else is to wait there */
        l->meeting.shares[i] = fd_close(l->meeting.shares[i]);
    if (r == 0) {
        l->phases[VMM_PHASE_EXEC] = loop_now_us();
        r = boot_power_on(l, &ends, e);
    }
    boot_close(&ends);
    if (r == 0)
        r = vmm_watch_open(l, e);
    if (r == 0 && l->resumed && !l->driver->meets)
        r = l->driver->resume(l->control, l->plan, saved.state, e);
    vmm_saved_close(&saved);
    return r;
}

/* A machine that boots its own disk is started when it is on; its serial line is its console. */
static void boot_is_on(struct launch *l, struct launch_streams *ret)
{
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->kernel, NULL);
    guest_serial_streams(TAKE_FD(l->kernel), l->plan->terminal, ret);
    vmm_settle(l);
    if (l->resumed)
        strv_add(&l->shortfalls, PLAN_SAME_BUT_STIRRED);
    l->phases[VMM_PHASE_STARTED] = loop_now_us();
}

int vmm_boot(struct launch *l, struct launch_streams *ret_streams, struct error *e)
{
    struct error mine = {0};
    l->status = -1;
    l->agent_closed = l->reaped = l->ended = l->frozen = l->killed = false;
    l->ballooned = 0;
    l->why[0] = '\0';
    l->kernel_tail = l->errors_tail = (struct guest_tail){{0}, 0, 0};
    memset(l->phases, 0, sizeof(l->phases));
    memset(&l->counts, 0xff, sizeof(l->counts));
    l->phases[VMM_PHASE_BEGIN] = loop_now_us();
    int r = boot_over(l, &mine);
    l->resumed = r == 0 && (l->plan->snapshot || vmm_is_warm(l));
    if (r == 0)
        r = boot_spawn(l, &mine);
    if (r < 0 && l->resumed && !l->plan->snapshot) { /* a template is a help, not a condition */
        struct error ignored;
        guest_copies_end(&l->copies);
        vmm_clean(l, &ignored);
        l->reaped = l->agent_closed = l->resumed = false;
        l->why[0] = '\0';
        r = boot_spawn(l, &mine);
    }
    if (r < 0)
        launch_own_failure(&mine);
    if (r == 0 && plan_boots_disk(l->plan)) {
        boot_is_on(l, ret_streams);
        return 0;
    }
    if (r == 0)
        r = vmm_setup_begin(l, &mine);
    if (r == 0)
        return LAUNCH_UNDER_WAY;
    struct error ignored;
    vmm_clean(l, &ignored);
    *e = mine;
    return -mine.code;
}
