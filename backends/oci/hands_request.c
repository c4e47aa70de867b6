/* What the monitor asks of our process beside the workload. */
#include "backends/oci/hands_inner.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

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
    bool snapshot = tool_snapshots(h); /* it would be in the memory, with streams of ours */
    struct call *c = snapshot ? NULL : call_new(h, m->number, x.terminal);
    if (!c) {
        error_set(&e, EBUSY,
                  snapshot ? "a snapshot of it is being taken" : "too many commands at once");
        hands_tell(h->control, HANDS_FAILED, m->number, 0, &e, NULL, 0);
        return;
    }
    c->rows = x.rows;
    c->cols = x.cols;
    if (exec_start(h, c, &x, &e) < 0)
        call_fail(h, c, &e);
}

static void request_signal(struct hands *h, const struct hands_message *m)
{
    bool all = m->number == HANDS_ALL;
    struct call *c = call_find(h, all ? 0 : m->number);
    if (all) {
        if (c)
            c->ended_by_us |= m->value == SIGKILL;
        kill(-1, m->value);
        return;
    }
    if (!c || c->state != CALL_RUNNING)
        return;
    c->ended_by_us |= m->value == SIGKILL;
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
        hands_tell(h->control, HANDS_COPIED, m->number, 0, &e, NULL, 0);
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
            hands_tell(h->control, HANDS_SNAPPED, m->number, 0, &e, NULL, 0);
            return;
        }
    t = tool_snapshots(h) ? NULL : tool_new(h, 0);
    pid_t pid = t && dir >= 0 ? fork() : -1;
    if (pid == 0)
        hands_snapshot(&h->runtime, h->w->whole->id, h->scratch, h->control, m->number, dir);
    if (pid < 0) {
        error_set(&e, EAGAIN, "too much is done to it at once");
        hands_tell(h->control, HANDS_SNAPPED, m->number, 0, &e, NULL, 0);
        return;
    }
    t->pid = pid;
    t->copy = t->snapshot = true;
    t->transfer = m->number;
}

/* Where there is no freezer: gVisor has one of its own, and what runs here can be stopped. */
static void request_pause(struct hands *h, const struct hands_message *m)
{
    struct error e = {0}, ignored;
    const char *id = h->w->whole->id;
    if (h->runtime.kind == OCI_RUNSC) {
        int r =
            tool_wait(oci_argv_simple(&h->runtime, m->value ? "pause" : "resume", id), TOOL_MS, &e);
        if (r < 0 && m->value) { /* gVisor may come to it after all, and nobody would know */
            refused_read(h, true);
            tool_wait(oci_argv_simple(&h->runtime, "resume", id), TOOL_MS, &ignored);
        }
    } else {
        for (int i = 0; i < 2; i++) /* the second for what was being born under another signal */
            kill(-1, m->value ? SIGSTOP : SIGCONT);
    }
    hands_tell(h->control, HANDS_PAUSED, 0, 0, &e, NULL, 0);
}

int hands_request(struct hands *h)
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
    case HANDS_REFUSED:
        break;
    }
    return 0;
}
