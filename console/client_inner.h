/* What the client's two files share. */
#ifndef COFFERDAM_CONSOLE_CLIENT_INNER_H
#define COFFERDAM_CONSOLE_CLIENT_INNER_H

#include "console/client.h"
#include "console/link.h"

/* The picture of one console as the monitor has told it so far. */
struct mirror {
    struct mirror *next; /* owned */
    uint32_t console;
    struct cells cells;
};

struct client {
    struct link link;
    const struct client_events *events; /* borrowed */
    void *data;
    struct mirror *mirrors; /* owned */
    struct buf report;      /* what has come of it */
    uint32_t requests;      /* the last number given out */
    size_t input_out;       /* bytes of input that the monitor has not dealt with yet */
    bool greeted, closed;
};

/* client_frames.c: deals with one frame from the monitor; takes `fd` over. 0 or -errno: broken. */
int client_frame(struct client *c, const struct wire_frame *f, int fd);

#endif
