/* One overlay that is made by a process of its own, beside the steps that do not concern it. */
#ifndef COFFERDAM_BACKENDS_ROOT_ASIDE_H
#define COFFERDAM_BACKENDS_ROOT_ASIDE_H

#include "backends/root/setup.h"

struct aside {
    pid_t pid;                   /* 0: none is being made */
    size_t step;                 /* of the plan's mounts */
    struct aside_result *result; /* shared with it */
};

/* Whether it is being made. False: it has to be made where it stands. */
bool aside_begin(struct aside *a, struct setup *s, size_t step, uint64_t attributes);

/* Whether the step has to do with the place of the one being made. */
bool aside_concerns(const struct aside *a, const struct setup *s, const struct plan_mount *m);

/* Waits for it and attaches it. 0, also if there is none; or -errno, with s->error or without. */
int aside_end(struct aside *a, struct setup *s);

#endif
