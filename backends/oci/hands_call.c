/* A command that a runtime starts: its streams or its terminal, its start, its end. */
#include "backends/oci/hands_inner.h"

#include "backends/agent/agent_streams.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_SAID_MAX = 4096 };

static const struct call call_none = {
    .state = CALL_FREE,
    .listener = FD_NONE,
    .master = FD_NONE,
    .said = FD_NONE,
    .alive = FD_NONE,
    .outer = {FD_NONE, FD_NONE, FD_NONE},
};

static void call_done(struct call *c)
{
    fd_close(c->listener);
    fd_close(c->master);
    fd_close(c->said);
    fd_close(c->alive);
    for (int i = 0; i < 3; i++)
        fd_close(c->outer[i]);
    const char *const files[] = {c->pid_file, c->console, c->process};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i][0])
            unlink(files[i]);
    *c = call_none;
}

struct call *call_new(struct hands *h, uint32_t number, bool terminal)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *c = &h->calls[i];
        if (c->state != CALL_FREE)
            continue;
        *c = call_none;
        c->state = CALL_STARTING;
        c->number = number;
        c->terminal = terminal;
        unsigned n = h->made++;
        snprintf(c->pid_file, sizeof(c->pid_file), number ? OCI_RUN "/pids/%u" : OCI_PID_FILE, n);
        if (terminal)
            snprintf(c->console, sizeof(c->console), OCI_RUN "/console-%u", n);
        if (number)
            snprintf(c->process, sizeof(c->process), OCI_RUN "/process-%u.json", n);
        return c;
    }
    return NULL;
}

struct call *call_find(struct hands *h, uint32_t number)
{
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].state != CALL_FREE && h->calls[i].number == number)
            return &h->calls[i];
    return NULL;
}

static int call_listen(struct call *c, struct error *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", c->console);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(c->listener, 1) < 0)
        return error_errno(e, errno, "a socket for the terminal");
    return 0;
}

/* The command's streams, or, where it has a terminal, what the runtime itself has to say. */
static int call_streams(struct hands *h, struct call *c, int inner[3], struct error *e)
{
    int r = 0;
    for (int i = 0; i < 3; i++) {
        int pair[2];
        if (c->terminal && i == 0) {
            inner[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
            continue;
        }
        if (c->terminal && i == 2) {
            inner[i] = fcntl(inner[1], F_DUPFD_CLOEXEC, 3);
            continue;
        }
        r = fd_pipe(pair, 0);
        if (r < 0)
            return error_errno(e, -r, "pipes");
        inner[i] = pair[i ? 1 : 0];
        if (c->terminal)
            c->said = pair[0];
        else
            c->outer[i] = pair[i ? 0 : 1];
        const struct plan *p = h->w->plan;
        if (!c->terminal && p->uid != geteuid()) /* so that /dev/stdout can be opened again */
            r = fchown(inner[i], p->uid, p->gid);
    }
    if (c->said >= 0)
        fd_nonblock(c->said);
    return c->terminal ? call_listen(c, e) : 0;
}

int call_spawn(struct hands *h, struct call *c, char *const *argv, unsigned limit_ms,
               struct error *e)
{
    int inner[3] = {FD_NONE, FD_NONE, FD_NONE};
    int r = call_streams(h, c, inner, e);
    if (r == 0)
        r = tool_spawn(argv, inner, c->number ? FD_NONE : h->image, &c->runtime, e);
    for (int i = 0; i < 3; i++)
        fd_close(inner[i]);
    c->late_ms = loop_now_ms() + limit_ms;
    return r;
}

/* What a runtime that has failed said, up to a length; a second call says nothing. */
static char *call_said(struct call *c)
{
    char *text = mem_zero(CALL_SAID_MAX + 1, 1);
    int fd = c->terminal ? c->said : c->outer[2];
    if (fd >= 0 && fd_nonblock(fd) == 0 && read(fd, text, CALL_SAID_MAX) < 0)
        text[0] = '\0';
    return text;
}

/* Why, of that, without its date, as one line of ours. */
static void call_reason(struct hands *h, char *text, struct error *e)
{
    if (!text[0]) {
        error_set(e, EIO, "%s failed without a word", h->w->whole->runtime);
        return;
    }
    char *line = str_reason(text);
    char *message = strstr(line, "msg=\"");
    if (message)
        line = message + 5;
    autofree char *shown = str_escape_z(line);
    int code = strstr(line, "not found") || strstr(line, "No such file") ? ENOENT
               : strstr(line, "no such file")                            ? ENOENT
               : strstr(line, "ermission denied")                        ? EACCES
                                                                         : EIO;
    bool full = strstr(line, "pthread_create") || strstr(line, "new OS thread") ||
                strstr(line, "esource temporarily unavailable");
    error_set(e, code, "%s: %.300s%s", h->w->whole->runtime, shown,
              full && h->w->whole->limits.pids ? " (its own threads count into resources.pids)"
                                               : "");
}

void call_fail(struct hands *h, struct call *c, const struct error *why)
{
    struct error e;
    if (why) {
        e = *why;
    } else {
        autofree char *text = call_said(c);
        call_reason(h, text, &e);
    }
    if (c->runtime > 0)
        kill(c->runtime, SIGKILL);
    if (c->command > 0)
        kill(c->command, SIGKILL);
    if (c->number == 0)
        h->over = true;
    hands_tell(h->control, HANDS_FAILED, c->number, 0, &e, NULL, 0);
    call_done(c);
}

/* --- a call's progress --------------------------------------------------------------------------
 */

pid_t call_read_pid(const char *path)
{
    autofree char *text = NULL;
    uint64_t pid;
    return file_read(AT_FDCWD, path, 64, &text, NULL) == 0 &&
                   str_to_uint(str_trim(text), &pid) == 0 && pid > 1 && pid < INT32_MAX
               ? (pid_t)pid
               : 0;
}

pid_t call_inside(const struct call *c)
{
    char path[sizeof(c->pid_file) + 8];
    snprintf(path, sizeof(path), "%s" OCI_PID_INSIDE, c->pid_file);
    return call_read_pid(path);
}

static void call_set_size(const struct call *c)
{
    struct winsize size = {.ws_row = c->rows, .ws_col = c->cols};
    if (c->rows && c->cols)
        ioctl(c->master, TIOCSWINSZ, &size);
}

/* runsc's own process runs as long as main does; for others, and for its execs, one is left behind.
 */
bool call_waits(const struct hands *h, const struct call *c)
{
    return h->runtime.kind == OCI_RUNSC && c->number == 0;
}

/*
 * One restored from memory stands still until it knows who it is. Our call waits there until gVisor
 * has read all of it.
 */
static int call_become(struct hands *h, struct error *e)
{
    const struct plan *p = h->w->whole;
    autofree char *stopped = hands_stopped(h->image, OCI_STOPPED);
    int r = tool_wait(hands_go_on(&h->runtime, p->id, p, stopped), START_MS, e);
    return r < 0 ? error_wrap(e, "saying who it is now") : 0;
}

/* One that is ending is shown in none of its former groups; proc(5): the flags of "stat". */
static bool call_has_ended(pid_t pid)
{
    enum { FLAG_EXITING = 4 };
    autofree char *text = NULL;
    char path[40];
    unsigned flags = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read_virtual(AT_FDCWD, path, 4096, &text, NULL) < 0)
        return true;
    const char *after = strrchr(text, ')');
    return after && sscanf(after, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
           (flags & FLAG_EXITING);
}

/* In each hierarchy ours, or one below it: anywhere else no limit would hold it. */
static int call_check_groups(pid_t pid, struct error *e)
{
    enum { GROUPS_MOST = 64 * 1024 };
    autofree char *ours = NULL, *its = NULL;
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    int r = file_read_virtual(AT_FDCWD, "/proc/self/cgroup", GROUPS_MOST, &ours, NULL);
    if (r < 0)
        return error_errno(e, -r, "our own control groups");
    r = file_read_virtual(AT_FDCWD, path, GROUPS_MOST, &its, NULL);
    if (r == -ENOENT || r == -ESRCH)
        return 0;
    if (r < 0)
        return error_errno(e, -r, "its control groups");
    char *rest = its, *mine_rest = ours, *line, *mine;
    while ((mine = strsep(&mine_rest, "\n")) && *mine) {
        size_t length = strlen(mine);
        while (length && mine[length - 1] == '/')
            length--;
        line = strsep(&rest, "\n");
        bool same =
            line && strncmp(line, mine, length) == 0 && (!line[length] || line[length] == '/');
        if (!same && call_has_ended(pid))
            return 0;
        if (!same)
            return error_set(e, EPERM,
                             "the runtime has put it into a control group of its own (%s), where "
                             "no limit of ours would hold it",
                             line ? line : "none");
    }
    return 0;
}

void call_check(struct hands *h, struct call *c)
{
    if (c->state != CALL_STARTING || (c->terminal && c->master < 0))
        return;
    if (c->command == 0)
        c->command = call_read_pid(c->pid_file);
    if (c->command > 0 && c->alive < 0 && call_waits(h, c))
        c->alive = (int)syscall(SYS_pidfd_open, c->command, 0);
    if (c->command == 0 || (!call_waits(h, c) && !c->called))
        return;
    c->state = CALL_RUNNING;
    c->late_ms = 0;
    struct error e;
    if (call_check_groups(c->command, &e) < 0) {
        call_fail(h, c, &e);
        return;
    }
    if (c->number == 0 && h->image >= 0 && call_become(h, &e) < 0) {
        call_fail(h, c, &e); /* never two of the same */
        return;
    }
    if (c->terminal) {
        call_set_size(c);
        hands_tell(h->control, HANDS_STARTED, c->number, c->command, NULL, &c->master, 1);
        c->master = fd_close(c->master);
    } else {
        hands_tell(h->control, HANDS_STARTED, c->number, c->command, NULL, c->outer, 3);
        for (int i = 0; i < 3; i++)
            c->outer[i] = fd_close(c->outer[i]);
    }
}

/*
 * Which signal ended it: its parent tells that as the command's own end. linux/pidfd.h of Linux
 * 6.15; 0: none, or an older kernel, which says nothing of who has been reaped.
 */
static int call_signal_of(int pidfd)
{
    enum { INFO_EXIT = 8 };
    struct info {
        uint64_t mask, cgroup;
        uint32_t ids[11];
        int32_t exit_code;
    } info = {.mask = INFO_EXIT};
    if (pidfd < 0 || ioctl(pidfd, _IOWR(0xff, 11, struct info), &info) < 0)
        return 0;
    return info.mask & INFO_EXIT && WIFSIGNALED(info.exit_code) ? WTERMSIG(info.exit_code) : 0;
}

/* gVisor's kernel has failed by itself, and says why in its first line; that is no command's end.
 */
static void call_panic(const struct hands *h, struct error *e)
{
    char text[1024];
    autoclose int fd = open(OCI_PANIC, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[MAX(n, 0)] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (!str_starts(text, "panic: ") && !str_starts(text, "fatal error: "))
        return;
    autofree char *shown = str_escape_z(text);
    error_set(e, EIO, "%s, which the workload ran in, has failed: %.300s", h->w->whole->runtime,
              shown);
}

void call_exited(struct hands *h, struct call *c, int raw)
{
    int status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    int signo = c->ended_by_us ? 0 : call_signal_of(c->alive);
    if (call_waits(h, c) && !signo && WIFSIGNALED(raw))
        signo = WTERMSIG(raw);
    struct error e = {0};
    if (signo) {
        status = 128 + signo; /* whatever the runtime makes of it: runsc's own 128, at times */
        error_set(&e, EIO, "%s, which the workload ran in, was killed by signal %d (%s)",
                  h->w->whole->runtime, signo, strsignal(signo));
    } else if (call_waits(h, c) && !c->ended_by_us) {
        call_panic(h, &e);
    }
    if (c->number == 0)
        refused_read(h, true);
    hands_tell(h->control, HANDS_EXITED, c->number, status, &e, NULL, 0);
    if (c->number == 0)
        h->over = true;
    call_done(c);
}

/*
 * 2022's runsc does not know all the words of today's. To ask for its version first would cost each
 * start more than what everything else of ours does.
 */
static void call_again(struct hands *h, struct call *c)
{
    struct error e;
    autofree char *text = call_said(c);
    bool old = strstr(text, "flag provided but not defined") && !h->runtime.old;
    if (!old) {
        call_reason(h, text, &e);
        call_fail(h, c, &e);
        return;
    }
    h->runtime.old = true;
    call_done(c);
    if (call_start_main(h, &e) < 0) {
        h->over = true;
        hands_tell(h->control, HANDS_FAILED, 0, 0, &e, NULL, 0);
    }
}

void call_runtime_ended(struct hands *h, struct call *c, int raw)
{
    c->runtime = 0;
    if (call_waits(h, c)) {
        call_check(h, c);
        if (c->state == CALL_RUNNING)
            call_exited(h, c, raw);
        else if (c->state == CALL_STARTING)
            call_again(h, c);
        return;
    }
    if (!WIFEXITED(raw) || WEXITSTATUS(raw) != 0) {
        call_fail(h, c, NULL);
        return;
    }
    c->called = true;
    call_check(h, c);
    struct error e;
    if (c->state == CALL_STARTING) {
        error_set(&e, EPROTO, "%s has not said what it started", h->w->whole->runtime);
        call_fail(h, c, &e);
    }
}

/* The runtime sends the pty's master, once. */
void call_accept(struct hands *h, struct call *c)
{
    struct error e;
    struct launch_streams streams;
    char word[256];
    int fd = FD_NONE;
    size_t count = 1;
    autoclose int from = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
    if (from < 0)
        return;
    struct timeval limit = {.tv_sec = 5};
    setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ssize_t n = fd_receive(from, word, sizeof(word), &fd, &count);
    autoclose int got = n > 0 && count ? fd : FD_NONE;
    if (got < 0 || agent_streams_check(&got, 1, true, &streams) < 0) {
        error_set(&e, EPROTO, "%s has sent no terminal", h->w->whole->runtime);
        call_fail(h, c, &e);
        return;
    }
    c->master = TAKE_FD(got);
    c->listener = fd_close(c->listener);
    call_check(h, c);
}

int call_start_main(struct hands *h, struct error *e)
{
    const struct plan *p = h->w->whole;
    struct call *c = call_new(h, 0, p->terminal);
    c->rows = h->w->words.rows;
    c->cols = h->w->words.cols;
    const char *console = p->terminal ? c->console : NULL;
    autostrv char **argv = h->image >= 0 ? oci_argv_restore(&h->runtime, p->id, console)
                                         : oci_argv_run(&h->runtime, p->id, console);
    int r = call_spawn(h, c, argv, START_MS, e);
    return r == -ENOENT ? error_set(e, ENOENT, "%s is not installed", h->w->whole->runtime) : r;
}
