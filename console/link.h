/* One end of the wire: a non-blocking socket with what has come and what is still to go. */
#ifndef COFFERDAM_CONSOLE_LINK_H
#define COFFERDAM_CONSOLE_LINK_H

#include "base/str.h"
#include "console/wire.h"

enum { LINK_FDS = 8 };

struct link {
    int fd;          /* owned; FD_NONE once it is broken */
    bool to_monitor; /* this end is a client's */
    struct buf in;   /* received */
    size_t in_taken; /* bytes of `in` that frames have used up */
    int in_fds[LINK_FDS];
    size_t in_fds_count;
    struct buf out; /* to be sent */
    size_t out_sent;
    struct {
        size_t at; /* the byte of `out` it travels with */
        int fd;    /* owned */
    } out_fds[LINK_FDS];
    size_t out_fds_count;
};

void link_init(struct link *l, int fd,
               bool to_monitor); /* `fd` becomes the link's; HELLO is queued */
void link_done(struct link *l);

/* Bytes that still wait for the other side to read. */
static inline size_t link_backlog(const struct link *l)
{
    return l->out.used - l->out_sent;
}

/* Queues a frame. `size` and `more` together stay within WIRE_FRAME_MAX; `more` may be NULL. */
void link_put(struct link *l, enum wire_type type, uint32_t console, uint32_t request,
              const void *payload, size_t size, const void *more, size_t more_size);
void link_put_last(struct link *l, enum wire_type type, uint32_t console, uint32_t request,
                   const void *payload, size_t size);
/* Queues a frame with a descriptor, which is taken over. -EMFILE (it is closed): too many wait. */
int link_put_fd(struct link *l, enum wire_type type, uint32_t request, const void *payload,
                size_t size, int fd);

/*
 * Frames filled in place: begin() appends a head and returns where it stands, the caller appends to
 * `l->out`, end() writes the size. cancel() takes it back.
 */
size_t link_begin(struct link *l, enum wire_type type, uint32_t console, uint32_t request);
void link_end(struct link *l, size_t frame, unsigned flags);
void link_cancel(struct link *l, size_t frame);

/* Sends what the socket takes. 0: all is gone; 1: the rest waits for EPOLLOUT; -errno: broken. */
int link_send(struct link *l);

/* Receives once. >0: bytes; 0: the other side has closed; -EAGAIN; -errno. */
long link_receive(struct link *l);

/*
 * The next whole frame: 1, 0 if there is none, -EBADMSG. `*ret_fd` is its descriptor (owned by the
 * caller) or FD_NONE. The payload is valid until the next link_receive().
 */
int link_next(struct link *l, struct wire_frame *ret, int *ret_fd);

#endif
