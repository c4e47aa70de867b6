/* A machine in QEMU with our PID 1 in it, driven through the host's side: for tests/guest/agent.c.
 */
#ifndef COFFERDAM_TESTS_GUEST_AGENT_MACHINE_H
#define COFFERDAM_TESTS_GUEST_AGENT_MACHINE_H

#include "backends/agent/agent_guest.h"
#include "base/loop.h"
#include "base/str.h"

#include <sys/types.h>

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

enum { WAIT_MS = 120000, CONSOLES = 8, MEMORY_MB = 192 };

struct console {
    bool started;
    struct launch_streams streams; /* owned */
    int failed, status;            /* -1: not yet */
    struct buf out, err;
    bool deaf; /* its output is left alone */
};

struct guest {
    struct agent_host *host; /* owned */
    pid_t vmm;
    int qmp; /* owned */
    struct console consoles[CONSOLES];
    bool ready, quiet, sampled, closed;
    int copied, quiet_code; /* errno; -1: not yet */
    struct agent_ready said;
    struct agent_sample sample;
    struct buf changes; /* a line each */
    bool changes_came;
    struct error broken;
    char why[200];
};

/* What a template's memory and state are given as. */
struct machine {
    int memory; /* a memfd, or FD_NONE */
    bool shared, incoming, terminal;
    const char *agent;
};

/* What a machine is made of; the caller's, except for what guest_find_parts() adds by itself. */
struct guest_parts {
    const char *root, *scratch; /* disks */
    const char *folder;         /* for what is made */
};
extern struct guest_parts guest_parts;
extern int points, failures;

void check(bool good, const char *what); /* a line of TAP */

/* What a launch would start with, of the package in `root`. */
int guest_find_parts(const char *root, const char *init);

void guest_boot(struct guest *g, const struct machine *m);
int guest_end(struct guest *g, bool force); /* as waitpid(2) */
void guest_turn(struct guest *g);           /* a turn of the loop */

/* Goes on until `*flag` is what it should be, or the end. */
#define until(g, condition)                                                               \
    ({                                                                                    \
        uint64_t end_ = loop_now_ms() + WAIT_MS;                                          \
        while (!(condition) && !(g)->closed && !(g)->broken.code && loop_now_ms() < end_) \
            guest_turn(g);                                                                \
        (condition);                                                                      \
    })

bool guest_has(const struct buf *b, const char *text);

int guest_step(struct guest *g, const struct agent_guest_step *s);
#define STEP(g, ...) guest_step(g, &(struct agent_guest_step){__VA_ARGS__})
void guest_make_root(struct guest *g, bool disk);

void guest_run(struct guest *g, uint32_t n, bool terminal, char **argv);
/* Runs a shell's words on a console of its own; its output is out, its status is returned. */
int guest_shell(struct guest *g, const char *words, struct buf *out);

#endif
