/* Limits changed while the workload runs, and the record of it. */
#include "console/monitor_parts.h"

#include <inttypes.h>

static const struct {
    unsigned bit;
    const char *name;
} limit_rows[] = {
    {LAUNCH_LIMIT_MEMORY,    "memory"   },
    {LAUNCH_LIMIT_PIDS,      "pids"     },
    {LAUNCH_LIMIT_CPUS,      "cpus"     },
    {LAUNCH_LIMIT_IO_WEIGHT, "io-weight"},
};

static char *limit_text(const char *name, unsigned bit, const struct launch_limits *x)
{
    switch (bit) {
    case LAUNCH_LIMIT_MEMORY:
        return str_format("%s=%" PRIu64, name, x->memory);
    case LAUNCH_LIMIT_PIDS:
        return str_format("%s=%" PRIu64, name, x->pids);
    case LAUNCH_LIMIT_CPUS:
        return str_format("%s=%u.%03u", name, x->cpu_milli / 1000, x->cpu_milli % 1000);
    case LAUNCH_LIMIT_IO_WEIGHT:
        return str_format("%s=%u", name, x->io_weight);
    }
    return str_dup(name);
}

/* What was changed before and is not named now stays in the list. */
static char **limits_noted(char *const *before, const struct launch_limits *x)
{
    char **list = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(limit_rows); i++) {
        const char *name = limit_rows[i].name;
        size_t length = strlen(name);
        if (x->which & limit_rows[i].bit) {
            strv_take(&list, limit_text(name, limit_rows[i].bit, x));
            continue;
        }
        for (size_t k = 0; before && before[k]; k++)
            if (strncmp(before[k], name, length) == 0 && before[k][length] == '=')
                strv_add(&list, before[k]);
    }
    return list;
}

static int limits_check(const struct launch_limits *x, struct error *e)
{
    if (!x->which || (x->which & ~(unsigned)LAUNCH_LIMIT_ALL))
        return error_set(e, EINVAL, "there is no such limit");
    if (((x->which & LAUNCH_LIMIT_MEMORY) && (!x->memory || x->memory > INT64_MAX / 2)) ||
        ((x->which & LAUNCH_LIMIT_PIDS) && (!x->pids || x->pids > INT32_MAX)) ||
        ((x->which & LAUNCH_LIMIT_CPUS) && (!x->cpu_milli || x->cpu_milli > 10000000)) ||
        ((x->which & LAUNCH_LIMIT_IO_WEIGHT) && (!x->io_weight || x->io_weight > 10000)))
        return error_set(e, EINVAL, "a limit is out of its bounds");
    return 0;
}

int life_update(struct monitor *m, const struct launch_limits *x, struct error *e)
{
    int r = limits_check(x, e);
    if (r < 0)
        return r;
    if (!m->ops->update)
        return error_set(e, EOPNOTSUPP, "this boundary cannot change limits while it runs");
    if (m->ended || m->main_exited || !m->main->started)
        return error_set(e, ESRCH, "it is not running");
    r = m->ops->update(m->launch, x, e);
    if (r < 0)
        return r;
    char **noted = limits_noted(m->record.limits, x);
    strv_free(m->record.limits);
    m->record.limits = noted;
    autofree char *now = strv_join(noted, " ");
    monitor_note(m, "limits changed: %s", now);
    life_put_state(m, m->record.phase);
    return 0;
}
