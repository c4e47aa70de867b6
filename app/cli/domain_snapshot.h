/* cofferdam domain snapshot: those that libvirt itself keeps of domains of other programs. */
#ifndef COFFERDAM_APP_CLI_DOMAIN_SNAPSHOT_H
#define COFFERDAM_APP_CLI_DOMAIN_SNAPSHOT_H

#include "app/cli/verb.h"

/* "snapshot", create, list, revert or rm, "libvirt:NAME" and a snapshot. The exit status. */
int domain_snapshot(struct cli *c);

#endif
