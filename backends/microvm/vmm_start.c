#include "backends/microvm/vmm_start.h"

#include "backends/microvm/vmm_confine.h"
#include "backends/root/start.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_FD_LOW = 32 };

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
    int r = vmm_confine_bounds(&s->error);
    if (r < 0)
        return r;
    if (s->ids->many && (syscall(SYS_setresgid, VMM_GID, VMM_GID, VMM_GID) < 0 ||
                         syscall(SYS_setresuid, VMM_UID, VMM_UID, VMM_UID) < 0))
        return setup_fail(s, "switching to an id of its own");
    /* the death of who switches ids is no longer tied to its parent's */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return setup_fail(s, "following the monitor");
    return 0;
}

/* The program of a guest that goes wild must not dump the guest's memory, nor take descriptors. */
static int start_limits(struct setup *s)
{
    const struct rlimit core = {1, 1}, files = {256, 256};
    if (setrlimit(RLIMIT_CORE, &core) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
        return setup_fail(s, "limits");
    return 0;
}

static int start_descriptors(struct setup *s)
{
    const struct vmm_wish *w = start_wish(s);
    int high[VMM_FDS];
    s->control = fcntl(s->control, F_DUPFD_CLOEXEC, START_FD_LOW);
    if (s->control < 0)
        return setup_fail(s, "descriptors");
    for (int i = 0; i < VMM_FDS; i++)
        if ((high[i] = fcntl(w->fds[i], F_DUPFD_CLOEXEC, START_FD_LOW)) < 0)
            return setup_fail(s, "descriptors");
    for (int i = 0; i < VMM_FDS; i++)
        if (dup2(high[i], i) < 0)
            return setup_fail(s, "descriptors");
    if (syscall(SYS_close_range, VMM_FDS, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        return setup_fail(s, "closing descriptors");
    return 0;
}

static int start_confine(struct setup *s)
{
    return vmm_confine(&s->error);
}

static int start_announce(struct setup *s)
{
    setup_tell(s, SETUP_ABOUT_TO_EXEC, FD_NONE);
    return 0;
}

static int start_exec(struct setup *s)
{
    char *const env[] = {NULL};
    execve(start_wish(s)->program, start_wish(s)->argv, env); /* as the jail shows it */
    return setup_fail(s, "starting the machine's program");
}

static int (*const start_stages[])(struct setup *s) = {
    setup_begin,    setup_private_mounts,   setup_open_sources, setup_wait,
    setup_ids,      setup_cgroup_namespace, setup_scratch,      setup_mounts,
    setup_pivot,    start_limits,           start_become,       start_descriptors,
    start_announce, start_confine,          start_exec,
};

static void __attribute__((noreturn)) start_run(struct setup *s, void *data)
{
    struct start_child c = {.setup = *s, .wish = data};
    setup_run(&c.setup, start_stages, ARRAY_SIZE(start_stages));
}

/* --- the parent ---------------------------------------------------------------------------------
 */

static int start_listen(int control, struct error *e)
{
    bool about_to = false;
    for (;;) {
        struct setup_message m;
        ssize_t n = fd_receive(control, &m, sizeof(m), NULL, &(size_t){0});
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
        *e = m.error;
        e->text[sizeof(e->text) - 1] = '\0';
        return -(e->code ? e->code : (e->code = EPROTO));
    }
}

void vmm_end(pid_t pid, int pidfd)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

int vmm_start(const struct vmm_wish *w, pid_t *ret_pid, int *ret_pidfd, struct error *e)
{
    autoclose int init = open(w->program, O_PATH | O_CLOEXEC);
    if (init < 0)
        return error_errno(e, errno, "%s", w->program);
    struct launch_env env = *w->env;
    env.init = init;
    struct root_lent lent = {0};
    struct root_lowers lowers = {0};
    struct root_start s = {
        .plan = w->jail,
        .env = &env,
        .ids = w->ids,
        .lowers = &lowers,
        .lent = &lent,
        .cgroup = w->cgroup,
        .namespaces =
            CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC,
        .child = start_run,
        .data = (void *)w,
        .pidfd = FD_NONE,
        .control = FD_NONE,
    };
    int r = root_lent_open(w->jail, w->ids, &lent, e);
    if (r == 0)
        r = root_start_clone(&s, e);
    root_lent_close(&lent);
    if (r == 0)
        r = start_listen(s.control, e);
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
