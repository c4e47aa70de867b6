/*
 * gVisor's checkpoints: what the workload has in memory, and its files of the same moment. A child
 * of the hands does it, which has the workload's ids; the sandbox stands still from the first step
 * to the last.
 */
#include "backends/oci/frames.h"
#include "backends/oci/hands_inner.h"

#include "backends/root/snapshot.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SNAPSHOT_CALL_MS = 20000, CHECKPOINT_MS = 600000, STOPPED_MAX = 128 * 1024 };

enum { RUNSC_USAGE = 128 }; /* what gVisor ends with when it does not know an option */

/* Frees `argv`. 0 or -errno without a text: -EIO, it came to no good end; -ENOTSUP, it does not
 * know the words. */
static int snapshot_run(char **argv, const int *fds, size_t count, int limit_ms)
{
    autostrv char **mine = argv;
    const struct spawn s = {.argv = (const char *const *)mine, .fds = fds, .fds_count = count};
    struct error ignored;
    pid_t pid;
    autoclose int end = FD_NONE;
    int status = 0, n = spawn_start(&s, &pid, &end, &ignored);
    struct pollfd p = {.fd = end, .events = POLLIN};
    if (n == 0 && poll(&p, 1, limit_ms) == 0)
        kill(pid, SIGKILL);
    while (n == 0 && waitpid(pid, &status, 0) < 0)
        n = errno == EINTR ? 0 : -errno;
    if (n < 0 || status == 0)
        return n < 0 ? n : 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == RUNSC_USAGE ? -ENOTSUP : -EIO;
}

/* The folder is handed on by descriptor: no path leads there for the workload's ids. */
static int snapshot_checkpoint(const struct oci_runtime *r, const char *id, int memory,
                               struct error *e)
{
    const int fds[] = {FD_NONE, FD_NONE, FD_NONE, memory};
    int n = snapshot_run(oci_argv_checkpoint(r, id), fds, ARRAY_SIZE(fds), CHECKPOINT_MS);
    if (n == -ENOTSUP)
        return error_set(e, ENOTSUP,
                         "%s is too old to write a workload's memory: gVisor of 2024 can, which "
                         "Debian 12 has in bookworm-backports",
                         r->program);
    return n < 0 ? error_set(e, -n, "%s could not write its memory", r->program) : 0;
}

/* So that it is read sooner. What cannot be is left as it is. */
static void snapshot_join(int memory)
{
    enum { STATE_MOST = 256 * 1024 * 1024 };
    static const char name[] = "checkpoint.img";
    autofree char *state = NULL;
    size_t size;
    if (file_read(memory, name, STATE_MOST, &state, &size) < 0)
        return;
    size = frames_join(state, size);
    if (size > 0)
        file_write_whole(memory, name, state, size, 0600, false);
}

/* What has been stopped is written by what did it, so that it is known even without us. */
static int snapshot_still(const struct oci_runtime *r, const char *id, struct error *e)
{
    unlink(OCI_HOLDER);
    autoclose int held = open(OCI_HELD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int fds[] = {FD_NONE, held, FD_NONE};
    int n = held < 0 ? -errno
                     : snapshot_run(oci_argv_inside(r, id, "still", OCI_HOLDER), fds,
                                    ARRAY_SIZE(fds), SNAPSHOT_CALL_MS);
    if (n < 0)
        return error_set(e, -n, "%s could not stop what runs in it", r->program);
    unlink(OCI_HOLDER); /* it has ended */
    return 0;
}

/* Somebody may have ended the first; twice it is no accident. Frees `argv`. */
static int snapshot_twice(char **argv, struct error *e)
{
    struct error ignored;
    char **again = strv_copy(argv);
    if (tool_wait(argv, SNAPSHOT_CALL_MS, &ignored) < 0)
        return tool_wait(again, SNAPSHOT_CALL_MS, e);
    strv_free(again);
    return 0;
}

/* Nothing stands still for ever that is said to run: after this is said, it is ended. */
static int snapshot_give_up(struct error *e)
{
    return error_set(e, ENOTRECOVERABLE,
                     "what runs in it could not be let go again, and was ended for that");
}

/*
 * Who stops it may be at it yet although its call was ended: it goes first. Where something inside
 * keeps ours from letting go, gVisor itself does, from where nothing inside reaches; then what the
 * workload had stopped goes on as well.
 */
static int snapshot_let_go(const struct oci_runtime *r, const char *id, struct error *e)
{
    if (access(OCI_HELD, F_OK) < 0) /* nothing has been stopped */
        return 0;
    struct error ignored;
    pid_t holder = call_read_pid(OCI_HOLDER);
    if (holder > 1)
        tool_wait(oci_argv_kill(r, id, SIGKILL, holder), SNAPSHOT_CALL_MS, &ignored);
    autofree char *stopped = hands_stopped(AT_FDCWD, OCI_HELD);
    if (snapshot_twice(hands_go_on(r, id, NULL, stopped), &ignored) < 0 &&
        snapshot_twice(oci_argv_kill_all(r, id, SIGCONT), &ignored) < 0)
        return snapshot_give_up(e);
    unlink(OCI_HOLDER);
    unlink(OCI_HELD);
    return 0;
}

static int snapshot_write(const struct oci_runtime *r, const char *id, int scratch, int dir,
                          int memory, struct error *e)
{
    struct error ignored;
    struct copy_counts counts;
    int n = tool_wait(oci_argv_simple(r, "pause", id), SNAPSHOT_CALL_MS, e);
    if (n < 0) {
        tool_wait(oci_argv_simple(r, "resume", id), SNAPSHOT_CALL_MS, &ignored);
        return n;
    }
    n = snapshot_checkpoint(r, id, memory, e);
    if (n == 0)
        n = root_snapshot_copy(scratch, dir, UINT64_MAX, &counts, e);
    if (snapshot_twice(oci_argv_simple(r, "resume", id), &ignored) < 0)
        return snapshot_give_up(e);
    return n;
}

/*
 * In the memory everything stands still, until whoever it is then knows its name. Held by the
 * sandbox too: what another may let go on in between must not write.
 */
static int snapshot_take(const struct oci_runtime *r, const char *id, int scratch, int dir,
                         struct error *e)
{
    if (mkdirat(dir, OCI_MEMORY, 0700) < 0)
        return error_errno(e, errno, "the snapshot's folder");
    autoclose int memory = openat(dir, OCI_MEMORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (memory < 0)
        return error_errno(e, errno, "the snapshot's folder");
    int n = snapshot_still(r, id, e);
    if (n == 0) {
        autofree char *stopped = hands_stopped(AT_FDCWD, OCI_HELD);
        n = file_write_whole(memory, OCI_STOPPED, stopped, stopped ? strlen(stopped) : 0, 0600,
                             false);
        if (n < 0)
            error_errno(e, -n, "what is stopped");
        else
            n = snapshot_write(r, id, scratch, dir, memory, e);
    }
    struct error later;
    if (n != -ENOTRECOVERABLE && snapshot_let_go(r, id, &later) < 0) {
        *e = later;
        return -later.code;
    }
    if (n == 0)
        snapshot_join(memory);
    return n;
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
    if (n == -ENOTRECOVERABLE)
        kill(-1, SIGKILL);
    _exit(0);
}

char *hands_stopped(int dir, const char *path)
{
    char *text = NULL;
    return file_read(dir, path, STOPPED_MAX, &text, NULL) < 0 ? NULL : text;
}

char **hands_go_on(const struct oci_runtime *r, const char *id, const struct plan *p,
                   const char *stopped)
{
    static const char *const files[] = {"/etc/hostname", "/etc/hosts", "/etc/machine-id"};
    char **argv = oci_argv_inside(r, id, "go-on", NULL);
    if (p)
        strv_add(&argv, p->hostname);
    for (size_t i = 0; p && i < p->mounts_count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(files); k++)
            if (p->mounts[i].kind == PLAN_MOUNT_FILE && p->mounts[i].content &&
                str_equal(p->mounts[i].target, files[k])) {
                strv_add(&argv, files[k]);
                strv_add(&argv, p->mounts[i].content);
            }
    if (!stopped)
        return argv;
    strv_add(&argv, "--");
    for (size_t n; *stopped; stopped += n + (stopped[n] != 0)) {
        n = strcspn(stopped, "\n");
        strv_take(&argv, str_format("%.*s", (int)MIN(n, 10), stopped));
    }
    return argv;
}

/* Whether it is one that a command or a call of ours is about, or we ourselves. */
bool hands_know(const struct hands *h, pid_t pid)
{
    bool known = pid == getpid();
    for (size_t i = 0; i < CALLS_MAX; i++) {
        const struct call *c = &h->calls[i];
        known |= c->state != CALL_FREE && (c->command == pid || c->runtime == pid);
    }
    for (size_t i = 0; i < TOOLS_MAX; i++)
        known |= h->tools[i].pid == pid;
    return known;
}

/* A pause after our resume would be for good: what has been called comes to its end first. */
static void snapshot_wait_for_orphans(const struct hands *h)
{
    autofree char *children = NULL;
    file_read_virtual(AT_FDCWD, "/proc/1/task/1/children", STOPPED_MAX, &children, NULL);
    char *at = children, *end;
    for (pid_t pid; at && (pid = (pid_t)strtol(at, &end, 10)) > 0; at = end) {
        autoclose int orphan = hands_know(h, pid) ? FD_NONE : (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = {.fd = orphan, .events = POLLIN};
        if (orphan >= 0)
            poll(&p, 1, SNAPSHOT_CALL_MS);
    }
}

void hands_let_go(const struct hands *h)
{
    const struct oci_runtime *r = &h->runtime;
    const char *id = h->w->whole->id;
    struct error ignored;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    snapshot_wait_for_orphans(h);
    tool_wait(oci_argv_simple(r, "resume", id), SNAPSHOT_CALL_MS, &ignored);
    if (snapshot_let_go(r, id, &ignored) < 0)
        kill(-1, SIGKILL);
    _exit(0);
}
