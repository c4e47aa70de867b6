/* What the CLI and the TUI see of it: what works here, and the compiled filter. */
#include "backends/native/native.h"
#include "backends/net/translator.h"
#include "backends/root/check.h"

#include "backends/seccomp/seccomp_cache.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Tries the namespaces in a child that goes at once; 0 or the errno. */
static int native_try_namespaces(int flags)
{
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return -r;
    pid_t pid = fork();
    if (pid == 0) {
        int code = unshare(flags) < 0 ? errno : 0;
        _exit(fd_write_full(pair[1], &code, sizeof(code)) < 0);
    }
    fd_close(pair[1]);
    int code = pid < 0 ? errno : EIO;
    if (pid > 0)
        fd_read_full(pair[0], &code, sizeof(code));
    fd_close(pair[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return code;
}

static void native_probe_namespaces(struct backend_health *h)
{
    int code = native_try_namespaces(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                     CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);
    h->usable = code == 0;
    if (code == 0) {
        backend_health_add(h, BACKEND_GOOD, "user namespaces", NULL, NULL);
        return;
    }
    const char *mend =
        access("/proc/sys/kernel/unprivileged_userns_clone", F_OK) == 0
            ? "sysctl kernel.unprivileged_userns_clone=1"
        : access("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", F_OK) == 0
            ? "an AppArmor profile for cofferdam-monitor that allows userns, or sysctl "
              "kernel.apparmor_restrict_unprivileged_userns=0"
            : "sysctl user.max_user_namespaces (it may be 0)";
    char why[128];
    snprintf(why, sizeof(why), "making them fails: %s", strerror(code));
    backend_health_add(h, BACKEND_MISSING, "user namespaces", why, mend);
}

static void native_probe(const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.can = BACKEND_CAN_EXEC | BACKEND_CAN_PAUSE | BACKEND_CAN_COPY |
                                          BACKEND_CAN_DIFF | BACKEND_CAN_SNAPSHOT_FILES |
                                          BACKEND_CAN_CLONE};
    native_probe_namespaces(ret);
    if (host->landlock_abi)
        backend_health_add(ret, BACKEND_GOOD, "Landlock", NULL, NULL);
    else
        backend_health_add(ret, BACKEND_PARTLY, "Landlock", "this kernel has none: one lock fewer",
                           "a kernel with CONFIG_SECURITY_LANDLOCK and landlock in lsm=");
    if (host->uid != 0 && !host->newuidmap)
        backend_health_add(ret, BACKEND_PARTLY, "ranges of ids",
                           "newuidmap and newgidmap are missing: one id only",
                           "apt install uidmap, dnf install shadow-utils, pacman -S shadow");
}

/* Never weaker than asked: a lock that is named and cannot be had is an error. */
static int native_check(const struct plan *p, const struct plan_host *host, struct error *e)
{
    int r = root_check_plan(p, e);
    if (r == 0)
        r = net_check(p, e);
    if (r < 0)
        return r;
    if (p->landlock == PLAN_LANDLOCK_YES && host->landlock_abi == 0)
        return error_set(e, ENOTSUP, "isolation.landlock = yes: this kernel has no Landlock");
    return root_check_host(p, host, e);
}

static int native_prepare(const struct plan *p, int *ret_filter, struct error *e)
{
    return seccomp_cache_open(p, ret_filter, e);
}

const struct backend native_backend = {
    .name = "native",
    .summary = "built in: namespaces, a filter and Landlock; the host's kernel is shared",
    .boundary = PLAN_CONTAINER,
    .probe = native_probe,
    .check = native_check,
    .prepare = native_prepare,
};
