/* A plan's command, and another beside it, asked of an agent. */
#ifndef COFFERDAM_BACKENDS_AGENT_AGENT_START_H
#define COFFERDAM_BACKENDS_AGENT_AGENT_START_H

#include "app/plan/plan.h"
#include "backends/agent/agent_host.h"
#include "backends/launch.h"

/* The plan's own command as console 0, in a terminal of `env`'s size; as agent_host_start(). */
int agent_start_main(struct agent_host *h, const struct plan *p, const struct launch_env *env,
                     struct error *e);

/*
 * `x` beside it: with the plan's variables under its own, in the plan's folder and as the plan's
 * user where it names none; as agent_host_start(). The caller has checked x->cwd.
 */
int agent_start_exec(struct agent_host *h, const struct plan *p, uint32_t console,
                     const struct launch_exec *x, struct error *e);

#endif
