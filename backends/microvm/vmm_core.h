/* A guest's memory out of an ELF core file as QEMU writes it, while it comes. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_CORE_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_CORE_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

/*
 * Reads it from the pipe `from`, to its end, and writes the bytes of memory to the empty file `to`
 * at their places; pages of zeros stay holes. `memory`: bytes of the guest. -EBADMSG: it is none,
 * or not all of the memory is in it.
 */
int vmm_core_unpack(int from, int to, uint64_t memory, struct error *e);

/* The same from a file that is nothing but the memory, from its beginning; -EBADMSG: too short. */
int vmm_core_copy(int from, int to, uint64_t memory, struct error *e);

/* As read(2), but -errno, and -ETIMEDOUT if for long nothing comes. Not in vmm_core.c. */
ssize_t vmm_core_read(int fd, void *to, size_t size);

#endif
