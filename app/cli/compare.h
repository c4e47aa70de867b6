/* One command behind one runtime, started and measured. */
#ifndef COFFERDAM_APP_CLI_COMPARE_H
#define COFFERDAM_APP_CLI_COMPARE_H

#include "app/cli/verb.h"
#include "backends/backend.h"

/* What came of it; times in microseconds from the order on. */
struct trial {
    uint64_t start_us, total_us; /* until the command ran; until it had ended */
    uint64_t cpu_us, memory;     /* of it, and the most it had, bytes; UINT64_MAX: not known */
    int status;                  /* as a shell has it */
    bool emulated;               /* the machine: no security boundary, and no measure of one */
};

/*
 * A disposable with the options of `c` (those of a launch), its boundary and runtime set. What it
 * writes is thrown away. `signals` is a signalfd(2): what arrives there ends it, and -EINTR is
 * returned once it is gone. -errno with text: it cannot be had, or its command could not be
 * started.
 */
int compare_trial(const struct cli *c, const struct backend *b, int signals, struct trial *ret,
                  struct error *e);

/* Whether the options themselves are right. 0 or -errno with text. */
int compare_options(const struct cli *c, struct error *e);

/* Whether a launch can ask for it by its name: one of the registry's rows stands for others alone.
 */
bool compare_has_name(const struct backend *b);

#endif
