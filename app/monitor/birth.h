/*
 * The first packets on the monitor's descriptor 3: what to start. The monitor is spawned before its
 * starter knows, so that both get ready at once; if the starter gives up, end of file comes instead
 * and the monitor leaves as it came. Behind the packets the same socket speaks console/wire.h.
 */
#ifndef COFFERDAM_APP_MONITOR_BIRTH_H
#define COFFERDAM_APP_MONITOR_BIRTH_H

#include "base/fd.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BIRTH_VERSION = 4, BIRTH_CLIENT_FD = 3 };

/*
 * Before it, always: what will probably be started, so that the boundary is being made while the
 * plan is being written (launch_ops.foresee).
 */
struct birth_forecast {
    uint32_t version;
    uint32_t shape;
    char runtime[32]; /* empty: nothing can be said */
};
_Static_assert(sizeof(struct birth_forecast) == 40, "the same to both");

struct birth {
    uint32_t version;
    uint32_t restarts;   /* how often this workload has been started again */
    uint16_t rows, cols; /* of the first terminal; 1 to 1000 */
    uint32_t client;     /* the socket's other end stays, and is the first client */
    /* as the plan says, which is not read for them a second time */
    uint32_t kept;    /* it may have to keep a folder */
    uint32_t earlier; /* the last descriptor is what its former runs wrote */
    char id[16], runtime[32];
};
_Static_assert(sizeof(struct birth) == 72, "the same to both");

/* `runtime` NULL: nothing can be said. 0 or -errno. */
static inline int birth_foretell(int socket, const char *runtime, uint32_t shape)
{
    struct birth_forecast f = {.version = BIRTH_VERSION, .shape = shape};
    if (runtime)
        strncpy(f.runtime, runtime, sizeof(f.runtime) - 1);
    return fd_send(socket, &f, sizeof(f), NULL, 0);
}

/* 0; -EPIPE: there will be none; or -errno. */
static inline int birth_hear_forecast(int socket, struct birth_forecast *ret)
{
    struct birth_forecast f;
    size_t none = 0;
    ssize_t n = fd_receive(socket, &f, sizeof(f), NULL, &none);
    if (n == 0 || n == -ECONNRESET)
        return -EPIPE;
    if (n < 0)
        return (int)n;
    if (n != (ssize_t)sizeof(f) || f.version != BIRTH_VERSION ||
        !memchr(f.runtime, 0, sizeof(f.runtime)))
        return -EPROTO;
    *ret = f;
    return 0;
}

/* Each a descriptor or FD_NONE, but for the plan. */
struct birth_fds {
    int plan;    /* a sealed memfd */
    int filter;  /* the compiled seccomp filter */
    int earlier; /* chunks of console/log.h */
};

/* 0 or -errno; the descriptors stay the caller's. Sets what `b` says of them. */
static inline int birth_send(int socket, struct birth *b, const struct birth_fds *f)
{
    int fds[3] = {f->plan};
    size_t count = 1;
    if (f->filter >= 0)
        fds[count++] = f->filter;
    if (f->earlier >= 0)
        fds[count++] = f->earlier;
    b->earlier = f->earlier >= 0;
    return fd_send(socket, b, sizeof(*b), fds, count);
}

/* The descriptors are the caller's. 0; -EPIPE: there will be none; or -errno. */
static inline int birth_receive(int socket, struct birth *ret, struct birth_fds *ret_fds)
{
    int fds[3] = {FD_NONE, FD_NONE, FD_NONE};
    size_t count = 3;
    struct birth b;
    ssize_t n = fd_receive(socket, &b, sizeof(b), fds, &count);
    if (n == 0 || n == -ECONNRESET)
        return -EPIPE;
    if (n < 0)
        return (int)n;
    bool whole = n == (ssize_t)sizeof(b) && b.version == BIRTH_VERSION;
    autoclose int earlier = whole && b.earlier && count > 1 ? fds[--count] : FD_NONE;
    autoclose int filter = count > 1 ? fds[--count] : FD_NONE;
    autoclose int plan = count > 0 ? fds[0] : FD_NONE;
    if (!whole || plan < 0 || b.rows < 1 || b.cols < 1 || b.rows > 1000 || b.cols > 1000 ||
        !memchr(b.id, 0, sizeof(b.id)) || !memchr(b.runtime, 0, sizeof(b.runtime)))
        return -EPROTO;
    *ret = b;
    *ret_fds = (struct birth_fds){TAKE_FD(plan), TAKE_FD(filter), TAKE_FD(earlier)};
    return 0;
}

#endif
