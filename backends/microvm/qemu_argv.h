/* A plan's machine as arguments of QEMU (qemu(1)). */
#ifndef COFFERDAM_BACKENDS_MICROVM_QEMU_ARGV_H
#define COFFERDAM_BACKENDS_MICROVM_QEMU_ARGV_H

#include "backends/microvm/vmm.h"

/* Pure. NULL-terminated, owned by the caller. Descriptors are those of vmm.h. */
char **qemu_argv(const struct plan *p);
char **qemu_argv_resumed(const struct plan *p);

#endif
