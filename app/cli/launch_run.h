/* A checked launch carried through: detached, with plain streams, or with a terminal. */
#ifndef COFFERDAM_APP_CLI_LAUNCH_RUN_H
#define COFFERDAM_APP_CLI_LAUNCH_RUN_H

#include "app/cli/launch.h"

/* Says on stderr what went wrong; returns the process's exit status. */
int launch_run(const struct cli *c, struct launching *l);

/*
 * Starts it and comes back when its command runs. 0, or -errno with text; `*ret_command`: it is the
 * command that failed (127 and 126 of the shell).
 */
int launch_start_detached(struct launching *l, bool *ret_command, struct error *e);

/* SIGHUP, SIGINT, SIGQUIT and SIGTERM have to wait from now on. */
void launch_hold_signals(void);

#endif
