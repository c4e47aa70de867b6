#include "backends/guest/guest_ask.h"

#include "backends/agent/agent_start.h"
#include "backends/root/setup.h"
#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- copies -------------------------------------------------------------------------------------
 */

void guest_copies_end(struct guest_copies *c)
{
    for (size_t i = 0; i < c->count; i++) {
        fd_close(c->list[i].socket);
        if (c->list[i].pid <= 0)
            continue;
        kill(c->list[i].pid, SIGKILL); /* it has sent everything, or nobody reads any more */
        while (waitpid(c->list[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    free(c->list);
    *c = (struct guest_copies){0};
}

static void __attribute__((noreturn))
copies_send(const struct plan *one, int socket, const struct guest_copies *others, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(1);
    for (size_t i = 0; i < others->count; i++)
        fd_close(others->list[i].socket);
    root_send_copies(one, socket);
    _exit(0);
}

/* One process each, which may read what the person may, and that only writes to a socket. */
int guest_copies_begin(const struct plan *p, struct guest_copies *ret, struct error *e)
{
    for (size_t i = 0; i < p->mounts_count; i++) {
        struct plan one = {.mounts = &p->mounts[i], .mounts_count = 1};
        int pair[2];
        if (one.mounts->kind != PLAN_MOUNT_COPY)
            continue;
        int r = fd_socketpair(pair);
        if (r < 0)
            return error_errno(e, -r, "a channel for copies");
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            fd_close(pair[0]);
            copies_send(&one, pair[1], ret, parent);
        }
        fd_close(pair[1]);
        ret->list = mem_grow(ret->list, ret->count + 1, sizeof(ret->list[0]));
        ret->list[ret->count++] = (struct guest_copy){.socket = pair[0], .pid = pid};
        if (pid < 0)
            return error_errno(e, errno, "starting the copies");
    }
    return 0;
}

struct ask_sources {
    struct guest_copies *copies;
    const char *shares, *shares_type;
    unsigned shared;
};

/* agent_guest_sources.copy: in the order of the plan. */
static int ask_next_copy(void *data, const struct plan_mount *m, struct error *e)
{
    struct guest_copies *c = ((struct ask_sources *)data)->copies;
    int code = EIO, fd = FD_NONE;
    size_t count = 1;
    if (c->taken == c->count)
        return error_set(e, EINVAL, "%s: nobody sends it", m->source);
    int socket = c->list[c->taken++].socket;
    if (fd_receive(socket, &code, sizeof(code), &fd, &count) != (ssize_t)sizeof(code))
        code = -EIO;
    if (code == 0 && count == 1)
        return fd;
    if (count)
        fd_close(fd);
    return error_errno(e, code < 0 ? -code : EIO, "copying %s", m->source);
}

/* --- shares -------------------------------------------------------------------------------------
 */

static int ask_share(void *data, struct agent_host *h, const struct plan_mount *m, struct error *e)
{
    struct ask_sources *s = data;
    if (!s->shares || !(m->flags & PLAN_MOUNT_RO))
        return error_set(e, ENOTSUP, "folders of the host cannot be mounted in this guest");
    autofree char *tag = str_format("%s%u", s->shares, s->shared++);
    return agent_guest_step(
        h,
        &(struct agent_guest_step){.kind = AGENT_STEP_SHARE,
                                   .flags = AGENT_STEP_RO | AGENT_STEP_NOSUID | AGENT_STEP_NODEV,
                                   .source = tag,
                                   .content = s->shares_type,
                                   .target = m->target},
        e);
}

/* --- what it is asked ---------------------------------------------------------------------------
 */

static int ask_root(struct agent_host *h, const struct plan *p, const struct guest_disks *d,
                    struct error *e)
{
    const struct agent_guest_step steps[] = {
        {.kind = AGENT_STEP_LOWER,   .source = d->root,                     .content = p->machine.root_type},
        {.kind = AGENT_STEP_UPPER,
         .source = d->scratch,
         .content = d->scratch_type,
         .number = p->limits.disk ? p->limits.disk : p->machine.memory / 2},
        {.kind = AGENT_STEP_ROOT, .flags = p->read_only ? AGENT_STEP_RO : 0},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
        r = agent_guest_step(h, &steps[i], e);
    return r;
}

static int ask_network(struct agent_host *h, const struct plan *p, struct error *e)
{
    const struct agent_guest_step s = {
        .kind = AGENT_STEP_ADDRESS, .source = PLAN_GUEST_ADDRESS, .content = PLAN_GUEST_GATEWAY};
    return p->network == PLAN_NETWORK_PRIVATE ? agent_guest_step(h, &s, e) : 0;
}

static int ask_all(struct agent_host *h, const struct plan *p, const struct guest_disks *d,
                   struct guest_copies *copies, const struct launch_env *env, struct error *e)
{
    struct ask_sources s = {.copies = copies, .shares = d->shares, .shares_type = d->shares_type};
    const struct agent_guest_sources sources = {
        .bind = ask_share, .copy = ask_next_copy, .data = &s, .more = d->more};
    int r = agent_guest_refresh(h, p->hostname, e);
    if (r == 0)
        r = ask_network(h, p, e);
    if (r == 0)
        r = ask_root(h, p, d, e);
    if (r == 0)
        r = agent_guest_plan(h, p, &sources, e);
    if (r == 0)
        r = agent_guest_end(h, e);
    return r < 0 ? r : agent_start_main(h, p, env, e);
}

int guest_ask(struct agent_host *h, const struct plan *p, const struct guest_disks *d,
              struct guest_copies *copies, const struct launch_env *env, struct error *e)
{
    agent_host_cork(h, true);
    int r = ask_all(h, p, d, copies, env, e);
    agent_host_cork(h, false);
    return r;
}

/* --- how long -----------------------------------------------------------------------------------
 */

int guest_limit_begin(uint64_t plan_ms, uint64_t most_ms, unsigned *ret_s, struct error *e)
{
    uint64_t ms = plan_ms ? MIN(plan_ms, most_ms) : most_ms;
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}
    };
    autoclose int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0 || timerfd_settime(fd, 0, &when, NULL) < 0)
        return error_errno(e, errno, "a limit for the start");
    *ret_s = (unsigned)(ms / 1000);
    return TAKE_FD(fd);
}

int guest_limit_check(int timer, unsigned seconds, struct error *e)
{
    struct pollfd p = {.fd = timer, .events = POLLIN};
    return poll(&p, 1, 0) > 0
               ? error_set(e, ETIMEDOUT, "the guest has not answered within %u s", seconds)
               : 0;
}
