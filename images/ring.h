/*
 * A stream of bytes from one process to another through memory that both see, so that they are
 * copied by neither. Who writes may be a stranger's puppet, and so may who reads:
 *
 *   a reader that trusts the writer little copies a piece before it looks at it twice;
 *   a ring that is sealed is read-only for every process but its maker, who writes.
 *
 * SIGPIPE has to be ignored.
 */
#ifndef COFFERDAM_IMAGES_RING_H
#define COFFERDAM_IMAGES_RING_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { RING_SLOT = 256 * 1024, RING_SLOTS_MAX = 32 };

/* What two processes need for one: kept by the first, inherited by the other. */
struct ring {
    int memory;         /* owned */
    int writer, reader; /* owned; sockets, one for each */
    unsigned count;     /* slots */
};
#define RING_NONE ((struct ring){-EBADF, -EBADF, -EBADF, 0})

struct ring_end {
    char *slots; /* owned mapping; NULL: none */
    int channel; /* borrowed of the ring */
    unsigned count;
    unsigned slot; /* the next one */
    unsigned mine; /* writer: slots that are free; reader: 1 while it has one */
};

/* Of 1 to RING_SLOTS_MAX slots: how far the writer may be ahead. 0 or -errno. */
int ring_make(struct ring *ret, unsigned slots);
void ring_close(struct ring *r); /* idempotent */

/*
 * One end of it; not inherited by children that are forked later. ring_seal() after the writer's
 * lets nobody else write, whatever descriptor it has. 0 or -errno.
 */
int ring_open_writer(const struct ring *r, struct ring_end *ret);
int ring_open_reader(const struct ring *r, struct ring_end *ret);
int ring_seal(const struct ring *r);
void ring_end_done(struct ring_end *e); /* idempotent */

/* Where the next RING_SLOT bytes go; waits for room. -EPIPE: nobody reads any more. */
int ring_room(struct ring_end *e, char **ret);
/* Sends what was put there, 1 to RING_SLOT bytes. */
int ring_put(struct ring_end *e, size_t used);

/* The next bytes, borrowed until the next call: how many, 0 at the end, -EPROTO, or -errno. */
ssize_t ring_take(struct ring_end *e, const char **ret);
/* They are not needed any more, before that next call. */
int ring_give_back(struct ring_end *e);

#endif
