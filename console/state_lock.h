/* What the reading and the writing half of the state directory share. */
#ifndef COFFERDAM_CONSOLE_STATE_LOCK_H
#define COFFERDAM_CONSOLE_STATE_LOCK_H

#include "console/state.h"

#define STATE_HALF ".half-"
#define STATE_NAME ".name-"

enum { STATE_ID_SIZE = 12, STATE_FILE_MAX = 64 * 1024, STATE_LOCK_MAX = 1024 * 1024 };

bool state_id_valid(const char *id); /* 12 hexadecimal digits */

/* Takes the lock of an open file; -EAGAIN: somebody has it. It goes with the descriptor. */
int state_lock_take(int fd);

/* Whether the monitor lives whose lock is the file `path` below `dir`. Never takes it, even
 * briefly. */
bool state_lock_held(int dir, const char *path);
/* The same for the folder `id` below `dir`. */
bool state_lives(int dir, const char *id);

/*
 * Whoever takes a name away that is not its own holds this lock from looking at it until it is gone.
 * A descriptor, owned by the caller, or -errno.
 */
int state_names_lock(int runtime);

/* What the folder `dir` says of its workload: its state, or the first one. 0 or -errno. */
int state_read_record(int dir, struct state_record *ret);

/*
 * Removes the folder `id` below `dir`, by way of .half-ID: whoever looks sees all of it or nothing.
 * A missing one is no error. 0 or -errno.
 */
int state_remove_folder(int dir, const char *id);

/* $state/workloads, made if asked. A directory descriptor or -errno with text. */
int state_open_kept(const struct dirs *d, bool make, struct error *e);

#endif
