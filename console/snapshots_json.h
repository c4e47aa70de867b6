/* A snapshot's record as JSON: the file and `snapshot list --json` are one schema. */
#ifndef COFFERDAM_CONSOLE_SNAPSHOTS_JSON_H
#define COFFERDAM_CONSOLE_SNAPSHOTS_JSON_H

#include "console/snapshots.h"

#include <jansson.h>

json_t *snapshot_record_to_json(const struct snapshot_record *r); /* a new reference */

#endif
