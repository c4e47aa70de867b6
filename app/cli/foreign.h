/*
 * Domains of libvirt that other programs made: shown as they are and told what to do, never
 * removed. They are called "libvirt:NAME". cofferdam-domain asks for them, with a time limit; it is
 * started only where a daemon's socket lies. While that does not answer, what was last heard is
 * kept.
 */
#ifndef COFFERDAM_APP_CLI_FOREIGN_H
#define COFFERDAM_APP_CLI_FOREIGN_H

#include "app/cli/verb.h"
#include "base/dirs.h"

#include <jansson.h>

#define FOREIGN_PREFIX "libvirt:"

/*
 * An array of objects: name, uuid, state, memory, cpu_us, uri, and, where the daemon does not
 * answer, "stale": why. Owned by the caller; NULL: there is no libvirt to ask.
 */
json_t *foreign_list(const struct dirs *d);

/* stop, kill, pause, resume of "libvirt:NAME". The process's exit status. */
int foreign_control(const struct cli *c, const char *word);
bool foreign_is(const char *word);

#endif
