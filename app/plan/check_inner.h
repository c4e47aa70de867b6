/* What the parts of plan_check() share. */
#ifndef COFFERDAM_APP_PLAN_CHECK_INNER_H
#define COFFERDAM_APP_PLAN_CHECK_INNER_H

#include "app/plan/plan.h"

struct check {
    const struct plan *p;
    const struct plan_host *h;
    struct plan_finding *list;
    size_t count;
};

/* `weight` and `mend` as in a finding; copies. */
__attribute__((format(printf, 4, 5))) void check_add(struct check *c, int weight, const char *mend,
                                                     const char *fmt, ...);
#define check_refuse(c, mend, ...) check_add((c), PLAN_REFUSES, (mend), __VA_ARGS__)
#define check_warn(c, mend, ...) check_add((c), PLAN_WARNS, (mend), __VA_ARGS__)

/* check.c: of all machines that a program in a jail of ours runs, and its parts. */
void check_machine(struct check *c);
void check_machine_accel(struct check *c);
void check_machine_files(struct check *c);
void check_machine_kernel(struct check *c);

/* check_whole.c */
void check_whole(struct check *c);

#endif
