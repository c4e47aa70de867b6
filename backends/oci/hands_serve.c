/* The life of our process beside the workload: runtimes called, children reaped, words passed on.
 */
#include "backends/oci/hands_inner.h"

#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

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
        tool_ended(h, t, raw);
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
        bool starting = false, early = false;
        for (size_t i = 0; i < CALLS_MAX; i++) {
            const struct call *c = &h->calls[i];
            bool under_way = c->state == CALL_STARTING && c->runtime > 0;
            starting |= under_way;
            early |= under_way && c->command == seen.si_pid; /* its streams are not told yet */
        }
        if (early || (starting && !hands_know(h, seen.si_pid))) /* maybe what is being started */
            return;
        if (waitpid(seen.si_pid, &raw, __WALL) == seen.si_pid)
            reap_one(h, seen.si_pid, raw);
    }
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
            error_set(&e, ETIMEDOUT, "%s does not come to an end", h->w->whole->runtime);
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
    struct pollfd fds[4 + CALLS_MAX] = {
        {.fd = h->control,   .events = POLLIN},
        {.fd = h->signals,   .events = POLLIN},
        {.fd = h->notify,    .events = POLLIN},
        {.fd = h->calls_log, .events = POLLIN},
    };
    struct call *whose[4 + CALLS_MAX];
    size_t count = 4;
    int wait = next_deadline(h);
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].state == CALL_STARTING && h->calls[i].listener >= 0) {
            whose[count] = &h->calls[i];
            fds[count++] = (struct pollfd){.fd = h->calls[i].listener, .events = POLLIN};
        }
    if (h->over || poll(fds, count, wait) < 0)
        return 0;
    for (size_t i = 4; i < count; i++)
        if (fds[i].revents)
            call_accept(h, whose[i]);
    if (fds[3].revents)
        refused_read(h, false);
    if (fds[2].revents)
        drain_notify(h);
    if (fds[1].revents)
        reap(h);
    return fds[0].revents ? hands_request(h) : 0;
}

/* What a runtime of others may have made beyond its own folder. */
static void see_off(struct hands *h)
{
    struct error ignored;
    if (h->runtime.kind == OCI_OTHER)
        tool_wait(oci_argv_delete(&h->runtime, h->w->whole->id), TOOL_MS, &ignored);
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

static int begin(struct hands *h, struct setup *s)
{
    int r = open_all(h, s);
    if (r == 0 && h->w->whole->snapshot_kind == PLAN_SNAPSHOT_MEMORY) {
        h->runtime.restored = true;
        h->image = openat(s->snapshot, OCI_MEMORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (h->image < 0)
            return setup_fail(s, "the snapshot's memory");
    }
    if (r == 0)
        r = refused_open(h, &s->error);
    return r < 0 ? r : call_start_main(h, &s->error);
}

void hands_serve(struct setup *s, const struct hands_wish *w)
{
    static struct hands h;
    h = (struct hands){
        .w = w,
        .runtime = {.kind = w->words.kind,
                    .program = hands_program(),
                    .platform = w->whole->platform,
                    .network_host = w->whole->network == PLAN_NETWORK_HOST,
                    .network_private = w->whole->network == PLAN_NETWORK_PRIVATE},
        .control = s->control,
        .scratch = s->scratch,
        .image = FD_NONE,
        .calls_log = FD_NONE,
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
