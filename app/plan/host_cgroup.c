/* Which control groups this person may make: found by looking, nothing is made. */
#include "app/plan/host_parts.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

static bool cgroup_is_v2(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The controllers of a v2 folder; empty where it cannot be read. */
static char **cgroup_controllers(const char *folder)
{
    autofree char *path = str_format("%s/cgroup.controllers", folder);
    autofree char *text = host_read(path, 4096);
    return strv_split(text ? text : "", " \n");
}

/* Our own place in the v2 hierarchy, from the line "0::/path"; NULL if it is not there. */
static char *cgroup_own_path(const char *self)
{
    const char *line = strncmp(self, "0::/", 4) == 0 ? self : strstr(self, "\n0::/");
    if (!line)
        return NULL;
    line = strchr(line, '/');
    size_t length = strcspn(line, "\n");
    if (length > 3 && strncmp(line, "/../", 4) == 0)
        return NULL;
    return str_ndup(line, length);
}

static bool cgroup_writable(const char *folder)
{
    autofree char *procs = str_format("%s/cgroup.procs", folder);
    autofree char *subtree = str_format("%s/cgroup.subtree_control", folder);
    return access(folder, W_OK) == 0 && access(procs, W_OK) == 0 && access(subtree, W_OK) == 0;
}

bool plan_host_has_manager(uint32_t uid)
{
    char bus[64] = "/run/systemd/private";
    if (uid)
        snprintf(bus, sizeof(bus), "/run/user/%u/systemd/private", uid);
    return access(bus, W_OK) == 0;
}

static bool cgroup_take_systemd(struct plan_host *h)
{
    if (!plan_host_has_manager(h->uid))
        return false;
    autofree char *folder =
        h->uid ? str_format(CGROUP_ROOT "/user.slice/user-%u.slice/user@%u.service", h->uid, h->uid)
               : str_dup(CGROUP_ROOT);
    char **controllers = cgroup_controllers(folder);
    if (!controllers[0]) {
        strv_free(controllers);
        return false;
    }
    h->cgroup = PLAN_CGROUP_SYSTEMD;
    h->cgroup_controllers = controllers;
    return true;
}

/* A control group of systemd's own in which nobody else may make children. */
static bool cgroup_is_managed(const char *folder)
{
    char value[8];
    const char *name = strrchr(folder, '/') + 1;
    if (str_ends(name, ".slice") || (str_starts(name, "user@") && str_ends(name, ".service")))
        return true;
    if (!str_ends(name, ".scope") && !str_ends(name, ".service"))
        return false;
    return getxattr(folder, "user.delegate", value, sizeof(value)) != 1 || value[0] != '1';
}

/* Children with controllers: where some have them already, or where no process is in the way. */
static bool cgroup_can_hold_ours(const char *folder)
{
    if (cgroup_is_managed(folder) || !cgroup_writable(folder))
        return false;
    autofree char *subtree = str_format("%s/cgroup.subtree_control", folder);
    autofree char *on = host_read(subtree, 4096);
    autofree char *members = str_format("%s/cgroup.procs", folder);
    autofree char *procs = host_read(members, 1 << 20);
    return (on && *str_trim(on)) || (procs && !*procs);
}

/* The same search as at the start of a workload: our own control group, then those above it. */
static char *cgroup_find_delegated(const char *self)
{
    autofree char *own = cgroup_own_path(self);
    while (own && own[0] == '/' && own[1]) {
        autofree char *folder = str_join_path(CGROUP_ROOT, own);
        if (cgroup_can_hold_ours(folder))
            return TAKE(folder);
        *strrchr(own, '/') = '\0';
    }
    return NULL;
}

static void cgroup_take_v2(struct plan_host *h, const char *self)
{
    autofree char *folder = h->uid == 0 ? str_dup(CGROUP_ROOT) : cgroup_find_delegated(self);
    if (!folder || !cgroup_writable(folder))
        return;
    h->cgroup_controllers = cgroup_controllers(folder);
    h->cgroup = h->cgroup_controllers[0] ? PLAN_CGROUP_V2 : PLAN_CGROUP_NONE;
}

/* Lines "4:memory:/path"; the usual places of the hierarchies are CGROUP_ROOT/NAME. */
static void cgroup_take_v1(struct plan_host *h, char *self)
{
    for (char *rest = self, *line; (line = strsep(&rest, "\n"));) {
        strsep(&line, ":");
        char *names = strsep(&line, ":");
        if (!line || !names || !*names || strchr(names, '='))
            continue;
        for (char *name; (name = strsep(&names, ","));) {
            autofree char *folder = str_format(CGROUP_ROOT "/%s", name);
            if (access(folder, W_OK) == 0)
                strv_add(&h->cgroup_controllers, name);
        }
    }
    h->cgroup = strv_length(h->cgroup_controllers) ? PLAN_CGROUP_V1 : PLAN_CGROUP_NONE;
}

void host_read_cgroup(struct plan_host *h)
{
    h->cgroup = PLAN_CGROUP_NONE;
    autofree char *self = host_read("/proc/self/cgroup", 65536);
    if (!self)
        return;
    if (cgroup_is_v2(CGROUP_ROOT)) {
        if (!cgroup_take_systemd(h))
            cgroup_take_v2(h, self);
    } else if (h->uid == 0) {
        cgroup_take_v1(h, self);
    }
}
