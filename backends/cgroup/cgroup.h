/* The control group of one workload: limits, running numbers, freezer, kill. v2, v1 or none. */
#ifndef COFFERDAM_BACKENDS_CGROUP_CGROUP_H
#define COFFERDAM_BACKENDS_CGROUP_CGROUP_H

#include "app/plan/plan.h"
#include "backends/launch.h"

#include <sys/resource.h>

/*
 * Used by the monitor, in this order:
 *   cgroup_make()     before the child is cloned; the journal is told first
 *   cgroup_clone_fd() for CLONE_INTO_CGROUP
 *   cgroup_joins()    the child writes "0" to each of these first of all: 0.06 ms
 *   cgroup_attach()   or the parent puts it there: the kernel waits for all processors, 5 to 25 ms
 *   cgroup_keep()     the child runs, the monitor is not confined yet
 *   cgroup_sample(), _freeze(), _kill()   afterwards; on descriptors that are already open
 *   cgroup_clean()    when the last process has gone
 *
 * Modes (enum plan_cgroup), tried in this order:
 *   SYSTEMD  our own control group is called cofferdam-ID.scope: the starter has had the service
 *            manager make it for us (cgroup_scope_start()). We move ourselves into its child
 *            "monitor" and the workload gets the child "workload".
 *   V2       root: cofferdam-ID below the root of the v2 tree. Others: below the nearest control
 *            group above our own that we may write, that has no processes and that no service
 *            manager keeps for itself.
 *   V1       root: cofferdam-ID in each v1 hierarchy that is needed, and in the v2 tree of a
 *            hybrid host, which has cgroup.kill, cgroup.freeze and cpu.stat without a controller.
 *   NONE     nothing is made; samples come from /proc; the agent has to freeze.
 *
 * Under systemd a control group at the root is for workloads without limits only: the manager turns
 * controllers off there that its own units no longer want.
 *
 * v2 has no list of allowed devices; a BPF program would have to stand for v1's, which no user may
 * load. It would have nothing left to forbid: in a user namespace nodes cannot be made, all that
 * is mounted is nodev, and /dev holds the plan's nodes alone (tests/guest/bare.sh tries it).
 */
struct cgroup;

/* The names of everything we make: "cofferdam-" and the workload's id of 12 hexadecimal digits. */
#define CGROUP_PREFIX "cofferdam-"

struct cgroup_wish {
    const struct plan *plan; /* borrowed until cgroup_make() returns: id, limits, devices */
    int (*journal)(void *data, const char *kind, const char *what, struct error *e);
    void *journal_data;
    /*
     * Unless NULL: told when there is a folder for CLONE_INTO_CGROUP and all its own limits are
     * set, which may be before all others are made; and if these fail then, before all goes again.
     */
    void (*ready)(void *data, const struct cgroup *c);
    void (*undone)(void *data);
    void *data;
};

/*
 * Makes the folders and sets the limits. A limit that cannot be set is an error that names it, or,
 * with plan_limits.best_effort, a line of cgroup_shortfalls(). All or nothing.
 */
int cgroup_make(const struct cgroup_wish *w, struct cgroup **ret, struct error *e);

enum plan_cgroup cgroup_mode(const struct cgroup *c);

/* A directory descriptor for clone3(2)'s CLONE_INTO_CGROUP (borrowed), or FD_NONE. */
int cgroup_clone_fd(const struct cgroup *c);

/*
 * The files of the remaining (v1) hierarchies in which a single-threaded child becomes a member by
 * writing "0". Borrowed, closed by cgroup_keep(). Returns how many; CGROUP_JOINS_MAX is enough.
 */
enum { CGROUP_JOINS_MAX = 8 };
size_t cgroup_joins(const struct cgroup *c, int *ret_fds, size_t most);

/* Puts another process into them: where it cannot do so itself. */
int cgroup_attach(struct cgroup *c, pid_t pid, struct error *e);

/* Opens what the calls below write; what they read they open themselves. `pid`: the workload's PID 1 as we see it. */
void cgroup_keep(struct cgroup *c, pid_t pid);

/* As launch_ops.reach(): under Landlock, what the calls below need. */
size_t cgroup_reach(const struct cgroup *c, struct launch_reach *ret, size_t most, bool *ret_proc);

/* 0; -ENODATA: nothing is known. Unknown: UINT64_MAX. Peaks include all former samples. */
int cgroup_sample(struct cgroup *c, struct launch_sample *ret);

/* What wait4(2) said of PID 1: where no control group counted, the last word on processor time. */
void cgroup_note_usage(struct cgroup *c, const struct rusage *u);

/* Returns when everything stands still (or runs again). -EOPNOTSUPP: there is no freezer. */
int cgroup_freeze(struct cgroup *c, bool frozen, struct error *e);

/*
 * As launch_ops.update(), on descriptors kept open. `planned`: what it was started with:
 * processes cannot be allowed more than that (RLIMIT_NPROC). Swap stays as it is.
 */
int cgroup_update(struct cgroup *c, const struct plan_limits *planned,
                  const struct launch_limits *x, struct error *e);

/* Kills everything inside at once. -EOPNOTSUPP: no cgroup.kill; killing PID 1 has to do. */
int cgroup_kill(struct cgroup *c, struct error *e);

/* What could not be limited; NULL-terminated, borrowed. */
char *const *cgroup_shortfalls(const struct cgroup *c);

/* Removes the folders. Idempotent. -EBUSY: there are processes in them yet. */
int cgroup_clean(struct cgroup *c, struct error *e);
void cgroup_free(struct cgroup *c); /* closes; removes nothing; NULL is fine */
/* Both: `*c` is NULL afterwards, or as it was where the folders could not be removed. */
int cgroup_end(struct cgroup **c, struct error *e);

/*
 * Undoes a journalled line, kind "cgroup": kills what is inside and removes the folder. `what` is
 * the absolute path of a v2 folder or a bare name, which stands for that name in the root of every
 * hierarchy. Anything not named as ours is refused (-EPERM); something missing is fine.
 */
int cgroup_undo(const char *what, struct error *e);

#endif
