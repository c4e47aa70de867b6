#include "init/init.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

/* Both vectors one behind the other, each with its NULL; untouched pages cost nothing. */
static char *command_vectors[AGENT_FRAME_MAX + 4];

void report_send(int fd, int code, const char *text, const int *fds, size_t count)
{
    struct init_report report = {.code = code};
    size_t length = strnlen(text, sizeof(report.text) - 1);
    memcpy(report.text, text, length);
    fd_send(fd, &report, sizeof(report), fds, count);
}

int report_receive(int fd, struct init_report *ret, int *fds, size_t *count)
{
    struct init_report report;
    size_t room = *count;
    *count = 0;
    int r = -EPIPE;
    for (;;) {
        int got[INIT_STREAMS_MAX];
        size_t got_count = INIT_STREAMS_MAX;
        if (fd_receive(fd, &report, sizeof(report), got, &got_count) != sizeof(report))
            return r;
        for (size_t i = 0; i < got_count; i++) {
            if (*count < room)
                fds[(*count)++] = got[i];
            else
                fd_close(got[i]);
        }
        report.text[sizeof(report.text) - 1] = 0;
        *ret = report;
        r = 0;
    }
}

static void command_fail(int report, const char *step, int code) __attribute__((noreturn));
static void command_fail(int report, const char *step, int code)
{
    report_send(report, code, step, NULL, 0);
    _exit(127);
}

/* --- streams ------------------------------------------------------------------------------------
 */

/* The workload may have put anything at these paths: only a devpts is good. */
static int command_open_master(void)
{
    struct statfs fs;
    autoclose int master = fd_openat2(AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0,
                                      RESOLVE_NO_MAGICLINKS);
    if (master == -ENOSYS) { /* the workload's filter refuses openat2(2): it hides its mode */
        master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        master = master < 0 ? -errno : master;
    }
    if (master < 0)
        return master;
    if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
        return -ENODEV;
    int unlocked = 0;
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
        return -errno;
    return TAKE_FD(master);
}

/* A pty that belongs to the command's user: `inner` are its three ends, `*outer` the master. */
static int command_make_terminal(const struct agent_start *head, int inner[3], int *outer)
{
    int master = command_open_master();
    if (master < 0)
        return master;
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return -errno;
    struct winsize size = {.ws_row = head->rows, .ws_col = head->cols};
    struct termios t;
    if (head->rows && head->cols)
        ioctl(master, TIOCSWINSZ, &size);
    if (ioctl(slave, TCGETS, &t) == 0) {
        t.c_iflag |= IUTF8;
        ioctl(slave, TCSETS, &t);
    }
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return -errno;
    inner[0] = inner[1] = inner[2] = slave;
    *outer = master;
    return 0;
}

/* Made after the switch of user, so that /dev/stdout can be opened again by the command. */
static int command_make_pipes(int inner[3], int outer[3])
{
    for (int i = 0; i < 3; i++) {
        int pair[2];
        int r = fd_pipe(pair, 0);
        if (r < 0)
            return r;
        inner[i] = pair[i ? 1 : 0];
        outer[i] = pair[i ? 0 : 1];
    }
    return 0;
}

/* Streams to 0, 1, 2, `report` to 3 (gone with exec), nothing else left open. */
static int command_place(const int inner[3], int *report)
{
    int kept = fcntl(*report, F_DUPFD_CLOEXEC, 10);
    if (kept < 0)
        return -errno;
    int high[3];
    for (int i = 0; i < 3; i++) {
        high[i] = inner[i] > 2 ? inner[i] : fcntl(inner[i], F_DUPFD_CLOEXEC, 10);
        if (high[i] < 0)
            return -errno;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0)
            return -errno;
    if (dup3(kept, 3, O_CLOEXEC) < 0)
        return -errno;
    *report = 3;
    return syscall(SYS_close_range, 4, ~0u, 0) < 0 ? -errno : 0;
}

/* --- place and program ---------------------------------------------------------------------------
 */

static int command_enter(const char *cwd)
{
    char real[4096];
    struct statfs fs;
    if (chdir(cwd) < 0)
        return -errno;
    if (syscall(SYS_getcwd, real, sizeof(real)) < 0)
        return -errno;
    if (real[0] != '/')
        return -EXDEV; /* "(unreachable)": outside the root */
    if (statfs(".", &fs) < 0)
        return -errno;
    return fs.f_type == PROC_SUPER_MAGIC ? -EPERM : 0;
}

static const char *command_path(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

int command_exec(char *const *argv, char *const *env)
{
    if (strchr(argv[0], '/')) {
        execve(argv[0], argv, env);
        return -errno;
    }
    int worst = -ENOENT;
    size_t name_size = strlen(argv[0]) + 1;
    for (const char *p = command_path(env), *next; p; p = next) {
        char file[4096];
        const char *colon = strchr(p, ':');
        size_t length = colon ? (size_t)(colon - p) : strlen(p);
        next = colon ? colon + 1 : NULL;
        if (length + 2 + name_size > sizeof(file))
            continue;
        memcpy(file, p, length);
        if (length)
            file[length++] = '/';
        memcpy(file + length, argv[0], name_size);
        execve(file, argv, env);
        if (errno == ENOENT || errno == ENOTDIR)
            continue;
        worst = -errno;
        if (errno != EACCES && errno != ELOOP && errno != ENAMETOOLONG)
            return worst;
    }
    return worst;
}

static char **command_split(const char **strings, uint32_t count, char **to)
{
    for (uint32_t i = 0; i < count; i++) {
        *to++ = (char *)*strings;
        *strings += strlen(*strings) + 1;
    }
    *to++ = NULL;
    return to;
}

int command_identity(const struct agent_command *c, struct init_identity *ret)
{
    *ret = (struct init_identity){.uid = c->head.uid, .gid = c->head.gid};
    if (c->head.flags & AGENT_START_USER_NAME)
        return users_find(c->user, ret);
    ret->groups_count = c->head.groups_count;
    memcpy(ret->groups, c->groups, ret->groups_count * sizeof(ret->groups[0]));
    return 0;
}

void command_become(const struct agent_command *c, int report)
{
    struct init_identity who;
    bool terminal = c->head.flags & AGENT_START_TERMINAL;
    int inner[3], outer[3];
    setsid();
    int r = command_identity(c, &who);
    if (r == 0 && init_hooks)
        r = init_hooks->confine();
    if (r == 0)
        r = users_become(&who);
    if (r < 0)
        command_fail(report, "user", -r);
    r = terminal ? command_make_terminal(&c->head, inner, outer) : command_make_pipes(inner, outer);
    if (r < 0)
        command_fail(report, terminal ? "terminal" : "pipes", -r);
    umask(c->head.umask);
    r = command_enter(c->cwd);
    if (r < 0)
        command_fail(report, "chdir", -r);

    report_send(report, 0, "", outer, terminal ? 1 : 3);
    r = command_place(inner, &report);
    if (r < 0)
        command_fail(report, "descriptors", -r);
    const char *strings = c->strings;
    char **argv = command_vectors;
    char **env = command_split(&strings, c->head.argc, argv);
    command_split(&strings, c->head.envc, env);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    r = command_exec(argv, env);
    command_fail(report, "exec", -r);
}
