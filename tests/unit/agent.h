/* A small container with a real cofferdam-init in it, for tests of the agent. */
#ifndef COFFERDAM_TESTS_UNIT_AGENT_H
#define COFFERDAM_TESTS_UNIT_AGENT_H

#include "backends/agent/agent_host.h"

#include <sys/types.h>

/* Where the machine lets us: user, PID and mount namespaces, a root of its own with a passwd file.
 */
struct box {
    pid_t pid;   /* of PID 1, as we see it */
    int socket;  /* the agent's other end; the caller's */
    bool ranges; /* ids 0 to 65535 are mapped, else 0 alone */
};

/* NULL, or why this machine cannot. */
const char *box_start(struct box *ret);
/* Kills and reaps PID 1: its status as the shell counts. `kill` false: waits for it. */
int box_end(struct box *b, bool kill);

#endif
