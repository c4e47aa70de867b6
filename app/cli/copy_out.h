/* Files out of a workload, as records (base/records.h): asked of a living one's monitor, or read
 * from what was kept of one that has ended. */
#ifndef COFFERDAM_APP_CLI_COPY_OUT_H
#define COFFERDAM_APP_CLI_COPY_OUT_H

#include "base/dirs.h"
#include "base/error.h"
#include "console/client.h"
#include "console/state.h"

/* What a monitor said of a transfer. */
struct copy_answer {
    bool over;
    bool closed;        /* it has ended: it will say no more */
    struct error error; /* code 0: well */
};

struct copy_out {
    const struct state_record *record; /* borrowed */
    struct client *client;             /* owned; NULL: it has ended */
    struct copy_answer answer;
    int scratch; /* owned; what was kept, or FD_NONE */
    pid_t child; /* who sends it, or 0 */
};

extern const struct client_events copy_events; /* their data is a struct copy_answer */
void copy_flush(struct client *c);
/* Waits for the monitor's word; the workload may take its time, so there is no bound but ours, and
 * that of who gives up: ECANCELED (base/cancel.h). */
void copy_await(struct client *c, struct copy_answer *answer);

/* As state_find(), for those that run or have ended; -ESRCH with the phase in words elsewhere. */
int copy_out_find(const struct dirs *d, const char *word, struct state_record *ret,
                  struct error *e);
/* `record` as of copy_out_find(). 0 or -errno with text. */
int copy_out_open(struct copy_out *o, const struct dirs *d, const struct state_record *record,
                  struct error *e);
void copy_out_close(struct copy_out *o);

/* The records of `path`, absolute and inside, come from `*ret_in` (the caller's) until their end.
 */
int copy_out_begin(struct copy_out *o, const char *path, int *ret_in, struct error *e);
/*
 * What the other side says of it, once its records are read or not wanted any more (`*ret_in` is
 * closed). 0, or -errno with text, the workload's name in front.
 */
int copy_out_end(struct copy_out *o, const char *path, struct error *e);

#endif
