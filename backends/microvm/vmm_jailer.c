#include "backends/microvm/vmm_jailer.h"

#include "backends/microvm/vmm.h"
#include "backends/root/tree.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int umount2(const char *, int);
enum { JAILER_SPARE_MIB = 4, JAILER_MNT_DETACH = 2 };

/* --- the child ----------------------------------------------------------------------------------
 */

/* The jailer's folder in memory, as large as the copy it makes of the program and a little more. */
static int jailer_mount(struct setup *s, const struct vmm_jailer_wish *w)
{
    struct stat st;
    if (stat(w->program, &st) < 0)
        return setup_fail(s, "the machine's program");
    autofree char *size =
        str_format("size=%llum", (unsigned long long)(st.st_size >> 20) + JAILER_SPARE_MIB);
    const char *const options[] = {size, "mode=700", NULL};
    autoclose int over = open(w->base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int fs = tree_new_fs("tmpfs", options, MOUNT_ATTR_NOSUID);
    int r = over < 0 ? -errno : fs < 0 ? fs : tree_attach(fs, over);
    return r < 0 ? error_errno(&s->error, -r, "the jailer's folder") : 0;
}

/* The files that are bound get one to be bound over. */
static int jailer_show(struct setup *s, int root)
{
    for (size_t i = 0; i < s->plan->mounts_count; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        if (m->flags & PLAN_MOUNT_MADE)
            continue;
        autoclose int at = openat(root, m->target + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
        int r = at < 0 ? -errno : tree_attach(s->sources[i], at);
        if (r < 0)
            return error_errno(&s->error, -r, "mount %s", m->target);
    }
    return 0;
}

int vmm_jailer_root(struct setup *s, const struct vmm_jailer_wish *w)
{
    autofree char *program = realpath(w->program, NULL); /* whose name the jailer takes */
    if (!program)
        return setup_fail(s, "the machine's program");
    int r = jailer_mount(s, w);
    if (r < 0)
        return r;
    const char *const parts[] = {w->base, strrchr(program, '/') + 1, w->id, "root"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if ((i && mkdir(parts[i], 0755) < 0) || chdir(parts[i]) < 0)
            return setup_fail(s, "the jailer's folder");
    autoclose int root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || mkdir(&VMM_MEET[1], 0755) < 0)
        return setup_fail(s, "the jailer's folder");
    r = jailer_show(s, root);
    return r == 0 && chdir(&VMM_MEET[1]) < 0 ? setup_fail(s, "the jailer's folder") : r;
}

/* What the jailer does not need, nobody in here will have. */
static int jailer_bounds(struct setup *s)
{
    static const unsigned needed[] = {CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_MKNOD,
                                      CAP_SYS_CHROOT, CAP_SYS_ADMIN,    CAP_SETUID, CAP_SETGID};
    uint64_t keep = 0;
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        keep |= 1ull << needed[i];
    for (unsigned c = 0; c < 64; c++)
        if (!(keep & 1ull << c) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
            return setup_fail(s, "capabilities");
    return 0;
}

/*
 * The copy of the host's mounts that the jailer is started in goes with the jailer: kept here it
 * would keep every file system busy that the host lets go of meanwhile.
 */
static int jailer_leave(const struct vmm_jailer_wish *w)
{
    if (unshare(CLONE_NEWNS) < 0 || chdir(w->base) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return -errno;
    return umount2(".", JAILER_MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}

/* PID 1 of the namespace: it ends with the monitor, or when there is nobody left to wait for. */
static void __attribute__((noreturn)) jailer_stay(const struct vmm_jailer_wish *w)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    int status = 0, one;
    if (jailer_leave(w) < 0 || syscall(SYS_close_range, 0, ~0u, 0) < 0 ||
        syscall(SYS_capset, &head, none) < 0)
        _exit(125);
    for (;;) {
        pid_t pid = waitpid(-1, &one, __WALL);
        if (pid < 0 && errno != EINTR)
            break;
        if (pid > 0 && one) /* the jailer itself ends well once its child is there */
            status = one;
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int vmm_jailer_exec(struct setup *s, const struct vmm_jailer_wish *w)
{
    char *const env[] = {NULL};
    int r = jailer_bounds(s);
    if (r < 0)
        return r;
    if (chdir("/") < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return setup_fail(s, "starting the jailer");
    pid_t pid = fork();
    if (pid > 0)
        jailer_stay(w);
    if (pid == 0)
        execve(w->jailer, w->argv, env);
    return setup_fail(s, "starting the jailer");
}
