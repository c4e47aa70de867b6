/* What this build has, as its meson options said. */
#ifndef COFFERDAM_APP_CLI_RELEASE_H
#define COFFERDAM_APP_CLI_RELEASE_H

#include <stdbool.h>
#include <stddef.h>

struct release_feature {
    const char *name; /* the meson option's */
    bool built;
};
extern const struct release_feature release_features[];
extern const size_t release_features_count;

/* "cofferdam 0.1.0 +seccomp …", one line to stdout. Quick: nothing else is touched. */
void release_print(void);

#endif
