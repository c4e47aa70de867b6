/* The last of what somebody prints who may print without end: a guest's kernel, its machine. */
#ifndef COFFERDAM_BACKENDS_GUEST_GUEST_TAIL_H
#define COFFERDAM_BACKENDS_GUEST_GUEST_TAIL_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct guest_tail {
    char text[4096]; /* NUL-terminated */
    size_t used;
    uint64_t seen; /* bytes in all */
};

/* Reads a bounded part of what has come. `fd` (non-blocking), or FD_NONE: it is closed, at its end.
 */
int guest_tail_read(struct guest_tail *t, struct buf *all, int fd);
/* Its last line that is not empty, escaped; NULL: none. Owned by the caller. */
char *guest_tail_last(const struct guest_tail *t);
/* Why the guest has ended, as its kernel or its PID 1 says; NULL: neither does. Owned. */
char *guest_tail_reason(const struct guest_tail *t);

#endif
