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
    AGENT_HOST_TRANSFERS_MAX = 16,
    AGENT_HOST_FRAMES_A_TURN = 64,
};

/* A frame on its way to the agent; its descriptor travels with its first bytes. */
struct agent_out {
    struct agent_out *next;
    int fd; /* owned, or FD_NONE */
    size_t size, sent;
    char data[];
};

struct agent_console {
    enum { CONSOLE_FREE, CONSOLE_STARTING, CONSOLE_RUNNING } state;
    uint32_t number;
    bool terminal;
    char *what;  /* owned; argv[0], escaped */
    char *where; /* owned; its working directory, escaped */
};

struct agent_transfer {
    bool used;
    uint32_t number;
};

struct agent_host {
    int socket, epoll; /* owned */
    bool writing;      /* epoll watches for room too */
    bool dead;         /* closed() has been called, or the wait for the start failed */
    bool greeted;
    bool end_is_due; /* main has exited or was never started, or a shutdown was asked for */
    struct agent_out *out, **out_end;
    size_t out_size;
    struct agent_console consoles[AGENT_CHANNELS_MAX];
    struct agent_transfer transfers[AGENT_HOST_TRANSFERS_MAX];

    /* the frame being read */
    size_t got;
    struct agent_head head;
    char payload[AGENT_HOST_PAYLOAD_MAX];
    int fds[AGENT_STREAMS_MAX + 1];
    size_t fds_count;
};

void agent_host_drop_out(struct agent_host *h);
void agent_host_drop_fds(struct agent_host *h);
void agent_console_done(struct agent_console *slot); /* free for the next */
/* Sends what the socket takes. An agent that is gone is noticed by reading. */
void agent_host_flush(struct agent_host *h);

#endif
