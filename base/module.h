/* Parts loaded when they are needed, and programs of ours: always from one fixed place. */
#ifndef COFFERDAM_BASE_MODULE_H
#define COFFERDAM_BASE_MODULE_H

#include "base/error.h"

/*
 * The place: the build tree's root if this very program stands in a build tree; the program's own
 * folder if cofferdam-monitor stands beside it (a copy of a build tree); else the folder the
 * program was configured with. Neither PATH nor LD_LIBRARY_PATH nor the working directory count.
 */

/*
 * Loads `cofferdam-NAME.so` and returns its exported table, which lives as long as the process.
 * NULL with text: not installed (-ENOENT), or not to be trusted: folder and file must belong to
 * root, to us or to the owner of this program, be writable by nobody else, and be no link (-EPERM).
 */
const void *module_open(const char *name, const char *table, struct error *e);

/* The path of `cofferdam-monitor` or `cofferdam-init`, by full name; owned by the caller. */
char *module_program(const char *name);

/*
 * The folder of shipped data, owned by the caller: the source tree's root when run from the build
 * tree (profiles are in its profiles/shipped), `share` beside a copied program, else what was
 * configured (profiles are in its profiles).
 */
char *module_data_dir(void);

#endif
