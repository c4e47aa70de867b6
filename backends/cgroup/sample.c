/*
 * Running numbers, the freezer and the kill switch. What is written to is opened in time, what is
 * only read when it is asked for: most workloads have ended by then.
 */
#include "backends/cgroup/internal.h"

#include "base/file.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { FREEZE_MS = 3000, STAT_MAX = 8192 };

/* Where each file is: in the v2 folder, or which v1 hierarchy has what stands for it. */
static const struct {
    const char *v2;
    enum cgroup_v1_id v1_id;
    const char *v1;
    int flags;
} places[CGROUP_FILE_COUNT] = {
  // clang-format off
    [CGROUP_CPU_STAT]        = {"cpu.stat", CGROUP_V1_CPUACCT, "cpuacct.usage", O_RDONLY},
    [CGROUP_MEMORY_NOW]      = {"memory.current", CGROUP_V1_MEMORY, "memory.usage_in_bytes", O_RDONLY},
    [CGROUP_MEMORY_PEAK]     = {"memory.peak", CGROUP_V1_MEMORY, "memory.max_usage_in_bytes", O_RDONLY},
    [CGROUP_MEMORY_EVENTS]   = {"memory.events", CGROUP_V1_MEMORY, "memory.oom_control", O_RDONLY},
    [CGROUP_PIDS_NOW]        = {"pids.current", CGROUP_V1_PIDS, "pids.current", O_RDONLY},
    [CGROUP_IO_STAT]         = {"io.stat", CGROUP_V1_BLKIO, "blkio.throttle.io_service_bytes", O_RDONLY},
    [CGROUP_CPU_PRESSURE]    = {"cpu.pressure", CGROUP_V1_COUNT, NULL, O_RDONLY},
    [CGROUP_MEMORY_PRESSURE] = {"memory.pressure", CGROUP_V1_COUNT, NULL, O_RDONLY},
    [CGROUP_IO_PRESSURE]     = {"io.pressure", CGROUP_V1_COUNT, NULL, O_RDONLY},
    [CGROUP_FREEZE]          = {"cgroup.freeze", CGROUP_V1_FREEZER, "freezer.state", O_RDWR},
    [CGROUP_EVENTS]          = {"cgroup.events", CGROUP_V1_COUNT, NULL, O_RDONLY},
    [CGROUP_KILL]            = {"cgroup.kill", CGROUP_V1_COUNT, NULL, O_WRONLY},
    [CGROUP_MEMORY_MAX]      = {"memory.max", CGROUP_V1_MEMORY, "memory.limit_in_bytes", O_RDWR},
    [CGROUP_MEMORY_HIGH]     = {"memory.high", CGROUP_V1_COUNT, NULL, O_RDWR},
    [CGROUP_MEMORY_STAT]     = {"memory.stat", CGROUP_V1_COUNT, NULL, O_RDONLY},
    [CGROUP_MEMSW_MAX]       = {NULL, CGROUP_V1_MEMORY, "memory.memsw.limit_in_bytes", O_RDWR},
    [CGROUP_PIDS_MAX]        = {"pids.max", CGROUP_V1_PIDS, "pids.max", O_RDWR},
    [CGROUP_CPU_MAX]         = {"cpu.max", CGROUP_V1_CPU, "cpu.cfs_quota_us", O_RDWR},
    [CGROUP_IO_WEIGHT]       = {"io.weight", CGROUP_V1_BLKIO, "blkio.bfq.weight", O_RDWR},
  // clang-format on
};

bool cgroup_file_is_v2(const struct cgroup *c, enum cgroup_file f)
{
    return c->v2.dir >= 0 && (c->mode != PLAN_CGROUP_V1 || c->v1[places[f].v1_id].dir < 0);
}

/* In the v2 tree of a hybrid host there is only what needs no controller. */
static bool v2_may_have(const struct cgroup *c, const char *name)
{
    return name && c->v2.dir >= 0 &&
           (c->mode != PLAN_CGROUP_V1 || str_starts(name, "cgroup.") ||
            str_equal(name, "cpu.stat") || str_ends(name, ".pressure"));
}

static int open_file(const struct cgroup *c, enum cgroup_file f)
{
    const char *v1 = places[f].v1;
    int dir = v1 ? c->v1[places[f].v1_id].dir : FD_NONE, flags = places[f].flags | O_CLOEXEC;
    int fd = dir >= 0                       ? openat(dir, v1, flags)
             : v2_may_have(c, places[f].v2) ? openat(c->v2.dir, places[f].v2, flags)
                                            : FD_NONE;
    return fd < 0 ? FD_NONE : fd;
}

/* The one that limits.c writes where the first is missing. */
static int keep_io_weight(struct cgroup *c)
{
    int v1 = c->v1[CGROUP_V1_BLKIO].dir, flags = O_RDWR | O_CLOEXEC;
    int fd = v1 >= 0          ? openat(v1, CGROUP_V1_IO_OTHER, flags)
             : c->v2.dir >= 0 ? openat(c->v2.dir, CGROUP_V2_IO_OTHER, flags)
                              : FD_NONE;
    c->io_other = fd >= 0;
    return fd;
}

void cgroup_keep(struct cgroup *c, pid_t pid)
{
    c->pid = pid;
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++)
        c->v1[i].join = fd_close(c->v1[i].join);
    if (c->mode == PLAN_CGROUP_NONE && c->proc < 0)
        c->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < CGROUP_FILE_COUNT; i++) {
        if (c->file[i] >= 0 || places[i].flags == O_RDONLY)
            continue;
        c->file[i] = open_file(c, (enum cgroup_file)i);
        if (c->file[i] < 0 && i == CGROUP_IO_WEIGHT)
            c->file[i] = keep_io_weight(c);
    }
}

/* It stays open. Our folders may be read from under Landlock: cgroup_reach(). */
static int kept_file(struct cgroup *c, enum cgroup_file f)
{
    if (c->file[f] < 0 && places[f].flags == O_RDONLY && !c->asked[f])
        c->file[f] = open_file(c, f);
    c->asked[f] = true;
    return c->file[f];
}

/* Reads a kept file from its beginning; an empty string if it is not there or gone. */
static const char *kept_read(struct cgroup *c, enum cgroup_file f, char text[STAT_MAX])
{
    int fd = kept_file(c, f);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, STAT_MAX - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

uint64_t cgroup_file_number(struct cgroup *c, enum cgroup_file f)
{
    char text[STAT_MAX];
    uint64_t n;
    char *end = text + strcspn(kept_read(c, f, text), "\n");
    *end = '\0';
    return str_to_uint(text, &n) == 0 ? n : UINT64_MAX;
}

/* The number behind `key` and a blank or '=' at the start of a line or word. */
static uint64_t text_number(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += length) {
        bool starts = p == text || p[-1] == '\n' || p[-1] == ' ';
        if (starts && (p[length] == ' ' || p[length] == '='))
            return strtoull(p + length + 1, NULL, 10);
    }
    return UINT64_MAX;
}

uint64_t cgroup_reclaimable(struct cgroup *c)
{
    static const char *const caches[] = {"inactive_file", "active_file", "slab_reclaimable"};
    char text[STAT_MAX];
    uint64_t sum = 0;
    kept_read(c, CGROUP_MEMORY_STAT, text);
    for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
        uint64_t n = text_number(text, caches[i]);
        sum += n == UINT64_MAX ? 0 : n;
    }
    return sum;
}

/* The sum over all devices of the numbers behind `key`. */
static uint64_t text_sum(const char *text, const char *key)
{
    uint64_t sum = 0;
    size_t length = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += length)
        sum += strtoull(p + length, NULL, 10);
    return sum;
}

/* "some avg10=0.00 … total=123": microseconds. */
static uint64_t kept_pressure(struct cgroup *c, enum cgroup_file f)
{
    char text[STAT_MAX];
    return text_number(kept_read(c, f, text), "total");
}

static void sample_io(struct cgroup *c, struct launch_sample *s)
{
    char text[STAT_MAX];
    if (kept_file(c, CGROUP_IO_STAT) < 0)
        return;
    kept_read(c, CGROUP_IO_STAT, text);
    bool v2 = cgroup_file_is_v2(c, CGROUP_IO_STAT);
    s->io_read = text_sum(text, v2 ? "rbytes=" : "Read ");
    s->io_write = text_sum(text, v2 ? "wbytes=" : "Write ");
}

static void sample_files(struct cgroup *c, struct launch_sample *s)
{
    char text[STAT_MAX];
    if (cgroup_file_is_v2(c, CGROUP_CPU_STAT)) {
        s->cpu_us = text_number(kept_read(c, CGROUP_CPU_STAT, text), "usage_usec");
    } else {
        uint64_t ns = cgroup_file_number(c, CGROUP_CPU_STAT);
        s->cpu_us = ns == UINT64_MAX ? ns : ns / 1000;
    }
    s->memory = cgroup_file_number(c, CGROUP_MEMORY_NOW);
    s->memory_peak = cgroup_file_number(c, CGROUP_MEMORY_PEAK);
    s->oom_kills = text_number(kept_read(c, CGROUP_MEMORY_EVENTS, text), "oom_kill");
    s->pids = cgroup_file_number(c, CGROUP_PIDS_NOW);
    s->pressure_cpu_us = kept_pressure(c, CGROUP_CPU_PRESSURE);
    s->pressure_memory_us = kept_pressure(c, CGROUP_MEMORY_PRESSURE);
    s->pressure_io_us = kept_pressure(c, CGROUP_IO_PRESSURE);
    sample_io(c, s);
}

int cgroup_sample(struct cgroup *c, struct launch_sample *ret)
{
    struct launch_sample s;
    memset(&s, 0xff, sizeof(s));
    if (c->mode == PLAN_CGROUP_NONE) {
        if (c->proc >= 0 && c->pid > 0)
            (void)cgroup_walk(c->proc, c->pid, &s);
    } else {
        sample_files(c, &s);
    }
    if (s.memory != UINT64_MAX)
        c->peak_memory = MAX(c->peak_memory, s.memory);
    if (s.memory_peak == UINT64_MAX && c->peak_memory)
        s.memory_peak = c->peak_memory;
    if (s.cpu_us != UINT64_MAX)
        c->most_cpu_us = MAX(c->most_cpu_us, s.cpu_us);
    if (c->most_cpu_us)
        s.cpu_us = c->most_cpu_us;
    if (s.cpu_us == UINT64_MAX && s.memory == UINT64_MAX && s.memory_peak == UINT64_MAX)
        return -ENODATA;
    *ret = s;
    return 0;
}

void cgroup_note_usage(struct cgroup *c, const struct rusage *u)
{
    uint64_t us = (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
    c->pid = 0;
    if (c->mode != PLAN_CGROUP_NONE)
        return;
    c->most_cpu_us = MAX(c->most_cpu_us, us);
    c->peak_memory = MAX(c->peak_memory, (uint64_t)u->ru_maxrss * 1024);
}

static bool frozen_is(struct cgroup *c, bool v2, bool frozen)
{
    char text[STAT_MAX];
    if (v2)
        return text_number(kept_read(c, CGROUP_EVENTS, text), "frozen") == (uint64_t)frozen;
    kept_read(c, CGROUP_FREEZE, text);
    return strcmp(text, frozen ? "FROZEN\n" : "THAWED\n") == 0;
}

static int freeze_say(struct cgroup *c, bool v2, bool frozen)
{
    const char *word = v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
    return pwrite(c->file[CGROUP_FREEZE], word, strlen(word), 0) < 0 ? -errno : 0;
}

int cgroup_freeze(struct cgroup *c, bool frozen, struct error *e)
{
    bool v2 = cgroup_file_is_v2(c, CGROUP_FREEZE);
    if (c->file[CGROUP_FREEZE] < 0)
        return error_set(e, EOPNOTSUPP, "there is no freezer: no control group");
    int r = freeze_say(c, v2, frozen);
    if (r < 0)
        return error_errno(e, -r, "%s the control group", frozen ? "freezing" : "thawing");

    uint64_t end = loop_now_ms() + FREEZE_MS;
    while (!frozen_is(c, v2, frozen)) {
        uint64_t now = loop_now_ms();
        if (now >= end) {
            freeze_say(c, v2, false); /* half of it would stand still for ever */
            return error_set(e, ETIMEDOUT, "a process does not stand still: it waits for a device");
        }
        if (v2) {
            struct pollfd p = {.fd = kept_file(c, CGROUP_EVENTS), .events = POLLPRI};
            poll(&p, 1, (int)(end - now));
        } else {
            /*
             * The v1 freezer tells nobody; reading the state is what drives it on, and whoever was
             * being born when it was told is passed over until it is told again.
             */
            poll(NULL, 0, 1);
            freeze_say(c, v2, frozen);
        }
    }
    return 0;
}

int cgroup_kill(struct cgroup *c, struct error *e)
{
    if (c->file[CGROUP_KILL] < 0)
        return error_set(e, EOPNOTSUPP, "there is no cgroup.kill here");
    if (pwrite(c->file[CGROUP_KILL], "1", 1, 0) < 0)
        return error_errno(e, errno, "cgroup.kill");
    return 0;
}
