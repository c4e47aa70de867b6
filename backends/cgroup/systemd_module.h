/* The table that cofferdam-systemd.so exports: the only part that is linked with libsystemd. */
#ifndef COFFERDAM_BACKENDS_CGROUP_SYSTEMD_MODULE_H
#define COFFERDAM_BACKENDS_CGROUP_SYSTEMD_MODULE_H

#include "base/error.h"

#include <sys/types.h>

struct systemd_module {
    /*
     * Has the user's service manager make a transient scope with `pid` in it and the control group
     * delegated to us (org.freedesktop.systemd1(5), StartTransientUnit). Returns when the job is
     * done, or -ETIMEDOUT after `timeout_ms`.
     */
    int (*start_scope)(const char *name, const char *description, pid_t pid, unsigned timeout_ms,
                       struct error *e);
    /* Whether a service manager of the user's own answers. */
    int (*ping)(unsigned timeout_ms, struct error *e);
};

#endif
