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
    bool new_session;        /* setsid() */
    bool controls;           /* and descriptor 0, a terminal, becomes its controlling one */
    bool dies_with_us;       /* SIGKILL when whoever starts it ends */
};

/* Starts it by vfork-like clone. The child's exec error is our error. Gives pid and/or pidfd. */
int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct error *e);

/*
 * Runs it to its end with stdin /dev/null, at most `timeout_ms`, keeping at most `most` bytes of
 * stdout+stderr. `*ret_status` as waitpid(2). -ETIMEDOUT: it was killed and reaped.
 */
int spawn_run(const char *const *argv, unsigned timeout_ms, size_t most, int *ret_status,
              char **ret_output, struct error *e);

#endif
