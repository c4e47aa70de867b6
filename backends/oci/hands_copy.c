/* Copies between the host and the workload's root, from outside: its namespaces are never joined.
 */
#include "backends/oci/hands.h"

#include "base/fd.h"
#include "base/records.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Links on the way are followed, as far as they stay inside; the kernel's magic ones are not. */
static int copy_open(int rootfs, const char *path)
{
    return fd_openat2(rootfs, path, O_PATH | O_DIRECTORY, 0,
                      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* Opens the folder `path` is in; `leaf` gets its last part. -ENOTDIR if it can only be a folder. */
static int copy_open_parent(int rootfs, const char *path, char leaf[NAME_MAX + 1])
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t parent_size = (size_t)(slash + 1 - path), leaf_size = strlen(slash + 1);
    if (leaf_size == 0 || str_equal(slash, "/.") || str_equal(slash, "/.."))
        return -ENOTDIR;
    if (leaf_size > NAME_MAX || parent_size >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, path, parent_size);
    parent[parent_size] = 0;
    memcpy(leaf, slash + 1, leaf_size + 1);
    return copy_open(rootfs, parent);
}

/* records.h wants folders that can be read, not only named. */
static int copy_out(int rootfs, const char *path, int fd, char *what, size_t room)
{
    char leaf[NAME_MAX + 1];
    uint64_t skipped;
    autoclose int dir = copy_open_parent(rootfs, path, leaf);
    if (dir == -ENOTDIR) {
        strcpy(leaf, ".");
        dir = copy_open(rootfs, path);
    }
    return dir < 0 ? dir : records_send(fd, dir, leaf, what, room, &skipped);
}

static int copy_in(int rootfs, const char *path, int fd, char *what, size_t room)
{
    char leaf[NAME_MAX + 1];
    autoclose int folder = copy_open(rootfs, path);
    if (folder >= 0)
        return records_receive(fd, folder, NULL, 0, what, room);
    if (folder != -ENOENT && folder != -ENOTDIR)
        return folder;
    int missing = folder;
    autoclose int dir = copy_open_parent(rootfs, path, leaf);
    if (dir < 0)
        return dir == -ENOTDIR ? missing : dir;
    return records_receive(fd, dir, leaf, 0, what, room);
}

/* Nothing but the workload's own user and what the plan leaves it. */
static int copy_become(const struct plan *p)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2] = {0};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (p->map_by != PLAN_MAP_SELF && (syscall(SYS_setgroups, p->groups_count, p->groups) < 0 ||
                                       syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0 ||
                                       syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0))
        return -errno;
    if (geteuid() == 0) {
        if (syscall(SYS_capget, &head, set) < 0)
            return -errno;
        for (int i = 0; i < 2; i++) {
            set[i].permitted &= (uint32_t)(p->capabilities >> (32 * i));
            set[i].effective = set[i].permitted;
            set[i].inheritable = 0;
        }
    }
    return syscall(SYS_capset, &head, set) < 0 ? -errno : 0;
}

void hands_copy(int rootfs, const struct plan *p, int control, const struct hands_message *m,
                const char *path, int fd)
{
    char what[320] = "";
    umask(0);
    /* whoever is at the other end may have left the pipe non-blocking */
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    int r = path[0] == '/' ? copy_become(p) : -EINVAL;
    if (r == 0)
        r = m->word == HANDS_COPY_IN ? copy_in(rootfs, path, fd, what, sizeof(what))
                                     : copy_out(rootfs, path, fd, what, sizeof(what));
    struct hands_message answer = {.word = HANDS_COPIED, .number = m->number};
    if (r < 0) {
        autofree char *shown = str_escape_z(what[0] ? what : path);
        error_errno(&answer.error, -r, "%.300s", shown);
    }
    fd_send(control, &answer, sizeof(answer), NULL, 0);
    _exit(0);
}
