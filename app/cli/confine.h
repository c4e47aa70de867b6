/* A process of ours that reads a stranger's bytes gives everything else up first. */
#ifndef COFFERDAM_APP_CLI_CONFINE_H
#define COFFERDAM_APP_CLI_CONFINE_H

#include "base/error.h"

#include <stdint.h>

/*
 * For a freshly forked, single-threaded child: closes all descriptors but `keep` (rising), bounds
 * memory and processor time, sets no_new_privs and a seccomp filter that leaves reading and writing
 * of open descriptors, memory and leaving. Everything else fails with EPERM. -errno with text: the
 * caller must leave.
 */
int confine_self(const int *keep, unsigned count, uint64_t memory, unsigned cpu_seconds,
                 struct error *e);

#endif
