/* A person at a console: owns the user's terminal (or plain streams) of attach, run and exec. */
#ifndef COFFERDAM_CONSOLE_ATTACH_H
#define COFFERDAM_CONSOLE_ATTACH_H

#include "base/str.h"
#include "console/chord.h"
#include "console/client.h"

/* All borrowed for the life of the attach. */
struct attach_options {
    uint32_t console;               /* 0 main; ignored with `exec` */
    const struct client_exec *exec; /* a further command to start; rows and cols are ours */
    bool read_only;
    bool terminal;           /* the console is a terminal, else plain streams */
    const char *detach_keys; /* console.detach-keys; NULL: the default */
    bool from_start; /* the console was begun for us: at its end all its lines are printed */
    bool wait;       /* go on until the workload is cleaned up (client_wait()) */
};

enum attach_end {
    ATTACH_EXITED,    /* the command ended: status */
    ATTACH_DETACHED,  /* the person left it running */
    ATTACH_SIGNALLED, /* we were told to go (terminal consoles only): status is 128 + n */
    ATTACH_FAILED,    /* it could not be started: `error` (126/127/125 follow from its code) */
    ATTACH_LOST,      /* the monitor went away without a word: `error` */
};

struct attach_result {
    enum attach_end how;
    int status;
    struct error error;
    char reason[160]; /* why it ended, if that was unusual ("time limit"), else empty */
    char *report;     /* owned; JSON, if one came (with `wait`), else NULL */
    uint64_t dropped; /* sequences the filter kept from a terminal (plain streams) */
};
void attach_result_done(struct attach_result *r);

struct attach;

/*
 * How: a = attach_new(&options); client_connect(path, attach_events(), a, &c, …); attach_run(a, c,
 * &result). Nothing is done to the terminal before attach_run(), and all of it is undone when that
 * returns, when the process exits, and on signals that end it.
 */
struct attach *attach_new(const struct attach_options *o);
const struct client_events *attach_events(void);
void attach_free(struct attach *a); /* NULL is fine */

/* 0, or -errno with text if it could not begin (a bad chord, no terminal). SIGPIPE is ignored from
 * here on. */
int attach_run(struct attach *a, struct client *c, struct attach_result *ret, struct error *e);

/* What became of the keys typed: a small machine without I/O. */
enum attach_key { ATTACH_KEY_SEND, ATTACH_KEY_DETACH, ATTACH_KEY_TAKE_OVER, ATTACH_KEY_HELP };
struct attach_keys {
    struct attach_chord chord;
    bool pressed;  /* the first key came, the second has not */
    bool pasting;  /* between the marks of a bracketed paste nothing is a chord */
    unsigned mark; /* how much of such a mark has come */
};
/*
 * Takes bytes up to the first thing that is not to be sent; what is to be sent is appended to `to`.
 * Returns how many bytes were consumed and says in `*ret` why it stopped (SEND: all consumed).
 */
size_t attach_keys_feed(struct attach_keys *k, const char *data, size_t size, struct buf *to,
                        enum attach_key *ret);

#endif
