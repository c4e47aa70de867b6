/* Taking a snapshot of a workload, and what belongs to those there are. */
#ifndef COFFERDAM_APP_CLI_SNAPSHOT_TAKE_H
#define COFFERDAM_APP_CLI_SNAPSHOT_TAKE_H

#include "app/cli/talk.h"
#include "base/copy.h"
#include "console/snapshots.h"
#include "console/state.h"

struct snapshot_wish {
    const char *name; /* NULL: made from the workload's */
    unsigned kind;    /* LAUNCH_SNAPSHOT_…; 0: the most it can take */
    /*
     * NULL, or zeroed: where its files could be taken from outside it stands still after that too,
     * until talk_close(), which is due in any case.
     */
    struct talk *hold;
};

/*
 * What `wish` would take: its kind and bytes (UINT64_MAX: not known) into `ret`, which else names
 * the workload. Nothing is made, and the workload is not held still. `*ret_free`: bytes its place
 * has.
 */
int snapshot_measure(const struct dirs *d, const struct state_record *of,
                     const struct snapshot_wish *wish, struct snapshot_record *ret,
                     uint64_t *ret_free, struct error *e);

/*
 * Takes one, all or nothing. A running workload stands still meanwhile; of an ended one that was
 * kept its files are taken. -EEXIST: there is one of this name; -ENOSPC.
 */
int snapshot_take(const struct dirs *d, const struct state_record *of,
                  const struct snapshot_wish *wish, struct snapshot_record *ret, struct error *e);

/*
 * Removes one that was taken for a start alone: what was started has a copy of its own by then. It
 * stays, and that is said, where what was started would begin from it again.
 */
void snapshot_forget(const struct dirs *d, const struct snapshot_record *s, const char *verb,
                     bool started);

/* snapshot_clear_fn for all that a snapshot's own plan may have put there. */
int snapshot_clear(int folder, struct error *e);

/* The snapshots and workloads that come from one; names, owned. */
struct snapshot_children {
    char **snapshots; /* their ids */
    char **living, **ended;
};
int snapshot_children_find(const struct dirs *d, const char *id, struct snapshot_children *ret,
                           struct error *e);
void snapshot_children_done(struct snapshot_children *c);

#endif
