/* The monitor's client: a connection, a mirror of screens, requests. Used by the CLI and the TUI. */
#ifndef COFFERDAM_CONSOLE_CLIENT_H
#define COFFERDAM_CONSOLE_CLIENT_H

#include "base/error.h"
#include "console/cells.h"

#include <sys/types.h>

struct client;
struct wire_limits; /* console/wire.h */
struct wire_sample; /* likewise */

/* Callbacks; each may be NULL. `console`: 0 main, others from client_exec(). */
struct client_events {
    void (*screen)(void *data, uint32_t console, struct cells *c); /* changed; c->dirty says where */
    void (*stream)(void *data, uint32_t console, int stream, const char *bytes, size_t size);
    /* stream 1 out, 2 err; size 0: end of file */
    void (*role)(void *data, uint32_t console, bool may_type, unsigned viewers);
    void (*history)(void *data, uint32_t console, uint64_t first, const struct cell *const *lines,
                    const uint16_t *cols, size_t count);
    void (*started)(void *data, uint32_t console);
    void (*exited)(void *data, uint32_t console, int status, const char *reason);
    void (*failed)(void *data, uint32_t console, const struct error *e); /* a request was refused */
    void (*state)(void *data, const char *json, size_t size);  /* answer to client_ask_state() */
    void (*sample)(void *data, const struct wire_sample *s); /* answer to client_ask_sample() */
    void (*done)(void *data, uint32_t request, const struct error *e); /* e NULL: done as asked */
    void (*log)(void *data, const char *bytes, size_t size, bool last);
    void (*report)(void *data, const char *json, size_t size); /* whole, once, before done() of wait */
    void (*fd)(void *data, uint32_t request, int fd); /* a descriptor came; owned by the receiver */
    void (*closed)(void *data, const char *why); /* the monitor is gone; no more will come */
};

/* Connects to a monitor (peer credentials checked), or takes over a connected socket. */
int client_connect(const char *socket_path, const struct client_events *events, void *data,
                   struct client **ret, struct error *e);
struct client *client_from_fd(int fd, const struct client_events *events, void *data);
/* The same for a connection that another process has begun to speak on and has handed over. */
struct client *client_handed(int fd, const struct client_events *events, void *data);
void client_free(struct client *c);

int client_fd(const struct client *c);
bool client_wants_write(const struct client *c); /* poll for EPOLLOUT too */
/*
 * Reads and writes what is possible without blocking and calls back. -EPIPE after closed(). The
 * callbacks may make requests, but not free the client.
 */
int client_dispatch(struct client *c);
/* dispatch() until nothing is left to be sent or `timeout_ms` is over. 0 or -errno. */
int client_flush(struct client *c, int timeout_ms);
/* Bytes not yet sent, or of input that the workload has not taken: read no more stdin beyond 128 KiB,
 * so that a signal is never stuck behind what nobody reads. */
size_t client_backlog(const struct client *c);

/* Requests: queued at once, answered through the events. Each returns a request number > 0. */
uint32_t client_attach(struct client *c, uint32_t console, bool read_only, uint16_t rows,
                       uint16_t cols); /* screens, or streams where there is no terminal */
uint32_t client_detach(struct client *c, uint32_t console);
uint32_t client_take_over(struct client *c, uint32_t console);
uint32_t client_input(struct client *c, uint32_t console, const char *bytes, size_t size);
uint32_t client_input_end(struct client *c, uint32_t console);
uint32_t client_output_closed(struct client *c, uint32_t console, int stream); /* our stdout broke */
uint32_t client_resize(struct client *c, uint32_t console, uint16_t rows, uint16_t cols);
uint32_t client_history(struct client *c, uint32_t console, uint64_t first, uint32_t count);
uint32_t client_signal(struct client *c, uint32_t console, int signo);
uint32_t client_stop(struct client *c, int64_t grace_ms); /* <0: the plan's */
uint32_t client_kill(struct client *c);
uint32_t client_pause(struct client *c, bool paused);
uint32_t client_update(struct client *c, const struct wire_limits *limits); /* of what runs */
uint32_t client_wait(struct client *c); /* done() comes when the workload has ended and is cleaned up */
uint32_t client_ask_state(struct client *c); /* state_record + sample + viewers as JSON */
uint32_t client_ask_sample(struct client *c); /* phase, pid and figures alone: for every second */
enum { CLIENT_LOG_MAIN, CLIENT_LOG_KERNEL /* what a guest's kernel has printed */ };
uint32_t client_ask_log(struct client *c, uint32_t which, bool follow, int64_t since_ms);
uint32_t client_ask_changes(struct client *c); /* fd(): the scratch folder, for changes_read() */
uint32_t client_ask_report(struct client *c);  /* report(): when the workload has ended */
uint32_t client_copy_in(struct client *c, const char *path, int fd);  /* fd: records to be read; kept by caller */
uint32_t client_copy_out(struct client *c, const char *path, int fd); /* fd: where records are written */

uint32_t client_hold(struct client *c, bool held); /* done(): it stands still, or goes on */
uint32_t client_ask_held(struct client *c);        /* done(): it has stood still since */
uint32_t client_snapshot(struct client *c, unsigned kind, const char *path, int dir);
/* kind: LAUNCH_SNAPSHOT_…; `dir`: the folder `path`, kept by the caller; done() when it is whole */

struct client_exec {
    const char *const *argv, *const *env;
    const char *cwd, *user;
    bool terminal;
    uint16_t rows, cols;
};
/* started() or failed() tells; the console's number is chosen here and returned. */
uint32_t client_exec(struct client *c, const struct client_exec *x);

#endif
