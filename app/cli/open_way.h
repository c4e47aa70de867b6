/* How a file is opened: which stop of the dial is recommended for it, and what is run there. */
#ifndef COFFERDAM_APP_CLI_OPEN_WAY_H
#define COFFERDAM_APP_CLI_OPEN_WAY_H

#include "app/cli/look.h"

#include <stdbool.h>

enum open_trust { OPEN_FULL, OPEN_SOME, OPEN_NONE };
enum { OPEN_TRUSTS = 3 };

/* A row for each answer to "how far do you trust it?". */
struct open_stop {
    const char *word;    /* full, some, none */
    const char *profile; /* what it means */
    const char *what;    /* what it is, for the one who chooses */
    const char *cost;    /* what it costs */
};
extern const struct open_stop open_stops[OPEN_TRUSTS];

/* The row for a word, or -EINVAL. */
int open_trust_find(const char *word, enum open_trust *ret);

/* What is recommended for this file, and, in a sentence, why. */
enum open_trust open_recommend(const struct look *l, const char **ret_why);

/*
 * The command for a file that lies as ./NAME in its home: `rest` (NULL-terminated or NULL) is what
 * stood behind "--": arguments of a program or script, for anything else the command itself. A
 * shell where there is a terminal and nothing to run. Owned by the caller; -ENOEXEC with what to
 * say instead.
 */
int open_command(const struct look *l, const char *name, char *const *rest, bool terminal,
                 char ***ret_argv, struct error *e);

/* A name the copy can have inside: that of the file, without what a shell or a person stumbles
 * over. */
char *open_name_inside(const char *path);

#endif
