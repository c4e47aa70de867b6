/* Where a machine that is wanted warm has its template (machine.warm). */
#ifndef COFFERDAM_APP_CLI_MACHINE_WARM_H
#define COFFERDAM_APP_CLI_MACHINE_WARM_H

#include "app/plan/plan.h"
#include "base/dirs.h"

/*
 * Fills in plan_machine.warmed if the plan wants it: a folder of the cache named after all that the
 * template hangs on. Only looks: what a new one replaces goes when that is there.
 */
void machine_warm(const struct dirs *d, struct plan *p);

#endif
