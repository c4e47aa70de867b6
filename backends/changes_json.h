/* Changes as JSON, for reports and `diff --json`. */
#ifndef COFFERDAM_BACKENDS_CHANGES_JSON_H
#define COFFERDAM_BACKENDS_CHANGES_JSON_H

#include "backends/changes.h"

#include <jansson.h>

/*
 * {"list": [{"kind", "path", "type", "mode", "size", "notes": […]}], "cut", "bytes", "unreadable"}.
 * A path that is no UTF-8 is escaped, its backslashes as \x5c, and has "escaped": true. Owned by
 * the caller.
 */
json_t *changes_to_json(const struct changes *c);

/* Reads a scratch folder (borrowed) into that, as text; NULL if it cannot be read. For the monitor.
 */
char *changes_report(int scratch);

/*
 * And back, from a report; lenient with what is missing. An escaped path is the name's own bytes
 * again, or what stands there if nothing is escaped so. `*ret` is to be given to changes_done().
 */
int changes_from_json(const json_t *o, struct changes *ret);

const char *change_kind_name(enum change_kind k);
/* The words for the bits of `notes`: "set-id", "starts by itself", …; NULL beyond the last bit. */
const char *change_note_name(unsigned bit);

#endif
