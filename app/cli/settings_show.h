/* Profiles and workload files shown: what `profile` and `workload` have in common. */
#ifndef COFFERDAM_APP_CLI_SETTINGS_SHOW_H
#define COFFERDAM_APP_CLI_SETTINGS_SHOW_H

#include "app/cli/verb.h"
#include "profiles/settings.h"

/* The list of a kind ("profiles", "workloads"); obeys --json and --quiet. The exit status. */
int settings_show_list(const struct cli *c, const struct profile_path *p, const char *kind);

/*
 * One file's values as INI text; with --resolved every key with the origin of each value; with
 * --json all of it. `what` is "profile" or "workload", `files` the keys to show.
 */
void settings_show(const struct cli *c, const char *what, const char *name, unsigned files,
                   const struct settings *s);

#endif
