/*
 * A process beside the monitor that may make files, which the monitor gives up before its guest
 * runs. It does nothing but write snapshots: what comes from the machine through two pipes is a
 * stranger's, read with bounds, and becomes numbers and bytes of files nobody else can write.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_HANDS_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_HANDS_H

#include "app/plan/plan.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct vmm_hands {
    pid_t pid;  /* 0: none */
    int socket; /* owned; readable when a snapshot is finished */
};

int vmm_hands_start(const struct plan *p, struct vmm_hands *ret, struct error *e);
void vmm_hands_end(struct vmm_hands *h); /* at once; zeroed and never started are fine */

/*
 * Begins to fill `dir` (kept by the caller), or, FD_NONE, the plan's template. Both are the
 * caller's: a pipe, and an empty file that can be written alone; closed when each is written. A
 * `scratch` disk (FD_NONE: none; kept) is copied when the first of the memory has come, for then
 * the machine stands still, and it cannot go on before the rest of it is read.
 */
int vmm_hands_begin(const struct vmm_hands *h, int dir, int scratch, int *ret_memory,
                    int *ret_state, struct error *e);
/* The state is written now, or never will be: must follow, once. */
void vmm_hands_tell(const struct vmm_hands *h, bool written);

/*
 * Of a program that writes files of names (vmm.h): these are lent to it for good, and what it has
 * written there is copied once that is told; vmm_hands_begin() gives nothing then. Before that it
 * can be asked to call the guest (vmm_call.h): it may make sockets. `folder` stays the caller's.
 */
int vmm_hands_lend(const struct vmm_hands *h, const int files[2], struct error *e);
int vmm_hands_call(const struct vmm_hands *h, int folder, struct error *e);

/*
 * Once readable, or gone. 1: the guest has answered, `*ret_guest` is the caller's; or FD_NONE,
 * with the error. 0: the folder is whole; else why not.
 */
int vmm_hands_hear(const struct vmm_hands *h, int *ret_guest, struct error *e);

/* Who could read a snapshot made of this plan: one line; NULL: the program is not there. Owned. */
char *vmm_saved_by(const struct plan *p);

#endif
