#include "backends/fake/fake_launch.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct launch {
    struct launch_wishes wishes;
    const struct launch_env *env; /* borrowed */
    char *id, *name, *journal;    /* owned */
    char **argv;                  /* owned */
    bool stuck;
    pid_t pid;
    int pidfd; /* owned */
};

static int number_of(const char *value, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (str_equal(value, words[i]))
            return i;
    return 0;
}

static void take(struct launch *l, const char *key, const char *value)
{
    static const char *const keeps[] = {"never", "on-failure", "always"};
    static const char *const restarts[] = {"no", "on-failure", "always"};
    struct launch_wishes *w = &l->wishes;
    uint64_t n = strtoull(value, NULL, 10);
    if (str_equal(key, "id"))
        w->id = l->id = str_dup(value);
    else if (str_equal(key, "name"))
        w->name = l->name = str_dup(value);
    else if (str_equal(key, "journal"))
        l->journal = str_dup(value);
    else if (str_equal(key, "arg"))
        strv_add(&l->argv, value);
    else if (str_equal(key, "terminal"))
        w->terminal = n;
    else if (str_equal(key, "scrollback"))
        w->scrollback = (uint32_t)n;
    else if (str_equal(key, "record"))
        w->record = n;
    else if (str_equal(key, "stuck"))
        l->stuck = n;
    else if (str_equal(key, "keep"))
        w->keep = number_of(value, keeps, 3);
    else if (str_equal(key, "restart"))
        w->restart = number_of(value, restarts, 3);
    else if (str_equal(key, "restart-most"))
        w->restart_most = (unsigned)n;
    else if (str_equal(key, "time-limit"))
        w->time_limit_ms = n;
    else if (str_equal(key, "idle-limit"))
        w->idle_limit_ms = n;
    else if (str_equal(key, "grace"))
        w->stop_grace_ms = n;
}

static int fake_open(const char *plan, size_t size, const struct launch_env *env,
                     struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    autofree char *text = str_ndup(plan, size);
    autostrv char **lines = strv_split(text, "\n");
    l->env = env;
    l->pidfd = FD_NONE;
    l->wishes = (struct launch_wishes){.profile = "fake",
                                       .boundary = "container",
                                       .runtime = "fake",
                                       .image = "host",
                                       .command = "fake command",
                                       .scrollback = 1000,
                                       .stop_signal = SIGTERM,
                                       .stop_grace_ms = 5000};
    for (size_t i = 0; lines && lines[i]; i++) {
        char *equals = strchr(lines[i], '=');
        if (!equals)
            continue;
        *equals = 0;
        take(l, lines[i], equals + 1);
    }
    if (!l->id || !l->name || !l->argv) {
        fake_launch_ops.free(l);
        return error_set(e, EINVAL, "a fake plan needs id, name and arg");
    }
    *ret = l;
    return 0;
}

static const struct launch_wishes *fake_wishes(const struct launch *l)
{
    return &l->wishes;
}

static _Noreturn void fake_child(struct launch *l, const int fds[3], int report)
{
    setsid();
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    if (l->wishes.terminal)
        ioctl(0, TIOCSCTTY, 0);
    execvp(l->argv[0], l->argv);
    int code = errno;
    ssize_t n = write(report, &code, sizeof(code));
    _exit(n == sizeof(code) ? 127 : 126);
}

static int open_terminal(const struct launch_env *env, int ours[3], int theirs[3], int *ret_master)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0;
    if (master < 0)
        return -errno;
    struct winsize w = {.ws_row = env->rows, .ws_col = env->cols};
    int slave = -1;
    if (ioctl(master, TIOCSPTLCK, &zero) == 0)
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        close(master);
        return -errno;
    }
    ioctl(master, TIOCSWINSZ, &w);
    for (int i = 0; i < 3; i++) {
        ours[i] = FD_NONE;
        theirs[i] = i ? fcntl(slave, F_DUPFD_CLOEXEC, 3) : slave;
    }
    *ret_master = master;
    return 0;
}

static int fake_start(struct launch *l, struct launch_streams *ret, struct error *e)
{
    int ours[3], theirs[3], master = FD_NONE, report[2], code = 0;
    if (l->journal && l->env->journal(l->env->journal_data, "fake", l->journal, e) < 0)
        return -e->code;
    if (l->wishes.terminal && open_terminal(l->env, ours, theirs, &master) < 0)
        return error_errno(e, errno, "pty");
    for (int i = 0; i < 3 && !l->wishes.terminal; i++) {
        int pair[2];
        if (fd_pipe(pair, O_CLOEXEC) < 0)
            return error_errno(e, errno, "pipe");
        ours[i] = pair[i == 0];
        theirs[i] = pair[i != 0];
    }
    if (fd_pipe(report, O_CLOEXEC) < 0)
        return error_errno(e, errno, "pipe");
    l->pid = fork();
    if (l->pid == 0)
        fake_child(l, theirs, report[1]);
    close(report[1]);
    for (int i = 0; i < 3; i++)
        close(theirs[i]);
    if (read(report[0], &code, sizeof(code)) == (ssize_t)sizeof(code)) {
        waitpid(l->pid, NULL, 0);
        fd_close(report[0]);
        for (int i = 0; i < 3; i++)
            fd_close(ours[i]);
        fd_close(master);
        l->pid = 0;
        return error_errno(e, code, "%s", l->argv[0]);
    }
    fd_close(report[0]);
    l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
    *ret = (struct launch_streams){master, ours[0], ours[1], ours[2]};
    return 0;
}

static size_t fake_watch(const struct launch *l, int fds[4])
{
    fds[0] = l->pidfd;
    return 1;
}

static void fake_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    int status;
    if (!l->pid || waitpid(l->pid, &status, WNOHANG) <= 0)
        return;
    kill(-l->pid, SIGKILL); /* as the end of a PID 1 would */
    l->pid = 0;
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    events->exited(data, 0, code);
    events->ended(data, code, NULL);
}

static pid_t fake_pid(const struct launch *l)
{
    return l->pid;
}

static int fake_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    if (console != 0 || !l->pid)
        return error_set(e, ESRCH, "nothing runs there");
    return kill(l->pid, signo) < 0 ? error_errno(e, errno, "kill") : 0;
}

static int fake_freeze(struct launch *l, bool frozen, struct error *e)
{
    return fake_signal(l, 0, frozen ? SIGSTOP : SIGCONT, e);
}

static int fake_sample(struct launch *l, struct launch_sample *ret)
{
    memset(ret, 0xff, sizeof(*ret));
    ret->cpu_us = 1234;
    ret->memory = ret->memory_peak = 4096;
    ret->pids = 1;
    return 0;
}

static int fake_kill(struct launch *l, struct error *e)
{
    return fake_signal(l, 0, SIGKILL, e);
}

static int fake_clean(struct launch *l, struct error *e)
{
    return l->stuck ? error_set(e, EBUSY, "the fake is stuck") : 0;
}

static void fake_free(struct launch *l)
{
    if (!l)
        return;
    fd_close(l->pidfd);
    free(l->id);
    free(l->name);
    free(l->journal);
    strv_free(l->argv);
    free(l);
}

const struct launch_ops fake_launch_ops = {
    .name = "fake",
    .open = fake_open,
    .wishes = fake_wishes,
    .start = fake_start,
    .watch = fake_watch,
    .dispatch = fake_dispatch,
    .pid = fake_pid,
    .signal = fake_signal,
    .freeze = fake_freeze,
    .sample = fake_sample,
    .kill = fake_kill,
    .clean = fake_clean,
    .free = fake_free,
};
