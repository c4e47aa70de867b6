/* What the files of a guest's host side share (agent_guest.h). */
#ifndef COFFERDAM_BACKENDS_AGENT_GUEST_INNER_H
#define COFFERDAM_BACKENDS_AGENT_GUEST_INNER_H

#include "backends/agent/agent_guest.h"
#include "backends/agent/agent_inner.h"

/* A descriptor of ours and what its owner's epoll looks for. */
struct guest_end {
    int fd;         /* owned; FD_NONE: gone */
    uint32_t looks; /* EPOLL…; UINT32_MAX: not watched */
    uint64_t key;
};

/* What the monitor or a copy writes, on its way to the guest. */
struct guest_in {
    struct guest_end *end; /* its own, or a terminal's */
    struct guest_end own;
    bool open;       /* more may come */
    uint32_t credit; /* bytes the agent still takes */
};

/* What comes from the guest, on its way to the monitor or a copy. */
struct guest_out {
    struct guest_end end;
    bool ended;      /* the guest has said so */
    bool gone;       /* nobody reads here any more */
    bool lost;       /* of what came, since it is gone */
    uint32_t credit; /* bytes the agent may still send */
    uint32_t freed;  /* bytes handed on and not granted again yet */
    char *pending;   /* owned; AGENT_WINDOW bytes, once there were any */
    size_t at, used;
};

struct guest_channel {
    bool busy, terminal, exited;
    int status;
    struct guest_in in;
    struct guest_out out[2];
};

struct guest_transfer {
    bool busy;
    bool waits;     /* its frame is held back */
    bool changes;   /* what comes is not for a descriptor */
    bool copied;    /* COPIED has come: told when everything before it has been handed on */
    bool moved;     /* the guest has said something of it since the last turn */
    unsigned turns; /* for which it has not, though it was to */
    uint32_t code;
    char *text; /* owned; with `copied` */
    struct guest_in in;
    struct guest_out out;
};

/* Changes as they come. */
struct guest_changes {
    bool asked;
    size_t most, budget;
    size_t kept, read; /* bytes: of the paths in `c`; of all that has come */
    struct changes c;  /* owned */
    struct buf part;   /* of an entry */
};

struct agent_guest {
    struct guest_channel channels[AGENT_CHANNELS_MAX];
    struct guest_transfer transfers[AGENT_HOST_TRANSFERS_MAX];
    struct guest_changes changes;

    /* frames behind a copy of the set-up */
    bool barrier; /* a copy is under way */
    bool still;   /* from QUIESCE_ON to OFF: what is half sent would be in a snapshot */
    struct agent_out *held, **held_end;

    /* guest_patience.c */
    int clock; /* owned; fires once each turn */
    uint64_t patience_ms;
    bool ticks, paused;
    bool pinged, ponged; /* PONG is due; it came in this turn */

    unsigned ends_asked; /* READY answers each */
    unsigned samples_asked, quiets_asked;
    bool adopting, was_ready, was_sampled;
    bool untold; /* main's exit, while nobody listened */
    bool choked; /* so much waits that no more is read */
    struct agent_ready ready;
    struct agent_sample sample;
    char payload[1 + AGENT_DATA_MAX];
};

/* --- guest_pump.c ------------------------------------------------------------------------------
 */

int guest_started(struct agent_host *h, uint16_t channel, struct launch_streams *ret);
/* The same for a command that lives on in a clone. */
int guest_adopted(struct agent_host *h, const struct agent_running *running,
                  struct launch_streams *ret);
void guest_transfer(struct agent_host *h, uint16_t number, bool in, int fd);
void guest_transfer_go(struct agent_host *h, uint16_t number); /* its frame is on its way */
void guest_transfer_done(struct agent_host *h, uint16_t number);
/* What a copy ended with here: EPIPE and a static `*text` if it is well and its reader is not. */
uint32_t guest_transfer_code(const struct agent_host *h, uint16_t number, uint32_t code,
                             const char **text);
/* COPIED has come: true if the reader has not taken all yet, so that it is told later. */
bool guest_transfer_lingers(struct agent_host *h, uint16_t number, uint32_t code, const char *text);
void guest_pump(struct agent_host *h, const struct agent_host_events *events, void *data);
int guest_on_data(struct agent_host *h, const struct agent_host_events *events, void *data);
int guest_on_credit(struct agent_host *h);
/* EXITED has come: told when everything before it has been handed on. */
int guest_on_exited(struct agent_host *h, const struct agent_host_events *events, void *data);
void guest_streams_close(struct agent_host *h, const struct agent_host_events *events, void *data);
/* True: it waits until the guest may hear again. */
bool guest_wait_still(struct agent_host *h, struct agent_out *o);
void guest_credit(struct agent_host *h, uint16_t channel, uint32_t stream, uint32_t bytes);
/* Whether the guest is to say something of it: more of it, that it takes more, or its end. */
bool guest_transfer_owes(const struct agent_host *h, uint16_t n);
/* Who asked is not there any more, on whichever side of it. */
void guest_transfer_leave(struct agent_host *h, uint16_t n);

/* --- guest_patience.c --------------------------------------------------------------------------
 */

#define GUEST_CLOCK (UINT64_MAX - 1)            /* its key in the epoll */
int guest_patience_open(struct agent_host *h);  /* 0 or -errno */
void guest_patience_look(struct agent_host *h); /* something is due, or may not be any more */
void guest_patience_turn(struct agent_host *h, const struct agent_host_events *events, void *data);
int guest_on_pong(struct agent_host *h);

/* --- guest_changes.c ---------------------------------------------------------------------------
 */

/* 0, 1: no more is wanted, or -EBADMSG. */
int guest_changes_take(struct guest_changes *g, const char *data, size_t size);
/* COPIED has come. */
int guest_changes_end(struct agent_host *h, uint32_t code, const struct agent_host_events *events,
                      void *data);
void guest_changes_done(struct guest_changes *g);
/* They are not waited for any longer. */
void guest_changes_drop(struct agent_host *h, const struct error *why,
                        const struct agent_host_events *events, void *data);

#endif
