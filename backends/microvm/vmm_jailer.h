/*
 * Firecracker's own jailer, which root has it started by: it makes the device nodes, changes the
 * root, switches to an id of a subordinate range and starts the program in a process namespace of
 * its own. Ours around it are the control group, the namespaces (network, mounts, processes …), and
 * everything that lies in its folder. What ours has beside that, a user namespace and filters, it
 * cannot be started in.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_JAILER_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_JAILER_H

#include "app/plan/plan.h"
#include "backends/root/setup.h"

/* All borrowed. */
struct vmm_jailer_wish {
    const char *jailer, *program, *id;
    const char *base;  /* a folder of the workload's: the jailer's, in memory, is mounted over it */
    char *const *argv; /* vmm_jailer_argv(), of vmm.h */
};

/* In the child: makes the folder and goes to where the program's sockets will be in it. */
int vmm_jailer_root(struct setup *s, const struct vmm_jailer_wish *w);
/*
 * In the child: has the jailer run, and stays behind as who ends with the monitor, and everything
 * in its process namespace with it. Does not return, but on failure.
 */
int vmm_jailer_exec(struct setup *s, const struct vmm_jailer_wish *w);

#endif
