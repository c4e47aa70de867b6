/* The runtimes with the OCI command line: which one a plan names, and how each is spoken to. */
#ifndef COFFERDAM_BACKENDS_OCI_RUNTIME_H
#define COFFERDAM_BACKENDS_OCI_RUNTIME_H

#include "backends/bundle/config.h"

/* By the plan's word: a name, or the last part of a path. */
enum oci_kind oci_kind_of(const char *runtime);

/* Where things lie for our own process, whose mounts nobody else sees. */
#define OCI_RUN "/run"
#define OCI_BUNDLE OCI_RUN "/bundle"
#define OCI_STATE OCI_RUN "/state"
#define OCI_INIT OCI_RUN "/init"
#define OCI_LIST OCI_RUN "/list"
#define OCI_CALLS OCI_RUN "/calls" /* gVisor's log, a FIFO */
#define OCI_PANIC OCI_RUN "/panic" /* what Go says of gVisor's own failure */
#define OCI_PID_FILE OCI_RUN "/pids/main"
#define OCI_PID_INSIDE ".inside" /* behind a pid file's name: gVisor's own number */

/* In a snapshot's folder, beside the files: what gVisor has written, and in there pids to let go
 * on. */
#define OCI_MEMORY "memory"
#define OCI_STOPPED "cofferdam-stopped"
#define OCI_HELD OCI_RUN "/held"           /* the same, while one is taken */
#define OCI_HOLDER OCI_HELD OCI_PID_INSIDE /* who stops them */

/* What of a runtime makes a difference to its command line. */
struct oci_runtime {
    enum oci_kind kind;
    const char *program; /* borrowed: a name, or an absolute path */
    bool old;            /* a runsc that has no overlay of its own, and so no word against it */
    bool restored;       /* from memory, which it refuses to one that calls itself rootless */
    bool network_host, network_private;
    const char *calls;    /* borrowed; gVisor's log goes there; NULL: there is none */
    const char *platform; /* borrowed; gVisor's; NULL: its own choice */
};

/*
 * The command lines, NULL-terminated, owned by the caller. `console` (a socket's path) and
 * `process` may be NULL. run: waits for the end of the command with runsc, returns once it runs
 * with others.
 */
char **oci_argv_run(const struct oci_runtime *r, const char *id, const char *console);
char **oci_argv_exec(const struct oci_runtime *r, const char *id, const char *process,
                     const char *console, const char *pid_file);
char **oci_argv_kill(const struct oci_runtime *r, const char *id, int signo, long pid_inside);
char **oci_argv_kill_all(const struct oci_runtime *r, const char *id, int signo);
char **oci_argv_simple(const struct oci_runtime *r, const char *verb, const char *id);
/* gVisor's: the folder for the memory is descriptor 3, in both. restore is called instead of run.
 */
char **oci_argv_checkpoint(const struct oci_runtime *r, const char *id);
char **oci_argv_restore(const struct oci_runtime *r, const char *id, const char *console);
/* Our program inside, as its root, allowed to signal all and to set the host name (init/plain.h):
 * "still", or "go-on", whose arguments are to be added. `pid_inside`: a file for gVisor's own
 * number of it; NULL: none. */
char **oci_argv_inside(const struct oci_runtime *r, const char *id, const char *verb,
                       const char *pid_inside);
char **oci_argv_delete(const struct oci_runtime *r, const char *id);

#endif
