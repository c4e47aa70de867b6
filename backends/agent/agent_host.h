/*
 * The host's side of the agent protocol (init/agent.h): one connection to a cofferdam-init, driven
 * from the monitor's loop. Never blocks except where said. The agent is a hostile peer: frames are
 * bounded and checked, descriptors inspected before anybody sees them, memory is fixed; at the
 * first breach the connection is dead for good and its owner kills the launch.
 */
#ifndef COFFERDAM_BACKENDS_AGENT_AGENT_HOST_H
#define COFFERDAM_BACKENDS_AGENT_AGENT_HOST_H

#include "backends/launch.h"

struct agent_host;
struct agent_ready;
struct agent_sample;
struct changes;

/*
 * From agent_host_dispatch(). The first four have the shape of struct launch_events. Consoles and
 * transfers carry the numbers they were given; console 0 is main.
 */
struct agent_host_events {
    /* The command has been exec()ed. `streams` become the callee's: non-blocking, close-on-exec. */
    void (*started)(void *data, uint32_t console, pid_t pid_inside, struct launch_streams *streams);
    /*
     * It has not; the console's number is free again. e->code: ENOENT (127), EACCES (126), or
     * anything else (125): a missing working directory or user is EINVAL.
     */
    void (*failed)(void *data, uint32_t console, const struct error *e);
    /* `status` 0 to 255, 128 + n for a signal. */
    void (*exited)(void *data, uint32_t console, int status);
    void (*copied)(void *data, uint32_t transfer, const struct error *e); /* e NULL: well */
    /*
     * The connection is over; the last call ever. `why` NULL: an ordinary end, after main's
     * exited(). Otherwise "the agent broke the protocol: ..." or "the agent ended unasked": kill
     * the launch.
     */
    void (*closed)(void *data, const char *why);

    /* Guests only (agent_guest.h); each may be NULL. Pointers are borrowed for the call. */
    void (*ready)(void *data, const struct agent_ready *ready);
    void (*broken)(void *data, const struct error *e); /* a step of the set-up failed */
    void (*quiet)(void *data, const struct error *e);  /* e NULL: well */
    void (*sampled)(void *data, const struct agent_sample *sample);
    void (*changes)(void *data, struct changes *c, const struct error *e); /* e NULL: well */
};

/* A command for agent_host_start(). Everything is borrowed and copied into the frame. */
struct agent_host_command {
    char *const *argv; /* at least one; argv[0] is searched in the command's own PATH, inside */
    char *const *env;  /* complete; nothing is inherited */
    const char *cwd;   /* absolute, inside */
    const char *user;  /* "NAME|UID[:GROUP|GID]" to look up inside; NULL: as the next say */
    uint32_t uid, gid;
    const uint32_t *groups; /* at most 32; ignored where the namespace denies setgroups(2) */
    size_t groups_count;
    uint32_t umask;
    bool terminal;
    uint16_t rows, cols;
};

/* Takes `socket` (a connected stream socket), also on failure. NULL with errno. */
struct agent_host *agent_host_new(int socket);
void agent_host_free(struct agent_host *h); /* closes; NULL is fine */

/* One descriptor, constant for life, readable whenever dispatch() has something to do. */
int agent_host_fd(const struct agent_host *h);

/* Reads and writes what is possible and calls back; a bounded number of frames a call. */
void agent_host_dispatch(struct agent_host *h, const struct agent_host_events *events, void *data);

/*
 * Queues a start; may be called before the agent runs. Each request here returns 0, -E2BIG (the
 * command does not fit AGENT_FRAME_MAX), -EBUSY (too many at once, or that number is in use),
 * -ENOENT (no such console), -EAGAIN (the agent does not read), -EPIPE (the connection is over).
 */
int agent_host_start(struct agent_host *h, uint32_t console, const struct agent_host_command *c,
                     struct error *e);

/*
 * Blocks until console 0 has started (0, `*ret_streams` and `*ret_pid` set; the streams are the
 * caller's) or not
 * (-errno as failed() gives; -ETIMEDOUT after `timeout_ms`; -EPROTO: the protocol was broken;
 * -EPIPE: the agent is gone, ask its process why). Reads nothing beyond, so dispatch() misses
 * nothing.
 */
int agent_host_wait_started(struct agent_host *h, int timeout_ms,
                            struct launch_streams *ret_streams, pid_t *ret_pid, struct error *e);

/* To the process group of a console's command, or (AGENT_HOST_ALL) to everything but PID 1. */
#define AGENT_HOST_ALL UINT32_MAX
int agent_host_signal(struct agent_host *h, uint32_t console, int signo, struct error *e);

/* SIGSTOP to all but PID 1, or SIGCONT: for hosts without a freezer. */
int agent_host_freeze(struct agent_host *h, bool frozen, struct error *e);

/*
 * Starts a copy between `fd` (taken over; a pipe or a socket: nothing else is let in, -EINVAL) and
 * `path` inside, as records of base/records.h; copied() tells. in: `fd` is read by the agent, and
 * where `path` is a folder and the stream's first record has a name, the thing becomes that name in
 * it, as cp(1) does.
 */
int agent_host_copy_in(struct agent_host *h, uint32_t transfer, const char *path, int fd,
                       struct error *e);
int agent_host_copy_out(struct agent_host *h, uint32_t transfer, const char *path, int fd,
                        struct error *e);

/* From true to false requests are put together, as far as they fit, and travel at once. */
void agent_host_cork(struct agent_host *h, bool corked);

/* Everything inside ends, then PID 1; closed(NULL) follows. */
int agent_host_shutdown(struct agent_host *h, struct error *e);

#endif
