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

int vmm_hands_start(const struct plan *p, const char *over, struct vmm_hands *ret, struct error *e);
void vmm_hands_end(struct vmm_hands *h); /* at once; zeroed and never started are fine */

/*
 * Begins to fill `dir` (kept by the caller), or, FD_NONE, the plan's template. Both are the
 * caller's: a pipe, and an empty file that can be written alone; closed when each is written. A
 * `scratch` disk (FD_NONE: none; kept) is copied when the first of the memory has come, for then
 * the machine stands still, and it cannot go on before the rest of it is read; of one that writes
 * files by vmm_hands_store().
 */
int vmm_hands_begin(const struct vmm_hands *h, int dir, int scratch, int *ret_memory,
                    int *ret_state, struct error *e);
/* The same of one that writes files, and only what has changed since vmm_hands_base() or the last.
 */
int vmm_hands_begin_changes(const struct vmm_hands *h, int dir, int scratch, struct error *e);
/* The state is written now, or never will be: must follow, once. */
void vmm_hands_tell(const struct vmm_hands *h, bool written);

/*
 * Of a program that writes files of names (vmm.h): these two, or the folder it makes them in, are
 * lent to it for good, and what it has written there is copied once that is told;
 * vmm_hands_begin() gives nothing then. Before that it can be asked to call the guest (vmm_call.h):
 * it may make sockets. `folder` stays the caller's.
 */
int vmm_hands_lend(const struct vmm_hands *h, const int *files, size_t count, struct error *e);
int vmm_hands_base(const struct vmm_hands *h, int memory, struct error *e);
int vmm_hands_call(const struct vmm_hands *h, int folder, struct error *e);
/* Removes the plan's template, and waits until that is done. While no snapshot is in the making. */
int vmm_hands_drop_template(const struct vmm_hands *h, struct error *e);
int vmm_hands_store(const struct vmm_hands *h, struct error *e); /* the disk, which stands still */

/*
 * Once readable, or gone; `e` says what went wrong, code 0: nothing. CALLED: the guest has
 * answered, `*ret_guest` is the caller's; or FD_NONE. STORED: the disk is copied. DONE: the folder
 * is whole.
 */
enum vmm_hands_word { VMM_HANDS_DONE, VMM_HANDS_CALLED, VMM_HANDS_STORED };
enum vmm_hands_word vmm_hands_hear(const struct vmm_hands *h, int *ret_guest, struct error *e);

/*
 * The disk of somebody's below its overlay: a snapshot has only what differs from it. `fd`: of that
 * disk; FD_NONE: what has its name now. A line; "" where there is none below; NULL: it is not
 * there. Owned.
 */
char *vmm_over(const struct plan *p, int fd);
#define VMM_OVER_CHANGED \
    "%s has been changed since: what a snapshot lies over is not there any more"

/* Who could read a snapshot made of this plan, a line, and then `over`; NULL: the program is not
 * there. Owned. */
char *vmm_saved_by(const struct plan *p, const char *over);

#endif
