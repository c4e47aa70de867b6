/*
 * A workload that our own process beside it looks after: its monitor's half. The slots of
 * launch_ops that say the same for every such runtime.
 */
#ifndef COFFERDAM_BACKENDS_HANDS_REMOTE_H
#define COFFERDAM_BACKENDS_HANDS_REMOTE_H

#include "app/plan/plan.h"
#include "backends/cgroup/cgroup.h"
#include "backends/hands/words.h"
#include "backends/launch.h"

/* A packet from the other side with its descriptors. */
struct remote_late {
    struct remote_late *next;
    struct hands_message message;
    int fds[3]; /* owned */
    size_t count;
};

struct remote {
    const char *name;         /* borrowed; the runtime's, for texts */
    pid_t pid;                /* of our own process beside the workload; 0: none, or reaped */
    int pidfd, control;       /* owned */
    int status;               /* of main; -1: not known */
    struct error why;         /* main has ended otherwise than by itself; code 0: it has not */
    int last;                 /* of that process, once it has ended, as waitpid(2) */
    bool ended, silent;       /* silent: nothing more will come from it */
    struct remote_late *late; /* owned; what came while an answer was waited for */
    bool counts_refused;
    uint32_t refused[HANDS_CALLS_END]; /* by the call's number: how often */
};

void remote_init(struct remote *l, const char *name);
void remote_begin(struct remote *l); /* before each start */
void remote_close(struct remote *l); /* what came late, and the descriptors; idempotent */

/* Kills that process itself; -errno. And waits for it. `*ret_status` as waitpid(2), or NULL. */
int remote_kill(struct remote *l, struct error *e);
void remote_see_off(struct remote *l, struct cgroup *cgroup, int *ret_status);

/* As the slots of launch_ops. */
size_t remote_watch(const struct remote *l, int fds[4]);
void remote_dispatch(struct remote *l, struct cgroup *cgroup, const struct launch_events *events,
                     void *data);
int remote_exec(struct remote *l, uint32_t console, const struct launch_exec *x, struct error *e);
int remote_signal(struct remote *l, uint32_t console, int signo, struct error *e);
/* HANDS_COPY_IN, HANDS_COPY_OUT, HANDS_SNAPSHOT: `fd` is taken over; `path` NULL: none goes along
 */
int remote_copy(struct remote *l, enum hands_word word, uint32_t transfer, const char *path, int fd,
                struct error *e);
/* HANDS_REFUSED, whoever hears it. */
void remote_note_refused(struct remote *l, const struct hands_message *m);
/* As launch_ops.refused. */
size_t remote_refused(const struct remote *l, const uint32_t **ret);
/* Waits for the answer; all else that comes meanwhile is kept for dispatch(). */
int remote_pause(struct remote *l, bool frozen, struct error *e);

#endif
