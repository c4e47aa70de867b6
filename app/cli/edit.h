/* A person's own profile or workload file in their editor; what cannot be read stays a draft. */
#ifndef COFFERDAM_APP_CLI_EDIT_H
#define COFFERDAM_APP_CLI_EDIT_H

#include "app/cli/verb.h"
#include "profiles/settings.h"

struct edit_kind {
    const char *folder;   /* in each of the places where such files lie */
    unsigned keys;        /* KEY_IN_…: what may stand in it */
    const char *template; /* of one that is nowhere yet */
};

/* The exit status. An error names file and line, and that line is shown. */
int edit_file(const struct cli *c, const struct profile_path *p, const struct edit_kind *k,
              const char *name);

#endif
