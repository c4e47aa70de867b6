/* A checked launch carried through: detached, with plain streams, or with a terminal. */
#ifndef COFFERDAM_APP_CLI_LAUNCH_RUN_H
#define COFFERDAM_APP_CLI_LAUNCH_RUN_H

#include "app/cli/launch.h"

/* Says on stderr what went wrong; returns the process's exit status. */
int launch_run(const struct cli *c, struct launching *l);

#endif
