/* A plan's mounts, limits and capabilities as steps of a guest's set-up. */
#include "backends/agent/agent_guest.h"

#include "base/fd.h"
#include "base/str.h"

static unsigned guest_flags(const struct plan_mount *m)
{
    static const unsigned table[][2] = {
        {PLAN_MOUNT_RO,       AGENT_STEP_RO      },
        {PLAN_MOUNT_NOSUID,   AGENT_STEP_NOSUID  },
        {PLAN_MOUNT_NODEV,    AGENT_STEP_NODEV   },
        {PLAN_MOUNT_NOEXEC,   AGENT_STEP_NOEXEC  },
        {PLAN_MOUNT_OPTIONAL, AGENT_STEP_OPTIONAL},
        {PLAN_MOUNT_KEPT,     AGENT_STEP_KEPT    },
    };
    unsigned flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        flags |= m->flags & table[i][0] ? table[i][1] : 0;
    return flags;
}

/* What a container's set-up adds to each kind (backends/native/steps.c); mode and size if not said.
 */
static const struct guest_kind {
    enum agent_step_kind step; /* 0: not a plain step */
    unsigned flags, mode;
    uint64_t number;
} guest_kinds[] = {
  // clang-format off
    [PLAN_MOUNT_TMPFS]    = {AGENT_STEP_TMPFS, AGENT_STEP_NOSUID | AGENT_STEP_NODEV, 0755, 0},
    [PLAN_MOUNT_PROC]     = {AGENT_STEP_PROC,
                             AGENT_STEP_NOSUID | AGENT_STEP_NODEV | AGENT_STEP_NOEXEC, 0, 0},
    [PLAN_MOUNT_SYSFS]    = {AGENT_STEP_SYSFS,
                             AGENT_STEP_NOSUID | AGENT_STEP_NODEV | AGENT_STEP_NOEXEC, 0, 0},
    [PLAN_MOUNT_DEVPTS]   = {AGENT_STEP_DEVPTS, AGENT_STEP_NOSUID | AGENT_STEP_NOEXEC, 0, 64},
    [PLAN_MOUNT_MQUEUE]   = {AGENT_STEP_MQUEUE,
                             AGENT_STEP_NOSUID | AGENT_STEP_NODEV | AGENT_STEP_NOEXEC, 0, 0},
    [PLAN_MOUNT_CGROUP]   = {AGENT_STEP_CGROUP, AGENT_STEP_RO | AGENT_STEP_NOSUID |
                             AGENT_STEP_NODEV | AGENT_STEP_NOEXEC, 0, 0},
    [PLAN_MOUNT_DEVICE]   = {AGENT_STEP_DEVICE, 0, 0, 0},
    [PLAN_MOUNT_MASK]     = {AGENT_STEP_MASK, 0, 0, 0},
    [PLAN_MOUNT_READONLY] = {AGENT_STEP_READONLY, 0, 0, 0},
    [PLAN_MOUNT_DIR]      = {AGENT_STEP_DIR, 0, 0755, 0},
    [PLAN_MOUNT_SYMLINK]  = {AGENT_STEP_SYMLINK, 0, 0, 0},
    [PLAN_MOUNT_FILE]     = {AGENT_STEP_FILE, 0, 0644, 0},
  // clang-format on
};

/* The name of a device as a step says it; owned. */
static char *guest_device(const char *source, const char *more)
{
    size_t last = more ? strlen(more) - 1 : 0;
    if (!more || !str_starts(source, PLAN_DISK_SOURCE))
        return str_dup(str_starts(source, "/dev/") ? source + strlen("/dev/") : source);
    /* from 1 to PLAN_DISKS_MAX */
    return str_format("block:%.*s%c", (int)last, more,
                      more[last] + source[strlen(PLAN_DISK_SOURCE)] - '1');
}

static int guest_plain(struct agent_host *h, const struct plan *p, const struct plan_mount *m,
                       const char *more, struct error *e)
{
    const struct guest_kind *k = &guest_kinds[m->kind];
    bool owned = m->flags & PLAN_MOUNT_OWNED;
    struct agent_guest_step s = {
        .kind = k->step,
        .flags = guest_flags(m) | k->flags,
        .number = m->size ? m->size : k->number,
        .mode = m->mode ? m->mode : k->mode,
        .uid = owned ? p->uid : 0,
        .gid = owned ? p->gid : 0,
        .source = m->source,
        .target = m->target,
    };
    if (m->kind == PLAN_MOUNT_DIR && (m->flags & PLAN_MOUNT_OPTIONAL))
        return 0; /* only where there is one already */
    if (m->kind == PLAN_MOUNT_TMPFS && !s.number)
        s.number = p->limits.disk;
    autofree char *device = m->kind == PLAN_MOUNT_DEVICE ? guest_device(m->source, more) : NULL;
    if (device)
        s.source = device;
    if (m->kind == PLAN_MOUNT_FILE && m->content) {
        s.data = m->content;
        s.data_size = strlen(m->content);
    }
    return agent_guest_step(h, &s, e);
}

static int guest_copy_step(struct agent_host *h, const struct plan *p, const struct plan_mount *m,
                           const struct agent_guest_sources *sources, struct error *e)
{
    const char *slash = strrchr(m->target, '/');
    autofree char *parent = str_ndup(m->target, (size_t)(slash - m->target));
    int fd = sources && sources->copy ? sources->copy(sources->data, m, e)
                                      : error_set(e, ENOTSUP, "no copies here");
    if (fd < 0)
        return fd;
    struct agent_guest_step above = {.kind = AGENT_STEP_DIR, .mode = 0755, .target = parent};
    int r = *parent ? agent_guest_step(h, &above, e) : 0;
    if (r < 0) {
        fd_close(fd);
        return r;
    }
    r = agent_guest_copy(h, m->target, fd, e);
    bool owned = m->flags & PLAN_MOUNT_OWNED;
    struct agent_guest_step own = {.kind = AGENT_STEP_OWN,
                                   .mode = m->mode,
                                   .uid = owned ? p->uid : 0,
                                   .gid = owned ? p->gid : 0,
                                   .target = m->target};
    return r < 0 ? r : agent_guest_step(h, &own, e);
}

static int guest_mount(struct agent_host *h, const struct plan *p, const struct plan_mount *m,
                       const struct agent_guest_sources *sources, struct error *e)
{
    switch (m->kind) {
    case PLAN_MOUNT_OVERLAY:
        if (str_equal(m->target, "/"))
            return 0;
        return error_set(e, ENOTSUP, "a guest has one overlay, its root");
    case PLAN_MOUNT_BIND:
        if (sources && sources->bind)
            return sources->bind(sources->data, h, m, e);
        return error_set(e, ENOTSUP, "folders of the host cannot be mounted in this guest");
    case PLAN_MOUNT_COPY:
        return guest_copy_step(h, p, m, sources, e);
    case PLAN_MOUNT_TMPFS:
    case PLAN_MOUNT_PROC:
    case PLAN_MOUNT_SYSFS:
    case PLAN_MOUNT_DEVPTS:
    case PLAN_MOUNT_MQUEUE:
    case PLAN_MOUNT_CGROUP:
    case PLAN_MOUNT_DEVICE:
    case PLAN_MOUNT_MASK:
    case PLAN_MOUNT_READONLY:
    case PLAN_MOUNT_DIR:
    case PLAN_MOUNT_SYMLINK:
    case PLAN_MOUNT_FILE:
        break;
    }
    return guest_plain(h, p, m, sources ? sources->more : NULL, e);
}

/* Memory and processors are the machine's own; what is left of the limits holds inside. */
static int guest_limits(struct agent_host *h, const struct plan *p, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < p->sysctls_count; i++) {
        const struct plan_sysctl *c = &p->sysctls[i];
        r = agent_guest_step(h,
                             &(struct agent_guest_step){.kind = AGENT_STEP_SYSCTL,
                                                        .flags = AGENT_STEP_OPTIONAL,
                                                        .source = c->path,
                                                        .content = c->value},
                             e);
    }
    for (size_t i = 0; r == 0 && i < p->rlimits_count; i++) {
        const struct plan_rlimit *l = &p->rlimits[i];
        r = agent_guest_step(
            h,
            &(struct agent_guest_step){
                .kind = AGENT_STEP_RLIMIT, .source = l->name, .number = l->soft, .more = l->hard},
            e);
    }
    if (r == 0 && p->limits.pids) {
        autofree char *most = str_format("%llu", (unsigned long long)p->limits.pids);
        r = agent_guest_step(h,
                             &(struct agent_guest_step){
                                 .kind = AGENT_STEP_LIMIT, .source = "pids.max", .content = most},
                             e);
    }
    return r;
}

int agent_guest_plan(struct agent_host *h, const struct plan *p,
                     const struct agent_guest_sources *sources, struct error *e)
{
    for (size_t i = 0; i < p->mounts_count; i++) {
        int r = guest_mount(h, p, &p->mounts[i], sources, e);
        if (r < 0)
            return error_wrap(e, "%s", p->mounts[i].target);
    }
    int r = guest_limits(h, p, e);
    if (r < 0)
        return r;
    return agent_guest_step(h,
                            &(struct agent_guest_step){.kind = AGENT_STEP_CAPABILITIES,
                                                       .number = p->capabilities,
                                                       .more = p->no_new_privileges},
                            e);
}
