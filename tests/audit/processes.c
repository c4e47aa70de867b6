/* Other processes: PID 1, its agent's socket, the host's, and what outlives whom. */
#include "tests/audit/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int c_init_memory(void)
{
    return inside_not_opened("/proc/1/mem", O_RDWR);
}
static int c_init_memory_read(void)
{
    return inside_not_opened("/proc/1/mem", O_RDONLY);
}
static int c_init_maps(void)
{
    return inside_not_read("/proc/1/maps");
}
static int c_init_environment(void)
{
    return inside_not_read("/proc/1/environ");
}
static int c_init_auxv(void)
{
    return inside_not_read("/proc/1/auxv");
}
static int c_init_stack(void)
{
    return inside_not_read("/proc/1/stack");
}
static int c_init_pagemap(void)
{
    return inside_not_read("/proc/1/pagemap");
}

/* Root inside may count them, as it may in every container; no link can be read, none be opened. */
static int c_init_descriptors(void)
{
    for (int fd = 0; fd < 64; fd++) {
        char path[32], link[64];
        snprintf(path, sizeof(path), "/proc/1/fd/%d", fd);
        if (readlink(path, link, sizeof(link)) > 0 || open(path, O_PATH) >= 0) {
            inside_say("%s", path);
            return HOLE;
        }
    }
    return HELD;
}
static int c_init_socket(void)
{
    return inside_not_opened("/proc/1/fd/3", O_RDWR);
}
static int c_init_threads(void)
{
    return inside_not_opened("/proc/1/task/1/mem", O_RDWR);
}

static int c_init_files(void)
{
    DIR *d = opendir("/proc/1/map_files");
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.') {
            inside_say("%s", e->d_name);
            return HOLE;
        }
    return HELD;
}
static int c_init_fdinfo(void)
{
    return inside_not_opened("/proc/1/fdinfo/3", O_RDONLY);
}

/* What it weighs when memory ends is the workload's own business; not less than nothing, though. */
static int c_init_adjust(void)
{
    int fd = open("/proc/1/oom_score_adj", O_WRONLY);
    return fd < 0 ? HELD : inside_refused(write(fd, "-1000", 5));
}
static int c_init_uid_map(void)
{
    int fd = open("/proc/1/uid_map", O_WRONLY);
    return fd < 0 ? HELD : inside_refused(write(fd, "0 0 1\n", 6));
}
static int c_own_uid_map(void)
{
    int fd = open("/proc/self/uid_map", O_WRONLY);
    return fd < 0 ? HELD : inside_refused(write(fd, "0 0 1\n", 6));
}
static int c_init_namespaces(void)
{
    return inside_not_opened("/proc/1/ns/mnt", O_RDONLY);
}
static int c_oom_lower(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    return fd < 0 ? HELD : inside_refused(write(fd, "-1000", 5));
}

/* The workload cannot be ended, stopped or confused by way of PID 1. */
static int c_init_kill(void)
{
    static const int signals[] = {SIGKILL, SIGSTOP, SIGTERM, SIGHUP,
                                  SIGINT,  SIGSEGV, SIGCHLD, SIGQUIT};
    for (size_t i = 0; i < 8; i++)
        kill(1, signals[i]);
    const char *status = inside_read("/proc/1/status");
    const char *state = strstr(status, "State:");
    if (kill(1, 0) < 0 && errno == ESRCH)
        return HOLE;
    if (state && (state[7] == 'T' || state[7] == 'Z'))
        return HOLE;
    return HELD;
}

static int c_init_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, 1, 0);
    if (fd < 0)
        return HELD;
    return inside_call_refused(438, fd, 3, 0, 0, 0);
}

static int c_others(void)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    int count = 0;
    while (d && (e = readdir(d)))
        count += atoi(e->d_name) > 0;
    inside_say("%d processes", count);
    return count <= 16 ? HELD : HOLE;
}

static int c_pids_of_the_host(void)
{
    int pid = atoi(inside_fact("pid"));
    if (pid <= 0)
        return SKIP;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    if (strstr(inside_read(path), "audit.sh") != NULL)
        return HOLE;
    return pid > 100 && kill(pid, 0) == 0 ? HOLE : HELD;
}

static int c_parent(void)
{
    return inside_not_opened("/proc/0", O_RDONLY | O_DIRECTORY);
}

static int c_session(void)
{
    pid_t sid = getsid(0);
    inside_say("session %d", sid);
    return sid > 0 ? HELD : HOLE; /* 0: the session's leader lives outside */
}

static int c_group(void)
{
    return getpgid(1) >= 0 && getpgrp() > 0 ? HELD : HOLE;
}

static int c_map_not_root(void)
{
    unsigned inside, outside, count;
    const char *uid = inside_read("/proc/self/uid_map");
    if (sscanf(uid, "%u %u %u", &inside, &outside, &count) != 3 || outside == 0)
        return HOLE;
    const char *gid = inside_read("/proc/self/gid_map");
    if (sscanf(gid, "%u %u %u", &inside, &outside, &count) != 3 || outside == 0)
        return HOLE;
    return HELD;
}

static int c_setgroups_denied(void)
{
    gid_t g = 0;
    return inside_refused(syscall(SYS_setgroups, 1, &g));
}
static int c_setuid_other(void)
{
    return inside_refused(syscall(SYS_setuid, getuid() + 1));
}
static int c_setgid_other(void)
{
    return inside_refused(syscall(SYS_setgid, getgid() + 1));
}

static int c_supplementary_groups(void)
{
    gid_t groups[128];
    int count = getgroups(128, groups);
    inside_say("%d groups", count);
    /* a user's single id cannot leave them: the report has to say so, and files are hidden instead
     */
    return count <= 0 || (count == 1 && groups[0] == getgid()) ? HELD
                                                               : (inside_is_root() ? HOLE : SKIP);
}

static int c_shared_memory(void)
{
    key_t key = (key_t)strtol(inside_fact("shm-key"), NULL, 0);
    return key ? inside_refused(shmget(key, 1, 0)) : SKIP;
}
static int c_shared_memory_list(void)
{
    const char *text = inside_read("/proc/sysvipc/shm");
    const char *line = strchr(text, '\n');
    return line && line[1] ? HOLE : HELD;
}
static int c_message_queues(void)
{
    return inside_not_opened("/dev/mqueue/audit", O_RDONLY);
}
static int c_posix_memory(void)
{
    return inside_not_opened("/dev/shm/audit", O_RDONLY);
}

static int c_hostname_own(void)
{
    struct utsname u;
    uname(&u);
    inside_say("%s", u.nodename);
    return strcmp(u.nodename, inside_fact("hostname")) == 0 ? HOLE : HELD;
}

static int c_domain_own(void)
{
    struct utsname u;
    uname(&u);
    return u.domainname[0] && strcmp(u.domainname, "(none)") != 0 ? HOLE : HELD;
}

static int c_namespaces_own(void)
{
    static const char *const kinds[] = {"user", "mnt", "pid",    "net",
                                        "uts",  "ipc", "cgroup", "time"};
    for (size_t i = 0; i < 8; i++) {
        char path[40], link[64] = "", name[16];
        snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
        snprintf(name, sizeof(name), "ns-%s", kinds[i]);
        if (readlink(path, link, sizeof(link) - 1) > 0 && strcmp(link, inside_fact(name)) == 0) {
            inside_say("the %s namespace is the host's", kinds[i]);
            return HOLE;
        }
    }
    return HELD;
}

/* The host's time since boot tells hosts apart and workloads of one host together. */
static int c_uptime(void)
{
    double host = atof(inside_fact("uptime")), here = atof(inside_read("/proc/uptime"));
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    inside_say("%.0f, %lld s", here, (long long)t.tv_sec);
    if (host < 300)
        return SKIP;
    return here > host - 60 || t.tv_sec > host - 60 ? HOLE : HELD;
}

static int c_boot_id(void)
{
    const char *here = inside_read("/proc/sys/kernel/random/boot_id");
    return *here && strncmp(here, inside_fact("boot-id"), 36) == 0 ? HOLE : HELD;
}

static int c_machine_id(void)
{
    const char *here = inside_read("/etc/machine-id"), *host = inside_fact("machine-id");
    return *host && strncmp(here, host, 32) == 0 ? HOLE : HELD;
}

static int c_sees_init_only_as_itself(void)
{
    char link[256] = "";
    ssize_t n = readlink("/proc/1/exe", link, sizeof(link) - 1);
    if (n > 0) {
        inside_say("%s", link);
        return HOLE;
    }
    return HELD;
}

static int c_init_prlimit(void)
{
    struct rlimit l = {0, 0};
    return inside_refused(prlimit(1, RLIMIT_NOFILE, &l, NULL));
}

const struct check checks_processes[] = {
#define ROW(name)       \
    {                   \
#name, c_##name \
    }
    ROW(init_memory),
    ROW(init_memory_read),
    ROW(init_maps),
    ROW(init_environment),
    ROW(init_auxv),
    ROW(init_stack),
    ROW(init_pagemap),
    ROW(init_descriptors),
    ROW(init_socket),
    ROW(init_threads),
    ROW(init_files),
    ROW(init_fdinfo),
    ROW(init_adjust),
    ROW(init_uid_map),
    ROW(own_uid_map),
    ROW(init_namespaces),
    ROW(oom_lower),
    ROW(init_kill),
    ROW(init_pidfd),
    ROW(others),
    ROW(pids_of_the_host),
    ROW(parent),
    ROW(session),
    ROW(group),
    ROW(map_not_root),
    ROW(setgroups_denied),
    ROW(setuid_other),
    ROW(setgid_other),
    ROW(supplementary_groups),
    ROW(shared_memory),
    ROW(shared_memory_list),
    ROW(message_queues),
    ROW(posix_memory),
    ROW(hostname_own),
    ROW(domain_own),
    ROW(namespaces_own),
    ROW(uptime),
    ROW(boot_id),
    ROW(machine_id),
    ROW(sees_init_only_as_itself),
    ROW(init_prlimit),
    {NULL, NULL},
};
