/* What the files of our process beside the workload share while it serves. */
#ifndef COFFERDAM_BACKENDS_OCI_HANDS_INNER_H
#define COFFERDAM_BACKENDS_OCI_HANDS_INNER_H

#include "backends/oci/hands.h"
#include "backends/oci/refused.h"

enum {
    CALLS_MAX = 64,
    TOOLS_MAX = 64,
    START_MS = 30000,
    EXEC_MS = 15000,
    TOOL_MS = 10000,
};

/* A command that a runtime starts, or has started. */
struct call {
    enum { CALL_FREE, CALL_STARTING, CALL_RUNNING } state;
    uint32_t number;       /* the console */
    bool terminal, called; /* called: the runtime has come back, and all is well */
    pid_t runtime;         /* the runtime's own process; 0: reaped */
    pid_t command;         /* 0: not known (yet) */
    int listener;          /* owned; the console's socket, or FD_NONE */
    int master;            /* owned; the pty, until it is handed on */
    int outer[3];          /* owned; our ends, until they are handed on */
    int said;              /* owned; what the runtime says where the command's streams are a pty */
    int alive;             /* owned; a pidfd of gVisor's own process, where that is the command */
    bool ended_by_us;      /* it was asked to end at once */
    uint64_t late_ms;
    uint16_t rows, cols;
    char pid_file[64], console[64], process[64];
};

/* A runtime call, or a copy, that nobody waits for. */
struct tool {
    pid_t pid;
    uint64_t late_ms;
    bool copy, snapshot;
    uint32_t transfer;
};

struct hands {
    const struct hands_wish *w;
    struct oci_runtime runtime;
    int control, signals, notify, rootfs; /* owned */
    int scratch, image; /* borrowed; the changes; a checkpoint it starts from, or FD_NONE */
    unsigned made;      /* names given so far */
    struct call calls[CALLS_MAX];
    struct tool tools[TOOLS_MAX];
    bool over;
    int calls_log; /* owned; FD_NONE: nothing is told */
    struct refused refused;
};

/* --- hands_call.c: a command, from the runtime's start to its own end ---
 */

/* A free one, or NULL; by its console. */
struct call *call_new(struct hands *h, uint32_t number, bool terminal);
struct call *call_find(struct hands *h, uint32_t number);
/* Starts the runtime, which has so long. On failure the call is for call_fail() or call_done(). */
int call_spawn(struct hands *h, struct call *c, char *const *argv, unsigned limit_ms,
               struct error *e);
/* Whether the runtime's own process is the command's, as far as its end goes. */
bool call_waits(const struct hands *h, const struct call *c);
/* gVisor's own number of the command, beside that of the process which waits for it. */
pid_t call_inside(const struct call *c);
pid_t call_read_pid(const char *path); /* of such a file; 0: there is none */
/* Tells the monitor that it runs, once everything has come; or fails it, and it is CALL_FREE. */
void call_check(struct hands *h, struct call *c);
/* The runtime has sent a terminal. */
void call_accept(struct hands *h, struct call *c);
/* Its processes have ended; `raw` as waitpid(2). */
void call_runtime_ended(struct hands *h, struct call *c, int raw);
void call_exited(struct hands *h, struct call *c, int raw);
/* Ends it and says why; `why` NULL: what the runtime said itself. */
void call_fail(struct hands *h, struct call *c, const struct error *why);

/* The workload's own command. */
int call_start_main(struct hands *h, struct error *e);

/* --- hands_tool.c: runtimes called for something else than a command ---
 */

/* `image` becomes descriptor 3, if there is one. */
int tool_spawn(char *const *argv, const int fds[3], int image, pid_t *ret, struct error *e);
/* A free one, or NULL. 0: no limit. */
struct tool *tool_new(struct hands *h, unsigned limit_ms);
/* Starts it and goes on; waits for it. `argv` is taken over. */
void tool_run(struct hands *h, char **argv);
int tool_wait(char **argv, unsigned limit_ms, struct error *e);
void tool_ended(struct hands *h, struct tool *t, int raw);
bool tool_snapshots(const struct hands *h); /* whether one is being taken, or put right after */

/* --- hands_snapshot.c ---
 */

/* In a child: lets go on what a snapshot has left standing whose taker was ended. */
void hands_let_go(const struct hands *h) __attribute__((noreturn));
bool hands_know(const struct hands *h, pid_t pid); /* a command's, a call's or our own */

/* --- hands_refused.c ---
 */

int refused_open(struct hands *h, struct error *e); /* before gVisor is started */
void refused_read(struct hands *h, bool last);

/* --- hands_request.c ---
 */

/* Reads one request and sees to it. -EPIPE: the monitor is gone. */
int hands_request(struct hands *h);

#endif
