/* What is counted for a user or for the whole machine, and must not be emptied from inside. */
#include "tests/audit/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static int between(long count, long most, const char *what)
{
    inside_say("%ld %s", count, what);
    return count <= most ? HELD : HOLE;
}

static int c_ptys(void)
{
    long count = 0;
    while (count < 4096 && open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0)
        count++;
    return between(count, 64, "ptys");
}

static int c_inotify(void)
{
    long count = 0;
    while (count < 4096 && inotify_init1(0) >= 0)
        count++;
    return between(count, 64, "instances");
}

/* Forks until it is refused. The starter's user must still be able to start programs. */
static int c_processes(void)
{
    long count = 0;
    static pid_t pids[20000];
    while (count < 20000) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            pause();
            _exit(0);
        }
        pids[count++] = pid;
    }
    for (long i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    return between(count, 512, "processes");
}

/* Fills a file system and says how much went in; the starter's limit is 1 GiB for the whole. */
static int fill(const char *folder, long most_mib)
{
    char path[64];
    static char block[1 << 20];
    snprintf(path, sizeof(path), "%s/audit-fill", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0) {
        inside_say("%s: %s", folder, strerror(errno));
        return HELD;
    }
    long count = 0;
    memset(block, 'x', sizeof(block));
    while (count < most_mib + 64 && write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
        count++;
    close(fd);
    unlink(path);
    return between(count, most_mib, "MiB");
}
static int c_fill_root(void)
{
    return fill("/", 1024);
}
static int c_fill_tmp(void)
{
    return fill("/tmp", 1024);
}
static int c_fill_var_tmp(void)
{
    return fill("/var/tmp", 1024);
}
static int c_fill_usr(void)
{
    return fill("/usr", 1024);
}
static int c_fill_run(void)
{
    return fill("/run", 1024);
}
static int c_fill_shm(void)
{
    return fill("/dev/shm", 64);
}
static int c_fill_dev(void)
{
    return fill("/dev", 1);
}
static int c_fill_mqueue(void)
{
    return fill("/dev/mqueue", 1);
}

static int inodes(const char *folder, long most)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/audit-inodes", folder);
    if (mkdir(path, 0700) < 0)
        return HELD;
    long count = 0;
    for (; count < most + 10; count++) {
        snprintf(path, sizeof(path), "%s/audit-inodes/%ld", folder, count);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/audit-inodes/%ld", folder, i);
        unlink(path);
    }
    return between(count, most, "files");
}
static int c_inodes_tmp(void)
{
    return inodes("/tmp", 300000);
}
static int c_inodes_shm(void)
{
    return inodes("/dev/shm", 50000);
}

static int c_memory(void)
{
    struct rlimit l;
    getrlimit(RLIMIT_AS, &l);
    size_t count = 0, step = 64u << 20;
    pid_t pid = fork();
    if (pid == 0) {
        for (; count < (6u << 10); count += 64) {
            char *p = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED)
                _exit(0);
            memset(p, 1, step);
        }
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    inside_say(WIFSIGNALED(status) ? "killed" : "refused");
    return WIFEXITED(status) && WEXITSTATUS(status) ? HOLE : HELD;
}

static int c_locked_memory(void)
{
    struct rlimit l;
    getrlimit(RLIMIT_MEMLOCK, &l);
    inside_say("%llu", (unsigned long long)l.rlim_cur);
    return l.rlim_cur <= (256u << 20) ? HELD : HOLE;
}

static int c_realtime_limit(void)
{
    struct rlimit a, b;
    getrlimit(RLIMIT_RTPRIO, &a);
    getrlimit(RLIMIT_NICE, &b);
    inside_say("rtprio %llu, nice %llu", (unsigned long long)a.rlim_max,
               (unsigned long long)b.rlim_max);
    return a.rlim_max == 0 && b.rlim_max == 0 ? HELD : HOLE;
}

static int c_shared_memory(void)
{
    long count = 0;
    for (; count < 64; count++) {
        int id = shmget(IPC_PRIVATE, 64u << 20, 0600);
        if (id < 0)
            break;
        char *p = shmat(id, NULL, 0);
        if (p == (void *)-1)
            break;
        for (size_t i = 0; i < (64u << 20); i += 4096)
            p[i] = 1;
        shmctl(id, IPC_RMID, NULL);
    }
    return between(count * 64, 2048, "MiB");
}

static int c_pending_signals(void)
{
    struct rlimit l;
    getrlimit(RLIMIT_SIGPENDING, &l);
    return l.rlim_cur == RLIM_INFINITY ? HOLE : HELD;
}

static int c_descriptors(void)
{
    struct rlimit l;
    getrlimit(RLIMIT_NOFILE, &l);
    inside_say("%llu", (unsigned long long)l.rlim_max);
    return l.rlim_max <= (1u << 20) ? HELD : HOLE;
}

const struct check checks_pools[] = {
#define ROW(name)       \
    {                   \
#name, c_##name \
    }
    ROW(ptys),          ROW(inotify),         ROW(processes),     ROW(fill_root),
    ROW(fill_tmp),      ROW(fill_var_tmp),    ROW(fill_usr),      ROW(fill_run),
    ROW(fill_shm),      ROW(fill_dev),        ROW(fill_mqueue),   ROW(inodes_tmp),
    ROW(inodes_shm),    ROW(memory),          ROW(locked_memory), ROW(realtime_limit),
    ROW(shared_memory), ROW(pending_signals), ROW(descriptors),   {NULL, NULL},
};
