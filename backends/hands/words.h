/*
 * What a monitor and its own process beside a workload say to one another, in packets over one
 * socket: that process calls the runtime, when the monitor has locked itself in.
 */
#ifndef COFFERDAM_BACKENDS_HANDS_WORDS_H
#define COFFERDAM_BACKENDS_HANDS_WORDS_H

#include "backends/launch.h"
#include "base/error.h"

#include <stdint.h>

enum hands_word {
    /* from the monitor */
    HANDS_EXEC = 64, /* struct hands_exec and its strings */
    HANDS_SIGNAL,    /* number: the console, HANDS_ALL: every process; value: the signal */
    HANDS_COPY_IN,   /* number: the transfer; a path behind; a descriptor with records */
    HANDS_COPY_OUT,
    HANDS_SNAPSHOT, /* number: the transfer; the descriptor of a folder */
    HANDS_PAUSE,    /* value: 1, 0. answered by HANDS_PAUSED */
    /* to the monitor */
    HANDS_STARTED, /* number: the console; value: its pid; descriptors: a pty, or three pipes */
    HANDS_FAILED,  /* number; error */
    HANDS_EXITED,  /* number; value: status as the shell's; error: not the command's own end */
    HANDS_SNAPPED, /* number: the transfer; error.code 0: well */
    HANDS_COPIED,  /* number: the transfer; error.code 0: well */
    HANDS_PAUSED,  /* error.code 0: well */
    HANDS_REFUSED, /* number: a system call's, value: how often so far; HANDS_ALL: they are counted
                    */
};
#define HANDS_ALL UINT32_MAX
enum { HANDS_CALLS_END = 512 }; /* of calls that can be told apart */

struct hands_message {
    uint32_t word, number;
    int32_t value;
    struct error error;
};

/* Behind a message of HANDS_EXEC; then the strings: cwd, user, argv…, env…, each with its NUL. */
struct hands_exec {
    uint32_t argc, envc;
    uint16_t rows, cols;
    uint8_t terminal, pad[3];
};
enum { HANDS_PACKET_MAX = 128 * 1024 };

/* To the monitor; `e` and `fds` may be NULL. */
void hands_tell(int control, enum hands_word word, uint32_t number, int value,
                const struct error *e, const int *fds, size_t count);

/*
 * Reads what stands behind a message of HANDS_EXEC. `ret` points into the three lists (owned by the
 * caller, also after an error). -EBADMSG: it is none.
 */
int hands_exec_read(const char *data, size_t size, struct launch_exec *ret, char ***front,
                    char ***argv, char ***env);

#endif
