/* What commands in a guest may not do: the guest is the boundary, this is the second wall. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONFINE_GROUP "workload"

static struct {
    bool capped, no_new_privs;
    uint64_t capabilities;
    uint64_t limits[RLIM_NLIMITS][2];
    uint32_t limited; /* bit n: limits[n] */
    unsigned short filter_count;
    int group; /* owned; the commands' control group */
    bool born_there;
} confine = {.group = FD_NONE};
static struct sock_filter confine_code[BPF_MAXINSNS];

static const char *const confine_names[RLIM_NLIMITS] = {
    [RLIMIT_CPU] = "cpu",           [RLIMIT_FSIZE] = "fsize",
    [RLIMIT_DATA] = "data",         [RLIMIT_STACK] = "stack",
    [RLIMIT_CORE] = "core",         [RLIMIT_RSS] = "rss",
    [RLIMIT_NPROC] = "nproc",       [RLIMIT_NOFILE] = "nofile",
    [RLIMIT_MEMLOCK] = "memlock",   [RLIMIT_AS] = "as",
    [RLIMIT_LOCKS] = "locks",       [RLIMIT_SIGPENDING] = "sigpending",
    [RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice",
    [RLIMIT_RTPRIO] = "rtprio",     [RLIMIT_RTTIME] = "rttime",
};

static int confine_rlimit(const struct agent_step_view *v)
{
    for (size_t i = 0; i < RLIM_NLIMITS; i++) {
        if (!confine_names[i] || strcmp(confine_names[i], v->source) != 0)
            continue;
        confine.limits[i][0] = v->head.number;
        confine.limits[i][1] = v->head.more;
        confine.limited |= 1u << i;
        return 0;
    }
    return -EINVAL;
}

static int confine_make_group(void)
{
    static const char *const none[] = {NULL};
    autoclose int fs = tree_new_fs("cgroup2", "cgroup2", none, AGENT_STEP_NOSUID);
    if (fs < 0)
        return fs;
    static const char controllers[] = "+pids"; /* each one more costs an emulated guest 5 ms */
    int r = guest_write_file(fs, "cgroup.subtree_control", controllers, sizeof(controllers) - 1);
    if (r == 0 && mkdirat(fs, CONFINE_GROUP, 0755) < 0 && errno != EEXIST)
        r = -errno;
    if (r < 0)
        return r;
    confine.group = openat(fs, CONFINE_GROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return confine.group < 0 ? -errno : 0;
}

static int confine_limit(const struct agent_step_view *v)
{
    int r = confine.group < 0 ? confine_make_group() : 0;
    if (r < 0 || strchr(v->source, '/'))
        return r < 0 ? r : -EINVAL;
    return guest_write_file(confine.group, v->source, v->content, strlen(v->content));
}

static int confine_filter(const struct agent_step_view *v)
{
    size_t count = v->head.data_size / sizeof(confine_code[0]);
    if (v->head.data_size % sizeof(confine_code[0]) || count < 1 || count > BPF_MAXINSNS)
        return -EINVAL;
    memcpy(confine_code, v->data, v->head.data_size);
    confine.filter_count = (unsigned short)count;
    return 0;
}

int confine_step(const struct agent_step_view *v)
{
    switch (v->head.kind) {
    case AGENT_STEP_RLIMIT:
        return confine_rlimit(v);
    case AGENT_STEP_LIMIT:
        return confine_limit(v);
    case AGENT_STEP_FILTER:
        return confine_filter(v);
    }
    confine.capped = true;
    confine.capabilities = v->head.number;
    confine.no_new_privs = v->head.more;
    return 0;
}

/* The bounding set is what users_become() gives to uid 0. */
static int confine_drop(void)
{
    for (int c = 0; c < 64; c++)
        if (!(confine.capabilities >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
            return errno == EINVAL ? 0 : -errno; /* the kernel knows no more */
    return 0;
}

pid_t confine_fork(void)
{
    struct clone_args how = {
        .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)confine.group};
    if (confine.group < 0)
        return fork();
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof(how));
    if (pid == 0)
        confine.born_there = true;
    return pid < 0 ? fork() : pid; /* a full group takes no newborn, but who moves in */
}

int confine_apply(void)
{
    int r = 0;
    if (confine.group >= 0 && !confine.born_there)
        r = guest_write_file(confine.group, "cgroup.procs", "0", 1);
    if (r < 0)
        return r;
    for (size_t i = 0; i < RLIM_NLIMITS; i++)
        if ((confine.limited >> i & 1) && syscall(SYS_prlimit64, 0, i, confine.limits[i], NULL) < 0)
            return -errno;
    r = confine.capped ? confine_drop() : 0;
    if (r == 0 && confine.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    struct sock_fprog program = {.len = confine.filter_count, .filter = confine_code};
    if (r == 0 && program.len && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        r = -errno;
    return r;
}
