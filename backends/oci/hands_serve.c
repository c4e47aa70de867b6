/* The life of our process beside the workload: runtimes called, children reaped, words passed on.
 */
#include "backends/oci/hands.h"

#include "backends/agent/agent_streams.h"
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
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CALLS_MAX = 64,
    TOOLS_MAX = 64,
    START_MS = 30000,
    EXEC_MS = 15000,
    TOOL_MS = 10000,
    SAID_MAX = 4096,
};

/* A command that a runtime starts, or has started. */
struct call {
    enum { CALL_FREE, CALL_STARTING, CALL_RUNNING } state;
    uint32_t number;       /* the console */
    bool terminal, called; /* called: the runtime has come back, and all is well */
    pid_t runtime;         /* the runtime's own process; 0: reaped */
    pid_t command;         /* 0: not known (yet) */
    int listener;          /* owned; the console's socket, or FD_NONE */
    int master;            /* owned; the pty, until it is handed on */
    int outer[3];          /* owned; our ends, until they are handed on */
    int said;              /* owned; what the runtime says where the command's streams are a pty */
    uint64_t late_ms;
    uint16_t rows, cols;
    char pid_file[64], console[64], process[64];
};

/* A runtime call, or a copy, that nobody waits for. */
struct tool {
    pid_t pid;
    uint64_t late_ms;
    bool copy, snapshot;
    uint32_t transfer;
};

struct hands {
    const struct hands_wish *w;
    struct oci_runtime runtime;
    int control, signals, notify, rootfs; /* owned */
    int scratch, image; /* borrowed; the changes; a checkpoint it starts from, or FD_NONE */
    unsigned made;      /* names given so far */
    struct call calls[CALLS_MAX];
    struct tool tools[TOOLS_MAX];
    bool over;
};

static const char *const hands_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=" OCI_RUN "/tmp",
    "TMPDIR=" OCI_RUN "/tmp",
    "XDG_RUNTIME_DIR=" OCI_RUN,
    NULL,
};

/* --- words to the monitor -----------------------------------------------------------------------
 */

static void tell(struct hands *h, enum hands_word word, uint32_t number, int value,
                 const struct error *e, const int *fds, size_t count)
{
    struct hands_message m = {.word = word, .number = number, .value = value};
    if (e)
        m.error = *e;
    fd_send(h->control, &m, sizeof(m), fds, count);
}

/* --- starting a runtime -------------------------------------------------------------------------
 */

/* `image` becomes descriptor 3, if there is one. */
static int spawn(char *const *argv, const int fds[3], int image, pid_t *ret, struct error *e)
{
    const int all[4] = {fds[0], fds[1], fds[2], image};
    const struct spawn s = {
        .argv = (const char *const *)argv,
        .env = hands_env,
        .fds = all,
        .fds_count = image >= 0 ? 4 : 3,
        .new_session = true,
    };
    return spawn_start(&s, ret, NULL, e);
}

static void call_done(struct call *c)
{
    fd_close(c->listener);
    fd_close(c->master);
    fd_close(c->said);
    for (int i = 0; i < 3; i++)
        fd_close(c->outer[i]);
    const char *const files[] = {c->pid_file, c->console, c->process};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i][0])
            unlink(files[i]);
    *c = (struct call){.state = CALL_FREE};
}

static struct call *call_new(struct hands *h, uint32_t number, bool terminal)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *c = &h->calls[i];
        if (c->state != CALL_FREE)
            continue;
        *c = (struct call){
            .state = CALL_STARTING,
            .number = number,
            .terminal = terminal,
            .listener = FD_NONE,
            .master = FD_NONE,
            .said = FD_NONE,
            .outer = {FD_NONE, FD_NONE, FD_NONE},
        };
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

static struct call *call_find(struct hands *h, uint32_t number)
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

static int call_spawn(struct hands *h, struct call *c, char *const *argv, unsigned limit_ms,
                      struct error *e)
{
    int inner[3] = {FD_NONE, FD_NONE, FD_NONE};
    int r = call_streams(h, c, inner, e);
    if (r == 0)
        r = spawn(argv, inner, c->number ? FD_NONE : h->image, &c->runtime, e);
    for (int i = 0; i < 3; i++)
        fd_close(inner[i]);
    c->late_ms = loop_now_ms() + limit_ms;
    return r;
}

/* What a runtime that has failed said, up to a length; a second call says nothing. */
static char *call_said(struct call *c)
{
    char *text = mem_zero(SAID_MAX + 1, 1);
    int fd = c->terminal ? c->said : c->outer[2];
    if (fd >= 0 && fd_nonblock(fd) == 0 && read(fd, text, SAID_MAX) < 0)
        text[0] = '\0';
    return text;
}

/* The last line of that, without its date, as one line of ours. */
static void call_reason(struct hands *h, char *text, struct error *e)
{
    if (!text[0]) {
        error_set(e, EIO, "%s failed without a word", h->runtime.program);
        return;
    }
    char *line = str_trim(text), *end = strrchr(line, '\n');
    if (end)
        line = str_trim(end);
    char *message = strstr(line, "msg=\"");
    if (message)
        line = message + 5;
    autofree char *shown = str_escape_z(line);
    int code = strstr(line, "not found") || strstr(line, "No such file") ? ENOENT
               : strstr(line, "no such file")                            ? ENOENT
               : strstr(line, "ermission denied")                        ? EACCES
                                                                         : EIO;
    error_set(e, code, "%s: %.300s", h->runtime.program, shown);
}

static void call_fail(struct hands *h, struct call *c, const struct error *why)
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
    tell(h, HANDS_FAILED, c->number, 0, &e, NULL, 0);
    call_done(c);
}

static int tool_wait(char **argv, struct error *e);

/* --- a call's progress --------------------------------------------------------------------------
 */

static pid_t read_pid(const char *path)
{
    autofree char *text = NULL;
    uint64_t pid;
    return file_read(AT_FDCWD, path, 64, &text, NULL) == 0 &&
                   str_to_uint(str_trim(text), &pid) == 0 && pid > 1 && pid < INT32_MAX
               ? (pid_t)pid
               : 0;
}

/* gVisor's own number of a command, beside that of the process which waits for it. */
static pid_t call_inside(const struct call *c)
{
    char path[sizeof(c->pid_file) + 8];
    snprintf(path, sizeof(path), "%s" OCI_PID_INSIDE, c->pid_file);
    return read_pid(path);
}

static void call_set_size(const struct call *c)
{
    struct winsize size = {.ws_row = c->rows, .ws_col = c->cols};
    if (c->rows && c->cols)
        ioctl(c->master, TIOCSWINSZ, &size);
}

/* runsc's own process runs as long as main does; for others, and for its execs, one is left behind.
 */
static bool call_waits(const struct hands *h, const struct call *c)
{
    return h->runtime.kind == OCI_RUNSC && c->number == 0;
}

/* Everything that was waited for has come: the command runs. */
static void call_check(struct hands *h, struct call *c)
{
    if (c->state != CALL_STARTING || (c->terminal && c->master < 0))
        return;
    if (c->command == 0)
        c->command = read_pid(c->pid_file);
    if (c->command == 0 || (!call_waits(h, c) && !c->called))
        return;
    c->state = CALL_RUNNING;
    c->late_ms = 0;
    struct error e;
    if (c->number == 0 && h->image >= 0 &&
        tool_wait(hands_identity(h->w->whole, &h->runtime), &e) < 0) {
        error_wrap(&e, "saying who it is now");
        call_fail(h, c, &e); /* never two of the same */
        return;
    }
    if (c->terminal) {
        call_set_size(c);
        tell(h, HANDS_STARTED, c->number, c->command, NULL, &c->master, 1);
        c->master = fd_close(c->master);
    } else {
        tell(h, HANDS_STARTED, c->number, c->command, NULL, c->outer, 3);
        for (int i = 0; i < 3; i++)
            c->outer[i] = fd_close(c->outer[i]);
    }
}

static void call_exited(struct hands *h, struct call *c, int raw)
{
    int status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    tell(h, HANDS_EXITED, c->number, status, NULL, NULL, 0);
    if (c->number == 0)
        h->over = true;
    call_done(c);
}

static int start_main(struct hands *h, struct error *e);

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
    if (start_main(h, &e) < 0) {
        h->over = true;
        tell(h, HANDS_FAILED, 0, 0, &e, NULL, 0);
    }
}

static void call_runtime_ended(struct hands *h, struct call *c, int raw)
{
    c->runtime = 0;
    if (call_waits(h, c)) {
        call_check(h, c);
        if (c->state == CALL_RUNNING)
            call_exited(h, c, raw);
        else
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
    if (c->state != CALL_RUNNING) {
        error_set(&e, EPROTO, "%s has not said what it started", h->runtime.program);
        call_fail(h, c, &e);
    }
}

/* The runtime sends the pty's master, once. */
static void call_accept(struct hands *h, struct call *c)
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
        error_set(&e, EPROTO, "%s has sent no terminal", h->runtime.program);
        call_fail(h, c, &e);
        return;
    }
    c->master = TAKE_FD(got);
    c->listener = fd_close(c->listener);
    call_check(h, c);
}

/* --- tools --------------------------------------------------------------------------------------
 */

static struct tool *tool_new(struct hands *h, unsigned limit_ms)
{
    for (size_t i = 0; i < TOOLS_MAX; i++)
        if (h->tools[i].pid == 0) {
            h->tools[i] = (struct tool){.late_ms = limit_ms ? loop_now_ms() + limit_ms : 0};
            return &h->tools[i];
        }
    return NULL;
}

/* Starts it and goes on. */
static void tool_run(struct hands *h, char **argv)
{
    const int none[3] = {FD_NONE, FD_NONE, FD_NONE};
    struct error e;
    struct tool *t = tool_new(h, TOOL_MS);
    if (t && spawn(argv, none, FD_NONE, &t->pid, &e) < 0)
        t->pid = 0;
    strv_free(argv);
}

/* Waits for it. */
static int tool_wait(char **argv, struct error *e)
{
    autofree char *said = NULL;
    int status = 0;
    const char *name = argv[0];
    int r = spawn_run((const char *const *)argv, TOOL_MS, SAID_MAX, &status, &said, e);
    if (r == 0 && status != 0) {
        autofree char *shown = str_escape_z(str_trim(said));
        r = error_set(e, EIO, "%s: %.300s", name, shown);
    }
    strv_free(argv);
    return r;
}

static void reap_one(struct hands *h, pid_t pid, int raw)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *c = &h->calls[i];
        if (c->state == CALL_FREE)
            continue;
        if (c->runtime == pid) {
            call_runtime_ended(h, c, raw);
            return;
        }
        if (c->command == pid && !call_waits(h, c)) {
            call_exited(h, c, raw);
            return;
        }
    }
    for (size_t i = 0; i < TOOLS_MAX; i++) {
        struct tool *t = &h->tools[i];
        if (t->pid != pid)
            continue;
        t->pid = 0;
        struct error e;
        if (t->copy && raw != 0) {
            error_set(&e, EIO, "the copying process was ended");
            tell(h, t->snapshot ? HANDS_SNAPPED : HANDS_COPIED, t->transfer, 0, &e, NULL, 0);
        }
        if (t->snapshot && raw != 0) /* it may have left it standing */
            tool_run(h, oci_argv_simple(&h->runtime, "resume", h->w->whole->id));
        return;
    }
}

/*
 * A command that is gone before its runtime has come back is kept for later: the runtime's end
 * tells whose it was. So runtimes first, then what they have started.
 */
static void reap(struct hands *h)
{
    struct signalfd_siginfo info;
    while (read(h->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        ;
    int raw;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *c = &h->calls[i];
        pid_t pid = c->state == CALL_FREE ? 0 : c->runtime;
        if (pid > 0 && waitpid(pid, &raw, WNOHANG | __WALL) == pid)
            reap_one(h, pid, raw);
    }
    for (;;) {
        siginfo_t seen = {0};
        if (waitid(P_ALL, 0, &seen, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || seen.si_pid == 0)
            return;
        bool starting = false, known = false;
        for (size_t i = 0; i < CALLS_MAX; i++) {
            const struct call *c = &h->calls[i];
            starting |= c->state == CALL_STARTING && c->runtime > 0;
            known |= c->state != CALL_FREE && (c->command == seen.si_pid);
        }
        for (size_t i = 0; i < TOOLS_MAX; i++)
            known |= h->tools[i].pid == seen.si_pid;
        if (starting && !known) /* it may be what is just being started */
            return;
        if (waitpid(seen.si_pid, &raw, __WALL) == seen.si_pid)
            reap_one(h, seen.si_pid, raw);
    }
}

/* --- requests -----------------------------------------------------------------------------------
 */

static int exec_write(struct hands *h, struct call *c, const struct launch_exec *x, struct error *e)
{
    const struct plan *p = h->w->whole;
    uint32_t uid = p->uid, gid = p->gid;
    int r = x->user ? hands_find_user(h->rootfs, x->user, &uid, &gid) : 0;
    if (r < 0)
        return error_set(e, EINVAL, "user %s: %s", x->user,
                         r == -ENOENT ? "there is none of that name" : strerror(-r));
    autofree char *text = oci_process(p, &h->w->words, x, uid, gid);
    r = file_write_whole(AT_FDCWD, c->process, text, strlen(text), 0644, false);
    return r < 0 ? error_errno(e, -r, "process.json") : 0;
}

static int exec_start(struct hands *h, struct call *c, const struct launch_exec *x, struct error *e)
{
    int r = exec_write(h, c, x, e);
    if (r < 0)
        return r;
    autostrv char **argv = oci_argv_exec(&h->runtime, h->w->whole->id, c->process,
                                         c->terminal ? c->console : NULL, c->pid_file);
    return call_spawn(h, c, argv, EXEC_MS, e);
}

static void request_exec(struct hands *h, const struct hands_message *m, const char *data,
                         size_t size)
{
    struct launch_exec x;
    struct error e;
    autostrv char **front = NULL, **argv = NULL, **env = NULL;
    if (hands_exec_read(data, size, &x, &front, &argv, &env) < 0)
        return;
    struct call *c = call_new(h, m->number, x.terminal);
    if (!c) {
        error_set(&e, EBUSY, "too many commands at once");
        tell(h, HANDS_FAILED, m->number, 0, &e, NULL, 0);
        return;
    }
    c->rows = x.rows;
    c->cols = x.cols;
    if (exec_start(h, c, &x, &e) < 0)
        call_fail(h, c, &e);
}

static void request_signal(struct hands *h, const struct hands_message *m)
{
    if (m->number == HANDS_ALL) {
        kill(-1, m->value);
        return;
    }
    struct call *c = call_find(h, m->number);
    if (!c || c->state != CALL_RUNNING)
        return;
    if (h->runtime.kind == OCI_RUNSC || (h->runtime.kind == OCI_OTHER && m->number == 0)) {
        tool_run(h, oci_argv_kill(&h->runtime, h->w->whole->id, m->value,
                                  m->number ? call_inside(c) : 0));
    } else if (m->number == 0 || kill(-c->command, m->value) < 0) {
        kill(c->command, m->value); /* PID 1 hands it on */
    }
}

static void request_copy(struct hands *h, const struct hands_message *m, const char *path, int fd)
{
    autoclose int taken = fd;
    struct error e;
    struct tool *t = tool_new(h, 0);
    pid_t pid = t && fd >= 0 ? fork() : -1;
    if (pid == 0)
        hands_copy(h->rootfs, h->w->plan, h->control, m, path, TAKE_FD(taken));
    if (pid < 0) {
        error_set(&e, EAGAIN, "too many copies at once");
        tell(h, HANDS_COPIED, m->number, 0, &e, NULL, 0);
        return;
    }
    t->pid = pid;
    t->copy = true;
    t->transfer = m->number;
}

/* A further command has streams of ours that no checkpoint could bring back. */
static void request_snapshot(struct hands *h, const struct hands_message *m, int fd)
{
    autoclose int dir = fd;
    struct error e;
    struct tool *t = NULL;
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].state != CALL_FREE && h->calls[i].number) {
            error_set(&e, EBUSY, "a command of exec runs in it, which no snapshot could hold");
            tell(h, HANDS_SNAPPED, m->number, 0, &e, NULL, 0);
            return;
        }
    t = tool_new(h, 0);
    pid_t pid = t && dir >= 0 ? fork() : -1;
    if (pid == 0)
        hands_snapshot(&h->runtime, h->w->whole->id, h->scratch, h->control, m->number, dir);
    if (pid < 0) {
        error_set(&e, EAGAIN, "too much at once");
        tell(h, HANDS_SNAPPED, m->number, 0, &e, NULL, 0);
        return;
    }
    t->pid = pid;
    t->copy = t->snapshot = true;
    t->transfer = m->number;
}

/* Where there is no freezer: gVisor has one of its own, and what runs here can be stopped. */
static void request_pause(struct hands *h, const struct hands_message *m)
{
    struct error e = {0};
    if (h->runtime.kind == OCI_RUNSC) {
        tool_wait(oci_argv_simple(&h->runtime, m->value ? "pause" : "resume", h->w->whole->id), &e);
    } else {
        for (int i = 0; i < 2; i++) /* the second for what was being born under another signal */
            kill(-1, m->value ? SIGSTOP : SIGCONT);
    }
    tell(h, HANDS_PAUSED, 0, 0, &e, NULL, 0);
}

/* -EPIPE: the monitor is gone. */
static int request(struct hands *h)
{
    static char packet[HANDS_PACKET_MAX + 1];
    struct hands_message m;
    int fd = FD_NONE;
    size_t count = 1;
    ssize_t n = fd_receive(h->control, packet, HANDS_PACKET_MAX, &fd, &count);
    autoclose int got = n > 0 && count ? fd : FD_NONE;
    if (n <= 0)
        return n == -EAGAIN || n == -EINTR ? 0 : -EPIPE;
    if ((size_t)n < sizeof(m))
        return 0;
    memcpy(&m, packet, sizeof(m));
    packet[n] = '\0';
    const char *rest = packet + sizeof(m);
    switch ((enum hands_word)m.word) {
    case HANDS_EXEC:
        request_exec(h, &m, rest, (size_t)n - sizeof(m));
        break;
    case HANDS_SIGNAL:
        request_signal(h, &m);
        break;
    case HANDS_COPY_IN:
    case HANDS_COPY_OUT:
        request_copy(h, &m, rest, TAKE_FD(got));
        break;
    case HANDS_PAUSE:
        request_pause(h, &m);
        break;
    case HANDS_SNAPSHOT:
        request_snapshot(h, &m, TAKE_FD(got));
        break;
    case HANDS_SNAPPED:
    case HANDS_STARTED: /* ours to say */
    case HANDS_FAILED:
    case HANDS_EXITED:
    case HANDS_COPIED:
    case HANDS_PAUSED:
        break;
    }
    return 0;
}

/* --- the loop -----------------------------------------------------------------------------------
 */

static int next_deadline(struct hands *h)
{
    uint64_t now = loop_now_ms(), first = UINT64_MAX;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        struct call *c = &h->calls[i];
        if (c->state == CALL_STARTING && now >= c->late_ms) {
            struct error e;
            error_set(&e, ETIMEDOUT, "%s does not come to an end", h->runtime.program);
            call_fail(h, c, &e);
        } else if (c->state == CALL_STARTING) {
            first = MIN(first, c->late_ms);
        }
    }
    for (size_t i = 0; i < TOOLS_MAX; i++) {
        struct tool *t = &h->tools[i];
        if (t->pid && t->late_ms && now >= t->late_ms)
            kill(t->pid, SIGKILL);
        else if (t->pid && t->late_ms)
            first = MIN(first, t->late_ms);
    }
    return first == UINT64_MAX ? -1 : (int)(first - now);
}

static void drain_notify(struct hands *h)
{
    char events[4096];
    while (read(h->notify, events, sizeof(events)) > 0)
        ;
    for (size_t i = 0; i < CALLS_MAX; i++)
        call_check(h, &h->calls[i]);
}

static int turn(struct hands *h)
{
    struct pollfd fds[3 + CALLS_MAX] = {
        {.fd = h->control, .events = POLLIN},
        {.fd = h->signals, .events = POLLIN},
        {.fd = h->notify,  .events = POLLIN},
    };
    struct call *whose[3 + CALLS_MAX];
    size_t count = 3;
    int wait = next_deadline(h);
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].state == CALL_STARTING && h->calls[i].listener >= 0) {
            whose[count] = &h->calls[i];
            fds[count++] = (struct pollfd){.fd = h->calls[i].listener, .events = POLLIN};
        }
    if (h->over || poll(fds, count, wait) < 0)
        return 0;
    for (size_t i = 3; i < count; i++)
        if (fds[i].revents)
            call_accept(h, whose[i]);
    if (fds[2].revents)
        drain_notify(h);
    if (fds[1].revents)
        reap(h);
    return fds[0].revents ? request(h) : 0;
}

/* What a runtime of others may have made beyond its own folder. */
static void see_off(struct hands *h)
{
    struct error ignored;
    if (h->runtime.kind == OCI_OTHER)
        tool_wait(oci_argv_delete(&h->runtime, h->w->whole->id), &ignored);
}

static int open_all(struct hands *h, struct setup *s)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    h->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    h->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    h->rootfs = open(OCI_BUNDLE "/rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (h->signals < 0 || h->notify < 0 || h->rootfs < 0 ||
        inotify_add_watch(h->notify, OCI_RUN "/pids", IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
        return setup_fail(s, "watching the runtime");
    return 0;
}

static int start_main(struct hands *h, struct error *e)
{
    const struct plan *p = h->w->whole;
    struct call *c = call_new(h, 0, p->terminal);
    c->rows = h->w->words.rows;
    c->cols = h->w->words.cols;
    const char *console = p->terminal ? c->console : NULL;
    autostrv char **argv = h->image >= 0 ? oci_argv_restore(&h->runtime, p->id, console)
                                         : oci_argv_run(&h->runtime, p->id, console);
    int r = call_spawn(h, c, argv, START_MS, e);
    return r == -ENOENT ? error_set(e, ENOENT, "%s is not installed", h->runtime.program) : r;
}

static int begin(struct hands *h, struct setup *s)
{
    int r = open_all(h, s);
    if (r == 0 && h->w->whole->snapshot_kind == PLAN_SNAPSHOT_MEMORY) {
        h->runtime.restored = true;
        h->image = openat(s->snapshot, OCI_MEMORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (h->image < 0)
            return setup_fail(s, "the snapshot's memory");
    }
    return r < 0 ? r : start_main(h, &s->error);
}

void hands_serve(struct setup *s, const struct hands_wish *w)
{
    static struct hands h;
    h = (struct hands){
        .w = w,
        .runtime = {.kind = w->words.kind,
                    .program = hands_program(),
                    .network_host = w->whole->network == PLAN_NETWORK_HOST,
                    .filter = w->whole->seccomp},
        .control = s->control,
        .scratch = s->scratch,
        .image = FD_NONE,
    };
    if (begin(&h, s) < 0) {
        setup_tell(s, SETUP_FAILED, FD_NONE);
        _exit(125);
    }
    while (!h.over && turn(&h) == 0)
        ;
    see_off(&h);
    _exit(0);
}
