/* The words of a plan: what JSON, errors and tables call its enumerations and bits. */
#ifndef COFFERDAM_APP_PLAN_NAMES_H
#define COFFERDAM_APP_PLAN_NAMES_H

#include "app/plan/plan.h"

/* The version of landlock(7) that a machine's program with rules of its own wants. */
enum { PLAN_LANDLOCK_OF_MACHINES = 3 };

/* Each ends with NULL; the index is the value, or the number of the bit. */
extern const char *const plan_boundary_names[], *const plan_network_names[];
extern const char *const plan_keep_names[], *const plan_restart_names[];
extern const char *const plan_namespace_names[], *const plan_open_names[];
extern const char *const plan_map_names[], *const plan_mount_names[], *const plan_flag_names[];
extern const char *const plan_landlock_names[];
extern const char *const plan_snapshot_names[], *const plan_disks_names[];
extern const char *const plan_rlimit_names[], *const plan_accel_names[], *const plan_nested_names[];

/* The index of `name` in such a table, or -1. */
int plan_name_find(const char *const *names, const char *name);

#endif
