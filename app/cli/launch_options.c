/* The flags of run, open and plan: each is a key of cofferdam.ini(5). */
#include "app/cli/launch.h"

#include <stdio.h>
#include <unistd.h>

/* A flag's key; `value` is what a switch means. */
static const struct {
    const char *flag;
    enum key_id key;
    const char *value;
} launch_flags[] = {
    {"boundary",   KEY_ISOLATION_BOUNDARY,   NULL   },
    {"runtime",    KEY_ISOLATION_RUNTIME,    NULL   },
    {"accel",      KEY_MACHINE_ACCEL,        NULL   },
    {"image",      KEY_FILES_IMAGE,          NULL   },
    {"label",      KEY_WORKLOAD_LABELS,      NULL   },
    {"tty",        KEY_CONSOLE_TERMINAL,     "yes"  },
    {"workdir",    KEY_FILES_WORKDIR,        NULL   },
    {"user",       KEY_ISOLATION_USER,       NULL   },
    {"memory",     KEY_RESOURCES_MEMORY,     NULL   },
    {"cpus",       KEY_RESOURCES_CPUS,       NULL   },
    {"pids",       KEY_RESOURCES_PIDS,       NULL   },
    {"network",    KEY_NETWORK_MODE,         NULL   },
    {"mount",      KEY_FILES_MOUNT,          NULL   },
    {"copy-in",    KEY_FILES_COPY_IN,        NULL   },
    {"time-limit", KEY_LIFECYCLE_TIME_LIMIT, NULL   },
    {"keep",       KEY_LIFECYCLE_KEEP,       NULL   },
    {"rm",         KEY_LIFECYCLE_KEEP,       "never"},
};

char *launching_source(const char *value)
{
    if (strchr("/~.", value[0]) && value[0])
        return str_dup(value);
    return str_format("./%s", value);
}

static int launch_flag(struct launching *l, const struct option_value *o, struct error *e)
{
    const char *name = o->row->name;
    if (str_equal(name, "set"))
        return settings_assign(&l->settings, o->value, "--set", e);
    for (size_t i = 0; i < ARRAY_SIZE(launch_flags); i++) {
        if (!str_equal(launch_flags[i].flag, name))
            continue;
        enum key_id key = launch_flags[i].key;
        const char *value = launch_flags[i].value ? launch_flags[i].value : o->value;
        bool source = key == KEY_FILES_MOUNT || key == KEY_FILES_COPY_IN;
        autofree char *text = source ? launching_source(value) : str_dup(value);
        autofree char *origin = str_format("--%s", name);
        if (key == KEY_FILES_IMAGE)
            settings_set(&l->settings, KEY_WORKLOAD_IMAGE, "", origin, e);
        int r = keys[key].type >= KEY_TYPE_LIST ? settings_add(&l->settings, key, text, origin, e)
                                                : settings_set(&l->settings, key, text, origin, e);
        return r < 0 ? error_wrap(e, "--%s", name) : 0;
    }
    return 0;
}

/* NAME=VALUE, or NAME for the caller's own. */
static int launch_env(void *data, const char *value, struct error *e)
{
    struct launching *l = data;
    if (!*value || *value == '=')
        return error_set(e, EINVAL, "--env: \"%s\" is not NAME or NAME=VALUE", value);
    strv_add(&l->env, value);
    return 0;
}

int launching_options(struct launching *l, const struct cli *c, struct error *e)
{
    const char *profile = cli_option(c, "profile"), *workload = cli_option(c, "workload");
    if (profile && workload)
        return error_set(e, EINVAL, "--profile and --workload: a workload file names its profile");
    int r = launching_load(l, profile, workload, e);
    if (r == 0)
        r = launching_flags(l, c, e);
    if (r == 0 && !l->request.name)
        l->request.name = workload;
    return r;
}

int launching_flags(struct launching *l, const struct cli *c, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->options_count; i++)
        r = launch_flag(l, &c->options[i], e);
    if (r == 0)
        r = cli_each(c, "env", launch_env, l, e);
    if (r < 0)
        return r;
    l->detach = cli_switch(c, "detach");
    l->report = cli_switch(c, "report");
    l->request.name = cli_option(c, "name");
    l->request.env = l->env;
    l->request.entrypoint = cli_option(c, "entrypoint");
    l->request.argv = c->command;
    l->request.terminal_wanted = !l->detach && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    return 0;
}
