#include "backends/cgroup/scope.h"

#include "backends/cgroup/cgroup.h"
#include "backends/cgroup/systemd_module.h"
#include "base/file.h"
#include "base/module.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SCOPE_START_MS = 5000, SCOPE_PROBE_MS = 1000 };

static enum systemd_manager scope_manager(void)
{
    return geteuid() == 0 ? SYSTEMD_OF_SYSTEM : SYSTEMD_OF_USER;
}

/* The kernel has the last word on where the process is. */
static int scope_check(const char *scope, pid_t pid, struct error *e)
{
    char path[64];
    autofree char *text = NULL;
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    int r = file_read_virtual(AT_FDCWD, path, 65536, &text, NULL);
    if (r < 0)
        return error_errno(e, -r, "%s", path);
    if (!strstr(text, scope))
        return error_set(e, EPROTO, "the service manager did not move the monitor into %s", scope);
    return 0;
}

int cgroup_scope_start(const char *id, const char *name, pid_t monitor, struct error *e)
{
    const struct systemd_module *m = module_open("systemd", "systemd_module", e);
    if (!m)
        return -e->code;
    autofree char *scope = str_format(CGROUP_PREFIX "%s.scope", id);
    autofree char *description = str_format("Cofferdam workload %s", name);
    int r = m->start_scope(scope_manager(), scope, description, monitor, SCOPE_START_MS, e);
    return r < 0 ? r : scope_check(scope, monitor, e);
}

int cgroup_scope_probe(struct error *e)
{
    const struct systemd_module *m = module_open("systemd", "systemd_module", e);
    return m ? m->ping(scope_manager(), SCOPE_PROBE_MS, e) : -e->code;
}
