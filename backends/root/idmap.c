#include "backends/root/idmap.h"

#include "base/fd.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDMAP_RECURSIVE = 0x8000 /* AT_RECURSIVE */ };

/* The namespace of a child that waits; it lives on as long as the descriptor. */
static int idmap_write(pid_t pid, const struct plan_id_map *uid, const struct plan_id_map *gid,
                       struct error *e)
{
    const struct {
        const char *file;
        const struct plan_id_map *map;
    } maps[] = {
        {"uid_map", uid},
        {"gid_map", gid},
    };
    char path[64], text[64];
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        const struct plan_id_map *m = maps[i].map;
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, maps[i].file);
        snprintf(text, sizeof(text), "%u %u %u\n", m->inside, m->outside, m->count);
        int r = file_put(AT_FDCWD, path, text);
        if (r < 0)
            return error_errno(e, -r, "%s", path);
    }
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_errno(e, errno, "%s", path) : fd;
}

int root_idmap_namespace(const struct plan_id_map *uid, const struct plan_id_map *gid,
                         struct error *e)
{
    int pair[2];
    int r = fd_pipe(pair, O_CLOEXEC);
    if (r < 0)
        return error_errno(e, -r, "a pipe");
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        char end;
        close(pair[1]);
        _exit(read(pair[0], &end, 1) != 0);
    }
    r = pid < 0 ? error_errno(e, errno, "a namespace for the owners of files")
                : idmap_write((pid_t)pid, uid, gid, e);
    fd_close(pair[0]);
    fd_close(pair[1]);
    while (pid > 0 && waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return r;
}

int root_idmap_apply(int tree, int namespace, uint64_t set, bool recursive)
{
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_IDMAP | set,
        .userns_fd = (uint64_t) namespace,
    };
    int flags = AT_EMPTY_PATH | (recursive ? IDMAP_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, tree, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}
