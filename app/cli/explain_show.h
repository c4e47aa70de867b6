/* What a workload can still reach, shown: `profile explain`, and before a launch. */
#ifndef COFFERDAM_APP_CLI_EXPLAIN_SHOW_H
#define COFFERDAM_APP_CLI_EXPLAIN_SHOW_H

#include "app/cli/verb.h"
#include "app/plan/plan.h"

/*
 * To stdout, the worst first, as text or (with --json) as one document. `refused`: why it cannot be
 * started here, or NULL.
 */
void explain_show(const struct cli *c, const struct plan *p, const char *refused);

#endif
