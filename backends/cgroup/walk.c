/*
 * Numbers without a control group: the tree of processes below PID 1, read from /proc. What is
 * orphaned in a pid namespace becomes a child of its PID 1, so the tree is complete but for what
 * comes and goes while it is read.
 */
#include "backends/cgroup/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { WALK_MOST = 4096, WALK_TEXT = 16 * 1024 };

struct walk {
    int proc;
    pid_t *queue; /* owned */
    size_t count;
    uint64_t ticks, pages;
};

static ssize_t walk_read(int proc, const char *path, char *text, size_t room)
{
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t used = 0;
    ssize_t n;
    while (used < room - 1 && (n = read(fd, text + used, room - 1 - used)) > 0)
        used += (size_t)n;
    fd_close(fd);
    text[used] = '\0';
    return (ssize_t)used;
}

static void walk_add_children(struct walk *w, const char *text)
{
    for (char *end; *text && w->count < WALK_MOST; text = end) {
        long pid = strtol(text, &end, 10);
        if (end == text)
            break;
        if (pid > 0)
            w->queue[w->count++] = (pid_t)pid;
    }
}

static void walk_children(struct walk *w, pid_t pid)
{
    char path[64], text[WALK_TEXT];
    snprintf(path, sizeof(path), "%d/task", (int)pid);
    int fd = openat(w->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return;
    }
    for (struct dirent *d; (d = readdir(dir)) && w->count < WALK_MOST;) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%d/task/%.16s/children", (int)pid, d->d_name);
        if (walk_read(w->proc, path, text, sizeof(text)) > 0)
            walk_add_children(w, text);
    }
    closedir(dir);
}

/* Fields 14 to 17 of proc_pid_stat(5): own time and that of reaped children, in ticks. */
static int walk_times(struct walk *w, pid_t pid)
{
    char path[32], text[1024];
    unsigned long long u, s, cu, cs;
    snprintf(path, sizeof(path), "%d/stat", (int)pid);
    ssize_t n = walk_read(w->proc, path, text, sizeof(text));
    const char *end = n > 0 ? strrchr(text, ')') : NULL; /* the name may hold anything */
    if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                       &u, &s, &cu, &cs) != 4)
        return -ESRCH;
    w->ticks += u + s + cu + cs;
    return 0;
}

/* Resident pages that no file backs: pages shared by several processes count only once that way. */
static void walk_memory(struct walk *w, pid_t pid)
{
    char path[32], text[256];
    unsigned long long resident, shared;
    snprintf(path, sizeof(path), "%d/statm", (int)pid);
    if (walk_read(w->proc, path, text, sizeof(text)) > 0 &&
        sscanf(text, "%*u %llu %llu", &resident, &shared) == 2 && resident > shared)
        w->pages += resident - shared;
}

int cgroup_walk(int proc, pid_t pid, struct launch_sample *ret)
{
    struct walk w = {.proc = proc, .queue = mem_alloc(WALK_MOST * sizeof(pid_t)), .count = 1};
    uint64_t alive = 0;
    w.queue[0] = pid;
    for (size_t i = 0; i < w.count; i++) {
        if (walk_times(&w, w.queue[i]) < 0)
            continue;
        alive++;
        walk_memory(&w, w.queue[i]);
        walk_children(&w, w.queue[i]);
    }
    free(w.queue);
    if (!alive)
        return -ESRCH;
    long tick = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    ret->cpu_us = w.ticks * 1000000 / (uint64_t)(tick > 0 ? tick : 100);
    ret->memory = w.pages * (uint64_t)(page > 0 ? page : 4096);
    ret->pids = alive;
    return 0;
}
