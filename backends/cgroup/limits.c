/* Limits as text into the files of a control group. Units: bytes, microseconds, weights. */
#include "backends/cgroup/internal.h"

#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { CPU_QUOTA_LEAST_US = 1000 };

static int put_number(int dir, const char *file, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, n);
    return file_put(dir, file, text);
}

uint64_t cgroup_cpu_quota_us(unsigned cpu_milli)
{
    return MAX((uint64_t)cpu_milli * CGROUP_CPU_PERIOD_US / 1000, (uint64_t)CPU_QUOTA_LEAST_US);
}

unsigned cgroup_v1_io_weight(unsigned weight)
{
    return MAX(10u, MIN(weight, 1000u));
}

unsigned cgroup_v2_bfq_weight(unsigned weight)
{
    return MIN(weight, 1000u);
}

/* Without swap space there is nothing to limit: kernels without swap accounting are fine then. */
static bool host_has_swap(void)
{
    autofree char *text = NULL;
    if (file_read_virtual(AT_FDCWD, "/proc/swaps", 4096, &text, NULL) < 0)
        return true;
    const char *second = strchr(text, '\n');
    return second && second[1];
}

static int v2_memory(struct cgroup *c, const struct plan_limits *l, struct error *e)
{
    int r = put_number(c->v2.dir, "memory.max", l->memory);
    if (r < 0)
        return cgroup_short(c, l, "memory", r, e);
    r = put_number(c->v2.dir, "memory.swap.max", l->swap);
    if (r < 0 && host_has_swap()) {
        r = cgroup_short(c, l, "swap", r, e);
        if (r < 0)
            return r;
    }
    /*
     * Out of memory ends the whole workload, not whichever process the kernel picks. memory.high is
     * left alone: a workload of anonymous memory would crawl below it for ever instead.
     */
    (void)file_put(c->v2.dir, "memory.oom.group", "1");
    return 0;
}

static int v2_io(int dir, unsigned weight)
{
    char text[32];
    snprintf(text, sizeof(text), "default %u", weight);
    int r = file_put(dir, "io.weight", text);
    if (r == -ENOENT)
        r = put_number(dir, CGROUP_V2_IO_OTHER, cgroup_v2_bfq_weight(weight));
    return r;
}

int cgroup_limits_v2(struct cgroup *c, const struct plan_limits *l, struct error *e)
{
    int r = l->memory ? v2_memory(c, l, e) : 0;
    if (r == 0 && l->pids) {
        r = put_number(c->v2.dir, "pids.max", l->pids);
        r = r < 0 ? cgroup_short(c, l, "pids", r, e) : 0;
    }
    if (r == 0 && l->cpu_milli) {
        char text[48];
        snprintf(text, sizeof(text), "%" PRIu64 " %d", cgroup_cpu_quota_us(l->cpu_milli),
                 CGROUP_CPU_PERIOD_US);
        r = file_put(c->v2.dir, "cpu.max", text);
        r = r < 0 ? cgroup_short(c, l, "cpus", r, e) : 0;
    }
    if (r == 0 && l->io_weight) {
        r = v2_io(c->v2.dir, l->io_weight);
        r = r < 0 ? cgroup_short(c, l, "io-weight", r, e) : 0;
    }
    return r;
}

/* -ENOENT where the hierarchy is missing altogether. */
static int v1_put(const struct cgroup *c, enum cgroup_v1_id id, const char *file, uint64_t n)
{
    return c->v1[id].dir < 0 ? -ENOENT : put_number(c->v1[id].dir, file, n);
}

static int v1_memory(struct cgroup *c, const struct plan_limits *l, struct error *e)
{
    int r = v1_put(c, CGROUP_V1_MEMORY, "memory.limit_in_bytes", l->memory);
    if (r < 0)
        return cgroup_short(c, l, "memory", r, e);
    r = v1_put(c, CGROUP_V1_MEMORY, "memory.memsw.limit_in_bytes", l->memory + l->swap);
    if (r < 0 && host_has_swap())
        return cgroup_short(c, l, "swap", r, e);
    return 0;
}

static int v1_cpu(const struct cgroup *c, const struct plan_limits *l)
{
    int r = v1_put(c, CGROUP_V1_CPU, "cpu.cfs_period_us", CGROUP_CPU_PERIOD_US);
    return r < 0 ? r
                 : v1_put(c, CGROUP_V1_CPU, "cpu.cfs_quota_us", cgroup_cpu_quota_us(l->cpu_milli));
}

static int v1_io(const struct cgroup *c, unsigned weight)
{
    unsigned n = cgroup_v1_io_weight(weight);
    int r = v1_put(c, CGROUP_V1_BLKIO, "blkio.bfq.weight", n);
    return r == -ENOENT ? v1_put(c, CGROUP_V1_BLKIO, CGROUP_V1_IO_OTHER, n) : r;
}

/* The nodes every /dev of ours has, and others that never change: they need not be looked at. */
static const struct {
    const char *path, *rule;
} known_devices[] = {
    {"/dev/null",    "c 1:3"   },
    {"/dev/zero",    "c 1:5"   },
    {"/dev/full",    "c 1:7"   },
    {"/dev/random",  "c 1:8"   },
    {"/dev/urandom", "c 1:9"   },
    {"/dev/tty",     "c 5:0"   },
    {"/dev/kvm",     "c 10:232"},
    {"/dev/net/tun", "c 10:200"},
};

static int v1_allow(int list, const char *rule)
{
    return write(list, rule, strlen(rule)) == (ssize_t)strlen(rule) ? 0 : -errno;
}

static int v1_allow_device(int list, const char *path, bool made)
{
    struct stat st;
    char rule[64];
    for (size_t i = 0; i < ARRAY_SIZE(known_devices); i++) {
        if (strcmp(known_devices[i].path, path) != 0)
            continue;
        snprintf(rule, sizeof(rule), "%s rw%s", known_devices[i].rule, made ? "m" : "");
        return v1_allow(list, rule);
    }
    if (stat(path, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
        return 0;
    snprintf(rule, sizeof(rule), "%c %u:%u rw%s", S_ISCHR(st.st_mode) ? 'c' : 'b',
             major(st.st_rdev), minor(st.st_rdev), made ? "m" : "");
    return v1_allow(list, rule);
}

/* A second lock: nodes cannot be made but where that is said, and foreign mounts are nodev. */
static int v1_devices(const struct cgroup *c, const struct plan *p)
{
    int dir = c->v1[CGROUP_V1_DEVICES].dir;
    if (dir < 0)
        return 0;
    int r = file_put(dir, "devices.deny", "a");
    autoclose int list = r < 0 ? FD_NONE : openat(dir, "devices.allow", O_WRONLY | O_CLOEXEC);
    if (list < 0)
        return r < 0 ? r : -errno;
    r = v1_allow(list, "c 5:2 rw"); /* ptmx */
    if (r == 0)
        r = v1_allow(list, "c 136:* rw"); /* pts */
    for (size_t i = 0; r == 0 && i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_DEVICE && p->mounts[i].source)
            r = v1_allow_device(list, p->mounts[i].source, p->mounts[i].flags & PLAN_MOUNT_MADE);
    return r;
}

int cgroup_limits_v1(struct cgroup *c, const struct plan *p, struct error *e)
{
    const struct plan_limits *l = &p->limits;
    int r = v1_devices(c, p);
    if (r < 0)
        return error_errno(e, -r, "control group: devices allow-list");
    if (l->memory)
        r = v1_memory(c, l, e);
    if (r == 0 && l->pids) {
        r = v1_put(c, CGROUP_V1_PIDS, "pids.max", l->pids);
        r = r < 0 ? cgroup_short(c, l, "pids", r, e) : 0;
    }
    if (r == 0 && l->cpu_milli) {
        r = v1_cpu(c, l);
        r = r < 0 ? cgroup_short(c, l, "cpus", r, e) : 0;
    }
    if (r == 0 && l->io_weight) {
        r = v1_io(c, l->io_weight);
        r = r < 0 ? cgroup_short(c, l, "io-weight", r, e) : 0;
    }
    return r;
}
