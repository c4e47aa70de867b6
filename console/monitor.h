/* The monitor: one process per workload, its parent, owner of its consoles, its state and its end.
 */
#ifndef COFFERDAM_CONSOLE_MONITOR_H
#define COFFERDAM_CONSOLE_MONITOR_H

#include "backends/launch.h"

/* What main() found on the command line and in the descriptors it was born with. */
struct monitor_setup {
    const char *runtime_dir; /* borrowed; $XDG_RUNTIME_DIR/cofferdam */
    const char *state_dir;   /* borrowed; $XDG_STATE_HOME/cofferdam */
    const char *id;          /* borrowed; the plan's */
    const char *plan;        /* borrowed; the plan's JSON */
    size_t plan_size;
    bool kept;         /* the plan wants a kept folder in some case */
    unsigned restarts; /* how often this workload has been started again */
    uint16_t rows, cols;
    int client;  /* owned; the first client's connected socket, or FD_NONE */
    int filter;  /* owned; the compiled seccomp filter, or FD_NONE */
    int init;    /* owned; cofferdam-init, or FD_NONE */
    struct launch_ahead *ahead; /* borrowed; NULL: there is none */
    int plan_fd; /* owned; handed on when the workload is started again */
    int earlier; /* owned; what its former runs wrote, as log.h has it, or FD_NONE */

    /* The report's list of changes, as JSON owned by the caller; NULL: nothing can be said. May be
     * NULL. */
    char *(*changes)(int scratch);

    /* Becomes a fresh monitor of the same plan (exec); only returns on failure. NULL: no restarts.
     */
    void (*again)(const struct monitor_setup *setup);

    bool unconfined; /* tests of ours under a sanitizer or a debugger */
};

/*
 * Starts the workload, serves its clients, sees it end and cleans up after it. Returns the
 * process's exit status: 0, or 125 when the workload could not be started (the first client was
 * told why). Everything owned in `setup` is closed.
 */
int monitor_run(const struct launch_ops *ops, struct monitor_setup *setup);

#endif
