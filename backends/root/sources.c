/* The host's side of every mount: opened once, looked at, copied into trees of our own. */
#include "backends/root/lent.h"
#include "backends/root/lowers.h"
#include "backends/root/setup.h"
#include "backends/root/tree.h"
#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The nodes of a minimal /dev, which nobody may have swapped for something else. */
static const struct source_device {
    const char *path;
    unsigned major, minor;
} source_devices[] = {
    {"/dev/null",    1, 3},
    {"/dev/zero",    1, 5},
    {"/dev/full",    1, 7},
    {"/dev/random",  1, 8},
    {"/dev/urandom", 1, 9},
    {"/dev/tty",     5, 0},
};

static int source_check_device(struct setup *s, const char *path, const struct stat *st)
{
    if (!S_ISCHR(st->st_mode))
        return error_set(&s->error, ENODEV, "%s is no character device", path);
    for (size_t i = 0; i < ARRAY_SIZE(source_devices); i++) {
        const struct source_device *d = &source_devices[i];
        if (str_equal(path, d->path) && st->st_rdev != makedev(d->major, d->minor))
            return error_set(&s->error, ENODEV, "%s is not the device of that name", path);
    }
    return 0;
}

/* A process folder of the host would hand over the roots of its processes. */
static int source_check_tree(struct setup *s, const char *path, int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return error_errno(&s->error, errno, "%s", path);
    if (fs.f_type == PROC_SUPER_MAGIC)
        return error_set(&s->error, EPERM, "%s: nothing of the host's /proc can be mounted", path);
    return 0;
}

/* What is mounted further down comes along, and may not be that either. */
static int source_check_below(struct setup *s, const char *source)
{
    autofree char *top = realpath(source, NULL), *text = NULL;
    int r =
        top ? file_read_virtual(AT_FDCWD, "/proc/self/mountinfo", 16u << 20, &text, NULL) : -errno;
    if (r < 0)
        return error_errno(&s->error, -r, "%s", source);
    size_t length = str_equal(top, "/") ? 0 : strlen(top);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        char *type = strstr(line, " - "), *mount = NULL;
        for (int field = 0; field < 5 && line; field++)
            mount = strsep(&line, " ");
        if (!type || !mount || !str_starts(type, " - proc "))
            continue;
        str_unescape_octal(mount);
        if (strncmp(mount, top, length) == 0 && mount[length] == '/')
            return error_set(&s->error, EPERM, "%s: the host's processes are mounted below it (%s)",
                             source, mount);
    }
    return 0;
}

static int source_open_tree(struct setup *s, const struct plan_mount *m)
{
    bool device = m->kind == PLAN_MOUNT_DEVICE;
    autoclose int tree = setup_take_lent(s, m);
    if (tree == FD_NONE)
        tree = tree_clone(AT_FDCWD, m->source, !device);
    if (tree < 0)
        return tree == -ENOENT && (m->flags & PLAN_MOUNT_OPTIONAL)
                   ? tree
                   : error_errno(&s->error, -tree, "%s", m->source);
    struct stat st;
    if (fstat(tree, &st) < 0)
        return error_errno(&s->error, errno, "%s", m->source);
    int r = device ? source_check_device(s, m->source, &st) : source_check_tree(s, m->source, tree);
    if (r == 0 && m->origin && S_ISDIR(st.st_mode)) /* a person's wish, not one of ours */
        r = source_check_below(s, m->source);
    if (r < 0)
        return r;

    uint64_t set = MOUNT_ATTR_NOSUID;
    if (!device)
        set |= MOUNT_ATTR_NODEV;
    if (m->flags & PLAN_MOUNT_RO)
        set |= MOUNT_ATTR_RDONLY;
    if (device || (m->flags & PLAN_MOUNT_NOEXEC))
        set |= MOUNT_ATTR_NOEXEC;
    r = tree_attributes(tree, set, !device);
    if (r < 0)
        return error_errno(&s->error, -r, "protecting %s", m->source);
    return TAKE_FD(tree);
}

static int source_open_lower(struct setup *s, const struct plan_mount *m)
{
    if (m->layers)
        return setup_open_lowers(s, m);
    int fd = setup_take_lent(s, m);
    if (fd < 0)
        fd = fd_openat2(AT_FDCWD, m->source, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
    if (fd < 0 && !(fd == -ENOENT && (m->flags & PLAN_MOUNT_OPTIONAL)))
        return error_errno(&s->error, -fd, "%s", m->source);
    return fd;
}

/*
 * PID 1's program on a read-only mount that no path leads to: whoever gets at /proc/1/exe cannot
 * open it for writing. The parent's descriptor belongs to its mount namespace, so the file is found
 * again in ours and compared.
 */
static int source_open_executable(struct setup *s)
{
    char link[64], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", s->init);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        return error_errno(&s->error, errno, "cofferdam-init");
    path[n] = '\0';
    autoclose int tree = tree_clone(AT_FDCWD, path, false);
    if (tree < 0)
        return error_errno(&s->error, -tree, "%s", path);
    struct stat ours, theirs;
    if (fstat(tree, &ours) < 0 || fstat(s->init, &theirs) < 0)
        return error_errno(&s->error, errno, "%s", path);
    if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino || !S_ISREG(ours.st_mode))
        return error_set(&s->error, ESTALE, "%s has been replaced", path);
    int r = tree_attributes(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
    if (r < 0)
        return error_errno(&s->error, -r, "protecting %s", path);
    s->executable = TAKE_FD(tree);
    s->init = fd_close(s->init);
    return 0;
}

/* A folder of the host's for the changes, which the workload's ids may not even find by its path.
 */
static int source_open_scratch(struct setup *s)
{
    s->scratch = fd_openat2(AT_FDCWD, s->plan->scratch, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
                            RESOLVE_NO_MAGICLINKS);
    if (s->scratch < 0)
        return error_errno(&s->error, -s->scratch, "scratch folder %s", s->plan->scratch);
    return 0;
}

int setup_open_sources(struct setup *s)
{
    if (s->plan->scratch && source_open_scratch(s) < 0)
        return -s->error.code;
    for (size_t i = 0; i < s->plan->mounts_count; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        int fd = FD_NONE;
        if (m->flags & PLAN_MOUNT_MADE)
            continue;
        if (m->kind == PLAN_MOUNT_BIND || m->kind == PLAN_MOUNT_DEVICE)
            fd = source_open_tree(s, m);
        else if (m->kind == PLAN_MOUNT_OVERLAY)
            fd = source_open_lower(s, m);
        else
            continue;
        if (fd < 0 && !(fd == -ENOENT && (m->flags & PLAN_MOUNT_OPTIONAL)))
            return error_wrap(&s->error, "mount %s", m->target);
        if (fd < 0)
            s->skip[i] = true;
        s->sources[i] = fd < 0 ? FD_NONE : fd;
    }
    return source_open_executable(s);
}
