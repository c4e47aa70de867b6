/* What a guest of ours is asked before its command runs, and who sends it copies of host files. */
#ifndef COFFERDAM_BACKENDS_GUEST_GUEST_ASK_H
#define COFFERDAM_BACKENDS_GUEST_GUEST_ASK_H

#include "app/plan/plan.h"
#include "backends/agent/agent_guest.h"
#include "backends/launch.h"

#include <sys/types.h>

/* A sender of copies with the caller's rights, made before the monitor gives its own up. */
struct guest_copy {
    int socket; /* owned */
    pid_t pid;
};
struct guest_copies {
    struct guest_copy *list; /* owned */
    size_t count, taken;
};

/* One process for each COPY of the plan; also of a failure some may be there. */
int guest_copies_begin(const struct plan *p, struct guest_copies *ret, struct error *e);
void guest_copies_end(struct guest_copies *c); /* whoever still sends; zeroed is fine */

/* As a step names them. Borrowed. */
struct guest_disks {
    const char *root;
    const char *scratch, *scratch_type; /* NULL: what it changes is in its memory */
    const char *more;                   /* the first of machine.disks, which come in their order;
                                           NULL: they have serial numbers */
    const char *shares;                 /* the tag of the plan's first BIND is this and "0";
                                           NULL: it may have none */
    const char *shares_type;            /* "9p", "virtiofs" */
};

/*
 * Once the guest has spoken: who it is, its root, all mounts, the command. Queued at once: the
 * guest works it off, and nobody waits for anybody.
 */
int guest_ask(struct agent_host *h, const struct plan *p, const struct guest_disks *disks,
              struct guest_copies *copies, const struct launch_env *env, struct error *e);

/*
 * A timer for a start that goes on in dispatch(), to be watched: of the plan's limit, at most
 * `most_ms`. The descriptor is the caller's, and what it is in seconds; -errno.
 */
enum { GUEST_LIMIT_MS = 120000 };
int guest_limit_begin(uint64_t plan_ms, uint64_t most_ms, unsigned *ret_s, struct error *e);
/* Whether that is over, as an error; 0: not yet. */
int guest_limit_check(int timer, unsigned seconds, struct error *e);

#endif
