/* What libvirt does with its domains, with whole machines of ours, by their own names. */
#ifndef COFFERDAM_APP_CLI_OWN_DOMAIN_H
#define COFFERDAM_APP_CLI_OWN_DOMAIN_H

#include "app/cli/verb.h"

/*
 * `what`: "save" keeps its memory as a snapshot and ends it, "start" goes on from that and removes
 * it, "forget-save", "reset". The process's exit status.
 */
int own_domain(struct cli *c, const char *word, const char *what);

#endif
