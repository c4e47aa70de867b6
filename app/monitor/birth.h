/*
 * The first packet on the monitor's descriptor 3: what to start. The monitor is spawned before its
 * starter knows, so that both get ready at once; if the starter gives up, end of file comes instead
 * and the monitor leaves as it came. Behind the packet the same socket speaks console/wire.h.
 */
#ifndef COFFERDAM_APP_MONITOR_BIRTH_H
#define COFFERDAM_APP_MONITOR_BIRTH_H

#include "base/fd.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BIRTH_VERSION = 2, BIRTH_CLIENT_FD = 3 };

struct birth {
    uint32_t version;
    uint32_t restarts;   /* how often this workload has been started again */
    uint16_t rows, cols; /* of the first terminal; 1 to 1000 */
    uint32_t client;     /* the socket's other end stays, and is the first client */
    /* as the plan says, which is not read for them a second time */
    uint32_t kept; /* it may have to keep a folder */
    char id[16], runtime[32];
};
_Static_assert(sizeof(struct birth) == 68, "the same to both");

/* `plan`: a sealed memfd; `filter`: the compiled seccomp filter, or FD_NONE. 0 or -errno. */
static inline int birth_send(int socket, const struct birth *b, int plan, int filter)
{
    const int fds[] = {plan, filter};
    return fd_send(socket, b, sizeof(*b), fds, filter >= 0 ? 2 : 1);
}

/* The descriptors are the caller's. 0; -EPIPE: there will be none; or -errno. */
static inline int birth_receive(int socket, struct birth *ret, int *ret_plan, int *ret_filter)
{
    int fds[2];
    size_t count = 2;
    struct birth b;
    ssize_t n = fd_receive(socket, &b, sizeof(b), fds, &count);
    if (n == 0 || n == -ECONNRESET)
        return -EPIPE;
    autoclose int plan = n > 0 && count > 0 ? fds[0] : FD_NONE;
    autoclose int filter = n > 0 && count > 1 ? fds[1] : FD_NONE;
    if (n < 0)
        return (int)n;
    if (n != (ssize_t)sizeof(b) || b.version != BIRTH_VERSION || plan < 0 || b.rows < 1 ||
        b.cols < 1 || b.rows > 1000 || b.cols > 1000 || !memchr(b.id, 0, sizeof(b.id)) ||
        !memchr(b.runtime, 0, sizeof(b.runtime)))
        return -EPROTO;
    *ret = b;
    *ret_plan = TAKE_FD(plan);
    *ret_filter = TAKE_FD(filter);
    return 0;
}

#endif
