#include "app/domains/process.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROCESS_WORDS_MOST = 1 << 20, PROCESS_STATUS_MOST = 65536 };

static bool process_runs(int dir, const struct stat *program)
{
    struct stat st;
    return fstatat(dir, "exe", &st, 0) == 0 && st.st_dev == program->st_dev &&
           st.st_ino == program->st_ino;
}

/* Real, effective, saved, of the file system: a set-user-id program has some of its caller's. */
static bool process_is_of(int dir, uid_t uid)
{
    autofree char *text = NULL;
    size_t size = 0;
    unsigned ids[4];
    if (file_read_virtual(dir, "status", PROCESS_STATUS_MOST, &text, &size) < 0)
        return false;
    const char *line = strstr(text, "\nUid:"); /* no name of a process holds a newline here */
    if (!line || sscanf(line, "\nUid: %u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) != 4)
        return false;
    return ids[0] == uid && ids[1] == uid && ids[2] == uid && ids[3] == uid;
}

static bool process_says(int dir, const char *uuid)
{
    autofree char *text = NULL;
    size_t size = 0;
    if (file_read_virtual(dir, "cmdline", PROCESS_WORDS_MOST, &text, &size) < 0)
        return false;
    for (const char *at = text; at < text + size; at += strlen(at) + 1)
        if (str_equal(at, "-uuid") && at + 6 < text + size && str_equal(at + 6, uuid))
            return true;
    return false;
}

static bool process_is(int dir, const struct process_mark *m, const struct stat *program)
{
    return process_runs(dir, program) && process_is_of(dir, m->uid) && process_says(dir, m->uuid);
}

/* FD_NONE: it is not. Its folder in /proc is of the same process before and after. */
static int process_open(int proc, const char *name, const struct process_mark *m,
                        const struct stat *program)
{
    autoclose int dir = openat(proc, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || !process_is(dir, m, program))
        return FD_NONE;
    autoclose int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)atoi(name), 0);
    return pidfd >= 0 && process_is(dir, m, program) ? TAKE_FD(pidfd) : FD_NONE;
}

int process_find(const struct process_mark *m, pid_t *ret_pid, int *ret_pidfd)
{
    struct stat program;
    autoclose int found = FD_NONE;
    pid_t pid = 0;
    int r = -ESRCH;
    DIR *proc = stat(m->program, &program) < 0 ? NULL : opendir("/proc");
    if (!proc)
        return -errno;
    for (struct dirent *d; r != -EEXIST && (d = readdir(proc));) {
        int one = d->d_name[0] < '1' || d->d_name[0] > '9'
                      ? FD_NONE
                      : process_open(dirfd(proc), d->d_name, m, &program);
        if (one < 0)
            continue;
        r = pid ? -EEXIST : 0;
        pid = (pid_t)atoi(d->d_name);
        fd_close(found);
        found = one;
    }
    closedir(proc);
    if (r < 0)
        return r;
    *ret_pid = pid;
    *ret_pidfd = TAKE_FD(found);
    return 0;
}

/* --- to whoever clears up --------------------------------------------------------------------- */

struct process_word {
    bool expected; /* what is to be looked for; else a pidfd comes with it */
    uid_t uid;
    char uuid[40], program[PATH_MAX];
};

void process_expect(int socket, const struct process_mark *m)
{
    struct process_word w = {.expected = true, .uid = m->uid};
    if (strlen(m->uuid) >= sizeof(w.uuid) || strlen(m->program) >= sizeof(w.program))
        return;
    strcpy(w.uuid, m->uuid);
    strcpy(w.program, m->program);
    fd_send(socket, &w, sizeof(w), NULL, 0);
}

void process_keep(int socket, int pidfd)
{
    static const struct process_word w = {.expected = false};
    if (pidfd >= 0)
        fd_send(socket, &w, sizeof(w), &pidfd, 1);
}

/* FD_NONE: it is not there. */
static int process_find_expected(const struct process_word *w)
{
    const struct process_mark m = {.uuid = w->uuid, .program = w->program, .uid = w->uid};
    pid_t pid;
    int pidfd = FD_NONE;
    return process_find(&m, &pid, &pidfd) < 0 ? FD_NONE : pidfd;
}

void process_end_kept(int socket)
{
    struct process_word w, expected = {.expected = false};
    autoclose int pidfd = FD_NONE;
    size_t count = 1;
    if (fd_nonblock(socket) < 0)
        return;
    while (pidfd < 0 && fd_receive(socket, &w, sizeof(w), &pidfd, &count) == (ssize_t)sizeof(w)) {
        if (w.expected)
            expected = w;
        count = 1;
    }
    if (pidfd < 0 && expected.expected)
        pidfd = process_find_expected(&expected);
    if (pidfd >= 0)
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}
