/* What `open` says of a file before anything is run. */
#ifndef COFFERDAM_APP_CLI_OPEN_SHOW_H
#define COFFERDAM_APP_CLI_OPEN_SHOW_H

#include "app/cli/archive.h"
#include "app/cli/look.h"

#include <jansson.h>
#include <stdio.h>

/* `archive` and `unlisted` (why there is none) may be NULL. Everything is escaped. */
void open_show(FILE *to, const char *path, const struct look *l, const struct archive_list *archive,
               const char *unlisted, bool colour);

/* The same for `--json`, without "version". */
json_t *open_show_json(const char *path, const struct look *l, const struct archive_list *archive);

#endif
