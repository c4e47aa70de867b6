#include "backends/agent/agent_start.h"

#include "base/str.h"

/* As the plan has it; what a command of its own has otherwise is the caller's to change. */
static struct agent_host_command start_as_planned(const struct plan *p)
{
    return (struct agent_host_command){
        .argv = p->argv,
        .env = p->env,
        .cwd = p->cwd,
        .uid = p->uid,
        .gid = p->gid,
        .groups = p->groups,
        .groups_count = p->groups_count,
        .umask = p->umask,
        .terminal = p->terminal,
    };
}

int agent_start_main(struct agent_host *h, const struct plan *p, const struct launch_env *env,
                     struct error *e)
{
    struct agent_host_command c = start_as_planned(p);
    c.rows = env->rows;
    c.cols = env->cols;
    return agent_host_start(h, 0, &c, e);
}

int agent_start_exec(struct agent_host *h, const struct plan *p, uint32_t console,
                     const struct launch_exec *x, struct error *e)
{
    autostrv char **env = strv_copy(p->env);
    for (size_t i = 0; x->env && x->env[i]; i++)
        strv_put(&env, x->env[i]);
    struct agent_host_command c = start_as_planned(p);
    c.argv = x->argv;
    c.env = env;
    if (x->cwd)
        c.cwd = x->cwd;
    c.user = x->user;
    c.terminal = x->terminal;
    c.rows = x->rows;
    c.cols = x->cols;
    return agent_host_start(h, console, &c, e);
}
