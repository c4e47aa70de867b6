/* What no container of ours may be, whoever made the plan and whatever runtime is to run it. */
#ifndef COFFERDAM_BACKENDS_ROOT_CHECK_H
#define COFFERDAM_BACKENDS_ROOT_CHECK_H

#include "app/plan/plan.h"

/*
 * Without a user, mount or PID namespace, or root inside where that would be root outside: -EINVAL
 * or -EPERM. A network that no container of this version makes: -ENOTSUP.
 */
int root_check_plan(const struct plan *p, struct error *e);

/* -ENOTSUP, -EPERM: a label the host cannot give, or no user namespace. */
int root_check_host(const struct plan *p, const struct plan_host *host, struct error *e);

/* -EINVAL: below /proc lie doors to other processes' roots and descriptors. */
int root_check_cwd(const char *cwd, struct error *e);

#endif
