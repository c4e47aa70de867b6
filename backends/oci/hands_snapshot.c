/*
 * gVisor's checkpoints: what the workload has in memory, and its files of the same moment. A child
 * of the hands does it, which has the workload's ids; the sandbox stands still from the first step
 * to the last.
 */
#include "backends/oci/hands_inner.h"

#include "backends/root/snapshot.h"
#include "base/fd.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SNAPSHOT_CALL_MS = 20000 };

/* The folder is handed on by descriptor: no path leads there for the workload's ids. */
static int snapshot_checkpoint(const struct oci_runtime *r, const char *id, int memory,
                               struct error *e)
{
    autostrv char **argv = oci_argv_checkpoint(r, id);
    const int fds[] = {FD_NONE, FD_NONE, FD_NONE, memory};
    const struct spawn s = {
        .argv = (const char *const *)argv, .fds = fds, .fds_count = ARRAY_SIZE(fds)};
    pid_t pid;
    int status = 0, n = spawn_start(&s, &pid, NULL, e);
    if (n < 0)
        return n;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(e, errno, "%s", r->program);
    return status == 0 ? 0 : error_set(e, EIO, "%s could not write its memory", r->program);
}

static int snapshot_take(const struct oci_runtime *r, const char *id, int scratch, int dir,
                         struct error *e)
{
    if (mkdirat(dir, OCI_MEMORY, 0700) < 0)
        return error_errno(e, errno, "the snapshot's folder");
    autoclose int memory = openat(dir, OCI_MEMORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (memory < 0)
        return error_errno(e, errno, "the snapshot's folder");
    struct error ignored;
    struct copy_counts counts;
    int n = tool_wait(oci_argv_simple(r, "pause", id), SNAPSHOT_CALL_MS, e);
    if (n < 0)
        return n;
    n = snapshot_checkpoint(r, id, memory, e);
    if (n == 0)
        n = root_snapshot_copy(scratch, dir, UINT64_MAX, &counts, e);
    int on = tool_wait(oci_argv_simple(r, "resume", id), SNAPSHOT_CALL_MS, n < 0 ? &ignored : e);
    return n < 0 ? n : on;
}

void hands_snapshot(const struct oci_runtime *r, const char *id, int scratch, int control,
                    uint32_t number, int dir)
{
    struct hands_message answer = {.word = HANDS_SNAPPED, .number = number};
    struct error e;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    umask(077);
    autoclose int own = openat(scratch, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n = own < 0 ? error_errno(&e, errno, "the layer of changes")
                    : snapshot_take(r, id, own, dir, &e);
    if (n < 0)
        answer.error = e;
    fd_send(control, &answer, sizeof(answer), NULL, 0);
    _exit(0);
}

char **hands_identity(const struct plan *p, const struct oci_runtime *r)
{
    static const char *const files[] = {"/etc/hostname", "/etc/hosts", "/etc/machine-id"};
    char **argv = oci_argv_identity(r, p->id);
    strv_add(&argv, p->hostname);
    for (size_t i = 0; i < p->mounts_count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(files); k++)
            if (p->mounts[i].kind == PLAN_MOUNT_FILE && p->mounts[i].content &&
                str_equal(p->mounts[i].target, files[k])) {
                strv_add(&argv, files[k]);
                strv_add(&argv, p->mounts[i].content);
            }
    return argv;
}
