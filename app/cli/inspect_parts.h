/* Parts of what `inspect` says of one workload, each in lines for people. */
#ifndef COFFERDAM_APP_CLI_INSPECT_PARTS_H
#define COFFERDAM_APP_CLI_INSPECT_PARTS_H

#include "app/plan/plan.h"
#include "backends/launch.h"
#include "console/state.h"

#include <jansson.h>

/* `list`: as its monitor tells of them; NULL: nobody does. */
void inspect_consoles(const struct state_record *s, const json_t *list);
void inspect_events(const struct state_record *s);
void inspect_mounts(const struct plan *p);
/* `sample` NULL: nothing is known of its traffic. */
void inspect_network(const struct plan *p, const struct launch_sample *sample);

/* "2026-11-22 14:21:59 +0000" */
void inspect_time(int64_t ms, char text[40]);

#endif
