/* The table that cofferdam-systemd.so exports: the only part that is linked with libsystemd. */
#ifndef COFFERDAM_BACKENDS_CGROUP_SYSTEMD_MODULE_H
#define COFFERDAM_BACKENDS_CGROUP_SYSTEMD_MODULE_H

#include "base/error.h"

#include <sys/types.h>

/* Root's workloads belong to the system's manager, everybody else's to one of their own. */
enum systemd_manager { SYSTEMD_OF_USER, SYSTEMD_OF_SYSTEM };

struct systemd_module {
    /*
     * Has the service manager make a transient scope with `pid` in it and the control group
     * delegated to us (org.freedesktop.systemd1(5), StartTransientUnit). Returns when the job is
     * done, or -ETIMEDOUT after `timeout_ms`.
     */
    int (*start_scope)(enum systemd_manager manager, const char *name, const char *description,
                       pid_t pid, unsigned timeout_ms, struct error *e);
    /* Whether the service manager answers. */
    int (*ping)(enum systemd_manager manager, unsigned timeout_ms, struct error *e);
};

#endif
