/* Programs of others, started without a shell, bounded in time and output. */
#ifndef COFFERDAM_BASE_SPAWN_H
#define COFFERDAM_BASE_SPAWN_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

/*
 * How to start a program. Descriptors other than fds[] are not inherited; fds[i] becomes
 * descriptor i (FD_NONE: /dev/null, as are 0 to 2 if there are fewer). argv[0] is looked up in
 * PATH's absolute folders unless it holds a '/'. No signal is blocked in it, SIGPIPE is not
 * ignored.
 */
struct spawn {
    const char *const *argv; /* borrowed, NULL-terminated */
    const char *const *env;  /* borrowed; NULL: ours */
    const int *fds;          /* borrowed */
    size_t fds_count;        /* 0 to 16 */
    /*
     * Room for so many descriptors from its start, 0: as it comes. Who has threads waits for the
     * kernel, 10 ms and more, each time the table grows. The last number is held by /dev/null, so
     * that its children have the room as well; where a limit forbids that, nothing is done.
     */
    unsigned room;
    bool new_session;  /* setsid() */
    bool controls;     /* and descriptor 0, a terminal, becomes its controlling one */
    bool dies_with_us; /* SIGKILL when whoever starts it ends */
};

/* Starts it by vfork-like clone. The child's exec error is our error. Gives pid and/or pidfd. */
int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct error *e);

/*
 * Runs it to its end with stdin /dev/null, at most `timeout_ms`, keeping at most `most` bytes of
 * stdout+stderr. `*ret_status` as waitpid(2). -ETIMEDOUT: it was killed and reaped.
 */
int spawn_run(const char *const *argv, unsigned timeout_ms, size_t most, int *ret_status,
              char **ret_output, struct error *e);
/*
 * From now on what is run so ends with this process, however that ends, or no longer does: for who
 * only looks, or asks somebody else who goes on by himself. Gives what it was.
 */
bool spawn_run_bind(bool bound);

/*
 * The same in pieces, for who has something else to do meanwhile. begin() first: -errno, nothing
 * is to be ended; else end() in any case. hear() waits until its output is closed, which may be
 * long before it has ended; what it has given, end() does not give again.
 */
struct spawn_running {
    const char *name; /* borrowed: argv[0] */
    pid_t pid;
    int pidfd, out; /* owned */
    unsigned timeout_ms;
    uint64_t deadline;
};
int spawn_run_begin(const char *const *argv, unsigned timeout_ms, struct spawn_running *ret,
                    struct error *e);
int spawn_run_hear(struct spawn_running *s, size_t most, char **ret_output, struct error *e);
int spawn_run_end(struct spawn_running *s, size_t most, int *ret_status, char **ret_output,
                  struct error *e);

#endif
