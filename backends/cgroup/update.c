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

/* v1's two numbers depend on one another: the larger one goes first upwards, last downwards. */
static int edits_memory(const struct cgroup *c, struct edits *l, const struct plan_limits *planned,
                        uint64_t memory, struct error *e)
{
    uint64_t now = cgroup_file_number(c, CGROUP_MEMORY_NOW);
    /* v2 would kill it for that; v1 takes caches back, and refuses where that is not enough */
    if (cgroup_file_is_v2(c, CGROUP_MEMORY_MAX) && now != UINT64_MAX && now > memory) {
        char used[32], asked[32];
        return error_set(e, EBUSY, "memory: it uses %s now, which is more than %s",
                         str_from_size(now, used, sizeof(used)),
                         str_from_size(memory, asked, sizeof(asked)));
    }
    bool both = c->file[CGROUP_MEMSW_MAX] >= 0;
    bool up = memory > cgroup_file_number(c, CGROUP_MEMORY_MAX);
    if (both && up)
        edit_add(l, "memory", CGROUP_MEMSW_MAX, memory + planned->swap);
    edit_add(l, "memory", CGROUP_MEMORY_MAX, memory);
    if (both && !up)
        edit_add(l, "memory", CGROUP_MEMSW_MAX, memory + planned->swap);
    return 0;
}

static int edits_make(const struct cgroup *c, struct edits *l, const struct plan_limits *planned,
                      const struct launch_limits *x, struct error *e)
{
    int r = 0;
    if ((x->which & LAUNCH_LIMIT_PIDS) && planned->pids && x->pids > planned->pids)
        return error_set(e, EOPNOTSUPP,
                         "pids: its processes were started with at most %" PRIu64
                         " (RLIMIT_NPROC), which nobody can raise while they run",
                         planned->pids);
    if (x->which & LAUNCH_LIMIT_MEMORY)
        r = edits_memory(c, l, planned, x->memory, e);
    if (x->which & LAUNCH_LIMIT_PIDS)
        edit_add(l, "pids", CGROUP_PIDS_MAX, x->pids);
    if (x->which & LAUNCH_LIMIT_CPUS)
        edit_add(l, "cpus", CGROUP_CPU_MAX, cgroup_cpu_quota_us(x->cpu_milli));
    if (x->which & LAUNCH_LIMIT_IO_WEIGHT)
        edit_add(l, "io-weight", CGROUP_IO_WEIGHT,
                 cgroup_file_is_v2(c, CGROUP_IO_WEIGHT) ? x->io_weight
                                                        : cgroup_v1_io_weight(x->io_weight));
    return r;
}

/* What nothing here enforces is found before anything is written. */
static int edits_check(const struct cgroup *c, struct edits *l, struct error *e)
{
    for (size_t i = 0; i < l->count; i++) {
        struct edit *x = &l->of[i];
        int fd = c->file[x->file];
        ssize_t n = fd < 0 ? -1 : pread(fd, x->before, sizeof(x->before) - 1, 0);
        if (n >= 0)
            continue;
        return error_set(e, EOPNOTSUPP, "%s: %s", x->limit,
                         c->mode == PLAN_CGROUP_NONE
                             ? "there is no control group for it here"
                             : "nothing counts it for this workload, which was started without a "
                               "limit of it");
    }
    return 0;
}

int cgroup_update(struct cgroup *c, const struct plan_limits *planned,
                  const struct launch_limits *x, struct error *e)
{
    struct edits l = {0};
    int r = edits_make(c, &l, planned, x, e);
    if (r == 0)
        r = edits_check(c, &l, e);
    size_t done = 0;
    while (r == 0 && done < l.count) {
        const struct edit *one = &l.of[done];
        if (pwrite(c->file[one->file], one->text, strlen(one->text), 0) < 0)
            r = errno == EBUSY ? error_set(e, EBUSY, "%s: it uses more than that now", one->limit)
                               : error_errno(e, errno, "%s", one->limit);
        else
            done++;
    }
    while (r < 0 && done-- > 0) {
        const struct edit *one = &l.of[done];
        (void)!pwrite(c->file[one->file], one->before, strlen(one->before), 0);
    }
    return r;
}
