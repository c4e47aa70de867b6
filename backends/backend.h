/* A runtime family as the CLI and the TUI see it: can it run here, what can it do. */
#ifndef COFFERDAM_BACKENDS_BACKEND_H
#define COFFERDAM_BACKENDS_BACKEND_H

#include "app/plan/plan.h"

/* Bits of backend_health.can. */
enum {
    BACKEND_CAN_EXEC = 1,
    BACKEND_CAN_PAUSE = 2,
    BACKEND_CAN_COPY = 4,
    BACKEND_CAN_DIFF = 8,
    BACKEND_CAN_SNAPSHOT_FILES = 16,
    BACKEND_CAN_SNAPSHOT_MEMORY = 32,
    BACKEND_CAN_CLONE = 64,
};

/* One line of `cofferdam doctor`. */
struct backend_check {
    enum { BACKEND_GOOD, BACKEND_PARTLY, BACKEND_MISSING } state;
    char *what; /* owned: "user namespaces", "crun 1.8" */
    char *why;  /* owned or NULL */
    char *mend; /* owned or NULL: the command or setting that helps */
};

struct backend_health {
    bool usable;
    unsigned can; /* BACKEND_CAN_… */
    struct backend_check *checks; /* owned */
    size_t checks_count;
};
void backend_health_done(struct backend_health *h);
void backend_health_add(struct backend_health *h, int state, const char *what, const char *why,
                        const char *mend); /* copies */

struct backend {
    const char *name;     /* the runtime's: "native" */
    const char *summary;  /* for lists */
    enum plan_boundary boundary;

    /* What works here, found out by trying, bounded in time. mandatory */
    void (*probe)(const struct plan_host *host, struct backend_health *ret);

    /* What this runtime cannot do of the plan, beyond plan_check(). mandatory */
    int (*check)(const struct plan *p, const struct plan_host *host, struct error *e);

    /* Descriptors and files the monitor will need (the compiled filter). mandatory; may be quick */
    int (*prepare)(const struct plan *p, int *ret_filter, struct error *e);
};

/* The registry: every backend of this build, in the order of the dial. */
extern const struct backend *const backends[];
extern const size_t backends_count;
/* By name; of several that make other boundaries the one that makes `b`, if there is one. */
const struct backend *backend_find(const char *runtime, enum plan_boundary b);
/* The runtime `auto` means for a boundary, or NULL with text naming what this version lacks. */
const struct backend *backend_for(enum plan_boundary b, struct error *e);

#endif
