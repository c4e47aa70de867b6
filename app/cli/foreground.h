/*
 * A console without a terminal, carried in the foreground: our standard input to it, its streams to
 * ours, byte for byte; our signals to it, its status to us.
 */
#ifndef COFFERDAM_APP_CLI_FOREGROUND_H
#define COFFERDAM_APP_CLI_FOREGROUND_H

#include "app/cli/stream_out.h"
#include "base/error.h"
#include "console/client.h"

struct foreground {
    uint32_t console; /* which one this is about */
    uint32_t wait;    /* a request whose done() is waited for as well; 0: none */
    bool started, exited, failed, closed, waited;
    int status;               /* as the shell counts, when exited */
    char *reason;             /* owned or NULL: why it ended */
    char *report;             /* owned or NULL: JSON, if client_ask_report() was called */
    struct error error;       /* when failed */
    struct stream_out out[2]; /* standard output and error */
    bool broken[2];           /* ours is closed, and that has not been said yet */
};

/* Callbacks for a client whose data is a struct foreground. */
extern const struct client_events foreground_events;

void foreground_init(struct foreground *f, uint32_t console);
void foreground_done(struct foreground *f);

/* Blocks the signals that are passed on. Call before what may be signalled exists. */
void foreground_block_signals(void);

/* Only until the console has started, or failed to. 0, or -errno with why. */
int foreground_await_start(struct foreground *f, struct client *c, struct error *e);

/*
 * Carries everything until the console has ended (and `wait` is answered). 0 with `f->status`, or
 * -errno with why; -ENOENT, -EACCES and -ENOEXEC mean the command could not be started.
 */
int foreground_run(struct foreground *f, struct client *c, struct error *e);

#endif
