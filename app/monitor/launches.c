#include "app/monitor/launches.h"

#include "backends/native/native.h"

#include <string.h>

static const struct launch_ops *const launches[] = {
    &native_launch_ops,
};

const struct launch_ops *launch_ops_find(const char *runtime)
{
    for (size_t i = 0; i < ARRAY_SIZE(launches); i++)
        if (strcmp(launches[i]->name, runtime) == 0)
            return launches[i];
    return NULL;
}
