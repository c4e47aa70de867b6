/* The parent's half of a start: cloning, maps, control groups, and hearing how it went. */
#ifndef COFFERDAM_BACKENDS_NATIVE_START_H
#define COFFERDAM_BACKENDS_NATIVE_START_H

#include "backends/native/internal.h"
#include "backends/root/setup.h"

/*
 * Makes the container up to the moment cofferdam-init runs in it. On success l->pid, l->pidfd and
 * l->scratch are set and `*ret_agent` is our end of its socket; on failure nothing is left but what
 * native_clean() removes.
 */
int native_start_container(struct launch *l, int agent_inside, struct error *e);

/*
 * For cgroup_wish: the first process that was made ahead becomes the mother of PID 1 as soon as
 * there is a group to be born into; and what there is of both ends before the groups go again.
 */
void native_start_early(void *launch, const struct cgroup *c);
void native_start_undone(void *launch);

/* What has been killed while it was frozen dies only when it thaws, with v1's freezer. */
void native_thaw(struct launch *l);

/* Ends PID 1, with it everything inside, and waits for it. `*ret_status` as waitpid(2), or NULL. */
void native_end(struct launch *l, int *ret_status);

/*
 * Clones a first process into new namespaces (PLAN_NS_…, as far as these are made by cloning) and
 * the v2 control group `group` (FD_NONE: ours). As fork(2); the caller also owns `*ret_pidfd`.
 * `sibling`: it is a child of our parent's, who waits for it as for us.
 */
pid_t native_clone(uint32_t namespaces, int group, bool sibling, int *ret_pidfd);
uint64_t native_clone_flags(uint32_t namespaces);
bool native_same_shape(uint32_t a, uint32_t b); /* whether that makes no difference */

/* In the child: joins control groups by what cgroup_joins() gave; room for what a plan needs. */
int native_join(const int *joins, size_t count, struct error *e);
void native_setup_room(struct setup *s);
bool native_has_copies(const struct plan *p);

/* Runs every stage of a native container's set-up and becomes cofferdam-init. Never returns. */
void native_setup_run(struct setup *s) __attribute__((noreturn));

/* The stages of files of their own. Each 0, or -errno with s->error. */
int setup_landlock(struct setup *s);
int setup_bounding_set(struct setup *s);
int setup_capabilities(struct setup *s);

#endif
