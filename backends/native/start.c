#include "backends/native/start.h"

#include "backends/native/ahead.h"
#include "backends/root/setup.h"
#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The cgroup one is made inside, when the child is in its group, the time one to be set first. */
static const struct {
    uint32_t plan;
    uint64_t flag;
} start_namespaces[] = {
    {PLAN_NS_USER,  CLONE_NEWUSER},
    {PLAN_NS_MOUNT, CLONE_NEWNS  },
    {PLAN_NS_PID,   CLONE_NEWPID },
    {PLAN_NS_NET,   CLONE_NEWNET },
    {PLAN_NS_UTS,   CLONE_NEWUTS },
    {PLAN_NS_IPC,   CLONE_NEWIPC },
};

/* Both ends of what the two halves talk through. */
struct start_channels {
    int control[2], copies[2]; /* owned; ours first, the child's second */
    pid_t sender;              /* of the copies; 0: none */
    bool early;                /* the child is one that was made ahead: */
    bool mother;               /* it is only the mother of PID 1, as yet */
    bool borne;                /* who knows all that she needs to know */
};

static void start_close(struct start_channels *c)
{
    for (int i = 0; i < 2; i++) {
        c->control[i] = fd_close(c->control[i]);
        c->copies[i] = fd_close(c->copies[i]);
    }
}

bool native_has_copies(const struct plan *p)
{
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_COPY)
            return true;
    return false;
}

/* Whether the child has to wait for us before it goes on. */
static bool start_has_work(const struct launch *l)
{
    return l->plan->map_by != PLAN_MAP_SELF || l->plan->network == PLAN_NETWORK_PRIVATE;
}

/* While it stands still and may still be looked at. */
static int start_outside_work(struct launch *l, struct error *e)
{
    int r = net_translator_start(&l->net, l->plan, l->pid, e);
    if (r < 0 || l->plan->map_by == PLAN_MAP_SELF)
        return r;
    return root_ids_write(&l->ids, l->plan->map_by, l->pid, e);
}

/* By itself and first of all: moving it from outside would wait for every processor. */
int native_join(const int *joins, size_t count, struct error *e)
{
    for (size_t i = count; i > 0; i--)
        if (write(joins[i - 1], "0", 1) != 1)
            return error_errno(e, errno, "joining the control group");
    return 0;
}

void native_setup_room(struct setup *s)
{
    const struct plan *p = s->plan;
    s->sources = mem_zero(p->mounts_count + 1, sizeof(int));
    s->cover = mem_zero(p->mounts_count + 1, sizeof(int));
    s->skip = mem_zero(p->mounts_count + 1, sizeof(bool));
    s->sysctls = mem_zero(p->sysctls_count + 1, sizeof(int));
    for (size_t i = 0; i < p->mounts_count; i++)
        s->sources[i] = FD_NONE;
    for (size_t i = 0; i < p->sysctls_count; i++)
        s->sysctls[i] = FD_NONE;
    s->scratch = s->root = s->proc = s->executable = FD_NONE;
}

static void __attribute__((noreturn))
start_child(struct launch *l, struct start_channels *c, int agent_inside)
{
    struct setup s = {
        .plan = l->plan,
        .ids = &l->ids,
        .filter = &l->filter,
        .wait = start_has_work(l),
        .control = c->control[1],
        .agent = agent_inside,
        .copies = c->copies[1],
        .init = l->env.init,
        .lent = l->lent.fds,
        .lowers = l->lowers.fds,
        .lowers_count = l->lowers.count,
        .lowers_hang = l->lowers.count > 0,
        .snapshot = l->snapshot,
    };
    native_setup_room(&s);
    fd_close(c->control[0]); /* else our own copy would hide that the parent has gone */
    fd_close(c->copies[0]);
    int joins[CGROUP_JOINS_MAX];
    if (native_join(joins, cgroup_joins(l->cgroup, joins, CGROUP_JOINS_MAX), &s.error) < 0) {
        setup_tell(&s, SETUP_FAILED, FD_NONE);
        _exit(125);
    }
    native_setup_run(&s);
}

uint64_t native_clone_flags(uint32_t namespaces)
{
    uint64_t flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(start_namespaces); i++)
        if (namespaces & start_namespaces[i].plan)
            flags |= start_namespaces[i].flag;
    return flags;
}

bool native_same_shape(uint32_t a, uint32_t b)
{
    return native_clone_flags(a) == native_clone_flags(b);
}

pid_t native_clone(uint32_t namespaces, int group, bool sibling, int *ret_pidfd)
{
    int pidfd = FD_NONE;
    struct clone_args args = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | native_clone_flags(namespaces),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = sibling ? 0 : SIGCHLD,
    };
    if (sibling)
        args.flags |= CLONE_PARENT;
    if (group >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)group;
    }
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid > 0)
        *ret_pidfd = pidfd;
    return (pid_t)pid;
}

static int start_clone(struct launch *l, struct start_channels *c, int agent_inside,
                       struct error *e)
{
    pid_t pid = native_clone(l->plan->namespaces, cgroup_clone_fd(l->cgroup), false, &l->pidfd);
    if (pid < 0)
        return error_errno(e, errno, "making namespaces");
    if (pid == 0)
        start_child(l, c, agent_inside);
    l->pid = pid;
    c->control[1] = fd_close(c->control[1]);
    return 0;
}

/* The one that was made ahead is this launch's now. Returns what to talk to it through. */
static int start_take(struct launch *l)
{
    struct launch_ahead *a = l->env.ahead;
    int control = a->control;
    l->pid = a->pid;
    l->pidfd = a->pidfd;
    *a = (struct launch_ahead){0};
    return control;
}

/* The one that is there already, or a new one. */
static int start_child_of(struct launch *l, struct start_channels *c, int agent_inside,
                          struct error *e)
{
    int r = native_has_copies(l->plan) ? fd_socketpair(c->copies) : 0;
    if (r < 0)
        return error_errno(e, -r, "a channel for copies");
    if (l->control >= 0) {
        c->early = c->mother = c->borne = true;
        c->control[0] = TAKE_FD(l->control);
        return l->early < 0 ? error_take(e, &l->early_error) : 0;
    }
    struct launch_ahead *a = l->env.ahead;
    if (native_ahead_fits(l, l->cgroup)) {
        c->early = true;
        c->mother = !(a->shape & PLAN_NS_PID);
        c->control[0] = start_take(l);
        return 0;
    }
    if (a)
        launch_ahead_end(a);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->control) < 0)
        return error_errno(e, errno, "a channel to set-up");
    return start_clone(l, c, agent_inside, e);
}

/* A process that may read what the person may, and that only writes to a socket. */
static int start_sender(struct launch *l, struct start_channels *c, struct error *e)
{
    if (c->copies[0] < 0)
        return 0;
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(e, errno, "starting the copies");
    if (pid == 0) {
        c->control[0] = fd_close(c->control[0]);
        c->copies[1] = fd_close(c->copies[1]);
        root_send_copies(l->plan, c->copies[0]);
        _exit(0);
    }
    c->sender = pid;
    c->copies[0] = fd_close(c->copies[0]);
    return 0;
}

static void start_end_sender(struct start_channels *c)
{
    if (c->sender <= 0)
        return;
    kill(c->sender, SIGKILL); /* it has sent everything, or nobody reads any more */
    while (waitpid(c->sender, NULL, 0) < 0 && errno == EINTR)
        ;
    c->sender = 0;
}

/* What a child of root's must never be: root. Seen from outside, by what it made. */
static int start_verify_owner(const struct launch *l, struct error *e)
{
    struct stat st;
    if (fstatat(l->scratch, "root", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, errno, "the scratch layer");
    if (st.st_uid == 0 || st.st_gid == 0)
        return error_set(e, EPERM, "root inside would be root outside: refused");
    return 0;
}

/* Her id maps can be written once she has left our namespaces. */
static int start_await_mother(int control, struct error *e)
{
    struct setup_message m = {0};
    size_t none = 0;
    ssize_t n = fd_receive(control, &m, sizeof(m), NULL, &none);
    if (n != (ssize_t)sizeof(m) || (m.word != SETUP_LEFT && m.word != SETUP_FAILED))
        return error_set(e, EPROTO, "set-up ended without a word (killed?)");
    if (m.word == SETUP_LEFT)
        return 0;
    return error_take(e, &m.error);
}

static int start_do_work(struct launch *l, struct start_channels *c, int agent_inside,
                         struct error *e)
{
    int r = c->mother && !c->borne ? start_await_mother(c->control[0], e) : 0;
    if (r == 0 && !c->borne)
        r = start_outside_work(l, e);
    if (r == 0)
        r = net_translator_wait(&l->net, e);
    if (r == 0 && c->early)
        r = native_ahead_go(l, c->control[0], agent_inside, c->copies[1], c->borne, e);
    c->copies[1] = fd_close(c->copies[1]);
    if (r < 0 || c->early || !start_has_work(l))
        return r;
    char go = SETUP_GO;
    r = fd_write_full(c->control[0], &go, 1);
    return r < 0 && r != -EPIPE ? error_errno(e, -r, "a channel to set-up") : 0;
}

static void start_note_shortfalls(struct launch *l)
{
    strv_free(l->shortfalls);
    l->shortfalls = strv_copy(cgroup_shortfalls(l->cgroup));
    if (cgroup_mode(l->cgroup) == PLAN_CGROUP_NONE)
        strv_add(&l->shortfalls, "paused by signals: no cgroup freezer here");
    if ((l->plan->open & PLAN_OPEN_USERNS) && l->plan->landlock == PLAN_LANDLOCK_AUTO)
        strv_add(&l->shortfalls, "no Landlock: it would forbid the mounts of containers within");
    if (l->plan->kept_groups)
        strv_take(&l->shortfalls, str_format("a single id cannot leave your other groups (%s): "
                                             "isolation.user = ranges can",
                                             l->plan->kept_groups));
}

/* The last of what the monitor needs its freedom for; it gives that up while the child works. */
static void start_settle(struct launch *l)
{
    cgroup_keep(l->cgroup, l->pid);
    start_note_shortfalls(l);
    if (l->env.settled)
        l->env.settled(l->env.settled_data);
}

/* A mother has said her last word. */
static void start_reap(struct launch *l)
{
    while (waitpid(l->pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    l->pidfd = fd_close(l->pidfd);
}

/* PID 1 has come; its mother goes. */
static void start_born(struct launch *l, struct start_channels *c, pid_t pid, int pidfd)
{
    start_reap(l);
    l->pid = pid;
    l->pidfd = pidfd;
    c->mother = false;
    if (l->scratch >= 0) /* it was faster than the word of its birth */
        start_settle(l);
}

/* Listens until the child has become cofferdam-init, which closes its end, or has given up. */
static int start_listen(struct launch *l, struct start_channels *c, struct error *e)
{
    bool about_to = false;
    for (;;) {
        struct setup_message m;
        int fds[2];
        size_t count = 2;
        ssize_t n = fd_receive(c->control[0], &m, sizeof(m), fds, &count);
        autoclose int got = n > 0 && count > 0 ? fds[0] : FD_NONE;
        autoclose int mounts = n > 0 && count > 1 ? fds[1] : FD_NONE;
        if (n == -ECONNRESET) /* our word was not read; theirs is still to come */
            continue;
        if (n == 0) {
            if (about_to && !c->mother)
                return start_verify_owner(l, e);
            return error_set(e, EPROTO, "set-up ended without a word (killed?)");
        }
        if (n != (ssize_t)sizeof(m))
            return error_set(e, n < 0 ? (int)-n : EPROTO, "set-up cannot be understood");
        switch (m.word) {
        case SETUP_SCRATCH:
            if (l->scratch < 0) {
                l->scratch = TAKE_FD(got);
                l->mounts = TAKE_FD(mounts);
                if (!c->mother)
                    start_settle(l);
            }
            break;
        case SETUP_LEFT:
            return error_set(e, EPROTO, "set-up cannot be understood");
        case SETUP_BORN:
            if (!c->mother || got < 0)
                return error_set(e, EPROTO, "set-up cannot be understood");
            start_born(l, c, m.pid, TAKE_FD(got));
            break;
        case SETUP_ABOUT_TO_EXEC:
            about_to = true;
            break;
        case SETUP_FAILED:
            return error_take(e, &m.error);
        }
    }
}

void native_start_early(void *launch, const struct cgroup *c)
{
    struct launch *l = launch;
    /* a folder for the changes is emptied first */
    if (l->plan->scratch || !native_ahead_fits(l, c) || l->env.ahead->shape & PLAN_NS_PID)
        return;
    l->control = start_take(l);
    l->early = start_await_mother(l->control, &l->early_error);
    if (l->early == 0)
        l->early = start_outside_work(l, &l->early_error);
    if (l->early == 0)
        l->early = native_ahead_bear(l, l->control, c, &l->early_error);
}

/* Whoever waits for more of us ends, so it is not for long that we hear who was born. */
void native_start_undone(void *launch)
{
    struct launch *l = launch;
    if (l->control < 0)
        return;
    shutdown(l->control, SHUT_WR);
    for (bool more = l->early == 0; more;) {
        struct setup_message m;
        size_t count = 1;
        int fd = FD_NONE;
        ssize_t n = fd_receive(l->control, &m, sizeof(m), &fd, &count);
        autoclose int pidfd = n > 0 && count ? fd : FD_NONE;
        more = n == -ECONNRESET || (n == (ssize_t)sizeof(m) && m.word != SETUP_BORN);
        if (n == (ssize_t)sizeof(m) && m.word == SETUP_BORN && pidfd >= 0) {
            start_reap(l);
            l->pid = m.pid;
            l->pidfd = TAKE_FD(pidfd);
        }
    }
    l->control = fd_close(l->control);
    native_end(l, NULL);
    l->pidfd = fd_close(l->pidfd);
}

static uint32_t start_outside(const struct plan_id_map *map, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (map[i].inside == 0)
            return map[i].outside;
    return map[0].outside;
}

/*
 * The folder for the changes, empty and the workload's: what an earlier run of the same plan left
 * in it goes, as it does where the layer is a tmpfs.
 */
static int start_make_scratch(struct launch *l, struct error *e)
{
    static const char name[] = "scratch";
    const char *path = l->plan->scratch;
    if (!path)
        return 0;
    const char *slash = strrchr(path, '/');
    if (l->env.state_dir < 0 || !slash || !str_equal(slash + 1, name))
        return error_set(e, EINVAL, "%s is no folder for changes", path);
    int r = file_remove_tree(l->env.state_dir, name);
    if (r == 0 && mkdirat(l->env.state_dir, name, 0700) < 0)
        r = -errno;
    if (r == 0 && geteuid() == 0 &&
        fchownat(l->env.state_dir, name, start_outside(l->ids.uid_map, l->ids.uid_map_count),
                 start_outside(l->ids.gid_map, l->ids.gid_map_count), AT_SYMLINK_NOFOLLOW) < 0)
        r = -errno;
    return r < 0 ? error_errno(e, -r, "%s", path) : 0;
}

int native_start_container(struct launch *l, int agent_inside, struct error *e)
{
    struct start_channels c = {
        .control = {FD_NONE, FD_NONE},
        .copies = {FD_NONE, FD_NONE},
    };
    int r = start_make_scratch(l, e);
    if (r == 0)
        r = start_child_of(l, &c, agent_inside, e);
    if (r == 0)
        r = start_sender(l, &c, e);
    if (r == 0)
        r = start_do_work(l, &c, agent_inside, e);
    if (r == 0)
        r = start_listen(l, &c, e);
    if (r < 0 && c.mother && c.borne) { /* there may be a PID 1 that we have not heard of yet */
        l->control = TAKE_FD(c.control[0]);
        native_start_undone(l);
    }
    start_close(&c);
    if (r < 0 && l->pid > 0)
        native_end(l, NULL);
    start_end_sender(&c);
    return r;
}

void native_thaw(struct launch *l)
{
    struct error ignored;
    if (l->frozen && l->cgroup)
        cgroup_freeze(l->cgroup, false, &ignored);
    l->frozen = false;
}

void native_end(struct launch *l, int *ret_status)
{
    if (l->pid <= 0)
        return;
    syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
    native_thaw(l);
    int status = 0;
    struct rusage usage;
    pid_t got;
    do
        got = wait4(l->pid, &status, __WALL, &usage);
    while (got < 0 && errno == EINTR);
    if (got == l->pid && l->cgroup)
        cgroup_note_usage(l->cgroup, &usage);
    l->pid = 0;
    if (ret_status)
        *ret_status = status;
}
