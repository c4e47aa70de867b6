#include "base/spawn.h"

#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SPAWN_FDS_MAX = 16, SPAWN_STACK = 64 * 1024 };

/*
 * The child's frames are left behind by exec, on a stack that is unmapped: the address sanitizer
 * would hold their shadow against whoever gets that memory next.
 */
#define IN_CHILD __attribute__((no_sanitize("address")))

/* Shared with the child, which lives in our memory until its exec. */
struct spawn_child {
    const struct spawn *spawn;
    const char *path;
    pid_t parent;        /* where it is to die with us */
    volatile int failed; /* errno */
    const char *volatile step;
};

static int spawn_fail(struct spawn_child *c, const char *step)
{
    c->failed = errno;
    c->step = step;
    return 127;
}

/* Handlers would run in our memory once signals are let in; what we ignore is not the child's wish.
 */
static IN_CHILD void spawn_reset_signals(void)
{
    for (int s = 1; s < _NSIG; s++) {
        struct sigaction a;
        if (sigaction(s, NULL, &a) < 0 || a.sa_handler == SIG_DFL)
            continue;
        if (a.sa_handler == SIG_IGN && s != SIGPIPE)
            continue;
        struct sigaction plain = {.sa_handler = SIG_DFL};
        sigaction(s, &plain, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* fds[i] becomes descriptor i: first all are lifted out of the way, then put in place. */
static IN_CHILD int spawn_place_fds(const struct spawn *s)
{
    int lifted[SPAWN_FDS_MAX];
    size_t count = MAX(s->fds_count, 3);
    for (size_t i = 0; i < count; i++) {
        int from = i < s->fds_count ? s->fds[i] : FD_NONE;
        int opened = FD_NONE;
        if (from < 0)
            from = opened = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (from < 0)
            return -1;
        lifted[i] = fcntl(from, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
        fd_close(opened);
        if (lifted[i] < 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (dup2(lifted[i], (int)i) < 0)
            return -1;
    if (syscall(SYS_close_range, (unsigned)count, ~0u, 0) < 0)
        return -1;
    int opened = s->room ? open("/dev/null", O_PATH | O_CLOEXEC) : FD_NONE;
    if (opened >= 0)
        fcntl(opened, F_DUPFD, s->room - 1);
    return 0;
}

static IN_CHILD int spawn_child_main(void *data)
{
    struct spawn_child *c = data;
    const struct spawn *s = c->spawn;
    spawn_reset_signals();
    if (s->new_session && setsid() < 0)
        return spawn_fail(c, "setsid");
    if (s->dies_with_us && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return spawn_fail(c, "prctl");
    if (s->dies_with_us && getppid() != c->parent) /* that ended before anybody would have told */
        return 127;
    if (spawn_place_fds(s) < 0)
        return spawn_fail(c, "descriptors");
    if (s->controls && ioctl(0, TIOCSCTTY, 0) < 0)
        return spawn_fail(c, "its terminal");
    execve(c->path, (char *const *)s->argv, (char *const *)(s->env ? s->env : (void *)environ));
    return spawn_fail(c, NULL);
}

/* The program's path, owned by the caller. Relative parts of PATH are passed over. */
static int spawn_find(const char *name, char **ret)
{
    if (strchr(name, '/')) {
        *ret = str_dup(name);
        return 0;
    }
    const char *path = getenv("PATH");
    autostrv char **folders = strv_split(path ? path : "/usr/local/bin:/usr/bin:/bin", ":");
    int code = ENOENT;
    for (size_t i = 0; folders[i] && *name; i++) {
        if (folders[i][0] != '/')
            continue;
        autofree char *full = str_join_path(folders[i], name);
        struct stat st;
        if (stat(full, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (faccessat(AT_FDCWD, full, X_OK, AT_EACCESS) == 0) {
            *ret = TAKE(full);
            return 0;
        }
        code = EACCES;
    }
    return -code;
}

static int spawn_clone(struct spawn_child *c, pid_t *ret_pid, int *ret_pidfd)
{
    void *stack = mmap(NULL, SPAWN_STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    sigset_t all, kept;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &kept);
    int pidfd = FD_NONE;
    pid_t pid = clone(spawn_child_main, (char *)stack + SPAWN_STACK,
                      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &pidfd);
    int code = errno;
    sigprocmask(SIG_SETMASK, &kept, NULL);
    munmap(stack, SPAWN_STACK);
    if (pid < 0)
        return -code;
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct error *e)
{
    const char *name = s->argv[0];
    if (!name || s->fds_count > SPAWN_FDS_MAX)
        return error_set(e, EINVAL, "nothing to start, or too many descriptors");
    autofree char *path = NULL;
    int r = spawn_find(name, &path);
    if (r < 0)
        return error_errno(e, -r, "%s", name);
    struct spawn_child child = {.spawn = s, .path = path, .parent = s->dies_with_us ? getpid() : 0};
    pid_t pid = -1;
    autoclose int pidfd = FD_NONE;
    r = spawn_clone(&child, &pid, &pidfd);
    if (r < 0)
        return error_errno(e, -r, "cannot start %s", name);
    if (child.failed) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        if (child.step)
            return error_errno(e, child.failed, "%s: %s", name, child.step);
        return error_errno(e, child.failed, "%s", name);
    }
    if (ret_pid)
        *ret_pid = pid;
    if (ret_pidfd)
        *ret_pidfd = TAKE_FD(pidfd);
    return 0;
}

/* Reads what is there, keeping at most `most` bytes. 1: more may come, 0: end of file, -errno. */
static int spawn_drain(int fd, struct buf *output, size_t most)
{
    for (;;) {
        char block[4096];
        ssize_t n = read(fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 1 : -errno;
        if (n == 0)
            return 0;
        buf_add(output, block, MIN((size_t)n, most - output->used));
    }
}

/*
 * Until the program has ended (a child it left behind may keep the pipe), or, with `heard`, has
 * closed its output, or time is up. Output is read a last time after the end, so that none of the
 * program's own is lost.
 */
static int spawn_attend(int pidfd, int pipe, uint64_t deadline, bool heard, size_t most,
                        struct buf *output)
{
    bool open = pipe >= 0;
    for (;;) {
        uint64_t now = loop_now_ms();
        if (now >= deadline)
            return -ETIMEDOUT;
        struct pollfd p[] = {
            {.fd = pidfd,            .events = POLLIN},
            {.fd = open ? pipe : -1, .events = POLLIN}
        };
        int n = poll(p, 2, (int)MIN(deadline - now, 60000));
        if (n < 0 && errno != EINTR)
            return -errno;
        bool ended = n > 0 && p[0].revents;
        if (open && n >= 0 && (ended || p[1].revents)) {
            int r = spawn_drain(pipe, output, most);
            if (r < 0)
                return r;
            open = r > 0;
        }
        if (ended || (heard && !open))
            return 0;
    }
}

static bool spawn_run_bound;

bool spawn_run_bind(bool bound)
{
    bool was = spawn_run_bound;
    spawn_run_bound = bound;
    return was;
}

int spawn_run_begin(const char *const *argv, unsigned timeout_ms, struct spawn_running *ret,
                    struct error *e)
{
    int ends[2];
    int r = fd_pipe(ends, O_NONBLOCK);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int ours = ends[0];
    autoclose int theirs = ends[1];
    fcntl(theirs, F_SETFL, 0); /* programs do not expect EAGAIN */

    const int fds[] = {FD_NONE, theirs, theirs};
    const struct spawn s = {.argv = argv,
                            .fds = fds,
                            .fds_count = 3,
                            .new_session = true,
                            .dies_with_us = spawn_run_bound};
    *ret = (struct spawn_running){.name = argv[0], .timeout_ms = timeout_ms, .out = FD_NONE};
    r = spawn_start(&s, &ret->pid, &ret->pidfd, e);
    if (r < 0)
        return r;
    ret->deadline = loop_now_ms() + timeout_ms;
    ret->out = TAKE_FD(ours);
    return 0;
}

int spawn_run_hear(struct spawn_running *s, size_t most, char **ret_output, struct error *e)
{
    autobuf output = {0};
    int r = spawn_attend(s->pidfd, s->out, s->deadline, true, most, &output);
    s->out = fd_close(s->out);
    if (r < 0) {
        s->deadline = 0; /* no more is waited for */
        return error_errno(e, -r, "%s: its output", s->name);
    }
    *ret_output = buf_take(&output);
    return 0;
}

int spawn_run_end(struct spawn_running *s, size_t most, int *ret_status, char **ret_output,
                  struct error *e)
{
    autobuf output = {0};
    int attended = spawn_attend(s->pidfd, s->out, s->deadline, false, most, &output);
    if (attended < 0)
        kill(-s->pid, SIGKILL); /* not reaped yet, so its group is still this one */
    int status = 0, r = 0;
    while (r == 0 && waitpid(s->pid, &status, 0) < 0)
        if (errno != EINTR)
            r = error_errno(e, errno, "%s: wait", s->name);
    s->pidfd = fd_close(s->pidfd);
    s->out = fd_close(s->out);
    if (attended == -ETIMEDOUT)
        return error_set(e, ETIMEDOUT, "%s: still running after %u ms, killed", s->name,
                         s->timeout_ms);
    if (attended < 0)
        return error_errno(e, -attended, "%s: reading its output", s->name);
    if (r < 0)
        return r;
    if (ret_status)
        *ret_status = status;
    if (ret_output)
        *ret_output = buf_take(&output);
    return 0;
}

int spawn_run(const char *const *argv, unsigned timeout_ms, size_t most, int *ret_status,
              char **ret_output, struct error *e)
{
    struct spawn_running s;
    int r = spawn_run_begin(argv, timeout_ms, &s, e);
    return r < 0 ? r : spawn_run_end(&s, most, ret_status, ret_output, e);
}
