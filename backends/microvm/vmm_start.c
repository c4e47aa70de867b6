#include "backends/microvm/vmm_start.h"

#include "backends/microvm/vmm_call.h"
#include "backends/microvm/vmm_confine.h"
#include "backends/microvm/vmm_memory.h"
#include "backends/root/start.h"
#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_FD_LOW = 32,
    START_MEMORY_MS = 10000,
    START_MEETING = 4 + VMM_SHARES_MAX, /* at most */
    START_SERVER_FILES = 1 << 15, /* what its share of the control group has room for (vmm.c) */
    START_FILES = 256,
    START_MEETING_FILES = 1024, /* each device takes a dozen there */
    START_TRY_US = 200,
    START_TRY_MOST_US = 5000
};

/* What the stages of a container's set-up do not know of; they are handed the first member. */
struct start_child {
    struct setup setup;
    const struct vmm_wish *wish;
};

static const struct vmm_wish *start_wish(const struct setup *s)
{
    return ((const struct start_child *)s)->wish;
}

/* --- the child ----------------------------------------------------------------------------------
 */

/* From here on it is nobody that matters: what it may write is what it has open. */
static int start_become(struct setup *s)
{
    const uint32_t uid = s->plan->uid, gid = s->plan->gid;
    bool serves = start_wish(s)->serves;
    int r = vmm_confine_bounds(serves, &s->error);
    if (r < 0)
        return r;
    if (serves && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) /* until vmm_confine_serving() */
        return setup_fail(s, "switching to an id of its own");
    if (s->ids->many &&
        (syscall(SYS_setresgid, gid, gid, gid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0))
        return setup_fail(s, "switching to an id of its own");
    /* the death of who switches ids is no longer tied to its parent's */
    if (setup_follow_parent(s) < 0)
        return -s->error.code;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return setup_fail(s, "closing its memory");
    return 0;
}

/*
 * The program of a guest that goes wild must not dump the guest's memory, nor take descriptors. But
 * who serves has one open for each file its guest knows.
 */
static int start_limits(struct setup *s)
{
    const struct rlimit core = {1, 1};
    const rlim_t few = start_wish(s)->meets ? START_MEETING_FILES : START_FILES;
    struct rlimit files = {few, few};
    if (start_wish(s)->serves && getrlimit(RLIMIT_NOFILE, &files) == 0)
        files.rlim_cur = files.rlim_max = MIN(files.rlim_max, (rlim_t)START_SERVER_FILES);
    const uint64_t most = start_wish(s)->file_max;
    const struct rlimit file = {most, most};
    if (setrlimit(RLIMIT_CORE, &core) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
        (most && setrlimit(RLIMIT_FSIZE, &file) < 0) ||
        (start_wish(s)->small_pages && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0 &&
         errno != EINVAL)) /* a kernel that has none */
        return setup_fail(s, "limits");
    return 0;
}

static int start_descriptors(struct setup *s)
{
    const struct vmm_wish *w = start_wish(s);
    int high[VMM_FDS_MAX];
    s->control = fcntl(s->control, F_DUPFD_CLOEXEC, START_FD_LOW);
    if (s->control < 0)
        return setup_fail(s, "descriptors");
    for (int i = 0; i < w->fds_count; i++)
        if ((high[i] = fcntl(w->fds[i], F_DUPFD_CLOEXEC, START_FD_LOW)) < 0)
            return setup_fail(s, "descriptors");
    for (int i = 0; i < w->fds_count; i++)
        if (dup2(high[i], i) < 0)
            return setup_fail(s, "descriptors");
    if (syscall(SYS_close_range, w->fds_count, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        return setup_fail(s, "closing descriptors");
    return 0;
}

static int start_confine(struct setup *s)
{
    const struct vmm_wish *w = start_wish(s);
    if (w->serves)
        return vmm_confine_serving(&s->error);
    const struct vmm_freedom f = {.meets = w->meets,
                                  .leads_out = w->jail->network == PLAN_NETWORK_PRIVATE,
                                  .served = w->shares > 0};
    return vmm_confine(&f, &s->error);
}

static int start_listener(const char *name, bool waits)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, waits ? 0 : 1) < 0)
        return -1;
    return TAKE_FD(fd);
}

/*
 * What only the program's own id may make here, and what has to be there before it is. The folder
 * is seen by it and us alone: so what it makes itself may be opened by whatever id we have.
 */
static int start_meet_here(struct setup *s)
{
    static const char metrics[] = VMM_MEET_METRICS,
                      agent[] = VMM_MEET_VSOCK "_" VMM_AGENT_PORT_TEXT;
    const struct vmm_wish *w = start_wish(s);
    umask(0);
    int fds[START_MEETING];
    size_t count = 0;
    fds[count++] = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fds[count++] = start_listener(agent + sizeof(VMM_MEET), false);
    if (fds[0] < 0 || fds[1] < 0 || mkfifo(metrics + sizeof(VMM_MEET), 0666) < 0)
        return setup_fail(s, "a place to meet the program");
    fds[count++] = open(metrics + sizeof(VMM_MEET), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fds[2] < 0)
        return setup_fail(s, "a place to meet the program");
    for (unsigned i = 0; i < w->shares; i++) {
        char name[32];
        snprintf(name, sizeof(name), VMM_SHARE_TAG "%u", i);
        if ((fds[count++] = start_listener(name, true)) < 0)
            return setup_fail(s, "a place for who serves its folders");
    }
    if (w->saves && (fds[count++] = open(VMM_SAVE_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return setup_fail(s, "a place for its snapshots");
    struct setup_message m = {.word = SETUP_SCRATCH};
    int r = fd_send(s->control, &m, sizeof(m), fds, count);
    for (size_t i = 0; i < count; i++)
        fd_close(fds[i]);
    errno = -r;
    return r < 0 ? setup_fail(s, "telling where to meet") : 0;
}

static int start_meet(struct setup *s)
{
    if (!start_wish(s)->meets)
        return 0;
    int r = chdir(VMM_MEET) < 0 ? setup_fail(s, "a place to meet the program") : start_meet_here(s);
    return r == 0 && chdir("/") < 0 ? setup_fail(s, "a place to meet the program") : r;
}

static int start_announce(struct setup *s)
{
    autoclose int listener = FD_NONE;
    if (start_wish(s)->memory >= 0 && (listener = vmm_memory_listen(&s->error)) < 0)
        return listener;
    setup_tell(s, SETUP_ABOUT_TO_EXEC, listener);
    return 0;
}

static int start_exec(struct setup *s)
{
    char *const env[] = {NULL};
    execve(start_wish(s)->program, start_wish(s)->argv, env); /* as the jail shows it */
    return setup_fail(s, "starting the machine's program");
}

static int (*const start_stages[])(struct setup *s) = {
    setup_begin, setup_private_mounts,   setup_open_sources, setup_wait,
    setup_ids,   setup_cgroup_namespace, setup_scratch,      setup_mounts,
    setup_pivot, start_limits,           start_become,       start_descriptors,
    start_meet,  start_announce,         start_confine,      start_exec,
};

static int start_jailer_root(struct setup *s)
{
    return vmm_jailer_root(s, start_wish(s)->jailer);
}

static int start_jailer_exec(struct setup *s)
{
    return vmm_jailer_exec(s, start_wish(s)->jailer);
}

/* Ids, device nodes and the new root are the jailer's to make. */
static int (*const start_jailer_stages[])(struct setup *s) = {
    setup_begin,     setup_private_mounts,   setup_open_sources,
    setup_wait,      setup_cgroup_namespace, start_jailer_root,
    start_meet_here, start_limits,           start_descriptors,
    start_announce,  start_jailer_exec,
};

static void __attribute__((noreturn)) start_run(struct setup *s, void *data)
{
    struct start_child c = {.setup = *s, .wish = data};
    if (c.wish->jailer)
        setup_run(&c.setup, start_jailer_stages, ARRAY_SIZE(start_jailer_stages));
    setup_run(&c.setup, start_stages, ARRAY_SIZE(start_stages));
}

/* --- the parent ---------------------------------------------------------------------------------
 */

/* In the order of start_meet_here(). */
static void start_take_meeting(const struct vmm_wish *w, const int *fds, struct vmm_meeting *ret)
{
    vmm_meeting_done(ret);
    ret->folder = fds[0];
    ret->agent = fds[1];
    ret->metrics = fds[2];
    for (unsigned i = 0; i < w->shares; i++)
        ret->shares[i] = fds[3 + i];
    ret->saves = w->saves ? fds[3 + w->shares] : FD_NONE;
}

/* `*ret_listener`: for its memory; the caller's. */
static int start_listen(const struct vmm_wish *w, int control, struct vmm_meeting *meeting,
                        int *ret_listener, struct error *e)
{
    size_t meeting_count = 3 + w->shares + w->saves;
    bool about_to = false;
    for (;;) {
        struct setup_message m;
        int fds[START_MEETING];
        size_t count = ARRAY_SIZE(fds);
        ssize_t n = fd_receive(control, &m, sizeof(m), fds, &count);
        if (n > 0 && count == meeting_count && meeting) {
            start_take_meeting(w, fds, meeting);
        } else if (n > 0 && count == 1) {
            fd_close(*ret_listener);
            *ret_listener = fds[0];
        }
        if (n == -ECONNRESET) /* our word was not read; theirs is still to come */
            continue;
        if (n == 0)
            return about_to ? 0 : error_set(e, EPROTO, "set-up ended without a word (killed?)");
        if (n != (ssize_t)sizeof(m))
            return error_set(e, n < 0 ? (int)-n : EPROTO, "set-up cannot be understood");
        if (m.word == SETUP_ABOUT_TO_EXEC)
            about_to = true;
        if (m.word != SETUP_FAILED)
            continue;
        return error_take(e, &m.error);
    }
}

/* --- meeting it ---------------------------------------------------------------------------------
 */

void vmm_meeting_init(struct vmm_meeting *m)
{
    *m = (struct vmm_meeting){.folder = FD_NONE};
    m->agent = m->metrics = m->saves = FD_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(m->shares); i++)
        m->shares[i] = FD_NONE;
}

void vmm_meeting_done(struct vmm_meeting *m)
{
    m->folder = fd_close(m->folder);
    m->agent = fd_close(m->agent);
    m->metrics = fd_close(m->metrics);
    m->saves = fd_close(m->saves);
    for (size_t i = 0; i < ARRAY_SIZE(m->shares); i++)
        m->shares[i] = fd_close(m->shares[i]);
}

/*
 * Nothing tells when the socket can be connected to. inotify(7) would when it is made, a moment
 * before; but to give such a watch up takes the kernel up to 20 ms, which is more than all else of
 * ours before the guest starts, so it is tried again and again, the more seldom the longer it
 * takes.
 */
int vmm_meet(const struct vmm_meeting *m, int pidfd, int timeout_ms, struct error *e)
{
    uint64_t until = loop_now_ms() + (uint64_t)timeout_ms;
    for (long wait_us = START_TRY_US;; wait_us = MIN(wait_us + wait_us / 8, START_TRY_MOST_US)) {
        int fd = vmm_connect(m->folder, VMM_MEET_API_NAME);
        if (fd >= 0 || (fd != -ENOENT && fd != -ECONNREFUSED && fd != -EAGAIN))
            return fd >= 0 ? fd : error_errno(e, -fd, "the machine's API");
        if (loop_now_ms() >= until)
            return error_set(e, ETIMEDOUT, "the machine's API has not come within %d s",
                             timeout_ms / 1000);
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        const struct timespec wait = {.tv_nsec = wait_us * 1000};
        if (ppoll(&p, 1, &wait, NULL) < 0 && errno != EINTR)
            return error_errno(e, errno, "the machine's API");
        if (p.revents)
            return error_set(e, EPIPE, "it ended before its API was there");
    }
}

/* It finds the network standing. */
static int start_network(void *wish, pid_t child, struct error *e)
{
    const struct vmm_wish *w = wish;
    w->net->guest = w->meets; /* whose guest's card is a device of the host's */
    int r = net_translator_start(w->net, w->jail, child, e);
    return r < 0 ? r : net_translator_wait(w->net, e);
}

void vmm_end(pid_t pid, int pidfd)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

int vmm_start(const struct vmm_wish *w, struct vmm_meeting *ret_meeting, pid_t *ret_pid,
              int *ret_pidfd, struct error *e)
{
    autoclose int init = open(w->program, O_PATH | O_CLOEXEC);
    if (init < 0)
        return error_errno(e, errno, "%s", w->program);
    struct launch_env env = *w->env;
    env.init = init;
    autoclose int listener = FD_NONE;
    struct root_lent lent = {0};
    struct root_lowers lowers = {0};
    struct plan jail = *w->jail; /* a shallow copy: it owns nothing */
    if (w->jailer)
        jail.map_by = PLAN_MAP_SELF; /* there are no maps to write */
    struct root_start s = {
        .plan = &jail,
        .env = &env,
        .ids = w->ids,
        .lowers = &lowers,
        .lent = &lent,
        .cgroup = w->cgroup,
        .namespaces = (w->jailer ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                      CLONE_NEWUTS | CLONE_NEWIPC,
        .child = start_run,
        .data = (void *)w,
        .before = w->jail->network == PLAN_NETWORK_PRIVATE ? start_network : NULL,
        .before_data = (void *)w,
        .pidfd = FD_NONE,
        .control = FD_NONE,
    };
    int r = root_lent_open(w->jail, w->ids, &lent, e);
    if (r == 0)
        r = root_start_clone(&s, e);
    root_lent_close(&lent);
    if (r == 0)
        r = start_listen(w, s.control, ret_meeting, &listener, e);
    if (r == 0 && w->memory >= 0)
        r = vmm_memory_serve(listener, s.pidfd, w->memory, START_MEMORY_MS, e);
    s.control = fd_close(s.control);
    if (r < 0 && s.pid > 0) {
        vmm_end(s.pid, s.pidfd);
        fd_close(s.pidfd);
    }
    root_start_done(&s);
    if (r == 0) {
        *ret_pid = s.pid;
        *ret_pidfd = s.pidfd;
    }
    return r;
}
