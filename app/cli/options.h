/* A verb's command line taken apart by its row. */
#ifndef COFFERDAM_APP_CLI_OPTIONS_H
#define COFFERDAM_APP_CLI_OPTIONS_H

#include "app/cli/verb.h"

/* Options every verb has beside its own. */
extern const struct option_row option_help; /* --help, -h */
extern const struct option_row option_json; /* --json, for verbs with VERB_JSON */

/*
 * Takes apart what stands behind the verb: --name value, --name=value, -x value, -xvalue, -xyz for
 * switches, "--". `argv` is NULL-terminated, borrowed for the cli's life. -EINVAL with the nearest
 * option's name; a needed value that is missing; a value for a switch; an unknown subverb.
 */
int options_parse(const struct verb *verb, char **argv, struct cli *ret, struct error *e);
void options_done(struct cli *c);

/* The verb's row of that name, or NULL; --help and --json too. */
const struct option_row *options_find(const struct verb *verb, const char *name, size_t length);

#endif
