/* A machine's memory written down while it stands still for a moment. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_SNAPSHOT_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_SNAPSHOT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct launch;

/*
 * One in the making: the agent holds still, the processors stop, the memory is written by the
 * machine's program and read by vmm_hands.h, then the devices; all goes on, and both are awaited. A
 * guest behind vsock is called anew before it hears of it: its connection does not outlive that.
 */
struct vmm_saving {
    enum { SAVING_NONE, SAVING_QUIET, SAVING_MEMORY, SAVING_DISK, SAVING_CALL, SAVING_AWAKE } step;
    bool template;             /* nobody asked: for later starts */
    bool changes;              /* only what has changed is written */
    bool paused;               /* as it was before */
    bool agent_due, hands_due; /* their last word is awaited */
    unsigned patience_s;       /* that the guest has for its word; 0: it has no limit */
    uint64_t until_ms;         /* likewise; by the clock of loop.h */
    uint32_t request;
    int memory, state;  /* owned; the pipes */
    struct error error; /* the first; code 0: none */
};

/* Begins one into `dir` (FD_NONE: the plan's template). */
int vmm_saving_begin(struct launch *l, int dir, struct error *e);
void vmm_saving_quiet(struct launch *l, const struct error *e); /* as agent_host's quiet() says */
/* Goes on where it can. True once: it is over, l->saving.error says how. */
bool vmm_saving_turn(struct launch *l);
/* The machine is gone. */
void vmm_saving_lost(struct launch *l);

#endif
