/* One request after another to one monitor, each waited for. */
#ifndef COFFERDAM_APP_CLI_TALK_H
#define COFFERDAM_APP_CLI_TALK_H

#include "base/dirs.h"
#include "console/client.h"

struct talk {
    struct client *client; /* owned */
    uint32_t request;      /* the one waited for */
    bool over;
    struct error error;            /* code 0: well */
    int fd;                        /* owned; the descriptor that came, or FD_NONE */
    char *state;                   /* owned; JSON that came, or NULL */
    char *report;                  /* owned; the same, for what is too long for one piece */
    bool whole;                    /* what is asked for is waited for, `cancelled` or not */
    void (*meanwhile)(void *data); /* now and then while it is waited; NULL: nothing */
    void *data;                    /* of that; borrowed */
};

/* Connects to the monitor of a living workload. */
int talk_open(struct talk *t, const struct dirs *d, const char *id, struct error *e);
/*
 * Waits until `request` is answered. 0, or what the monitor said, or -EPIPE: it is gone, or
 * -ECANCELED (base/cancel.h).
 */
int talk_await(struct talk *t, uint32_t request, struct error *e);
void talk_close(struct talk *t); /* zeroed is fine; what was held goes on */

#endif
