/* The inner half: giving everything up. */
#include "base/fd.h"
#include "base/file.h"
#include "images/box.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
enum { BOX_CPU_SECONDS = 3600, BOX_FILES = 1024 };

/* --- ids -----------------------------------------------------------------------------------------
 */

static int box_own_map(const char *path, unsigned id)
{
    char text[32];
    snprintf(text, sizeof(text), "0 %u 1\n", id);
    return file_put(AT_FDCWD, path, text);
}

static int box_take_ids(const struct box_wish *w, int control, struct error *e)
{
    unsigned uid = geteuid(), gid = getegid();
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else our own /proc files are root's */
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return error_errno(e, errno, "a user namespace for unpacking");
    if (w->owner.how == IMAGE_OWNER_SELF) {
        int r = file_put(AT_FDCWD, "/proc/self/setgroups", "deny");
        if (r == 0)
            r = box_own_map("/proc/self/uid_map", uid);
        if (r == 0)
            r = box_own_map("/proc/self/gid_map", gid);
        return r < 0 ? error_errno(e, -r, "an id for unpacking") : 0;
    }
    char word = BOX_WANTS_IDS;
    if (fd_write_full(control, &word, 1) < 0 || fd_read_full(control, &word, 1) < 0)
        return error_set(e, ESRCH, "our parent is gone");
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return error_errno(e, errno, "ids for unpacking");
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? error_errno(e, errno, "prctl") : 0;
}

/* --- what is left --------------------------------------------------------------------------------
 */

static int box_limit(int resource, rlim_t most)
{
    struct rlimit old, l = {.rlim_cur = most, .rlim_max = most};
    if (getrlimit((__rlimit_resource_t)resource, &old) == 0 && old.rlim_max < most)
        l.rlim_cur = l.rlim_max = old.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &l) < 0 ? -errno : 0;
}

static int box_limits(const struct box_wish *w)
{
    int r = box_limit(RLIMIT_CORE, 0);
    if (r == 0)
        r = box_limit(RLIMIT_CPU, BOX_CPU_SECONDS);
    if (r == 0)
        r = box_limit(RLIMIT_NOFILE, BOX_FILES);
    if (r == 0)
        r = box_limit(RLIMIT_FSIZE, w->file_bytes);
#ifndef COFFERDAM_SANITIZED
    if (r == 0)
        r = box_limit(RLIMIT_DATA, w->memory);
#endif
    signal(SIGXFSZ, SIG_IGN); /* EFBIG says it better */
    signal(SIGPIPE, SIG_IGN);
    return r;
}

int box_close_all(const struct box_wish *w, int control)
{
    unsigned first = 0;
    for (;;) {
        unsigned next = ~0u;
        if ((unsigned)control >= first)
            next = (unsigned)control;
        for (unsigned i = 0; i < w->keep_count; i++)
            if ((unsigned)w->keep[i] >= first && (unsigned)w->keep[i] < next)
                next = (unsigned)w->keep[i];
        if (next == ~0u)
            return close_range(first, ~0u, 0) < 0 ? -errno : 0;
        if (next > first && close_range(first, next - 1, 0) < 0)
            return -errno;
        first = next + 1;
    }
}

/* Rights over files of the namespace's own ids, none else. */
static int box_capabilities(void)
{
    static const unsigned kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                    CAP_SETFCAP};
    uint64_t bits = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        bits |= 1ull << kept[i];
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)bits,         .permitted = (uint32_t)bits        },
        {.effective = (uint32_t)(bits >> 32), .permitted = (uint32_t)(bits >> 32)},
    };
    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int box_landlock_rule(int set, int folder, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = folder};
    return syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
                                                                                         : 0;
}

/* Everything below "/", which is the layer, and nothing else, should chroot(2) ever leak. */
static int box_landlock(const struct box_wish *w)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2) /* the first version forbids hard links between folders */
        return 0;
    struct landlock_ruleset_attr all = {
        .handled_access_fs =
            ((LANDLOCK_ACCESS_FS_REFER << 1) - 1) | (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0),
    };
    autoclose int set = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (set < 0)
        return -errno;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < w->read_count; i++)
        r = box_landlock_rule(set, w->read[i],
                              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
    if (w->root >= 0 && !w->read_count) {
        autoclose int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? -errno
                     : box_landlock_rule(set, root,
                                         all.handled_access_fs &
                                             ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE |
                                                         LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                                         LANDLOCK_ACCESS_FS_MAKE_SOCK));
    }
    if (r < 0)
        return r;
    return syscall(SYS_landlock_restrict_self, set, 0) < 0 ? -errno : 0;
}

static int box_stand(const struct box_wish *w)
{
    bool files = w->root >= 0;
    if (files && (fchdir(w->root) < 0 || chroot(".") < 0 || chdir("/") < 0))
        return -errno;
    return 0;
}

int box_enter(const struct box_wish *w, int control, struct error *e)
{
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        return error_set(e, ESRCH, "our parent is gone");
    int r = box_take_ids(w, control, e);
    if (r < 0)
        return r;
    umask(0);
    r = box_stand(w);
    if (r == 0)
        r = box_close_all(w, control);
    if (r == 0)
        r = box_limits(w);
    if (r == 0)
        r = box_capabilities();
    if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = box_landlock(w);
    if (r == 0)
        r = box_filter(w->root >= 0);
    return r < 0 ? error_errno(e, -r, "confining the unpacking process") : 0;
}
