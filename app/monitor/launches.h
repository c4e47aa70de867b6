/* The runtimes this build can start: the one place where a monitor learns their names. */
#ifndef COFFERDAM_APP_MONITOR_LAUNCHES_H
#define COFFERDAM_APP_MONITOR_LAUNCHES_H

#include "backends/launch.h"

const struct launch_ops *launch_ops_find(const char *runtime); /* NULL: unknown */

#endif
