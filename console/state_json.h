/* A state record as JSON and back: the files, the monitor's answers and `ps --json` are one schema.
 */
#ifndef COFFERDAM_CONSOLE_STATE_JSON_H
#define COFFERDAM_CONSOLE_STATE_JSON_H

#include "backends/launch.h"
#include "console/state.h"

#include <jansson.h>

json_t *state_record_to_json(const struct state_record *r); /* a new reference */

/* Fills `ret` (owned by the caller) from an object; -EINVAL: no state record. */
int state_record_from_json(const json_t *j, struct state_record *ret);
int state_record_parse(const char *text, size_t size, struct state_record *ret);

/* {"cpu_us": …, …}; unknown numbers are left out. */
json_t *state_sample_to_json(const struct launch_sample *s);
void state_sample_from_json(const json_t *j, struct launch_sample *ret);

/* What launch_ops.snapshots says: {"files": bytes, "memory": bytes}; null: unknown; absent: not. */
json_t *state_snapshots_to_json(unsigned kinds, const uint64_t cost[2]);
unsigned state_snapshots_from_json(const json_t *j, uint64_t ret_cost[2]); /* NULL is fine */

#endif
