#include "backends/root/start.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool start_has_copies(const struct plan *p)
{
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_COPY)
            return true;
    return false;
}

/* Whether the child has to wait for us before it goes on. */
static bool start_has_work(const struct root_start *r)
{
    return r->plan->map_by != PLAN_MAP_SELF || r->before;
}

/* By itself and first of all: moving it from outside would wait for every processor. */
static int start_join(const struct root_start *r, struct error *e)
{
    int joins[CGROUP_JOINS_MAX];
    for (size_t i = cgroup_joins(r->cgroup, joins, CGROUP_JOINS_MAX); i > 0; i--)
        if (write(joins[i - 1], "0", 1) != 1)
            return error_errno(e, errno, "joining the control group");
    return 0;
}

static void __attribute__((noreturn)) start_child(struct root_start *r, int control, int copies)
{
    const struct plan *p = r->plan;
    struct setup s = {
        .plan = p,
        .ids = r->ids,
        .wait = start_has_work(r),
        .control = control,
        .agent = FD_NONE,
        .copies = copies,
        .init = r->env->init,
        .lent = r->lent->fds,
        .snapshot = r->snapshot,
        .lowers = r->lowers->fds,
        .lowers_count = r->lowers->count,
        .lowers_hang = r->lowers->count > 0,
        .sources = mem_zero(p->mounts_count + 1, sizeof(int)),
        .cover = mem_zero(p->mounts_count + 1, sizeof(int)),
        .skip = mem_zero(p->mounts_count + 1, sizeof(bool)),
        .sysctls = mem_zero(p->sysctls_count + 1, sizeof(int)),
        .scratch = FD_NONE,
        .root = FD_NONE,
        .proc = FD_NONE,
        .executable = FD_NONE,
    };
    for (size_t i = 0; i < p->mounts_count; i++)
        s.sources[i] = FD_NONE;
    for (size_t i = 0; i < p->sysctls_count; i++)
        s.sysctls[i] = FD_NONE;
    if (start_join(r, &s.error) < 0) {
        setup_tell(&s, SETUP_FAILED, FD_NONE);
        _exit(125);
    }
    r->child(&s, r->data);
}

static int start_clone(struct root_start *r, const int control[2], const int copies[2],
                       struct error *e)
{
    int pidfd = FD_NONE;
    struct clone_args args = {
        .flags = r->namespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    int group = cgroup_clone_fd(r->cgroup);
    if (group >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)group;
    }
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0)
        return error_errno(e, errno, "making namespaces");
    if (pid == 0) {
        fd_close(control[0]); /* else our own copy would hide that the parent has gone */
        fd_close(copies[0]);
        start_child(r, control[1], copies[1]);
    }
    r->pid = (pid_t)pid;
    r->pidfd = pidfd;
    return 0;
}

/* A process that may read what the person may, and that only writes to a socket. */
static int start_sender(struct root_start *r, int socket, int control, struct error *e)
{
    if (socket < 0)
        return 0;
    pid_t pid = fork();
    if (pid < 0)
        return error_errno(e, errno, "starting the copies");
    if (pid == 0) {
        fd_close(control);
        root_send_copies(r->plan, socket);
        _exit(0);
    }
    r->sender = pid;
    return 0;
}

static int start_do_work(struct root_start *r, struct error *e)
{
    if (!start_has_work(r))
        return 0;
    int n = r->before ? r->before(r->before_data, r->pid, e) : 0;
    if (n == 0 && r->plan->map_by != PLAN_MAP_SELF)
        n = root_ids_write(r->ids, r->plan->map_by, r->pid, e);
    if (n < 0)
        return n;
    char go = SETUP_GO;
    n = fd_write_full(r->control, &go, 1);
    return n < 0 && n != -EPIPE ? error_errno(e, -n, "a channel to set-up") : 0;
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
static int start_make_scratch(const struct root_start *r, struct error *e)
{
    static const char name[] = "scratch";
    const char *path = r->plan->scratch;
    if (!path)
        return 0;
    const char *slash = strrchr(path, '/');
    int dir = r->env->state_dir;
    if (dir < 0 || !slash || !str_equal(slash + 1, name))
        return error_set(e, EINVAL, "%s is no folder for changes", path);
    int n = file_remove_tree(dir, name);
    if (n == 0 && mkdirat(dir, name, 0700) < 0)
        n = -errno;
    if (n == 0 && geteuid() == 0 &&
        fchownat(dir, name, start_outside(r->ids->uid_map, r->ids->uid_map_count),
                 start_outside(r->ids->gid_map, r->ids->gid_map_count), AT_SYMLINK_NOFOLLOW) < 0)
        n = -errno;
    return n < 0 ? error_errno(e, -n, "%s", path) : 0;
}

int root_start_clone(struct root_start *r, struct error *e)
{
    int control[2] = {FD_NONE, FD_NONE}, copies[2] = {FD_NONE, FD_NONE};
    r->pid = r->sender = 0;
    r->pidfd = r->control = FD_NONE;
    int n = start_make_scratch(r, e);
    if (n < 0)
        return n;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return error_errno(e, errno, "a channel to set-up");
    n = start_has_copies(r->plan) ? fd_socketpair(copies) : 0;
    if (n < 0)
        error_errno(e, -n, "a channel for copies");
    else
        n = start_clone(r, control, copies, e);
    fd_close(control[1]);
    fd_close(copies[1]);
    r->control = control[0];
    if (n == 0)
        n = start_sender(r, copies[0], r->control, e);
    fd_close(copies[0]);
    return n < 0 ? n : start_do_work(r, e);
}

void root_start_done(struct root_start *r)
{
    if (r->sender <= 0)
        return;
    kill(r->sender, SIGKILL); /* it has sent everything, or nobody reads any more */
    while (waitpid(r->sender, NULL, 0) < 0 && errno == EINTR)
        ;
    r->sender = 0;
}

int root_start_verify_owner(int scratch, struct error *e)
{
    struct stat st;
    if (fstatat(scratch, "root", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, errno, "the scratch layer");
    if (st.st_uid == 0 || st.st_gid == 0)
        return error_set(e, EPERM, "root inside would be root outside: refused");
    return 0;
}
