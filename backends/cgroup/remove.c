/* Taking control groups away again, also those of a monitor that is gone. */
#include "backends/cgroup/internal.h"

#include "base/file.h"
#include "base/loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { REMOVE_DEPTH = 8, REMOVE_MS = 2000, PROCS_MAX = 1 << 20 };

/* Kills one process if it is in the folder still, once a pidfd holds it; waits until it is gone. */
static void kill_member(int dir, pid_t pid, uint64_t end)
{
    autoclose int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return;
    autofree char *again = NULL;
    char word[16];
    snprintf(word, sizeof(word), "%d", (int)pid);
    if (file_read_virtual(dir, "cgroup.procs", PROCS_MAX, &again, NULL) < 0 ||
        !cgroup_list_has(again, word))
        return;
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
        return;
    uint64_t now = loop_now_ms();
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (now < end)
        poll(&p, 1, (int)(end - now));
}

static void kill_members(int dir, uint64_t end)
{
    autofree char *procs = NULL;
    (void)file_put(dir, "freezer.state", "THAWED"); /* v1: nothing frozen dies */
    if (file_put(dir, "cgroup.kill", "1") == 0) {
        autoclose int events = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
        char text[256];
        for (uint64_t now; events >= 0 && (now = loop_now_ms()) < end;) {
            ssize_t n = pread(events, text, sizeof(text) - 1, 0);
            text[MAX(n, 0)] = '\0';
            if (n <= 0 || strstr(text, "populated 0"))
                return;
            struct pollfd p = {.fd = events, .events = POLLPRI};
            poll(&p, 1, (int)(end - now));
        }
        return;
    }
    if (file_read_virtual(dir, "cgroup.procs", PROCS_MAX, &procs, NULL) < 0)
        return;
    for (char *p = procs, *next; *p && loop_now_ms() < end; p = next) {
        long pid = strtol(p, &next, 10);
        if (next == p)
            break;
        if (pid > 1 && pid != getpid())
            kill_member(dir, (pid_t)pid, end);
    }
}

/* The workload may have made control groups of its own below: they go first, a few levels deep. */
static int remove_below(int dir, unsigned depth)
{
    autoclose int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d)
        return -errno;
    (void)TAKE_FD(again);
    int r = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        autoclose int child =
            openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0 && depth)
            (void)remove_below(child, depth - 1);
        if (unlinkat(dir, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT && r == 0)
            r = -errno;
    }
    closedir(d);
    return r;
}

/* Kills and removes what stands in the way. A confined monitor may not open the folder: fine. */
static void remove_contents(int parent, const char *name, bool kill_first, uint64_t end)
{
    autoclose int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return;
    if (kill_first)
        kill_members(dir, end);
    (void)remove_below(dir, REMOVE_DEPTH);
}

int cgroup_remove(int parent, const char *name, bool kill_first)
{
    uint64_t end = loop_now_ms() + REMOVE_MS;
    for (;;) {
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != EBUSY || loop_now_ms() >= end)
            return -errno;
        remove_contents(parent, name, kill_first, end);
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        /* Members may be dying: the kernel lets go of the folder only after the last of them. */
        poll(NULL, 0, 1);
    }
}

static bool dir_is_cgroup(int dir)
{
    struct statfs s;
    return fstatfs(dir, &s) == 0 && ((unsigned long)s.f_type == CGROUP2_SUPER_MAGIC ||
                                     (unsigned long)s.f_type == CGROUP_SUPER_MAGIC);
}

static int undo_at(const char *parent, const char *name, struct error *e)
{
    autoclose int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : error_errno(e, errno, "%s", parent);
    if (!dir_is_cgroup(dir))
        return 0;
    int r = cgroup_remove(dir, name, true);
    return r < 0 ? error_errno(e, -r, "removing control group %s/%s", parent, name) : 0;
}

int cgroup_undo(const char *what, struct error *e)
{
    const char *name = strrchr(what, '/');
    name = name ? name + 1 : what;
    if (!cgroup_name_is_ours(name) || strstr(what, "/../") ||
        (name != what && !str_starts(what, CGROUP_ROOT "/")))
        return error_set(e, EPERM, "this is no control group of ours");
    if (name != what) {
        autofree char *parent = str_ndup(what, (size_t)(name - what));
        return undo_at(parent, name, e);
    }
    int first = undo_at(CGROUP_HYBRID, name, e);
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        struct error later;
        char parent[64];
        snprintf(parent, sizeof(parent), CGROUP_ROOT "/%s", cgroup_v1_names[i]);
        int r = undo_at(parent, name, first < 0 ? &later : e);
        if (first == 0)
            first = r;
    }
    return first;
}
