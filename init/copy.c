#include "init/init.h"

#include "base/fd.h"
#include "base/records.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Links on the way are followed, as far as they stay inside; the kernel's magic ones are not. */
static int copy_open(const char *path)
{
    autoclose int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    int fd =
        fd_openat2(root, path, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd ==
        -ENOSYS) { /* refused by the workload's filter; our root is the only one here anyway */
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = fd < 0 ? -errno : fd;
    }
    return fd;
}

/* Opens the folder `path` is in; `leaf` gets its last part. -ENOTDIR if it can only be a folder. */
static int copy_open_parent(const char *path, char leaf[NAME_MAX + 1])
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t parent_size = (size_t)(slash + 1 - path), leaf_size = strlen(slash + 1);
    if (leaf_size == 0 || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
        return -ENOTDIR;
    if (leaf_size > NAME_MAX || parent_size >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, path, parent_size);
    parent[parent_size] = 0;
    memcpy(leaf, slash + 1, leaf_size + 1);
    return copy_open(parent);
}

static int copy_out(const char *path, int fd, char *what, size_t room)
{
    char leaf[NAME_MAX + 1];
    uint64_t skipped;
    autoclose int dir = copy_open_parent(path, leaf);
    if (dir == -ENOTDIR) {
        leaf[0] = '.';
        leaf[1] = 0;
        dir = copy_open(path);
    }
    return dir < 0 ? dir : records_send(fd, dir, leaf, what, room, &skipped);
}

static int copy_in(const char *path, int fd, char *what, size_t room)
{
    char leaf[NAME_MAX + 1];
    autoclose int folder = copy_open(path);
    if (folder >= 0)
        return records_receive(fd, folder, NULL, 0, what, room);
    if (folder != -ENOENT && folder != -ENOTDIR)
        return folder;
    int missing = folder;
    autoclose int dir = copy_open_parent(path, leaf);
    if (dir < 0)
        return dir == -ENOTDIR ? missing : dir;
    return records_receive(fd, dir, leaf, 0, what, room);
}

/* Nothing but the transfer and the report is left to a process that handles strangers' bytes. */
static int copy_seclude(int *fd, int *report, const struct agent_command *main_command)
{
    int settled = init_hooks ? init_hooks->settle() : 0;
    if (settled < 0)
        return settled;
    int confined = main_command && init_hooks ? init_hooks->confine() : 0;
    if (confined < 0)
        return confined;
    int low_fd = fcntl(*fd, F_DUPFD_CLOEXEC, 10), low_report = fcntl(*report, F_DUPFD_CLOEXEC, 10);
    if (low_fd < 0 || low_report < 0 || dup2(low_fd, 3) < 0 || dup2(low_report, 4) < 0 ||
        syscall(SYS_close_range, 5, ~0u, 0) < 0)
        return -errno;
    *fd = 3;
    *report = 4;
    struct init_identity who = {.uid = geteuid(), .gid = getegid()};
    int r = main_command ? command_identity(main_command, &who) : 0;
    return r < 0 ? r : users_become(&who);
}

void copy_run(bool in, const char *path, int fd, int report,
              const struct agent_command *main_command)
{
    char what[INIT_TEXT_MAX] = "";
    umask(0);
    int r = copy_seclude(&fd, &report, main_command);
    /* whoever is at the other end may have left the pipe non-blocking */
    int flags = fcntl(fd, F_GETFL);
    if (r == 0 && flags >= 0)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    if (r == 0)
        r = in ? copy_in(path, fd, what, sizeof(what)) : copy_out(path, fd, what, sizeof(what));
    report_send(report, -r, what, NULL, 0);
    _exit(r < 0);
}
