/* Our half: finding it, starting it, hearing it out, ending it. */
#include "images/disk_tool.h"

#include "base/file.h"
#include "base/loop.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TOOL_FIRST = 3,
    TOOL_ABOVE = TOOL_FIRST + DISK_TOOL_FILES,
    TOOL_ERRORS = 4096,
    TOOL_TAIL = 300
};

/* Absolute folders of PATH only; no link to a place that somebody else can change. */
static char *tool_find(const char *name)
{
    const char *path = getenv("PATH");
    autostrv char **folders =
        strv_split(path && *path ? path : "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", ":");
    strv_add(&folders, "/usr/sbin"); /* users' PATH often lacks it */
    for (size_t i = 0; folders[i]; i++) {
        autofree char *full = str_join_path(folders[i], name);
        struct stat st;
        if (folders[i][0] == '/' && stat(full, &st) == 0 && S_ISREG(st.st_mode) &&
            faccessat(AT_FDCWD, full, X_OK, AT_EACCESS) == 0)
            return realpath(full, NULL);
    }
    return NULL;
}

/* --- the child -----------------------------------------------------------------------------------
 */

static int tool_place(const struct disk_tool *t, int errors)
{
    int from[TOOL_FIRST + DISK_TOOL_FILES] = {t->in, t->out, errors};
    size_t count = TOOL_FIRST + t->files_count;
    for (size_t i = 0; i < t->files_count; i++)
        from[TOOL_FIRST + i] = t->files[i];
    for (size_t i = 0; i < count; i++) {
        int fd = from[i] >= 0 ? from[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        from[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, TOOL_ABOVE);
        if (from[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < count; i++)
        if (dup2(from[i], (int)i) < 0)
            return -errno;
    return 0;
}

static void tool_signals(void)
{
    for (int s = 1; s < _NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
tool_child(const struct disk_tool *t, const char *path, int errors, int said)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
    struct error e = {0};
    const char *step = "descriptors";
    pid_t parent = getppid();
    tool_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(126);
    int keep = fcntl(said, F_DUPFD_CLOEXEC, TOOL_ABOVE);
    int r = keep < 0 ? -errno : tool_place(t, errors);
    if (r == 0) {
        struct disk_tool placed = *t;
        int files[DISK_TOOL_FILES];
        for (int i = 0; i < DISK_TOOL_FILES; i++)
            files[i] = TOOL_FIRST + i;
        placed.files = files;
        r = disk_tool_confine(&placed, path, &step);
    }
    if (r == 0) {
        /* everything that is not placed goes with exec, even what somebody opened without care */
        syscall(SYS_close_range, (unsigned)(TOOL_FIRST + t->files_count), ~0u,
                1u << 2 /* CLOSE_RANGE_CLOEXEC */);
        execve(path, (char *const *)t->argv, (char *const *)env);
        r = -errno;
        step = "starting it";
    }
    error_errno(&e, -r, "%s: %s", t->argv[0], step);
    fd_write_full(keep >= 0 ? keep : said, &e, sizeof(e));
    _exit(126);
}

/* --- ours ----------------------------------------------------------------------------------------
 */

static int tool_fork(const struct disk_tool *t, const char *path, struct disk_tool_running *r,
                     struct error *e)
{
    int pair[2];
    if (fd_pipe(pair, 0) < 0)
        return error_errno(e, errno, "a pipe");
    r->pid = fork();
    if (r->pid == 0)
        tool_child(t, path, r->errors, pair[1]);
    int code = errno;
    fd_close(pair[1]);
    struct error why;
    bool failed = r->pid > 0 && fd_read_full(pair[0], &why, sizeof(why)) == 0;
    fd_close(pair[0]);
    if (r->pid < 0) {
        r->pid = 0;
        return error_errno(e, code, "starting %s", t->argv[0]);
    }
    if (failed) {
        disk_tool_kill(r);
        *e = why;
        return -why.code;
    }
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    return r->pidfd < 0 ? error_errno(e, errno, "starting %s", t->argv[0]) : 0;
}

int disk_tool_start(const struct disk_tool *t, struct disk_tool_running *ret, struct error *e)
{
    autofree char *path = tool_find(t->argv[0]);
    if (!path)
        return error_set(e, ENOENT, "%s is not installed: apt install %s", t->argv[0], t->package);
    if (t->files_count > DISK_TOOL_FILES)
        return error_set(e, EINVAL, "too many files for %s", t->argv[0]);
    struct disk_tool_running r = {.pidfd = FD_NONE, .name = t->argv[0]};
    r.errors = memfd_create("errors", MFD_CLOEXEC);
    if (r.errors < 0)
        return error_errno(e, errno, "starting %s", t->argv[0]);
    int code = tool_fork(t, path, &r, e);
    if (code < 0) {
        disk_tool_kill(&r);
        return code;
    }
    *ret = r;
    return 0;
}

static int tool_reap(struct disk_tool_running *r)
{
    int status = 0;
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
        ;
    r->pid = 0;
    return status;
}

void disk_tool_kill(struct disk_tool_running *r)
{
    if (r->pid > 0) {
        kill(r->pid, SIGKILL);
        tool_reap(r);
    }
    if (r->name) {
        r->pidfd = fd_close(r->pidfd);
        r->errors = fd_close(r->errors);
    }
}

/* The last line it said, for a person. */
static char *tool_words(int errors)
{
    char text[TOOL_ERRORS + 1];
    struct stat st;
    off_t from = fstat(errors, &st) == 0 && st.st_size > TOOL_ERRORS ? st.st_size - TOOL_ERRORS : 0;
    ssize_t n = pread(errors, text, TOOL_ERRORS, from);
    text[MAX(n, 0)] = '\0';
    char *trimmed = str_trim(text), *line = strrchr(trimmed, '\n');
    return str_escape_z(line ? line + 1 : trimmed);
}

/* Of a line too long to be said, its end: what is wrong stands behind with what. */
static const char *tool_tail(const char *line)
{
    size_t size = strlen(line);
    return size > TOOL_TAIL ? line + size - TOOL_TAIL : line;
}

int disk_tool_finish(struct disk_tool_running *r, unsigned timeout_ms, struct error *e)
{
    uint64_t end = loop_now_ms() + timeout_ms;
    struct pollfd p = {.fd = r->pidfd, .events = POLLIN};
    int n;
    do {
        uint64_t now = loop_now_ms();
        n = poll(&p, 1, now < end ? (int)MIN(end - now, 60000) : 0);
    } while ((n < 0 && errno == EINTR) || (n == 0 && loop_now_ms() < end));
    if (n <= 0) {
        error_set(e, ETIMEDOUT, "%s: still running after %u s, killed", r->name, timeout_ms / 1000);
        disk_tool_kill(r);
        return -ETIMEDOUT;
    }
    int status = tool_reap(r), code = 0;
    if (status) {
        autofree char *said = tool_words(r->errors);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ)
            code = error_set(e, EFBIG, "%s: its output is larger than the limit", r->name);
        else if (WIFSIGNALED(status))
            code = error_set(e, EIO, "%s: killed by signal %d", r->name, WTERMSIG(status));
        else
            code = error_set(e, EIO, "%s: %s", r->name, *said ? tool_tail(said) : "it failed");
    }
    disk_tool_kill(r);
    return code;
}

int disk_tool_read(const struct disk_tool *t, unsigned timeout_ms, size_t most, char **ret,
                   size_t *ret_size, struct error *e)
{
    autoclose int out = memfd_create("output", MFD_CLOEXEC);
    if (out < 0)
        return error_errno(e, errno, "starting %s", t->argv[0]);
    struct disk_tool own = *t;
    struct disk_tool_running running;
    own.out = out;
    own.file_bytes = most;
    int r = disk_tool_start(&own, &running, e);
    if (r == 0)
        r = disk_tool_finish(&running, timeout_ms, e);
    if (r < 0)
        return r;
    struct stat st;
    if (fstat(out, &st) < 0 || (uint64_t)st.st_size > most)
        return error_set(e, EFBIG, "%s says too much", t->argv[0]);
    char *text = mem_alloc((size_t)st.st_size + 1);
    if (lseek(out, 0, SEEK_SET) < 0 || fd_read_full(out, text, (size_t)st.st_size) < 0) {
        free(text);
        return error_set(e, EIO, "reading what %s says", t->argv[0]);
    }
    text[st.st_size] = '\0';
    *ret = text;
    *ret_size = (size_t)st.st_size;
    return 0;
}
