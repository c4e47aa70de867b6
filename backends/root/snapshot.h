/*
 * Snapshots of a container's files: the scratch folder (backends/changes.h), copied out of a
 * workload that stands still, and copied in again before another starts.
 *
 * What is copied out keeps its layout: layers/N/{target,lower,upper}, root/ and `made`, and
 *     changed   the paths of `made` that the workload had changed, NUL-separated: the copies are
 * all as old as one another, so this can no longer be seen Its owners are the source's ids on the
 * host. What was moved there whole (snapshot-on-exit) has more in it, which is left alone, and no
 * `changed`.
 */
#ifndef COFFERDAM_BACKENDS_ROOT_SNAPSHOT_H
#define COFFERDAM_BACKENDS_ROOT_SNAPSHOT_H

#include "backends/root/ids.h"
#include "backends/root/setup.h"
#include "base/copy.h"

/* Who waits for it: hears how many bytes are behind it; `cancelled` (base/cancel.h) ends it. */
struct snapshot_watch {
    void (*tells)(void *data, uint64_t bytes);
    void *data;
};

/*
 * For the CLI: copies from `scratch` into the empty folder `to`, in a process of its own that has
 * the ids of the workload (their range, seen at what it has made) and no others, so that it may
 * read whatever the workload could hide, and nothing it makes is root's. `to` FD_NONE: only counts.
 * -ENOSPC: more than `bytes_most`; -ECANCELED: given up. `watch` may be NULL.
 */
int root_snapshot_take(const struct plan *p, int scratch, int to, uint64_t bytes_most,
                       const struct snapshot_watch *watch, struct copy_counts *ret,
                       struct error *e);

/* The same in a process that has the workload's ids already, while the workload stands still. */
int root_snapshot_copy(int scratch, int to, uint64_t bytes_most, struct copy_counts *ret,
                       struct error *e);

/* Gives the empty folder `to` to the workload whose changes are in `scratch`, so that it can fill
 * it. */
int root_snapshot_give(const struct plan *p, int scratch, int to, struct error *e);

/* Empties `files` below the snapshot's folder, as those ids. */
int root_snapshot_clear(const struct plan *p, int folder, struct error *e);

/*
 * For the parent of a container that starts from one: its folder, FD_NONE if it starts from none;
 * as root with the owners that `ids` has (an idmapped mount). One with memory is refused unless
 * `memory` says that the caller can restore that. A descriptor of the caller's, or
 * -errno.
 */
int root_snapshot_open(const struct plan *p, const struct root_ids *ids, bool memory,
                       struct error *e);

/*
 * Stage of the child's: fills the new scratch folder from s->snapshot; notes in s->made what of it
 * set-up had made and nobody changed, and in s->restored all that set-up had made.
 */
int setup_restore(struct setup *s);
/* Whether set-up had made this path when the snapshot's workload began. */
bool setup_was_made(const struct setup *s, const char *prefix, const char *path);

#endif
