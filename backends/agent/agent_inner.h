/* What the two halves of the host's side share: the requests (agent_host.c), the answers
 * (agent_answers.c). */
#ifndef COFFERDAM_BACKENDS_AGENT_AGENT_INNER_H
#define COFFERDAM_BACKENDS_AGENT_AGENT_INNER_H

#include "backends/agent/agent_host.h"
#include "backends/agent/agent_streams.h"
#include "init/agent.h"

enum {
    AGENT_HOST_PAYLOAD_MAX = 1024, /* of what an agent sends where descriptors carry the data */
    AGENT_HOST_QUEUE_MAX = 2 * (int)(AGENT_FRAME_MAX + sizeof(struct agent_head)),
    AGENT_HOST_SMALL = 16, /* bytes: what ends something; a queue that others have filled takes it */
    AGENT_HOST_RESERVE = 8192,
    AGENT_HOST_CORKED_MAX = 32 * 1024,
    AGENT_HOST_TRANSFERS_MAX = 16,
    AGENT_HOST_FRAMES_A_TURN = 64,
};

/* A frame on its way to the agent; its descriptor travels with its first bytes. */
struct agent_out {
    struct agent_out *next;
    int fd;       /* owned, or FD_NONE */
    bool barrier; /* a copy of a guest's set-up: what comes behind waits for its end */
    size_t size, sent;
    char data[];
};

struct agent_console {
    /* DRAINING: has ended, but a guest still sends what others write to its streams */
    enum { CONSOLE_FREE, CONSOLE_STARTING, CONSOLE_RUNNING, CONSOLE_DRAINING } state;
    uint32_t number;
    bool terminal;
    bool given_up;  /* nobody is told of it any more; its number may be another's */
    unsigned turns; /* of a guest's: how long it is silent (guest_patience.c) */
    char *what;     /* owned; argv[0], escaped */
    char *where;    /* owned; its working directory, escaped */
};

struct agent_transfer {
    bool used;
    bool setup;    /* of a guest's set-up: nobody is told but of its failure */
    bool given_up; /* as a console */
    uint32_t number;
};

struct agent_guest;
struct agent_host;

/* What a guest's connection does otherwise (agent_guest.c); a container's has none of it. */
struct agent_guest_ops {
    /* A frame only guests send, or which they send otherwise. 1: not such a one; else 0 or -errno.
     */
    int (*frame)(struct agent_host *h, const struct agent_host_events *events, void *data);
    /* A command has started: its streams are made. */
    int (*started)(struct agent_host *h, uint16_t channel, struct launch_streams *ret);
    /* A transfer's frame is on its way: `fd` is its stream here, taken over. */
    void (*transfer)(struct agent_host *h, uint16_t number, bool in, int fd);
    /* Moves what can be moved between the streams' two ends. */
    void (*pump)(struct agent_host *h, const struct agent_host_events *events, void *data);
    bool (*hold)(struct agent_host *h, struct agent_out *o); /* takes it if it has to wait */
    void (*close)(struct agent_host *h, const struct agent_host_events *events, void *data);
    void (*free)(struct agent_host *h);
};

struct agent_host {
    const struct agent_guest_ops *ops; /* NULL: a container's */
    struct agent_guest *guest;         /* owned by `ops` */
    int socket, epoll;                 /* owned */
    bool writing;                      /* epoll watches for room too */
    bool corked; /* agent_host_cork() */
    bool dead;   /* closed() has been called, or the wait for the start failed */
    bool greeted;
    bool end_is_due; /* main has exited or was never started, or a shutdown was asked for */
    struct agent_out *out, **out_end;
    size_t out_size;
    struct agent_console consoles[AGENT_CHANNELS_MAX];
    struct agent_transfer transfers[AGENT_HOST_TRANSFERS_MAX];

    /* the frame being read */
    size_t got;
    struct agent_head head;
    char *payload; /* `small`, or the guest's */
    size_t payload_room;
    char small[AGENT_HOST_PAYLOAD_MAX];
    int fds[AGENT_STREAMS_MAX + 1];
    size_t fds_count;
};

void agent_host_drop_out(struct agent_host *h);
void agent_host_drop_fds(struct agent_host *h);
void agent_console_done(struct agent_console *slot); /* free for the next */
/* Room for a frame's payload behind its head, or NULL with the error set; put it on its way. */
struct agent_out *agent_host_frame(struct agent_host *h, enum agent_type type, uint16_t channel,
                                   size_t size, struct error *e);
void agent_host_queue(struct agent_host *h, struct agent_out *o);
void agent_host_queue_now(struct agent_host *h, struct agent_out *o); /* never held back */
int agent_host_put(struct agent_host *h, enum agent_type type, uint16_t channel,
                   const void *payload, size_t size, struct error *e);
char *agent_host_put_string(char *to, const char *s);
struct agent_console *agent_host_console(struct agent_host *h, uint32_t number);
int agent_host_copy(struct agent_host *h, enum agent_type type, uint32_t transfer, const char *path,
                    int fd, bool barrier, struct error *e);
/* A u32, then (if `text`) a string to the payload's end, of which `*text` is made. */
int agent_host_take_u32(const struct agent_host *h, uint32_t *ret, const char **text);
/* Transfer `n` is over and free: tells whose it is. -EBADMSG: there is none, or no such error. */
int agent_host_tell_copied(struct agent_host *h, uint16_t n, uint32_t code, const char *text,
                           const struct agent_host_events *events, void *data);
/* Like agent_host_wait_started(), until `over` says so. */
struct agent_first {
    bool over;
    struct launch_streams streams;
    pid_t pid;
    struct agent_ready ready;
    struct error e;
};
int agent_host_wait(struct agent_host *h, int timeout_ms, const struct agent_host_events *events,
                    struct agent_first *first, struct error *e);
/* Sends what the socket takes. An agent that is gone is noticed by reading. */
void agent_host_flush(struct agent_host *h);

#endif
