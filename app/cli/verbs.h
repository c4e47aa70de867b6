/* Every verb's row, and how a row is found. */
#ifndef COFFERDAM_APP_CLI_VERBS_H
#define COFFERDAM_APP_CLI_VERBS_H

#include "app/cli/verb.h"

#define VERB(name) extern const struct verb verb_##name;
#include "app/cli/verbs_rows.h"
#undef VERB

const struct verb *verb_find(const char *name); /* NULL: none */
const char *verb_nearest(const char *name);     /* a name, static, or NULL */
/* With what stands behind it, NULL-terminated; the exit status. */
int verb_call(const struct verb *verb, char **argv);

#endif
