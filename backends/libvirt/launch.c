/* A libvirt domain as the monitor drives it: by words to cofferdam-domain. */
#include "backends/libvirt/launch_inner.h"
#include "backends/libvirt/libvirt.h"

#include "backends/guest/guest_serial.h"
#include "backends/planned.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/module.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DOMAIN_START_MS = 120000, /* a first connection asks each QEMU what it can: up to 12 s */
    DOMAIN_ANSWER_MS = 20000,
    DOMAIN_SAMPLE_MS = 100,
    DOMAIN_CLEAN_MS = 30000,
};

static void domain_free(struct launch *l);

/* --- reading the plan ------------------------------------------------------------------------- */

/* What cannot be left to whoever made the plan. */
static int domain_check(const struct plan *p, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    if (m->watched && m->uri && str_equal(p->runtime, "libvirt"))
        return 0;
    if (!str_equal(p->runtime, "libvirt") || !m->type || !m->firmware || !m->gpu)
        return error_set(e, EINVAL, "the plan is not one for libvirt");
    bool folder = plan_boots_image(p) || (m->folder && m->folder[0] == '/');
    if (!m->uri || !folder || !m->sockets || m->sockets[0] != '/')
        return error_set(e, EINVAL, "the plan does not say where the machine belongs");
    if (plan_boots_image(p) ? !m->kernel || !m->initramfs || !m->root_type : !m->disks)
        return error_set(e, EINVAL, "the plan lacks a part of the machine");
    if (plan_boots_image(p) && (p->snapshot || p->network != PLAN_NETWORK_NONE))
        return error_set(e, ENOTSUP, "a guest made from an image has no snapshots and no network");
    return 0;
}

static int domain_open(const char *plan, size_t size, const struct launch_env *env,
                       struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    l->env = *env;
    l->control = l->pidfd = l->helper_end = l->far_agent = FD_NONE;
    int r = plan_from_json(plan, size, &l->plan, e);
    if (r == 0)
        r = domain_check(l->plan, e);
    if (r < 0) {
        domain_free(l);
        return r;
    }
    l->text = mem_copy(plan, size);
    l->size = size;
    l->command = strv_join(l->plan->argv, " ");
    planned_wishes(l->plan, l->command, &l->wishes);
    *ret = l;
    return 0;
}

static const struct launch_wishes *domain_wishes(const struct launch *l)
{
    return &l->wishes;
}

/* --- words ------------------------------------------------------------------------------------ */

int domain_say(struct launch *l, enum domain_word word, uint32_t number, int32_t value,
               const char *path, struct error *e)
{
    struct domain_message m = {.word = word, .number = number, .value = value};
    if (l->control < 0 || l->silent || l->ended)
        return error_set(e, ESRCH, "it is not running");
    if (path && strlen(path) >= sizeof(m.path))
        return error_set(e, ENAMETOOLONG, "the path is too long");
    if (path)
        strcpy(m.path, path);
    int r = fd_send(l->control, &m, sizeof(m), NULL, 0);
    return r < 0 ? error_errno(e, -r, "asking for it") : 0;
}

int domain_say_with(struct launch *l, enum domain_word word, uint32_t number, const int *fds,
                    size_t count, struct error *e)
{
    struct domain_message m = {.word = word, .number = number};
    if (l->control < 0 || l->silent || l->ended)
        return error_set(e, ESRCH, "it is not running");
    int r = fd_send(l->control, &m, sizeof(m), fds, count);
    return r < 0 ? error_errno(e, -r, "asking for it") : 0;
}

/* 1: a message; 0: none in this time; -EPIPE: the helper is gone. */
static int domain_hear(struct launch *l, struct domain_message *m, int *fds, size_t *count,
                       int timeout_ms)
{
    struct pollfd p = {.fd = l->control, .events = POLLIN};
    if (l->control < 0 || l->silent)
        return -EPIPE;
    int ready = poll(&p, 1, timeout_ms);
    if (ready <= 0)
        return 0;
    ssize_t n = fd_receive(l->control, m, sizeof(*m), fds, count);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n != (ssize_t)sizeof(*m)) {
        l->silent = true;
        return -EPIPE;
    }
    m->error.text[sizeof(m->error.text) - 1] = '\0';
    return 1;
}

static void domain_keep(struct launch *l, const struct domain_message *m)
{
    struct late **last = &l->late;
    while (*last)
        last = &(*last)->next;
    *last = NEW(struct late);
    (*last)->message = *m;
}

/* Waits for one word; the others are kept for dispatch(). 0, or -ETIMEDOUT, -ESRCH with text. */
static int domain_await(struct launch *l, enum domain_word word, int ms, struct domain_message *ret,
                        struct error *e)
{
    uint64_t until = loop_now_ms() + (uint64_t)ms;
    for (;;) {
        uint64_t now = loop_now_ms();
        struct domain_message m;
        size_t none = 0;
        if (now >= until)
            return error_set(e, ETIMEDOUT, "libvirt does not answer");
        int r = domain_hear(l, &m, NULL, &none, (int)(until - now));
        if (r < 0)
            return error_set(e, ESRCH, "it has just ended");
        if (r == 1 && m.word == word) {
            *ret = m;
            return 0;
        }
        if (r == 1)
            domain_keep(l, &m);
    }
}

/* --- the start -------------------------------------------------------------------------------- */

static int domain_spawn(struct launch *l, struct error *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(e, errno, "a channel to " DOMAIN_PROGRAM);
    autoclose int ours = pair[0], theirs = pair[1];
    autoclose int plan = fd_sealed("cofferdam-plan", l->text, l->size);
    if (plan < 0)
        return error_errno(e, -plan, "handing the plan on");
    autofree char *program = module_program(DOMAIN_PROGRAM);
    const char *const argv[] = {program, "drive", NULL};
    const int fds[] = {FD_NONE, FD_NONE, FD_NONE, theirs, plan, l->far_agent};
    const struct spawn s = {
        .argv = argv,
        .env = (const char *const *)l->plan->machine.client,
        .fds = fds,
        .fds_count = ARRAY_SIZE(fds) - (l->far_agent < 0),
        .new_session = true,
    };
    int r = spawn_start(&s, &l->helper, &l->helper_end, e);
    if (r == -ENOENT)
        return error_set(e, EOPNOTSUPP, "this build of cofferdam has no libvirt");
    if (r == 0)
        l->control = TAKE_FD(ours);
    l->far_agent = fd_close(l->far_agent);
    return r;
}

static void domain_told_cleaned(struct launch *l, const struct domain_message *m)
{
    l->cleaned = true;
    l->left = m->error;
}

static int domain_await_start(struct launch *l, struct launch_streams *ret, struct error *e)
{
    uint64_t limit = l->plan->time_limit_ms;
    uint64_t until =
        loop_now_ms() + (limit ? MIN(limit, (uint64_t)DOMAIN_START_MS) : DOMAIN_START_MS);
    for (;;) {
        uint64_t now = loop_now_ms();
        struct domain_message m;
        int fds[DOMAIN_FDS_MAX] = {FD_NONE, FD_NONE, FD_NONE};
        size_t count = DOMAIN_FDS_MAX, named = l->guest ? 2 : 1;
        if (now >= until)
            return error_set(e, ETIMEDOUT, "libvirt has not started it in time");
        int r = domain_hear(l, &m, fds, &count, (int)(until - now));
        if (r < 0)
            return error_set(e, EPROTO, DOMAIN_PROGRAM " ended without a word");
        if (r == 0)
            continue;
        if (m.word == DOMAIN_STARTED && count >= named) {
            l->pid = m.value;
            l->pidfd = count > named ? fds[named] : FD_NONE;
            if (l->guest)
                return domain_guest_meet(l, fds[1], fds[0], e);
            guest_serial_streams(fds[0], l->plan->terminal, ret);
            return 0;
        }
        for (size_t i = 0; i < count; i++)
            fd_close(fds[i]);
        if (m.word == DOMAIN_CLEANED)
            domain_told_cleaned(l, &m);
        /* an end: who should have told of a failure was killed */
        if (m.word == DOMAIN_FAILED || m.word == DOMAIN_ENDED) {
            *e = m.error;
            return -(e->code ? e->code : (e->code = EIO));
        }
    }
}

/* One that hangs in libvirt is ended, and its child with it. */
static void domain_end_helper(struct launch *l, uint64_t until)
{
    struct pollfd p = {.fd = l->helper_end, .events = POLLIN};
    uint64_t now = loop_now_ms();
    if (poll(&p, 1, now < until ? (int)(until - now) : 0) <= 0)
        kill(-l->helper, SIGKILL);
    while (waitpid(l->helper, NULL, 0) < 0 && errno == EINTR)
        ;
    l->helper_end = fd_close(l->helper_end);
    l->helper = 0;
}

/* At the end of its socket it destroys what it has made, says so, and leaves. */
static void domain_stop_helper(struct launch *l)
{
    uint64_t now = loop_now_ms(), until = now + DOMAIN_CLEAN_MS;
    if (l->helper > 0) {
        if (!l->silent)
            shutdown(l->control, SHUT_WR);
        for (; !l->silent && (!l->cleaned || l->left.code) && now < until; now = loop_now_ms()) {
            struct domain_message m;
            size_t none = 0;
            if (domain_hear(l, &m, NULL, &none, (int)(until - now)) == 1 &&
                m.word == DOMAIN_CLEANED)
                domain_told_cleaned(l, &m);
        }
        l->control = fd_close(l->control);
        domain_end_helper(l, until);
        if (!l->cleaned && !l->plan->machine.watched)
            error_set(&l->left, ETIMEDOUT, DOMAIN_LEFT_BEHIND, l->plan->machine.uri);
    }
    l->control = fd_close(l->control);
    l->pidfd = fd_close(l->pidfd);
    while (l->late) {
        struct late *next = l->late->next;
        free(l->late);
        l->late = next;
    }
}

/* What is left is to listen. */
static void domain_settle(struct launch *l)
{
    if (l->env.settled)
        l->env.settled(l->env.settled_data);
}

static int domain_start(struct launch *l, struct launch_streams *ret_streams, struct error *e)
{
    struct error mine;
    l->silent = l->ended = l->told = l->sampled = l->cleaned = false;
    l->left = (struct error){0};
    autofree char *what =
        str_format("%s %s %s", l->plan->machine.uri, l->plan->id, plan_folder_to_forget(l->plan));
    bool ours = !l->plan->machine.watched;
    int r = ours ? l->env.journal(l->env.journal_data, "domain", what, &mine) : 0;
    if (r == 0 && plan_boots_image(l->plan)) /* who sends copies has no word with the helper */
        r = domain_guest_begin(l, &mine);
    if (r == 0)
        r = domain_spawn(l, &mine);
    bool slow = plan_is_far(l->plan) || l->plan->snapshot_disks == PLAN_DISKS_FULL;
    l->coming = r == 0 && slow && ours;
    if (r == 0) {
        if (ours && l->plan->machine.accel == PLAN_ACCEL_TCG)
            strv_add(&l->shortfalls, "emulated (tcg): by QEMU's own word no security boundary");
        if (!l->guest || l->coming)
            domain_settle(l);
        if (l->coming)
            return LAUNCH_UNDER_WAY;
        r = domain_await_start(l, ret_streams, &mine);
    }
    if (r == 0 && l->guest)
        domain_settle(l);
    if (r == 0)
        return l->guest ? LAUNCH_UNDER_WAY : 0;
    launch_own_failure(&mine); /* whatever is wrong is not a command */
    domain_stop_helper(l);
    domain_guest_done(l);
    *e = mine;
    return -mine.code;
}

/* --- while it runs ---------------------------------------------------------------------------- */

static size_t domain_watch(const struct launch *l, int fds[4])
{
    size_t count = 0;
    if (l->control >= 0 && !l->silent)
        fds[count++] = l->control;
    return count + domain_guest_watch(l, fds + count);
}

static void domain_end(struct launch *l, int status, const char *why,
                       const struct launch_events *events, void *data)
{
    if (l->ended)
        return;
    l->ended = true;
    if (l->guest) {
        domain_guest_ended(l, status, why, events, data);
        return;
    }
    if (str_empty(why)) /* its own end; of another the reason is told */
        events->exited(data, 0, status);
    events->ended(data, status, str_empty(why) ? NULL : why);
}

static void domain_event(struct launch *l, const struct domain_message *m,
                         const struct launch_events *events, void *data)
{
    switch ((enum domain_word)m->word) {
    case DOMAIN_ENDED:
        domain_end(l, m->value, m->error.text, events, data);
        break;
    case DOMAIN_FROZEN:
        domain_guest_paused(l, m->value);
        if (events->frozen && !l->ended)
            events->frozen(data, m->value);
        break;
    case DOMAIN_SNAPPED:
        if (events->snapshot_done)
            events->snapshot_done(data, m->number, m->error.code ? &m->error : NULL);
        break;
    case DOMAIN_SAMPLED:
        l->sample = m->sample;
        l->sampled = true;
        break;
    case DOMAIN_EXECED:
        domain_command_answered(l, m, events, data);
        break;
    case DOMAIN_EXITED:
        domain_command_ended(l, m, events, data);
        break;
    case DOMAIN_NOTE:
        if (events->happened)
            events->happened(data, m->error.text);
        if (!strv_has(l->shortfalls, m->error.text))
            strv_add(&l->shortfalls, m->error.text);
        break;
    case DOMAIN_CLEANED:
        domain_told_cleaned(l, m);
        break;
    case DOMAIN_STARTED: /* far_event() and domain_await_start() take these */
    case DOMAIN_FAILED:
    case DOMAIN_PAUSED: /* nobody waits for it any more */
    case DOMAIN_SHUTDOWN:
    case DOMAIN_RESET:
    case DOMAIN_DESTROY:
    case DOMAIN_PAUSE:
    case DOMAIN_SAMPLE:
    case DOMAIN_SNAPSHOT:
    case DOMAIN_EXEC:
        break;
    }
}

/* A machine on another host, or with disks that are copied whole: that takes its time. */
static void domain_far_failed(struct launch *l, const struct error *e,
                              const struct launch_events *events, void *data)
{
    struct error mine = *e;
    mine.code = mine.code ? mine.code : EIO;
    launch_own_failure(&mine);
    l->coming = false;
    l->ended = true;
    events->failed(data, 0, &mine);
}

static void domain_far_started(struct launch *l, const struct domain_message *m, int *fds,
                               size_t count, const struct launch_events *events, void *data)
{
    struct launch_streams streams = {FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    struct error e;
    l->coming = false;
    l->pid = m->value;
    if (!l->guest && count > 1)
        l->pidfd = TAKE_FD(fds[1]);
    if (count < 1) {
        error_set(&e, EPROTO, DOMAIN_PROGRAM " has no console for it");
        domain_far_failed(l, &e, events, data);
    } else if (l->guest) {
        int r = domain_guest_meet(l, FD_NONE, TAKE_FD(fds[0]), &e);
        if (r < 0)
            domain_far_failed(l, &e, events, data);
    } else {
        guest_serial_streams(TAKE_FD(fds[0]), l->plan->terminal, &streams);
        events->started(data, 0, l->pid, &streams);
    }
}

/* True: it was a word about its start. */
static bool domain_far_event(struct launch *l, const struct domain_message *m, int *fds,
                             size_t count, const struct launch_events *events, void *data)
{
    if (!l->coming || (m->word != DOMAIN_STARTED && m->word != DOMAIN_FAILED))
        return false;
    if (l->ended) /* it has been given up meanwhile */
        return true;
    if (m->word == DOMAIN_STARTED)
        domain_far_started(l, m, fds, count, events, data);
    else
        domain_far_failed(l, &m->error, events, data);
    return true;
}

static void domain_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    while (l->late) {
        struct late *first = l->late;
        l->late = first->next;
        domain_event(l, &first->message, events, data);
        free(first);
    }
    int r = 0;
    do {
        struct domain_message m;
        int fds[DOMAIN_FDS_MAX] = {FD_NONE, FD_NONE, FD_NONE};
        size_t count = DOMAIN_FDS_MAX;
        r = domain_hear(l, &m, fds, &count, 0);
        if (r == 1 && !domain_far_event(l, &m, fds, count, events, data))
            domain_event(l, &m, events, data);
        for (size_t i = 0; i < DOMAIN_FDS_MAX; i++)
            fd_close(fds[i]);
    } while (r == 1);
    if (l->guest && !l->ended)
        domain_guest_dispatch(l, events, data);
    if (r < 0 && !l->ended && l->coming) {
        struct error e;
        error_set(&e, EPROTO, DOMAIN_PROGRAM " ended without a word");
        domain_far_failed(l, &e, events, data);
    }
    if (r < 0 && !l->ended)
        domain_end(l, 125, DOMAIN_PROGRAM " ended unasked; what it had made is being removed",
                   events, data);
}

static pid_t domain_pid(const struct launch *l)
{
    return l->pid;
}

static int domain_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    if (l->guest)
        return domain_guest_signal(l, console, signo, e);
    if (signo == SIGKILL)
        return domain_say(l, DOMAIN_DESTROY, 0, 0, NULL, e);
    if (signo == SIGHUP)
        return domain_say(l, DOMAIN_RESET, 0, 0, NULL, e);
    if (signo == l->plan->stop_signal || signo == SIGTERM || signo == SIGINT || signo == SIGPWR)
        return domain_say(l, DOMAIN_SHUTDOWN, 0, 0, NULL, e);
    return error_set(e, EINVAL, GUEST_SERIAL_SIGNALS);
}

static int domain_freeze(struct launch *l, bool frozen, struct error *e)
{
    struct domain_message m;
    if (l->plan->machine.watched)
        return error_set(e, EOPNOTSUPP,
                         "this is but the console of %s, which pauses under its own name",
                         l->plan->image);
    int r = domain_say(l, DOMAIN_PAUSE, 0, frozen, NULL, e);
    if (r == 0)
        r = domain_await(l, DOMAIN_PAUSED, DOMAIN_ANSWER_MS, &m, e);
    if (r == 0 && m.error.code) {
        *e = m.error;
        r = -e->code;
    }
    if (r == 0)
        domain_guest_paused(l, frozen);
    return r;
}

/* libvirt's figures, or, while it does not answer, its last ones; another host's are under way. */
static int domain_sample(struct launch *l, struct launch_sample *ret)
{
    struct error ignored;
    struct domain_message m;
    bool wait = !plan_is_far(l->plan);
    if (!l->coming && domain_say(l, DOMAIN_SAMPLE, 0, 0, NULL, &ignored) == 0 && wait &&
        domain_await(l, DOMAIN_SAMPLED, DOMAIN_SAMPLE_MS, &m, &ignored) == 0) {
        l->sample = m.sample;
        l->sampled = true;
    }
    if (!l->sampled)
        return -ENODATA;
    *ret = l->sample;
    return 0;
}

/* The kernel is asked as well, which never hangs; libvirt then sees that it is gone. */
static int domain_kill(struct launch *l, struct error *e)
{
    if (l->ended || l->helper <= 0)
        return 0;
    int r = domain_say(l, DOMAIN_DESTROY, 0, 0, NULL, e);
    if (l->pidfd >= 0 && syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0) == 0)
        return 0;
    return r == -ESRCH ? 0 : r;
}

static unsigned domain_snapshots(const struct launch *l, uint64_t ret_cost[2])
{
    ret_cost[0] = ret_cost[1] = UINT64_MAX;
    if (l->plan->machine.watched || plan_is_far(l->plan)) /* its disks are elsewhere */
        return 0;
    if (l->plan->machine.install) /* there is no disk yet for them to lie over */
        return 0;
    if (l->guest) /* its changes are in its memory, and its agent would have to come back to us */
        return 0;
    if (l->plan->machine.devices) /* what is in them nobody can write down */
        return LAUNCH_SNAPSHOT_FILES;
    return LAUNCH_SNAPSHOT_FILES | LAUNCH_SNAPSHOT_MEMORY;
}

static int domain_snapshot(struct launch *l, uint32_t request, const struct launch_snapshot *s,
                           struct error *e)
{
    fd_close(s->dir); /* the helper goes by the path */
    return domain_say(l, DOMAIN_SNAPSHOT, request, (int32_t)s->kind, s->path, e);
}

static char *const *domain_shortfalls(const struct launch *l)
{
    static char *const none[] = {NULL};
    return l->shortfalls ? l->shortfalls : none;
}

/* --- after the end ---------------------------------------------------------------------------- */

static int domain_clean(struct launch *l, struct error *e)
{
    domain_stop_helper(l);
    domain_guest_done(l);
    if (!l->left.code)
        return 0;
    *e = l->left;
    return -e->code;
}

static void domain_free(struct launch *l)
{
    if (!l)
        return;
    struct error ignored;
    domain_clean(l, &ignored);
    domain_stop_helper(l);
    fd_close(l->far_agent);
    domain_guest_free(l);
    domain_commands_free(l);
    strv_free(l->shortfalls);
    free(l->command);
    free(l->text);
    plan_free(l->plan);
    free(l);
}

const struct launch_ops libvirt_launch_ops = {
    .name = "libvirt",
    .open = domain_open,
    .wishes = domain_wishes,
    .start = domain_start,
    .watch = domain_watch,
    .dispatch = domain_dispatch,
    .pid = domain_pid,
    .exec = domain_exec,
    .signal = domain_signal,
    .resize = domain_resize,
    .copy_in = domain_copy_in,
    .copy_out = domain_copy_out,
    .freeze = domain_freeze,
    .sample = domain_sample,
    .kill = domain_kill,
    .ask_changes = domain_ask_changes,
    .told_changes = domain_told_changes,
    .snapshots = domain_snapshots,
    .snapshot = domain_snapshot,
    .shortfalls = domain_shortfalls,
    .clean = domain_clean,
    .free = domain_free,
};
