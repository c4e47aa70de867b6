#include "console/link.h"

#include "base/fd.h"

#include <sys/socket.h>

enum { RECEIVE = 256 * 1024, KEEP = 64 * 1024 };

void link_init(struct link *l, int fd, bool to_monitor)
{
    *l = (struct link){.fd = fd, .to_monitor = to_monitor};
    struct wire_hello hello = {WIRE_MAGIC, WIRE_VERSION};
    link_put(l, WIRE_HELLO, 0, 0, &hello, sizeof(hello), NULL, 0);
}

void link_done(struct link *l)
{
    l->fd = fd_close(l->fd);
    for (size_t i = 0; i < l->in_fds_count; i++)
        fd_close(l->in_fds[i]);
    for (size_t i = 0; i < l->out_fds_count; i++)
        fd_close(l->out_fds[i].fd);
    l->in_fds_count = l->out_fds_count = 0;
    buf_done(&l->in);
    buf_done(&l->out);
    l->in_taken = l->out_sent = 0;
}

size_t link_begin(struct link *l, enum wire_type type, uint32_t console, uint32_t request)
{
    struct wire_head h;
    size_t at = l->out.used;
    wire_head_fill(&h, type, console, request, 0, 0);
    buf_add(&l->out, &h, sizeof(h));
    return at;
}

void link_end(struct link *l, size_t frame, unsigned flags)
{
    struct wire_head h;
    memcpy(&h, l->out.data + frame, sizeof(h));
    h.size = (uint32_t)(l->out.used - frame - sizeof(h));
    h.flags = (uint8_t)flags;
    memcpy(l->out.data + frame, &h, sizeof(h));
}

void link_cancel(struct link *l, size_t frame)
{
    l->out.used = frame;
    l->out.data[frame] = 0;
}

static void put(struct link *l, enum wire_type type, uint32_t console, uint32_t request,
                unsigned flags, const void *payload, size_t size)
{
    size_t at = link_begin(l, type, console, request);
    if (size)
        buf_add(&l->out, payload, size);
    link_end(l, at, flags);
}

void link_put(struct link *l, enum wire_type type, uint32_t console, uint32_t request,
              const void *payload, size_t size, const void *more, size_t more_size)
{
    size_t at = link_begin(l, type, console, request);
    if (size)
        buf_add(&l->out, payload, size);
    if (more_size)
        buf_add(&l->out, more, more_size);
    link_end(l, at, 0);
}

void link_put_last(struct link *l, enum wire_type type, uint32_t console, uint32_t request,
                   const void *payload, size_t size)
{
    put(l, type, console, request, WIRE_LAST, payload, size);
}

int link_put_fd(struct link *l, enum wire_type type, uint32_t request, const void *payload,
                size_t size, int fd)
{
    if (l->out_fds_count == LINK_FDS) {
        fd_close(fd);
        return -EMFILE;
    }
    l->out_fds[l->out_fds_count].at = l->out.used;
    l->out_fds[l->out_fds_count++].fd = fd;
    put(l, type, 0, request, WIRE_FD, payload, size);
    return 0;
}

/* Forgets what is sent, so that a queue that never runs empty does not grow. */
static void drop_sent(struct link *l)
{
    buf_drop(&l->out, l->out_sent);
    for (size_t i = 0; i < l->out_fds_count; i++)
        l->out_fds[i].at -= l->out_sent;
    l->out_sent = 0;
}

/* Sends the first stretch of `out` that at most one descriptor belongs to, at its first byte. */
static ssize_t send_stretch(struct link *l)
{
    const char *from = l->out.data + l->out_sent;
    size_t size = l->out.used - l->out_sent;
    bool with = l->out_fds_count && l->out_fds[0].at == l->out_sent;
    size_t next = with ? 1 : 0;
    if (l->out_fds_count > next)
        size = MIN(size, l->out_fds[next].at - l->out_sent);
    if (!with)
        return send(l->fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);

    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)from, size};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &l->out_fds[0].fd, sizeof(int));
    ssize_t n = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        fd_close(l->out_fds[0].fd);
        l->out_fds_count--;
        memmove(&l->out_fds[0], &l->out_fds[1], l->out_fds_count * sizeof(l->out_fds[0]));
    }
    return n;
}

int link_send(struct link *l)
{
    if (l->fd < 0)
        return -EPIPE;
    while (l->out_sent < l->out.used) {
        ssize_t n = send_stretch(l);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int r = errno == EAGAIN ? 1 : -errno;
            if (r == 1 && l->out_sent > KEEP)
                drop_sent(l);
            return r;
        }
        l->out_sent += (size_t)n;
    }
    l->out.used = l->out_sent = 0;
    if (l->out.room > KEEP)
        buf_done(&l->out);
    return 0;
}

static void compact(struct link *l)
{
    if (l->in_taken == l->in.used && l->in.room > KEEP && l->in.used < KEEP)
        buf_done(&l->in);
    else if (l->in_taken)
        buf_drop(&l->in, l->in_taken);
    l->in_taken = 0;
}

/* Adds the descriptors of a message to the queue; -EMFILE if the sender goes too far. */
static int take_fds(struct link *l, struct msghdr *m)
{
    int r = m->msg_flags & MSG_CTRUNC ? -EMFILE : 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (l->in_fds_count < LINK_FDS) {
                l->in_fds[l->in_fds_count++] = fd;
            } else {
                fd_close(fd);
                r = -EMFILE;
            }
        }
    }
    return r;
}

long link_receive(struct link *l)
{
    if (l->fd < 0)
        return -EPIPE;
    compact(l);
    /* small at first, so that an idle client costs a page; what flows gets large reads */
    buf_reserve(&l->in, l->in.room > 4096 || l->in.used ? RECEIVE / 4 : 4000);
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * LINK_FDS)];
    } control;
    size_t room = l->in.room - l->in.used - 1;
    struct iovec iov = {l->in.data + l->in.used, MIN(room, (size_t)RECEIVE)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n;
    do
        n = recvmsg(l->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    int r = take_fds(l, &m);
    if (r < 0)
        return r;
    l->in.used += (size_t)n;
    l->in.data[l->in.used] = 0;
    return n;
}

int link_next(struct link *l, struct wire_frame *ret, int *ret_fd)
{
    if (l->in_taken == l->in.used)
        return 0;
    long n = wire_decode(l->in.data + l->in_taken, l->in.used - l->in_taken, !l->to_monitor, ret);
    if (n <= 0)
        return (int)n;
    int fd = FD_NONE;
    if (ret->flags & WIRE_FD) {
        if (!l->in_fds_count)
            return -EBADMSG;
        fd = l->in_fds[0];
        l->in_fds_count--;
        memmove(&l->in_fds[0], &l->in_fds[1], l->in_fds_count * sizeof(int));
    }
    l->in_taken += (size_t)n;
    *ret_fd = fd;
    return 1;
}
