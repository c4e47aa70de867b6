/* Counters as a machine's program tells them, whoever that is by then: shown, and nothing more. */
#ifndef COFFERDAM_BACKENDS_MICROVM_METRICS_H
#define COFFERDAM_BACKENDS_MICROVM_METRICS_H

#include "backends/launch.h"

#include <jansson.h>

/* A member of an object; what is no number, or below 0, counts as nothing. */
uint64_t metrics_number(const json_t *o, const char *name);
/* `*sum` UINT64_MAX: nothing yet. It stays at INT64_MAX rather than begin anew. */
void metrics_add(uint64_t *sum, uint64_t more);

/* What QEMU's query-blockstats returns: of all disks, into the guest_… members. Pure. */
void metrics_qemu(const json_t *disks, struct launch_sample *sum);

#endif
