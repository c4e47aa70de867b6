/* The locks around a machine's program, put on by itself just before it becomes that. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_CONFINE_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_CONFINE_H

#include "base/error.h"

#include <stdbool.h>

/* While we still may: nothing started from here on can ever gain a capability. */
int vmm_confine_bounds(struct error *e);

/*
 * No capability; Landlock: files are read and run, nothing is written, made or
 * removed by name; the system calls of vmm_filter_gen.c. Runs with the jail as its root. `meets`:
 * it may make sockets in VMM_MEET. `leads_out`: it may make connections of IPv4, in a network
 * namespace that says where to; or, one that meets, open the device its guest's card is of.
 */
int vmm_confine(bool meets, bool leads_out, struct error *e);

/* No capability and no call but those that move bytes between descriptors it has: the first other
 * one is its end. */
int vmm_confine_unpacking(struct error *e);

#endif
