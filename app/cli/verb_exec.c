/* cofferdam exec: a further command inside a running workload, started by its own PID 1. */
#include "app/cli/running.h"
#include "app/cli/verbs.h"
#include "console/attach.h"

#include <stdio.h>
#include <unistd.h>

// clang-format off
static const struct option_row exec_options[] = {
    {"tty",     't', NULL, "a terminal inside, whatever this is", NULL},
    {"no-tty",  'T', NULL, "plain streams, even at a terminal", NULL},
    {"env",     'e', "NAME[=VALUE]", "a variable; without a value the caller's", NULL},
    {"workdir", 'w', "PATH", "where the command starts (default: as the workload)", NULL},
    {"user",    'u', "USER[:GROUP]", "who runs it, by the workload's own /etc/passwd", NULL},
    {0},
};
// clang-format on

static int exec_env(void *data, const char *value, struct error *e)
{
    char ***env = data;
    const char *sign = strchr(value, '=');
    if (sign == value || !*value)
        return error_set(e, EINVAL, "--env: \"%s\" is not NAME or NAME=VALUE", value);
    if (sign) {
        strv_add(env, value);
        return 0;
    }
    const char *own = getenv(value);
    if (own)
        strv_take(env, str_format("%s=%s", value, own));
    return 0;
}

/* How it ended, as an exit status; says why where that is not plain. */
static int exec_report(const struct cli *c, const char *name, struct attach_result *r)
{
    switch (r->how) {
    case ATTACH_EXITED:
    case ATTACH_SIGNALLED:
        return r->status;
    case ATTACH_DETACHED:
        return 0;
    case ATTACH_FAILED:
        if (r->error.code == ETIMEDOUT) /* which is not the command's doing */
            error_wrap(&r->error, "%s", name);
        return cli_fail_command(c, &r->error);
    case ATTACH_LOST:
        return cli_fail(c, &r->error);
    }
    return EXIT_OURS;
}

static int exec_attached(struct cli *c, const struct dirs *d, const struct state_record *record,
                         const struct client_exec *x)
{
    struct error e;
    struct client *client = NULL;
    struct attach_options options = {.exec = x, .terminal = x->terminal};
    struct attach *a = attach_new(&options);
    autofree char *path = state_socket_path(d, record->id);
    int status = EXIT_OURS;
    if (client_connect(path, attach_events(), a, &client, &e) < 0) {
        error_wrap(&e, "%s", record->name);
        status = cli_fail(c, &e);
    } else {
        struct attach_result result = {0};
        status = attach_run(a, client, &result, &e) < 0 ? cli_fail(c, &e)
                                                        : exec_report(c, record->name, &result);
        attach_result_done(&result);
    }
    client_free(client);
    attach_free(a);
    return status;
}

static int exec_run(struct cli *c)
{
    if (!c->args_count || !c->command || !c->command[0])
        return cli_usage(c, "a workload and a command are needed");
    if (cli_switch(c, "tty") && cli_switch(c, "no-tty"))
        return cli_usage(c, "--tty and --no-tty contradict each other");
    const char *cwd = cli_option(c, "workdir");
    if (cwd && cwd[0] != '/')
        return cli_usage(c, "--workdir: \"%s\" is not an absolute path", cwd);
    struct error e;
    struct dirs d;
    struct state_record record;
    autostrv char **env = NULL;
    if (cli_each(c, "env", exec_env, &env, &e) < 0 || dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (running_find(&d, c->args[0], &record, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        struct client_exec x = {
            .argv = (const char *const *)c->command,
            .cwd = cwd,
            .user = cli_option(c, "user"),
            .terminal = cli_switch(c, "tty") ||
                        (!cli_switch(c, "no-tty") && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)),
        };
        if (x.terminal && !record.terminal)
            strv_add(&env, "TERM=xterm-256color");
        x.env = (const char *const *)env;
        status = exec_attached(c, &d, &record, &x);
        state_record_done(&record);
    }
    dirs_done(&d);
    return status;
}

const struct verb verb_exec = {
    .name = "exec",
    .group = "Run",
    .usage = "[OPTION…] WORKLOAD [--] COMMAND [ARGUMENT…]",
    .summary = "run a further command inside a running workload",
    .options = exec_options,
    .flags = VERB_COMMAND | VERB_WORKLOADS,
    .run = exec_run,
};
