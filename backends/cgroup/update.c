/* Limits changed while the workload runs: all that are asked for, or none. */
#include "backends/cgroup/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* One file to be written, and what it held before. */
struct edit {
    const char *limit; /* for people */
    enum cgroup_file file;
    char text[48], before[48];
};

struct edits {
    struct edit of[8];
    size_t count;
};

static void edit_add(struct edits *l, const char *limit, enum cgroup_file file, uint64_t n)
{
    struct edit *x = &l->of[l->count++];
    *x = (struct edit){.limit = limit, .file = file};
    snprintf(x->text, sizeof(x->text), "%" PRIu64, n);
}

static int memory_used(uint64_t used, uint64_t memory, struct error *e)
{
    char now[32], asked[32];
    return error_set(e, EBUSY, "memory: it uses %s now, which is more than %s",
                     str_from_size(used, now, sizeof(now)),
                     str_from_size(memory, asked, sizeof(asked)));
}

/*
 * Less than it uses: version 2 would kill it for that. So memory.high takes files and caches back
 * first, for a moment; what is above it then is in real use.
 */
static int edits_memory_v2(struct cgroup *c, struct edits *l, uint64_t memory,
                           struct error *e)
{
    uint64_t now = cgroup_file_number(c, CGROUP_MEMORY_NOW), caches = cgroup_reclaimable(c);
    bool less = now != UINT64_MAX && now > memory;
    if (less && now - MIN(now, caches) > memory)
        return memory_used(now - MIN(now, caches), memory, e);
    if (less && c->file[CGROUP_MEMORY_HIGH] < 0)
        return memory_used(now, memory, e);
    if (less)
        edit_add(l, "memory", CGROUP_MEMORY_HIGH, memory);
    edit_add(l, "memory", CGROUP_MEMORY_MAX, memory);
    return 0;
}

/*
 * Two numbers that depend on one another: the larger one goes first upwards, last downwards. Swap
 * has not been named: there stays as much of it as there is; above all memory there is no limit.
 * The kernel takes caches back itself, and refuses where that is not enough.
 */
static void edits_memory_v1(struct cgroup *c, struct edits *l, uint64_t memory)
{
    const uint64_t unlimited = INT64_MAX / 2; /* the kernel's own number depends on its pages */
    uint64_t was = cgroup_file_number(c, CGROUP_MEMORY_MAX);
    uint64_t both_were = cgroup_file_number(c, CGROUP_MEMSW_MAX);
    bool both = both_were < unlimited && was <= both_were;
    if (both && memory > was)
        edit_add(l, "memory", CGROUP_MEMSW_MAX, memory + (both_were - was));
    edit_add(l, "memory", CGROUP_MEMORY_MAX, memory);
    if (both && memory <= was)
        edit_add(l, "memory", CGROUP_MEMSW_MAX, memory + (both_were - was));
}

static int edits_memory(struct cgroup *c, struct edits *l, uint64_t memory, struct error *e)
{
    if (cgroup_file_is_v2(c, CGROUP_MEMORY_MAX))
        return edits_memory_v2(c, l, memory, e);
    edits_memory_v1(c, l, memory);
    return 0;
}

static unsigned io_weight_here(struct cgroup *c, unsigned weight)
{
    if (!cgroup_file_is_v2(c, CGROUP_IO_WEIGHT))
        return cgroup_v1_io_weight(weight);
    return c->io_other ? cgroup_v2_bfq_weight(weight) : weight;
}

static int edits_make(struct cgroup *c, struct edits *l, const struct plan_limits *planned,
                      const struct launch_limits *x, struct error *e)
{
    int r = 0;
    if ((x->which & LAUNCH_LIMIT_PIDS) && planned->pids && x->pids > planned->pids)
        return error_set(e, EOPNOTSUPP,
                         "pids: its processes were started with at most %" PRIu64
                         " (RLIMIT_NPROC), which nobody can raise while they run",
                         planned->pids);
    if (x->which & LAUNCH_LIMIT_MEMORY)
        r = edits_memory(c, l, x->memory, e);
    if (x->which & LAUNCH_LIMIT_PIDS)
        edit_add(l, "pids", CGROUP_PIDS_MAX, x->pids);
    if (x->which & LAUNCH_LIMIT_CPUS)
        edit_add(l, "cpus", CGROUP_CPU_MAX, cgroup_cpu_quota_us(x->cpu_milli));
    if (x->which & LAUNCH_LIMIT_IO_WEIGHT)
        edit_add(l, "io-weight", CGROUP_IO_WEIGHT, io_weight_here(c, x->io_weight));
    return r;
}

/* Why there is no such file. */
static const char *edit_missing(struct cgroup *c, enum cgroup_file file,
                                const struct plan_limits *planned)
{
    if (c->mode == PLAN_CGROUP_NONE)
        return "there is no control group for it here";
    if ((file == CGROUP_CPU_MAX && !planned->cpu_milli) ||
        (file == CGROUP_PIDS_MAX && !planned->pids && c->mode == PLAN_CGROUP_V1) ||
        (file == CGROUP_IO_WEIGHT && !planned->io_weight))
        return "nothing counts it for this workload, which was started without a limit of it";
    return "the control groups here have no controller for it";
}

/* What nothing here enforces is found before anything is written. */
static int edits_check(struct cgroup *c, struct edits *l, const struct plan_limits *planned,
                       struct error *e)
{
    for (size_t i = 0; i < l->count; i++) {
        struct edit *x = &l->of[i];
        int fd = c->file[x->file];
        ssize_t n = fd < 0 ? -1 : pread(fd, x->before, sizeof(x->before) - 1, 0);
        if (n < 0)
            return error_set(e, EOPNOTSUPP, "%s: %s", x->limit, edit_missing(c, x->file, planned));
    }
    return 0;
}

static void edit_undo(struct cgroup *c, const struct edit *x)
{
    (void)!pwrite(c->file[x->file], x->before, strlen(x->before), 0);
}

/* Each write takes back what it can; what reads on is always a little above it. */
static bool memory_is_above(struct cgroup *c, const struct edit *x, uint64_t memory,
                            uint64_t *ret_now)
{
    enum { TRIES = 5, LITTLE = 16 };
    for (int i = 0; i < TRIES; i++) {
        *ret_now = cgroup_file_number(c, CGROUP_MEMORY_NOW);
        if (*ret_now <= memory + MIN(cgroup_reclaimable(c), memory / LITTLE))
            return false;
        (void)!pwrite(c->file[x->file], x->text, strlen(x->text), 0);
    }
    return true;
}

static int edit_write(struct cgroup *c, const struct edit *x, uint64_t memory,
                      struct error *e)
{
    uint64_t now;
    if (pwrite(c->file[x->file], x->text, strlen(x->text), 0) < 0)
        return errno == EBUSY ? error_set(e, EBUSY, "%s: it uses more than that now", x->limit)
                              : error_errno(e, errno, "%s", x->limit);
    if (x->file != CGROUP_MEMORY_HIGH || !memory_is_above(c, x, memory, &now))
        return 0;
    edit_undo(c, x);
    return memory_used(now, memory, e);
}

int cgroup_update(struct cgroup *c, const struct plan_limits *planned,
                  const struct launch_limits *x, struct error *e)
{
    struct edits l = {0};
    int r = edits_make(c, &l, planned, x, e);
    if (r == 0)
        r = edits_check(c, &l, planned, e);
    size_t done = 0;
    while (r == 0 && done < l.count) {
        r = edit_write(c, &l.of[done], x->memory, e);
        done += r == 0;
    }
    for (size_t i = done; i-- > 0;)
        if (r < 0 || l.of[i].file == CGROUP_MEMORY_HIGH) /* which was for a moment */
            edit_undo(c, &l.of[i]);
    return r;
}
