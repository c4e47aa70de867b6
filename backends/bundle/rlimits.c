#include "backends/bundle/config.h"
#include "base/str.h"

#include <sys/resource.h>

static const struct {
    const char *name;
    int resource;
} rlimits[] = {
    {"as",         RLIMIT_AS        },
    {"core",       RLIMIT_CORE      },
    {"cpu",        RLIMIT_CPU       },
    {"data",       RLIMIT_DATA      },
    {"fsize",      RLIMIT_FSIZE     },
    {"locks",      RLIMIT_LOCKS     },
    {"memlock",    RLIMIT_MEMLOCK   },
    {"msgqueue",   RLIMIT_MSGQUEUE  },
    {"nice",       RLIMIT_NICE      },
    {"nofile",     RLIMIT_NOFILE    },
    {"nproc",      RLIMIT_NPROC     },
    {"rss",        RLIMIT_RSS       },
    {"rtprio",     RLIMIT_RTPRIO    },
    {"rttime",     RLIMIT_RTTIME    },
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack",      RLIMIT_STACK     },
};

void oci_lower_limits(struct plan *p)
{
    for (size_t i = 0; i < p->rlimits_count; i++) {
        struct plan_rlimit *l = &p->rlimits[i];
        for (size_t k = 0; k < ARRAY_SIZE(rlimits); k++) {
            struct rlimit now;
            if (!str_equal(rlimits[k].name, l->name) ||
                getrlimit((__rlimit_resource_t)rlimits[k].resource, &now) < 0)
                continue;
            l->hard = MIN(l->hard, (uint64_t)now.rlim_max);
            l->soft = MIN(l->soft, l->hard);
        }
    }
}
