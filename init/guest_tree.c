/* Paths of the workload's root, which an image made: links in it lead nowhere but into it. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int tree_root = FD_NONE;

int tree_open(const char *path, int flags)
{
    return fd_openat2(tree_root, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* A folder that is missing is made in the one above it, which is there by then. */
static int tree_make(const char *path, size_t size, unsigned mode)
{
    char part[4096];
    if (size >= sizeof(part))
        return -ENAMETOOLONG;
    memcpy(part, path, size);
    part[size] = 0;
    int fd = tree_open(part, O_PATH | O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    char *leaf = strrchr(part, '/') + 1;
    char above[4096] = "/";
    if (leaf > part + 1) {
        memcpy(above, part, (size_t)(leaf - part));
        above[leaf - part] = 0;
    }
    autoclose int parent = tree_open(above, O_PATH | O_DIRECTORY);
    if (parent < 0)
        return parent;
    if (mkdirat(parent, leaf, mode) < 0 && errno != EEXIST)
        return -errno;
    return tree_open(part, O_PATH | O_DIRECTORY);
}

static int tree_walk(const char *path, size_t size, unsigned mode)
{
    if (path[0] != '/')
        return -EINVAL;
    while (size > 1 && path[size - 1] == '/')
        size--;
    int fd = tree_make(path, size, mode);
    if (fd != -ENOENT)
        return fd;
    for (size_t i = 1; i < size; i++) {
        if (path[i] != '/' || path[i - 1] == '/')
            continue;
        fd = tree_make(path, i, 0755);
        if (fd < 0)
            return fd;
        fd_close(fd);
    }
    return tree_make(path, size, mode);
}

int tree_folder(const char *path, unsigned mode)
{
    return tree_walk(path, strlen(path), mode);
}

int tree_parent(const char *path, bool make, const char **ret_leaf)
{
    const char *slash = strrchr(path, '/');
    if (path[0] != '/' || !slash[1] || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
        return -EINVAL;
    *ret_leaf = slash + 1;
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    if (make)
        return tree_walk(path, size, 0755);
    char above[4096];
    if (size >= sizeof(above))
        return -ENAMETOOLONG;
    memcpy(above, path, size);
    above[size] = 0;
    return tree_open(above, O_PATH | O_DIRECTORY);
}

uint64_t tree_flags(unsigned flags)
{
    return (flags & AGENT_STEP_RO ? MOUNT_ATTR_RDONLY : 0) |
           (flags & AGENT_STEP_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
           (flags & AGENT_STEP_NODEV ? MOUNT_ATTR_NODEV : 0) |
           (flags & AGENT_STEP_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

static int tree_option(int fs, const char *option)
{
    char key[64];
    const char *equals = strchr(option, '=');
    size_t size = equals ? (size_t)(equals - option) : strlen(option);
    if (size >= sizeof(key))
        return -EINVAL;
    memcpy(key, option, size);
    key[size] = 0;
    long r = equals ? syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, equals + 1, 0)
                    : syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, key, NULL, 0);
    return r < 0 ? -errno : 0;
}

int tree_new_fs(const char *type, const char *source, const char *const *options, unsigned flags)
{
    autoclose int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
        return -errno;
    bool ro = flags & AGENT_STEP_RO; /* a read-only disk refuses more than a read-only mount */
    if (ro && syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
        return -errno;
    for (; *options; options++) {
        int r = tree_option(fs, *options);
        if (r < 0)
            return r;
    }
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, tree_flags(flags));
    return mount < 0 ? -errno : mount;
}

int tree_clone(int dir, const char *path, bool recursive)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
    int fd = (int)syscall(SYS_open_tree, dir, path, flags | (recursive ? AT_RECURSIVE : 0));
    return fd < 0 ? -errno : fd;
}

int tree_attributes(int tree, uint64_t set, bool recursive)
{
    struct mount_attr attributes = {.attr_set = set};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    long r = syscall(SYS_mount_setattr, tree, "", flags, &attributes, sizeof(attributes));
    return r < 0 ? -errno : 0;
}

int tree_attach(int tree, int place)
{
    long r = syscall(SYS_move_mount, tree, "", place, "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? -errno : 0;
}
