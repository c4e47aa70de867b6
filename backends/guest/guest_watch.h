/* A guest's descriptors come and go; whoever watches it has the one epoll they are in. */
#ifndef COFFERDAM_BACKENDS_GUEST_GUEST_WATCH_H
#define COFFERDAM_BACKENDS_GUEST_GUEST_WATCH_H

#include "base/error.h"

#include <sys/epoll.h>

/* Until it is closed; of a negative one nothing is watched. 0 or -errno. */
static inline int guest_watch(int epoll, int fd, struct error *e)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    return fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0
                                                                   : error_errno(e, errno, "epoll");
}

#endif
