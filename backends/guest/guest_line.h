/* What the kernel of a guest of ours is told: the same for every machine that boots one. */
#ifndef COFFERDAM_BACKENDS_GUEST_GUEST_LINE_H
#define COFFERDAM_BACKENDS_GUEST_GUEST_LINE_H

#include "app/plan/plan.h"

/* Pure; owned by the caller. */
char *guest_kernel_line(const struct plan *p);

#endif
