/* containerd through its own program ctr(8), in a namespace that is ours alone. */
#ifndef COFFERDAM_BACKENDS_CONTAINERD_CTR_H
#define COFFERDAM_BACKENDS_CONTAINERD_CTR_H

#include "base/error.h"
#include "base/mem.h"

#include <stddef.h>

#define CTR_NAMESPACE "cofferdam"

/* The first words of every call; owned by the caller, who adds the rest. */
char **ctr_argv(const char *address);

/* Runs one to its end, and frees it. What it says into `*ret_said` (owned), unless that is NULL. */
int ctr_run(char **argv, unsigned limit_ms, char **ret_said, struct error *e);

/*
 * Removes the container, its task and its root. Idempotent: what is not there is fine; what is
 * still there in the end is an error. Needs no monitor: also for clearing up behind one.
 */
int ctr_remove(const char *address, const char *id, const char *rootfs, struct error *e);

/* The journal's line for that, and its undoing. */
#define CTR_JOURNAL "containerd"
char *ctr_journal_line(const char *address, const char *id, const char *rootfs);
int ctr_undo(const char *line, struct error *e);

#endif
