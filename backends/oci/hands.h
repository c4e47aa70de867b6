/*
 * Our own process beside the workload: it makes the root, starts the runtime, and stays to call it
 * again, since the monitor has locked itself in by then. It is PID 1 of a PID namespace that holds
 * the runtime's processes and the workload: with it they all end, and so with the monitor. Its user
 * namespace is the workload's, or the one above it; the host's folders are out of its ids' reach.
 *
 * The two talk in packets over one socket. The monitor asks in a fixed few words; each call of a
 * runtime has a time limit.
 */
#ifndef COFFERDAM_BACKENDS_OCI_HANDS_H
#define COFFERDAM_BACKENDS_OCI_HANDS_H

#include "backends/bundle/config.h"
#include "backends/hands/words.h"
#include "backends/oci/runtime.h"
#include "backends/root/setup.h"

_Static_assert(sizeof(struct hands_message) != sizeof(struct setup_message), "told apart by size");

/* All borrowed; the same to parent and child. */
struct hands_wish {
    const struct plan *plan;  /* what set-up makes: steps.c's share of the launch's plan */
    const struct plan *whole; /* what the launch was asked for */
    struct oci_words words;
    const char *config; /* config.json */
    const struct launch_env *env;
    const struct seccomp_program *filter; /* for words.list */
    bool alone; /* one id, which is not 0, and no user namespace below ours */
};

/* Makes the root, starts the workload, serves until it ends. `data`: struct hands_wish. */
void hands_run(struct setup *s, void *data) __attribute__((noreturn));

/* hands.c: where our own process finds the runtime: its name, or a mount of the path's file. */
const char *hands_program(void);

/* hands_quick.c: for gVisor, and all that we start; no_new_privs is set. 0, or setup_fail(). */
int hands_quicken(struct setup *s, const struct plan *p);

/* hands_serve.c: the last stage. */
void hands_serve(struct setup *s, const struct hands_wish *w) __attribute__((noreturn));

/* hands_copy.c: in a child of its own, never returns. `rootfs`: the workload's root from outside.
 */
void hands_copy(int rootfs, const struct plan *p, int control, const struct hands_message *m,
                const char *path, int fd) __attribute__((noreturn));

/* hands_snapshot.c: in a child of its own, never returns. */
void hands_snapshot(const struct oci_runtime *r, const char *id, int scratch, int control,
                    uint32_t number, int dir) __attribute__((noreturn));
/*
 * The command that lets go on what stands still (init/plain.h); owned by the caller. `p`: one
 * restored from memory, which learns who it is first; NULL: the one it was taken of. `stopped`:
 * what was said to have been stopped; NULL: that is not known, and all goes on that stands still.
 */
char **hands_go_on(const struct oci_runtime *r, const char *id, const struct plan *p,
                   const char *stopped);
char *hands_stopped(int dir, const char *path); /* such a list, owned by the caller; NULL: none */

/* hands_user.c: "NAME|UID[:GROUP|GID]" by the root's own passwd(5) and group(5). 0 or -errno. */
int hands_find_user(int rootfs, const char *text, uint32_t *ret_uid, uint32_t *ret_gid);

#endif
