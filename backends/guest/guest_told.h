/* What a guest's workload has changed: its own agent is asked, while there is one. */
#ifndef COFFERDAM_BACKENDS_GUEST_GUEST_TOLD_H
#define COFFERDAM_BACKENDS_GUEST_GUEST_TOLD_H

#include "backends/agent/agent_guest.h"
#include "backends/launch.h"

struct guest_told {
    bool asked, by_request, at_end; /* the agent's word is awaited */
    uint32_t request;
    char *json; /* owned; the last that was told; NULL: none */
};

/* launch_ops.ask_changes. */
int guest_told_ask(struct guest_told *t, struct agent_host *h, uint32_t request, struct error *e);
/* Main has ended: the last chance. false: nobody can be asked; else the machine lives until told.
 */
bool guest_told_at_end(struct guest_told *t, struct agent_host *h);
/* As agent_host's changes() says it. true: this was the last chance, and it is over. */
bool guest_told_take(struct guest_told *t, const struct changes *c, const struct error *why,
                     const struct launch_events *events, void *data);

#endif
