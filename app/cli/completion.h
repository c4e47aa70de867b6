/* Completion scripts, one for each shell, and the words they ask for while a line is typed. */
#ifndef COFFERDAM_APP_CLI_COMPLETION_H
#define COFFERDAM_APP_CLI_COMPLETION_H

#include "profiles/settings.h"

/* To stdout. */
void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

/* Names of a kind ("profile", "workload", "workload-file"), sorted; none for other kinds. */
void completion_names(const struct profile_path *p, const char *kind, char ***names);

#endif
