/*
 * Our own process beside a workload of containerd's: it calls ctr(8), since the monitor has locked
 * itself in by then. When the monitor goes, however it goes, this removes the container and ends.
 */
#include "backends/containerd/internal.h"

#include "backends/bundle/config.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS_MAX = 64, START_MS = 100000, TOOL_MS = 15000, SAID_MAX = 4096, HANDS_CONTROL = 3 };

/* A ctr that waits for a command, whose streams it carries. */
struct call {
    pid_t pid; /* 0: free */
    uint32_t number;
    unsigned name;           /* in containerd's list of further commands */
    struct launch_streams s; /* owned, until they are handed on */
};

struct hands {
    struct launch *l;
    int control, signals, notify; /* owned */
    unsigned made;                /* names given so far */
    bool running, over;
    uint64_t late_ms;
    struct call calls[CALLS_MAX];
};

/* --- a command ----------------------------------------------------------------------------------
 */

static void streams_close(struct launch_streams *s)
{
    s->terminal = fd_close(s->terminal);
    s->in = fd_close(s->in);
    s->out = fd_close(s->out);
    s->err = fd_close(s->err);
}

static int call_terminal(struct call *c, int inner[3], uint16_t rows, uint16_t cols)
{
    struct winsize size = {.ws_row = rows ? rows : 24, .ws_col = cols ? cols : 80};
    c->s.terminal = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int zero = 0;
    if (c->s.terminal < 0 || ioctl(c->s.terminal, TIOCSPTLCK, &zero) < 0 ||
        ioctl(c->s.terminal, TIOCSWINSZ, &size) < 0)
        return -errno;
    inner[0] = ioctl(c->s.terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (inner[0] < 0)
        return -errno;
    for (int i = 1; i < 3; i++)
        inner[i] = fcntl(inner[0], F_DUPFD_CLOEXEC, 3);
    return 0;
}

static int call_pipes(struct call *c, int inner[3])
{
    int *const outer[3] = {&c->s.in, &c->s.out, &c->s.err};
    for (int i = 0; i < 3; i++) {
        int pair[2], r = fd_pipe(pair, 0);
        if (r < 0)
            return r;
        inner[i] = pair[i ? 1 : 0];
        *outer[i] = pair[i ? 0 : 1];
    }
    return 0;
}

static int call_start(struct hands *h, struct call *c, char **argv, bool terminal, uint16_t rows,
                      uint16_t cols, struct error *e)
{
    int inner[3] = {FD_NONE, FD_NONE, FD_NONE};
    int r = terminal ? call_terminal(c, inner, rows, cols) : call_pipes(c, inner);
    if (r < 0) {
        error_errno(e, -r, "streams");
    } else {
        const struct spawn s = {
            .argv = (const char *const *)argv,
            .fds = inner,
            .fds_count = 3,
            .new_session = true,
            .controls = terminal,
            .dies_with_us = true,
        };
        r = spawn_start(&s, &c->pid, NULL, e);
        if (r == -ENOENT)
            error_set(e, ENOENT, "ctr, containerd's own program, is not installed");
    }
    for (int i = 0; i < 3; i++)
        fd_close(inner[i]);
    if (r < 0) {
        streams_close(&c->s);
        c->pid = 0;
    }
    return r;
}

static struct call *call_new(struct hands *h, uint32_t number)
{
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].pid == 0) {
            h->calls[i] = (struct call){
                .number = number, .name = h->made++, .s = {FD_NONE, FD_NONE, FD_NONE, FD_NONE}
            };
            return &h->calls[i];
        }
    return NULL;
}

static struct call *call_find(struct hands *h, uint32_t number)
{
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].pid > 0 && h->calls[i].number == number)
            return &h->calls[i];
    return NULL;
}

static void call_hand_on(struct hands *h, struct call *c, int value)
{
    const int three[3] = {c->s.in, c->s.out, c->s.err};
    if (c->s.terminal >= 0)
        hands_tell(h->control, HANDS_STARTED, c->number, value, NULL, &c->s.terminal, 1);
    else
        hands_tell(h->control, HANDS_STARTED, c->number, value, NULL, three, 3);
    streams_close(&c->s);
}

/* Why, of what ctr has said, its own name in front left out. */
static void call_reason(struct call *c, struct error *e)
{
    char text[SAID_MAX + 1] = "";
    int fd = c->s.terminal >= 0 ? c->s.terminal : c->s.err;
    ssize_t n = fd >= 0 && fd_nonblock(fd) == 0 ? read(fd, text, SAID_MAX) : 0;
    text[MAX(n, 0)] = '\0';
    char *line = str_reason(text);
    if (str_starts(line, "ctr: "))
        line += 5;
    autofree char *shown = str_escape_z(line);
    error_set(e, EIO, "containerd: %.320s", *shown ? shown : "ctr failed without a word");
}

/* ctr writes the task's number before it lets it go. */
static void main_check(struct hands *h)
{
    struct call *c = call_find(h, 0);
    autofree char *text = NULL;
    uint64_t pid;
    if (h->running || !c || file_read(AT_FDCWD, h->l->pid_file, 64, &text, NULL) < 0 ||
        str_to_uint(str_trim(text), &pid) < 0)
        return;
    h->running = true;
    call_hand_on(h, c, (int)pid);
}

static void call_ended(struct hands *h, struct call *c, int raw)
{
    int status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    if (c->number == 0)
        main_check(h);
    if (c->number == 0 && !h->running) {
        struct error e;
        call_reason(c, &e);
        hands_tell(h->control, HANDS_FAILED, 0, 0, &e, NULL, 0);
    } else {
        hands_tell(h->control, HANDS_EXITED, c->number, status, NULL, NULL, 0);
    }
    h->over |= c->number == 0;
    streams_close(&c->s);
    c->pid = 0;
}

static void reap(struct hands *h)
{
    struct signalfd_siginfo info;
    while (read(h->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        ;
    int raw;
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].pid > 0 && waitpid(h->calls[i].pid, &raw, WNOHANG) == h->calls[i].pid)
            call_ended(h, &h->calls[i], raw);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static char **words(struct hands *h, const char *const *list)
{
    char **argv = ctr_argv(h->l->handler.address);
    for (; *list; list++)
        strv_add(&argv, *list);
    return argv;
}
#define WORDS(h, ...) words(h, (const char *const[]){__VA_ARGS__, NULL})

static int tool(char **argv, struct error *e)
{
    return ctr_run(argv, TOOL_MS, NULL, e);
}

static int main_start(struct hands *h, struct error *e)
{
    const struct launch *l = h->l;
    struct call *c = call_new(h, 0);
    char **argv = WORDS(h, "run", "--rm", "--runtime", l->handler.name);
    if (l->handler.program) {
        strv_add(&argv, "--runc-binary");
        strv_add(&argv, l->handler.program);
    }
    if (l->plan->terminal)
        strv_add(&argv, "--tty");
    const char *const rest[] = {"--pid-file", l->pid_file, "--config", l->config, l->plan->id};
    for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
        strv_add(&argv, rest[i]);
    int r = call_start(h, c, argv, l->plan->terminal, l->env.rows, l->env.cols, e);
    strv_free(argv);
    h->late_ms = loop_now_ms() + START_MS;
    return r;
}

static char **exec_words(struct hands *h, const struct call *c, const struct launch_exec *x)
{
    char name[24];
    snprintf(name, sizeof(name), "exec-%u", c->name);
    char **argv = WORDS(h, "tasks", "exec", "--exec-id", name);
    if (x->terminal)
        strv_add(&argv, "--tty");
    const char *const pairs[][2] = {
        {"--cwd",  x->cwd },
        {"--user", x->user}
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        if (pairs[i][1]) {
            strv_add(&argv, pairs[i][0]);
            strv_add(&argv, pairs[i][1]);
        }
    /* ctr has no word for variables, and none for a command that is not there */
    const char *const begin[] = {h->l->plan->id, OCI_INIT_INSIDE, "env"};
    for (size_t i = 0; i < ARRAY_SIZE(begin); i++)
        strv_add(&argv, begin[i]);
    for (char *const *v = x->env; v && *v; v++)
        strv_add(&argv, *v);
    strv_add(&argv, "--");
    for (char *const *v = x->argv; *v; v++)
        strv_add(&argv, *v);
    return argv;
}

static void request_exec(struct hands *h, const struct hands_message *m, const char *data,
                         size_t size)
{
    autostrv char **argv = NULL, **env = NULL, **front = NULL;
    struct launch_exec x;
    struct error e;
    if (hands_exec_read(data, size, &x, &front, &argv, &env) < 0)
        return;
    struct call *c = call_new(h, m->number);
    int r = c ? 0 : error_set(&e, EBUSY, "too many commands at once");
    if (r == 0) {
        autostrv char **all = exec_words(h, c, &x);
        r = call_start(h, c, all, x.terminal, x.rows, x.cols, &e);
    }
    if (r < 0)
        hands_tell(h->control, HANDS_FAILED, m->number, 0, &e, NULL, 0);
    else
        call_hand_on(h, c, c->pid);
}

static void request_signal(struct hands *h, const struct hands_message *m)
{
    struct error ignored;
    char signo[16], name[24];
    snprintf(signo, sizeof(signo), "%d", m->value);
    if (m->number == HANDS_ALL) {
        if (m->value == SIGKILL) /* what is paused would not hear it */
            tool(WORDS(h, "tasks", "resume", h->l->plan->id), &ignored);
        tool(WORDS(h, "tasks", "kill", "--all", "--signal", signo, h->l->plan->id), &ignored);
        return;
    }
    struct call *c = call_find(h, m->number);
    if (!c)
        return;
    snprintf(name, sizeof(name), "exec-%u", c->name);
    if (m->number == 0)
        tool(WORDS(h, "tasks", "kill", "--signal", signo, h->l->plan->id), &ignored);
    else
        tool(WORDS(h, "tasks", "kill", "--signal", signo, "--exec-id", name, h->l->plan->id),
             &ignored);
}

static void request_pause(struct hands *h, const struct hands_message *m)
{
    struct error e = {0};
    tool(WORDS(h, "tasks", m->value ? "pause" : "resume", h->l->plan->id), &e);
    hands_tell(h->control, HANDS_PAUSED, 0, 0, &e, NULL, 0);
}

/* -EPIPE: the monitor is gone. */
static int request(struct hands *h)
{
    static char packet[HANDS_PACKET_MAX + 1];
    struct hands_message m;
    size_t none = 0;
    ssize_t n = fd_receive(h->control, packet, HANDS_PACKET_MAX, NULL, &none);
    if (n <= 0)
        return n == -EAGAIN || n == -EINTR ? 0 : -EPIPE;
    if ((size_t)n < sizeof(m))
        return 0;
    memcpy(&m, packet, sizeof(m));
    switch ((enum hands_word)m.word) {
    case HANDS_EXEC:
        request_exec(h, &m, packet + sizeof(m), (size_t)n - sizeof(m));
        break;
    case HANDS_SIGNAL:
        request_signal(h, &m);
        break;
    case HANDS_PAUSE:
        request_pause(h, &m);
        break;
    case HANDS_COPY_IN:
    case HANDS_COPY_OUT:
    case HANDS_SNAPSHOT: /* never asked for */
    case HANDS_SNAPPED:
    case HANDS_STARTED: /* ours to say */
    case HANDS_FAILED:
    case HANDS_EXITED:
    case HANDS_COPIED:
    case HANDS_PAUSED:
    case HANDS_REFUSED:
        break;
    }
    return 0;
}

/* --- its life -----------------------------------------------------------------------------------
 */

static int turn(struct hands *h)
{
    struct pollfd fds[] = {
        {.fd = h->control, .events = POLLIN},
        {.fd = h->signals, .events = POLLIN},
        {.fd = h->notify,  .events = POLLIN},
    };
    uint64_t now = loop_now_ms();
    int wait = h->running ? -1 : h->late_ms > now ? (int)(h->late_ms - now) : 0;
    int ready = poll(fds, ARRAY_SIZE(fds), wait);
    if (ready == 0 && !h->running) {
        struct error e;
        error_set(&e, ETIMEDOUT, "containerd does not come to an end");
        hands_tell(h->control, HANDS_FAILED, 0, 0, &e, NULL, 0);
        h->over = true;
    }
    char events[4096];
    if (fds[2].revents && read(h->notify, events, sizeof(events)) > 0)
        main_check(h);
    if (fds[1].revents)
        reap(h);
    return ready > 0 && fds[0].revents && !h->over ? request(h) : 0;
}

/* Nothing of the monitor's is ours but one socket. */
static int settle_in(struct hands *h, int control, struct error *e)
{
    sigset_t child;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_SETMASK, &child, NULL);
    setsid();
    if (dup3(control, HANDS_CONTROL, O_CLOEXEC) < 0 && errno != EINVAL)
        return error_errno(e, errno, "a socket");
    syscall(SYS_close_range, HANDS_CONTROL + 1, ~0u, 0);
    h->control = HANDS_CONTROL;
    h->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    h->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    autofree char *folder = str_dup(h->l->pid_file);
    *strrchr(folder, '/') = '\0';
    if (h->signals < 0 || h->notify < 0 ||
        inotify_add_watch(h->notify, folder, IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
        return error_errno(e, errno, "watching containerd");
    return 0;
}

static void serve(struct launch *l, int control) __attribute__((noreturn));
static void serve(struct launch *l, int control)
{
    static struct hands h;
    struct error e;
    h = (struct hands){.l = l, .control = control};
    int r = settle_in(&h, control, &e);
    if (r == 0)
        r = main_start(&h, &e);
    if (r < 0) {
        hands_tell(h.control, HANDS_FAILED, 0, 0, &e, NULL, 0);
        _exit(1);
    }
    while (!h.over && turn(&h) == 0)
        ;
    r = ctr_remove(l->handler.address, l->plan->id, l->rootfs, &e);
    _exit(r < 0 ? 1 : 0);
}

int hands_begin(struct launch *l, struct error *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, errno, "a socket");
    autoclose int ours = pair[0], theirs = pair[1];
    pid_t pid = fork();
    if (pid == 0)
        serve(l, theirs);
    if (pid < 0)
        return error_errno(e, errno, "a process beside it");
    l->far.pid = pid;
    l->far.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (l->far.pidfd < 0)
        return error_errno(e, errno, "a process beside it");
    l->far.control = TAKE_FD(ours);
    return 0;
}
