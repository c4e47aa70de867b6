/* Help, made from the table of verbs. */
#ifndef COFFERDAM_APP_CLI_HELP_H
#define COFFERDAM_APP_CLI_HELP_H

#include "app/cli/verb.h"

void help_print_all(void);                     /* the groups, to stdout */
void help_print_verb(const struct verb *verb); /* one verb with its options */
void help_print_json(void);                    /* the whole table, hidden verbs too */

#endif
