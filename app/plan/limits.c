/* Limits of the whole workload, and those of single processes. */
#include "app/plan/build.h"

#include <linux/capability.h>

static void limits_rlimit(struct plan *p, const char *name, uint64_t soft, uint64_t hard)
{
    p->rlimits[p->rlimits_count++] = (struct plan_rlimit){.name = name, .soft = soft, .hard = hard};
}

static void limits_processes(struct build *b)
{
    struct plan *p = b->p;
    if (!(p->open & PLAN_OPEN_CORE_DUMPS))
        limits_rlimit(p, "core", 0, 0);
    limits_rlimit(p, "nofile", 1024, 65536);
    if (!(p->capabilities & (1ull << CAP_IPC_LOCK)))
        limits_rlimit(p, "memlock", 8u << 20, 8u << 20);
    /* The kernel counts these for each user namespace, so they bound this workload alone. */
    if (p->limits.pids)
        limits_rlimit(p, "nproc", p->limits.pids, p->limits.pids);
    /* A process each, and blind to the page cache: what is left where there is no cgroup. */
    bool grouped =
        b->host->cgroup != PLAN_CGROUP_NONE && strv_has(b->host->cgroup_controllers, "memory");
    if (p->limits.memory && p->limits.best_effort && !grouped && !plan_is_machine(p))
        limits_rlimit(p, "data", p->limits.memory, p->limits.memory);
}

void build_limits(struct build *b)
{
    const struct settings *s = b->s;
    struct plan_limits *l = &b->p->limits;
    l->memory = settings_number(s, KEY_RESOURCES_MEMORY);
    l->swap = settings_number(s, KEY_RESOURCES_SWAP);
    l->disk = settings_number(s, KEY_RESOURCES_DISK);
    l->pids = settings_number(s, KEY_RESOURCES_PIDS);
    l->cpu_milli = (unsigned)(settings_decimal(s, KEY_RESOURCES_CPUS) * 1000 + 0.5);
    l->io_weight = (unsigned)settings_number(s, KEY_RESOURCES_IO_WEIGHT);
    l->nice = (int)settings_number(s, KEY_RESOURCES_NICE);
    l->best_effort = str_equal(settings_text(s, KEY_RESOURCES_LIMITS), "best-effort");
    limits_processes(b);
}
