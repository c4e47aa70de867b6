/* A small INI file that is no profile: sections, names and values, as they stand. */
#ifndef COFFERDAM_PROFILES_PAIRS_H
#define COFFERDAM_PROFILES_PAIRS_H

#include "base/error.h"

/*
 * Reads `path` with inih and calls back for each value, in order, until `each` fails. Errors say
 * "PATH:LINE: …". -ENOENT: there is no such file.
 */
int pairs_read(const char *path,
               int (*each)(void *data, const char *section, const char *name, const char *value,
                           struct error *e),
               void *data, struct error *e);

#endif
