/* The monitor's half of a start, and hearing from the process beside the workload. */
#include "backends/oci/internal.h"

#include "backends/agent/agent_streams.h"
#include "base/fd.h"
#include "base/loop.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OCI_START_MS = 60000 };

static void __attribute__((noreturn)) start_child(struct setup *s, void *data)
{
    hands_run(s, data);
}

static void start_settle(struct launch *l)
{
    cgroup_keep(l->cgroup, l->far.pid);
    strv_free(l->shortfalls);
    l->shortfalls = strv_copy(cgroup_shortfalls(l->cgroup));
    if (cgroup_mode(l->cgroup) == PLAN_CGROUP_NONE)
        strv_add(&l->shortfalls, l->kind == OCI_RUNSC
                                     ? "paused by gVisor itself: no cgroup freezer here"
                                     : "paused by signals: no cgroup freezer here");
    if (l->whole->landlock == PLAN_LANDLOCK_AUTO && l->kind != OCI_RUNSC)
        strv_add(&l->shortfalls, "no Landlock: OCI runtimes have no word for it");
    if (l->whole->map_by == PLAN_MAP_SELF && getgroups(0, NULL) > 1)
        strv_add(&l->shortfalls, "a single id cannot leave the caller's supplementary groups");
    if (l->env.settled)
        l->env.settled(l->env.settled_data);
}

/* One packet of set-up's or of the hands', which are told apart by their size. */
union start_packet {
    struct setup_message setup;
    struct hands_message hands;
};

static int start_packet(struct launch *l, const union start_packet *m, size_t size, int *fds,
                        size_t count, struct launch_streams *ret, struct error *e)
{
    if (size == sizeof(m->setup)) {
        if (m->setup.word == SETUP_FAILED)
            return error_take(e, &m->setup.error);
        if (m->setup.word == SETUP_SCRATCH && l->scratch < 0 && count == 1) {
            l->scratch = TAKE_FD(fds[0]);
            start_settle(l);
        }
        return 0;
    }
    if (size != sizeof(m->hands))
        return error_set(e, EPROTO, "set-up cannot be understood");
    if (m->hands.word == HANDS_FAILED)
        return error_take(e, &m->hands.error);
    if (m->hands.word == HANDS_REFUSED) {
        remote_note_refused(&l->far, &m->hands);
        return 0;
    }
    if (m->hands.word != HANDS_STARTED)
        return error_set(e, EPROTO, "set-up cannot be understood");
    if (agent_streams_check(fds, count, l->whole->terminal, ret) < 0)
        return error_set(e, EPROTO, "the runtime's streams are none");
    for (size_t i = 0; i < count; i++)
        fds[i] = FD_NONE;
    return 1;
}

/* Listens until the command runs, or has failed to. */
static int start_listen(struct launch *l, struct launch_streams *ret, struct error *e)
{
    uint64_t end = loop_now_ms() + OCI_START_MS;
    for (;;) {
        struct pollfd p = {.fd = l->far.control, .events = POLLIN};
        uint64_t now = loop_now_ms();
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
            return error_set(e, ETIMEDOUT, "%s does not come to an end", l->whole->runtime);
        union start_packet m;
        int fds[3] = {FD_NONE, FD_NONE, FD_NONE};
        size_t count = ARRAY_SIZE(fds);
        ssize_t n = fd_receive(l->far.control, &m, sizeof(m), fds, &count);
        if (n == -EINTR || n == -EAGAIN || n == -ECONNRESET)
            continue;
        if (n <= 0)
            return error_set(e, EPROTO, "set-up ended without a word (killed?)");
        int r = start_packet(l, &m, (size_t)n, fds, count, ret, e);
        for (size_t i = 0; i < count; i++)
            fd_close(fds[i]);
        if (r != 0)
            return MIN(r, 0);
    }
}

/* A runtime finds the network standing: gVisor takes over what it has then. */
static int start_network(void *launch, pid_t child, struct error *e)
{
    struct launch *l = launch;
    int r = net_translator_start(&l->net, l->whole, child, e);
    return r < 0 ? r : net_translator_wait(&l->net, e);
}

static int start_config(struct launch *l, struct hands_wish *w, struct error *e)
{
    w->words = (struct oci_words){
        .kind = l->kind,
        .restored = l->whole->snapshot_kind == PLAN_SNAPSHOT_MEMORY,
        .root = OCI_BUNDLE "/rootfs",
        .init = OCI_INIT,
        .list = l->filter.count ? OCI_LIST : NULL,
        .rows = l->env.rows,
        .cols = l->env.cols,
    };
    free(l->config);
    l->config = oci_config(l->whole, &w->words);
    w->config = l->config;
    return l->config ? 0 : error_set(e, EINVAL, "the plan has no words in JSON: is it UTF-8?");
}

int oci_start_workload(struct launch *l, struct launch_streams *ret, struct error *e)
{
    struct hands_wish wish = {
        .plan = l->plan, .whole = l->whole, .env = &l->env, .filter = &l->filter};
    int r = start_config(l, &wish, e);
    if (r < 0)
        return r;
    wish.alone = l->kind == OCI_RUNSC && !l->ids.root_inside;
    struct root_start s = {
        .plan = l->plan,
        .env = &l->env,
        .ids = &l->ids,
        .lowers = &l->lowers,
        .lent = &l->lent,
        .snapshot = l->snapshot,
        .cgroup = l->cgroup,
        .namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
        .child = start_child,
        .data = &wish,
    };
    if (l->whole->network == PLAN_NETWORK_PRIVATE) {
        s.namespaces |= CLONE_NEWNET;
        s.before = start_network;
        s.before_data = l;
    }
    r = root_start_clone(&s, e);
    l->far.pid = s.pid;
    l->far.pidfd = s.pidfd;
    l->far.control = s.control;
    if (r == 0)
        r = start_listen(l, ret, e);
    if (r == 0 && geteuid() == 0)
        r = root_start_verify_owner(l->scratch, e);
    if (r < 0)
        oci_end(l, NULL);
    root_start_done(&s);
    return r < 0 ? r : fd_nonblock(l->far.control);
}

void oci_end(struct launch *l, int *ret_status)
{
    if (l->far.pid <= 0)
        return;
    struct error ignored;
    remote_kill(&l->far, &ignored);
    if (l->frozen && l->cgroup) /* what was killed while it was frozen dies when it thaws */
        cgroup_freeze(l->cgroup, false, &ignored);
    l->frozen = false;
    remote_see_off(&l->far, l->cgroup, ret_status);
}
