/* The locks around a machine's program, put on by itself just before it becomes that. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_CONFINE_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_CONFINE_H

#include "base/error.h"

#include <stdbool.h>

/* While we still may: nothing started from here on can ever gain a capability; who serves, no other
 * than vmm_confine_serving() leaves it. */
int vmm_confine_bounds(bool serves, struct error *e);

/*
 * No capability; Landlock: files are read and run, nothing is written, made or
 * removed by name; the system calls of vmm_filter_gen.c. Runs with the jail as its root. And what
 * it may beside that.
 */
struct vmm_freedom {
    bool meets;     /* make sockets in VMM_MEET */
    bool leads_out; /* make connections of IPv4, in a network namespace that says where to; or, one
                       that meets, open the device its guest's card is of */
    bool served;    /* make pairs of sockets: its guest is served folders by others */
};
int vmm_confine(const struct vmm_freedom *f, struct error *e);

/*
 * The same for virtiofsd, which has two capabilities in its own user namespace until it has made
 * the folder its root, and takes them from itself then: chroot(2), and bounding itself. It opens
 * files for reading, and makes no connection.
 */
int vmm_confine_serving(struct error *e);

/* No capability and no call but those that move bytes between descriptors it has: the first other
 * one is its end. */
int vmm_confine_unpacking(struct error *e);

#endif
