/* Living workloads with their present numbers, asked of their monitors all at once. */
#ifndef COFFERDAM_APP_CLI_LIVE_H
#define COFFERDAM_APP_CLI_LIVE_H

#include "app/cli/tasks.h"
#include "backends/launch.h"

#include <jansson.h>

struct live {
    const struct state_record *record; /* borrowed from the task */
    struct launch_sample sample;
    bool sampled;
    uint64_t at_us; /* CLOCK_MONOTONIC, when it was */
};

/*
 * Asks every living one of `t`, at most a second in all. A monitor that does not answer costs its
 * numbers, not the list. `*ret` has as many as `t`; owned by the caller (free()).
 */
void live_ask(const struct dirs *d, struct tasks *t, struct live **ret);

/* Processor time in hundredths of one processor between two samples; UINT64_MAX: unknown. */
uint64_t live_cpu(const struct live *before, const struct live *now);
/* The same over the whole life. */
uint64_t live_cpu_life(const struct live *l);

/* Cells for tables: "12.3 %", "1.5 MiB", "3"; "-" for unknown. Owned by the caller. */
char *live_text_percent(uint64_t hundredths);
char *live_text_size(uint64_t bytes);
char *live_text_number(uint64_t n);
char *live_text_age(const struct state_record *r);

/* What `ps` and `inspect` say of one: no status as long as it lives. */
json_t *live_record_json(const struct state_record *r);

int64_t live_now_ms(void); /* CLOCK_REALTIME */

#endif
