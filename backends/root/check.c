#include "backends/root/check.h"

static int check_maps(const struct plan *p, const struct plan_id_map *map, size_t count,
                      struct error *e)
{
    if (count == 0 || count > ARRAY_SIZE(p->uid_map))
        return error_set(e, EINVAL, "the plan has no map of ids, or too many");
    for (size_t i = 0; i < count; i++)
        if (map[i].outside == 0 && p->map_by != PLAN_MAP_PARENT)
            return error_set(e, EPERM, "id %u inside would be the host's root: refused",
                             map[i].inside);
    if (p->map_by == PLAN_MAP_SELF && (count != 1 || map[0].count != 1))
        return error_set(e, EINVAL, "a process can map one id by itself, not several");
    return 0;
}

static int check_paths(const struct plan *p, struct error *e)
{
    size_t layered = 0;
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->layers && (m->kind != PLAN_MOUNT_OVERLAY || ++layered > 1))
            return error_set(e, EINVAL, "mount %s: one overlay alone can have layers", m->target);
        for (size_t n = 0; m->layers && m->layers[n]; n++)
            if (m->layers[n][0] != '/')
                return error_set(e, EINVAL, "mount %s: its layers have to be absolute", m->target);
        if (!m->target || m->target[0] != '/')
            return error_set(e, EINVAL, "a mount's target has to be absolute");
        bool host = m->kind == PLAN_MOUNT_BIND || m->kind == PLAN_MOUNT_OVERLAY ||
                    m->kind == PLAN_MOUNT_DEVICE || m->kind == PLAN_MOUNT_COPY;
        if (host && (!m->source || m->source[0] != '/'))
            return error_set(e, EINVAL, "mount %s: its source has to be absolute", m->target);
        if (m->kind == PLAN_MOUNT_SYMLINK && !m->source)
            return error_set(e, EINVAL, "link %s leads nowhere", m->target);
    }
    return 0;
}

int root_check_cwd(const char *cwd, struct error *e)
{
    if (!cwd || cwd[0] != '/')
        return error_set(e, EINVAL, "the working directory has to be absolute");
    if (str_equal(cwd, "/proc") || str_starts(cwd, "/proc/"))
        return error_set(e, EINVAL, "%s: no working directory can be below /proc", cwd);
    return 0;
}

int root_check_plan(const struct plan *p, struct error *e)
{
    uint32_t must = PLAN_NS_USER | PLAN_NS_MOUNT | PLAN_NS_PID | PLAN_NS_IPC | PLAN_NS_UTS;
    if ((p->namespaces & must) != must)
        return error_set(e, EINVAL, "a container without all of its namespaces is none");
    if (p->network == PLAN_NETWORK_ALLOW)
        return error_set(e, ENOTSUP, "network.mode: no allow-list in this version");
    if (p->network != PLAN_NETWORK_HOST && !(p->namespaces & PLAN_NS_NET))
        return error_set(e, EINVAL, "a network of its own needs a network namespace");
    if (!p->argv || !p->argv[0])
        return error_set(e, EINVAL, "there is no command");
    int r = root_check_cwd(p->cwd, e);
    if (r == 0)
        r = check_maps(p, p->uid_map, p->uid_map_count, e);
    if (r == 0)
        r = check_maps(p, p->gid_map, p->gid_map_count, e);
    return r < 0 ? r : check_paths(p, e);
}

int root_check_host(const struct plan *p, const struct plan_host *host, struct error *e)
{
    if (p->apparmor && !host->apparmor)
        return error_set(e, ENOTSUP, "isolation.apparmor = %s: AppArmor is not active here",
                         p->apparmor);
    if (p->selinux && !host->selinux)
        return error_set(e, ENOTSUP, "isolation.selinux = %s: SELinux is not active here",
                         p->selinux);
    if (!host->userns)
        return error_set(e, EPERM, "no user namespace can be made here; see cofferdam doctor");
    return 0;
}
