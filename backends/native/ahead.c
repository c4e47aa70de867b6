/*
 * The first process of a container, cloned while its plan is still being written: making the
 * namespaces takes as long as half of the rest. It hears everything else through its control
 * socket, in two packets: the plan and the filter as soon as they are known, so that it works while
 * the monitor makes its folders; then what the monitor has made, and with it the leave to go on.
 * Nothing of the workload runs before that.
 *
 * A process can be born into a control group of v2, but moving it there later waits for every
 * processor. Where such a group is to be expected, the first process is only the mother of PID 1:
 * it has all the namespaces but that of processes, and all it has read is inherited.
 */
#include "backends/native/ahead.h"

#include "base/fd.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AHEAD_PLAN_MOST = 1 << 20 };

/*
 * The second packet, which may come in two: the first with the group alone, while the others are
 * being made. Descriptors: the agent's socket, those of the copies and of the v2 group if there are
 * any, then what has to be written "0" to for a place in the v1 groups.
 */
struct ahead_go {
    struct root_ids ids;
    bool agent, copies, group;
};

/* --- inside ---------------------------------------------------------------------------------- */

static int ahead_read_plan(struct setup *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size < 1 || st.st_size > AHEAD_PLAN_MOST)
        return error_set(&s->error, EINVAL, "the plan is empty or too large");
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return setup_fail(s, "mapping the plan");
    struct plan *p = NULL;
    int r = plan_from_json(text, (size_t)st.st_size, &p, &s->error);
    munmap(text, (size_t)st.st_size);
    s->plan = p;
    return r;
}

/* As fork(2), but the child is our parent's, and PID 1. It begins as its mother did. */
static int ahead_bear(struct setup *s, int group)
{
    int pidfd = FD_NONE;
    pid_t pid = native_clone(PLAN_NS_PID, group, true, &pidfd);
    if (pid < 0)
        return setup_fail(s, "making PID 1");
    if (pid == 0) {
        s->mother = false;
        return setup_begin(s);
    }
    struct setup_message m = {.word = SETUP_BORN, .pid = pid};
    fd_send(s->control, &m, sizeof(m), &pidfd, 1);
    _exit(0);
}

static int ahead_hear(struct setup *s)
{
    static struct ahead_go go;
    int fds[3 + CGROUP_JOINS_MAX];
    size_t count = ARRAY_SIZE(fds), next = 0;
    ssize_t n = fd_receive(s->control, &go, sizeof(go), fds, &count);
    if (n != sizeof(go) || count < (size_t)go.agent + go.copies + go.group)
        return error_set(&s->error, ESRCH, "the monitor is gone");
    s->ids = &go.ids;
    if (go.agent)
        s->agent = fds[next++];
    if (go.copies)
        s->copies = fds[next++];
    autoclose int group = go.group ? fds[next++] : FD_NONE;
    int r = s->mother ? ahead_bear(s, group) : 0;
    if (r == 0)
        r = native_join(fds + next, count - next, &s->error);
    for (; next < count; next++)
        fd_close(fds[next]);
    return r;
}

/* What is no PID 1 can leave for its namespaces by itself, and the monitor goes on meanwhile. */
int setup_leave(struct setup *s)
{
    if (!s->mother)
        return 0;
    if (unshare((int)native_clone_flags(s->shape)) < 0)
        return setup_fail(s, "making namespaces");
    const struct setup_message m = {.word = SETUP_LEFT};
    int r = fd_send(s->control, &m, sizeof(m), NULL, 0);
    return r < 0 ? error_errno(&s->error, -r, "telling the monitor")
                 : 0; /* it would wait for ever */
}

int setup_learn(struct setup *s)
{
    static struct seccomp_program filter;
    if (!s->early)
        return 0;
    int fds[2];
    size_t count = 2;
    char word;
    ssize_t n = fd_receive(s->control, &word, sizeof(word), fds, &count);
    if (n != sizeof(word) || !count)
        _exit(0); /* no such container is wanted, or the monitor is gone */
    autoclose int plan = fds[0], compiled = count > 1 ? fds[1] : FD_NONE;
    int r = ahead_read_plan(s, plan);
    if (r == 0 && s->plan->seccomp)
        r = seccomp_cache_read(compiled, s->plan, &filter, &s->error);
    if (r < 0)
        return r;
    s->filter = &filter;
    native_setup_room(s);
    return s->plan->scratch ? ahead_hear(s) : 0; /* the parent empties that folder first */
}

int setup_heed(struct setup *s)
{
    static struct root_ids ids;
    if (!s->early)
        return setup_wait(s);
    if (s->ids)
        return 0;
    if (s->mother || s->plan->map_by != PLAN_MAP_SELF || native_has_copies(s->plan) ||
        s->plan->network == PLAN_NETWORK_PRIVATE) {
        int r = ahead_hear(s);
        bool more = r == 0 && s->agent < 0 && native_has_copies(s->plan);
        return more ? ahead_hear(s) : r;
    }
    /* all that is needed for now stands in the plan */
    int r = root_ids_take(s->plan, NULL, &ids, &s->error);
    s->ids = &ids;
    return r;
}

/* Before anything of the workload's runs; the group's namespace is to begin at all of them. */
int setup_heed_joins(struct setup *s)
{
    if (!s->early || s->shape & PLAN_NS_PID || s->agent >= 0)
        return 0;
    int r = ahead_hear(s);
    return r < 0 ? r : setup_cgroup_namespace(s);
}

int setup_heed_at_last(struct setup *s)
{
    return s->early && s->agent < 0 ? ahead_hear(s) : 0;
}

static void __attribute__((noreturn)) ahead_main(int control, int init, uint32_t shape)
{
    static struct setup s;
    s = (struct setup){
        .early = true,
        .mother = !(shape & PLAN_NS_PID),
        .shape = shape,
        .control = control,
        .agent = FD_NONE,
        .copies = FD_NONE,
        .snapshot = FD_NONE,
        .init = init,
    };
    native_setup_run(&s);
}

/* --- outside --------------------------------------------------------------------------------- */

void native_foresee(uint32_t shape, int init, struct launch_ahead *ret)
{
    int pair[2], pidfd = FD_NONE;
    if (init < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    bool mother = !(shape & PLAN_NS_PID);
    pid_t pid = native_clone(mother ? 0 : shape, FD_NONE, false, &pidfd);
    if (pid == 0) {
        close(pair[0]); /* else our own copy would hide that the parent has gone */
        ahead_main(pair[1], init, shape);
    }
    close(pair[1]);
    if (pid < 0) { /* start() tries again, and says why not */
        close(pair[0]);
        return;
    }
    *ret = (struct launch_ahead){.pid = pid, .pidfd = pidfd, .control = pair[0], .shape = shape};
}

bool native_ahead_fits(const struct launch *l, const struct cgroup *c)
{
    const struct launch_ahead *a = l->env.ahead;
    if (!a || a->pid <= 0 || !native_same_shape(a->shape | PLAN_NS_PID, l->plan->namespaces))
        return false;
    /* what the parent has mounted for it can only be in the memory of a child */
    if (l->lent.fds || l->lowers.count || l->snapshot >= 0)
        return false;
    /* nor may it enter a scope that was made after it: only the service manager could move it */
    if (cgroup_mode(c) == PLAN_CGROUP_SYSTEMD && geteuid() != 0)
        return false;
    return cgroup_clone_fd(c) < 0 || !(a->shape & PLAN_NS_PID);
}

int native_ahead_bear(const struct launch *l, int control, const struct cgroup *c, struct error *e)
{
    int group = cgroup_clone_fd(c);
    struct ahead_go go = {.ids = l->ids, .group = true};
    int r = fd_send(control, &go, sizeof(go), &group, 1);
    return r < 0 && r != -EPIPE ? error_errno(e, -r, "a channel to set-up") : 0;
}

int native_ahead_go(const struct launch *l, int control, int agent, int copies, bool borne,
                    struct error *e)
{
    int fds[3 + CGROUP_JOINS_MAX];
    size_t count = 0;
    int group = borne ? FD_NONE : cgroup_clone_fd(l->cgroup);
    struct ahead_go go = {.ids = l->ids, .agent = true, .copies = copies >= 0, .group = group >= 0};
    fds[count++] = agent;
    if (copies >= 0)
        fds[count++] = copies;
    if (group >= 0)
        fds[count++] = group;
    count += cgroup_joins(l->cgroup, fds + count, CGROUP_JOINS_MAX);
    int r = fd_send(control, &go, sizeof(go), fds, count);
    return r < 0 && r != -EPIPE ? error_errno(e, -r, "a channel to set-up") : 0;
}
