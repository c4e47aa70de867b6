/*
 * The calls that gVisor's kernel has refused a workload by the list, told by its log, which says
 * "…] Syscall 165: denied by seccomp". What else stands there is passed over; since a workload has
 * a say in much of it, nothing here grows with it.
 */
#ifndef COFFERDAM_BACKENDS_OCI_REFUSED_H
#define COFFERDAM_BACKENDS_OCI_REFUSED_H

#include "backends/hands/words.h"

struct refused {
    uint32_t count[HANDS_CALLS_END]; /* by number; never more than INT32_MAX */
    uint32_t told[HANDS_CALLS_END];  /* the caller's */
    char line[512];                  /* the beginning of one that has not ended */
    size_t used;
};

/* Takes the next bytes of the log, however they are cut. */
void refused_feed(struct refused *r, const char *data, size_t size);

#endif
