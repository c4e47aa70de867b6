/* The stages that every container's set-up begins with, and the loop that runs stages. */
#include "backends/root/setup.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int mount(const char *, const char *, const char *, unsigned long, const void *);
enum { SETUP_MS_REC = 16384, SETUP_MS_PRIVATE = 1 << 18 };

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

int setup_fail(struct setup *s, const char *what)
{
    return error_errno(&s->error, errno, "%s", what);
}

/* --- before anything is made ----------------------------------------------------------------- */

int setup_follow_parent(struct setup *s)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return setup_fail(s, "following the monitor");
    struct pollfd p = {.fd = s->control};
    if (poll(&p, 1, 0) != 0 && (p.revents & (POLLHUP | POLLERR)))
        return error_set(&s->error, ESRCH, "the monitor is gone");
    return 0;
}

int setup_begin(struct setup *s)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(0);
    if (setsid() < 0)
        return setup_fail(s, "a session of its own");
    return setup_follow_parent(s);
}

/* What the parent does meanwhile: the control group, the id maps. */
int setup_wait(struct setup *s)
{
    if (!s->wait)
        return 0;
    char word = 0;
    int r = fd_read_full(s->control, &word, 1);
    if (r < 0 || word != SETUP_GO)
        return error_set(&s->error, ESRCH, "the monitor is gone");
    return 0;
}

int setup_private_mounts(struct setup *s)
{
    if (mount(NULL, "/", NULL, SETUP_MS_REC | SETUP_MS_PRIVATE, NULL) < 0)
        return setup_fail(s, "mounts of its own");
    return 0;
}

/*
 * Time since boot begins anew inside: the host's would tell hosts apart, and workloads of one host
 * together. time_namespaces(7): the offsets are written before the first process is in, and what we
 * exec or fork is. Written while our files in /proc are our own.
 */
static int setup_time(struct setup *s)
{
    if (!(s->plan->namespaces & PLAN_NS_TIME))
        return 0;
    struct timespec monotonic, boot;
    char text[96];
    if (unshare(CLONE_NEWTIME) < 0 || clock_gettime(CLOCK_MONOTONIC, &monotonic) < 0 ||
        clock_gettime(CLOCK_BOOTTIME, &boot) < 0)
        return setup_fail(s, "a time namespace");
    snprintf(text, sizeof(text), "monotonic %lld 0\nboottime %lld 0\n",
             -(long long)monotonic.tv_sec, -(long long)boot.tv_sec);
    int r = file_put(AT_FDCWD, "/proc/self/timens_offsets", text);
    return r < 0 ? error_errno(&s->error, -r, "a time namespace") : 0;
}

/*
 * Switching ids makes us undumpable and clears the parent's death signal. Supplementary groups can
 * be left only where setgroups(2) is allowed, which is everywhere but with a single id.
 */
int setup_ids(struct setup *s)
{
    if (s->plan->map_by == PLAN_MAP_SELF) {
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* a hardened parent's /proc files are root's */
        int r = root_ids_write_own(s->ids, &s->error);
        if (r == 0)
            r = setup_time(s);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        return r;
    }
    if (!s->ids->root_inside)
        return error_set(&s->error, EINVAL, "a range of ids has to hold id 0");
    int r = setup_time(s);
    if (r < 0)
        return r;
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return setup_fail(s, "switching to the workload's ids");
    return setup_follow_parent(s);
}

int setup_enter_time(struct setup *s)
{
    if (!(s->plan->namespaces & PLAN_NS_TIME))
        return 0;
    autoclose int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    return fd < 0 || setns(fd, CLONE_NEWTIME) < 0 ? setup_fail(s, "entering the time namespace")
                                                  : 0;
}

int setup_cgroup_namespace(struct setup *s)
{
    if ((s->plan->namespaces & PLAN_NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
        return setup_fail(s, "a control group namespace");
    return 0;
}

/* --- telling and running ---------------------------------------------------------------------- */

void setup_tell(const struct setup *s, enum setup_word word, int fd)
{
    struct setup_message m = {.word = word, .error = s->error};
    fd_send(s->control, &m, sizeof(m), &fd, fd >= 0 ? 1 : 0);
}

int setup_send_scratch(struct setup *s)
{
    setup_tell(s, SETUP_SCRATCH, s->scratch);
    return 0;
}

void setup_run(struct setup *s, int (*const *stages)(struct setup *s), size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (stages[i](s) < 0)
            break;
    setup_tell(s, SETUP_FAILED, FD_NONE);
    _exit(125);
}
