/* Starting a machine's program in its jail (vmm.h). Shared by all of them. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_START_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_START_H

#include "backends/cgroup/cgroup.h"
#include "backends/microvm/vmm.h"
#include "backends/root/ids.h"

/* All borrowed. */
struct vmm_wish {
    const struct plan *jail; /* vmm_jail() */
    const struct launch_env *env;
    struct root_ids *ids; /* taken for it */
    struct cgroup *cgroup;
    const char *program;
    char *const *argv;
    const int *fds; /* VMM_FDS of them; become the program's descriptors */
};

/*
 * Returns when the program has been exec()ed, or with nothing left but what was there before.
 * `*ret_pidfd` is the caller's.
 */
int vmm_start(const struct vmm_wish *w, pid_t *ret_pid, int *ret_pidfd, struct error *e);

/* Ends it and everything in its namespaces, and waits for it. */
void vmm_end(pid_t pid, int pidfd);

#endif
