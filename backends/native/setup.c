#include "backends/native/ahead.h"

#include "backends/root/steps.h"
#include "backends/root/tree.h"
#include "base/fd.h"
#include "base/file.h"
#include "init/agent.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* Descriptors that must survive the last renumbering are kept above this. */
enum { SETUP_FD_LOW = 16 };

/* --- when the root stands -------------------------------------------------------------------- */

static int setup_loopback(struct setup *s)
{
    if (!(s->early ? s->shape & PLAN_NS_NET : s->plan->namespaces & PLAN_NS_NET))
        return 0;
    autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        return setup_fail(s, "the loopback interface");
    return 0;
}

static int setup_hostname(struct setup *s)
{
    const char *name = s->plan->hostname;
    if (!(s->plan->namespaces & PLAN_NS_UTS))
        return 0;
    if (name && sethostname(name, strlen(name)) < 0)
        return setup_fail(s, "hostname");
    return setdomainname("", 0) < 0 ? setup_fail(s, "domain name") : 0;
}

/* Never above what we have ourselves: not every root may raise a limit. */
static int setup_rlimit(struct setup *s, int resource, rlim_t soft, rlim_t hard, const char *name)
{
    struct rlimit now, then = {.rlim_cur = soft, .rlim_max = hard};
    if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
        return error_errno(&s->error, errno, "limit %s", name);
    then.rlim_max = MIN(then.rlim_max, now.rlim_max);
    then.rlim_cur = MIN(then.rlim_cur, then.rlim_max);
    if (setrlimit((__rlimit_resource_t)resource, &then) < 0)
        return error_errno(&s->error, errno, "limit %s", name);
    return 0;
}

static int setup_limits(struct setup *s)
{
    const struct plan *p = s->plan;
    for (size_t i = 0; i < p->rlimits_count; i++) {
        const struct plan_rlimit *l = &p->rlimits[i];
        int resource = plan_rlimit_resource(l->name);
        if (resource < 0)
            return error_set(&s->error, EINVAL, "limit %s: unknown", l->name);
        if (resource == RLIMIT_CORE && !(p->open & PLAN_OPEN_CORE_DUMPS))
            continue; /* see below */
        int r = setup_rlimit(s, resource, l->soft, l->hard, l->name);
        if (r < 0)
            return r;
    }
    if (p->limits.nice > 0 && setpriority(PRIO_PROCESS, 0, p->limits.nice) < 0)
        return setup_fail(s, "nice");
    /* One byte, not none: only that also stops a dump into a helper program of the host's. */
    if (!(p->open & PLAN_OPEN_CORE_DUMPS))
        return setup_rlimit(s, RLIMIT_CORE, 1, 1, "core");
    return 0;
}

/* A label for the next exec, written through our own /proc. */
static int setup_label(struct setup *s, const char *file, const char *text, const char *key,
                       const char *label)
{
    autoclose int fd = fd_openat2(s->proc, file, O_WRONLY | O_NOFOLLOW, 0, STEP_RESOLVE_STRICT);
    if (fd < 0)
        return error_errno(&s->error, -fd, "isolation.%s", key);
    int r = fd_write_full(fd, text, strlen(text));
    if (r == -ENOENT || r == -EINVAL)
        return error_set(&s->error, -r, "isolation.%s = %s: the kernel knows no such label", key,
                         label);
    return r < 0 ? error_errno(&s->error, -r, "isolation.%s = %s", key, label) : 0;
}

static int setup_labels(struct setup *s)
{
    const struct plan *p = s->plan;
    if (p->apparmor) {
        char text[300];
        snprintf(text, sizeof(text), "exec %s", p->apparmor);
        int r = setup_label(s, "1/attr/apparmor/exec", text, "apparmor", p->apparmor);
        if (r < 0)
            return r;
    }
    return p->selinux ? setup_label(s, "1/attr/exec", p->selinux, "selinux", p->selinux) : 0;
}

/* A workload that may use keys gets a ring of its own; the caller's must not come along. */
static int setup_keyring(struct setup *s)
{
    if ((s->plan->open & PLAN_OPEN_KEYRING) &&
        syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        return setup_fail(s, "a key ring of its own");
    return 0;
}

/* --- the end of us --------------------------------------------------------------------------- */

/* 0, 1 and 2 on the workload's own /dev/null, the agent's socket, and nothing else. */
static int setup_descriptors(struct setup *s)
{
    int control = fcntl(s->control, F_DUPFD_CLOEXEC, SETUP_FD_LOW);
    int executable = fcntl(s->executable, F_DUPFD_CLOEXEC, SETUP_FD_LOW);
    int agent = fcntl(s->agent, F_DUPFD_CLOEXEC, SETUP_FD_LOW);
    if (control < 0 || executable < 0 || agent < 0)
        return setup_fail(s, "descriptors");
    s->control = control;
    s->executable = executable;
    autoclose int null = open("/dev/null", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (null < 0 || fstat(null, &st) < 0)
        return setup_fail(s, "/dev/null");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return error_set(&s->error, ENODEV, "/dev/null is not what it should be");
    if (null < SETUP_FD_LOW) { /* it may be in the way of itself */
        int high = fcntl(null, F_DUPFD_CLOEXEC, SETUP_FD_LOW);
        fd_close(null);
        null = high;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0)
            return setup_fail(s, "descriptors");
    if (dup2(agent, AGENT_FD) < 0)
        return setup_fail(s, "descriptors");
    return 0;
}

static int setup_no_new_privileges(struct setup *s)
{
    if (s->plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return setup_fail(s, "no_new_privs");
    return 0;
}

static int setup_announce(struct setup *s)
{
    setup_tell(s, SETUP_ABOUT_TO_EXEC, FD_NONE);
    return 0;
}

static int setup_filter(struct setup *s)
{
    if (!s->plan->seccomp)
        return 0;
    struct sock_fprog program = {.len = s->filter->count, .filter = s->filter->code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return setup_fail(s, "the system call filter");
    return 0;
}

static int setup_exec(struct setup *s)
{
    char name[] = "cofferdam-init";
    char *const argv[] = {name, NULL}, *const env[] = {NULL};
    if (syscall(SYS_close_range, AGENT_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        return setup_fail(s, "closing descriptors");
    syscall(SYS_execveat, s->executable, "", argv, env, AT_EMPTY_PATH);
    return setup_fail(s, "starting cofferdam-init");
}

/* Whether nothing but the machine's own programs is mounted: nothing a person wants back. */
static bool setup_lends_nothing(const struct plan *p)
{
    bool own = str_equal(p->image, "host") && !p->scratch;
    for (size_t i = 0; i < p->mounts_count; i++)
        own = own && !p->mounts[i].origin && !(p->mounts[i].flags & PLAN_MOUNT_LENT);
    return own;
}

/*
 * The scratch folder, and a hold on our mounts: undoing them takes the kernel as long as the rest
 * of PID 1's end, and then happens when the monitor goes. What was lent is given back first.
 */
static int setup_show_mounts(struct setup *s)
{
    const struct setup_message m = {.word = SETUP_SCRATCH};
    autoclose int mounts =
        setup_lends_nothing(s->plan) ? open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) : FD_NONE;
    const int fds[] = {s->scratch, mounts};
    fd_send(s->control, &m, sizeof(m), fds, mounts >= 0 ? 2 : 1);
    return 0;
}

/* The order matters: each stage needs rights or sights that a later one takes away. */
static int (*const setup_stages[])(struct setup *s) = {
    setup_begin,
    setup_leave,
    setup_private_mounts,
    setup_loopback,
    setup_learn,
    setup_open_sources, /* while we are still who the person is */
    setup_heed,
    setup_ids,
    setup_cgroup_namespace,
    setup_scratch,
    setup_show_mounts,
    setup_mounts,
    setup_pivot,
    setup_heed_joins,
    setup_sysctls,
    setup_hostname,
    setup_limits,
    setup_labels,
    setup_keyring,
    setup_heed_at_last,
    setup_descriptors,
    setup_bounding_set,
    setup_no_new_privileges,
    setup_landlock,
    setup_announce,
    setup_filter,
    setup_capabilities,
    setup_exec,
};

void native_setup_run(struct setup *s)
{
    setup_run(s, setup_stages, ARRAY_SIZE(setup_stages));
}
