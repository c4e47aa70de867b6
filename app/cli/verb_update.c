/* cofferdam update: other limits for what is running. */
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"
#include "backends/launch.h"
#include "console/wire.h"
#include "profiles/settings.h"

// clang-format off
static const struct option_row update_options[] = {
    {"memory",    0, "SIZE",   "the most memory of all processes together", NULL},
    {"cpus",      0, "NUMBER", "processors' worth of time, as 1.5", NULL},
    {"pids",      0, "NUMBER", "the most processes and threads; not more than it was started with", NULL},
    {"io-weight", 0, "NUMBER", "share of a busy disk, 1 to 10000", NULL},
    {0},
};
// clang-format on

static const struct {
    const char *option;
    enum key_id key;
    unsigned bit;
} update_keys[] = {
    {"memory",    KEY_RESOURCES_MEMORY,    LAUNCH_LIMIT_MEMORY   },
    {"cpus",      KEY_RESOURCES_CPUS,      LAUNCH_LIMIT_CPUS     },
    {"pids",      KEY_RESOURCES_PIDS,      LAUNCH_LIMIT_PIDS     },
    {"io-weight", KEY_RESOURCES_IO_WEIGHT, LAUNCH_LIMIT_IO_WEIGHT},
};

/* The same words mean the same as in a profile: the table of keys reads them. */
static int update_read(const struct cli *c, struct wire_limits *ret, struct error *e)
{
    struct settings s;
    int r = 0;
    settings_init(&s);
    *ret = (struct wire_limits){0};
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(update_keys); i++) {
        const char *value = cli_option(c, update_keys[i].option);
        if (!value)
            continue;
        r = settings_set(&s, update_keys[i].key, value, update_keys[i].option, e);
        if (r < 0)
            error_wrap(e, "--%s", update_keys[i].option);
        ret->which |= update_keys[i].bit;
    }
    if (r == 0) {
        ret->memory = settings_number(&s, KEY_RESOURCES_MEMORY);
        ret->pids = settings_number(&s, KEY_RESOURCES_PIDS);
        ret->cpu_milli = (uint32_t)(settings_decimal(&s, KEY_RESOURCES_CPUS) * 1000 + 0.5);
        ret->io_weight = (uint32_t)settings_number(&s, KEY_RESOURCES_IO_WEIGHT);
        const uint64_t values[] = {ret->memory, ret->cpu_milli, ret->pids, ret->io_weight};
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(values); i++)
            if ((ret->which & update_keys[i].bit) && !values[i])
                r = error_set(e, EINVAL, "--%s: what runs cannot be without this limit",
                              update_keys[i].option);
    }
    settings_done(&s);
    return r;
}

static void update_ask(struct task *t, void *data)
{
    client_update(t->client, data);
}

static int update_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    return tasks_ask_living(c, d, t, update_ask, data);
}

static int update_run(struct cli *c)
{
    struct wire_limits limits;
    struct error e;
    if (update_read(c, &limits, &e) < 0)
        return cli_fail(c, &e);
    if (!limits.which)
        return cli_usage(c, "say which limit: --memory, --cpus, --pids or --io-weight");
    return tasks_run(c, update_work, &limits);
}

const struct verb verb_update = {
    .name = "update",
    .group = "Run",
    .usage = "OPTION… WORKLOAD…",
    .summary = "change the limits of running workloads",
    .options = update_options,
    .flags = VERB_WORKLOADS,
    .run = update_run,
};
