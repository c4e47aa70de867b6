/*
 * Memory of a program that goes on from a snapshot. QEMU opens its memory's file for writing, also
 * where it maps it privately; a template's file must be writable to nobody. So the one call that
 * opens it is answered from outside: with a descriptor that can only read (seccomp_unotify(2)).
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_MEMORY_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_MEMORY_H

#include "base/error.h"

#include <sys/types.h>

/*
 * In the child, with no_new_privs: openat(2) for reading and writing alone is asked about from here
 * on. The descriptor that is to be served; -errno with text.
 */
int vmm_memory_listen(struct error *e);

/*
 * In the parent: waits for the one call, at most `timeout_ms`, and answers it with `memory`.
 * `pidfd`: who makes it. Returns when it is answered.
 */
int vmm_memory_serve(int listener, int pidfd, int memory, int timeout_ms, struct error *e);

#endif
