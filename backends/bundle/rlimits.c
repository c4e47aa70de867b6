#include "backends/bundle/config.h"

#include <sys/resource.h>

void oci_lower_limits(struct plan *p)
{
    for (size_t i = 0; i < p->rlimits_count; i++) {
        struct plan_rlimit *l = &p->rlimits[i];
        int resource = plan_rlimit_resource(l->name);
        struct rlimit now;
        if (resource < 0 || getrlimit((__rlimit_resource_t)resource, &now) < 0)
            continue;
        l->hard = MIN(l->hard, (uint64_t)now.rlim_max);
        l->soft = MIN(l->soft, l->hard);
    }
}
