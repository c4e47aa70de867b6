/* The console of a domain that other programs made. */
#ifndef COFFERDAM_APP_CLI_FOREIGN_ATTACH_H
#define COFFERDAM_APP_CLI_FOREIGN_ATTACH_H

#include "app/cli/foreign.h"
#include "app/cli/running.h"

/*
 * For "libvirt:NAME", the verb's one word: a monitor of ours takes the console, emulates it as
 * every other one, and ends with its last viewer; `join` is for whoever comes while somebody looks
 * already. Options: read-only, detach-keys. The process's exit status.
 */
int foreign_attach(struct cli *c, workload_run *join);

#endif
