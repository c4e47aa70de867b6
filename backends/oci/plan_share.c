#include "backends/oci/internal.h"

#include "base/str.h"

#include <string.h>

static void share_drop(struct plan_mount *m)
{
    free(m->source);
    free(m->target);
    free(m->content);
    strv_free(m->layers);
    free(m->origin);
}

static void share_become_folder(struct plan_mount *m, unsigned mode)
{
    free(m->source);
    m->source = NULL;
    m->kind = PLAN_MOUNT_DIR;
    m->flags = 0;
    m->mode = mode;
    m->size = 0;
}

static bool share_has(const struct plan *p, const char *target)
{
    for (size_t i = 0; i < p->mounts_count; i++)
        if (str_equal(p->mounts[i].target, target))
            return true;
    return false;
}

/* In front of all: below an overlay it is made in its upper folder, and it may be read-only. */
static void share_need(struct plan *p, const char *target, enum plan_mount_kind kind, unsigned mode)
{
    if (share_has(p, target))
        return;
    p->mounts = mem_grow(p->mounts, p->mounts_count + 1, sizeof(p->mounts[0]));
    memmove(p->mounts + 1, p->mounts, p->mounts_count * sizeof(p->mounts[0]));
    p->mounts_count++;
    p->mounts[0] = (struct plan_mount){.kind = kind, .target = str_dup(target), .mode = mode};
}

void oci_share_plan(struct plan *p, enum oci_kind kind)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->mounts_count; i++) {
        struct plan_mount *m = &p->mounts[i];
        bool proc = str_equal(m->target, "/proc") && m->kind == PLAN_MOUNT_PROC;
        bool dev = str_equal(m->target, "/dev") && m->kind == PLAN_MOUNT_TMPFS;
        if (oci_is_runtimes(m, kind) && !proc && !dev) {
            share_drop(m);
            continue;
        }
        if (proc || dev)
            share_become_folder(m, 0755);
        p->mounts[kept++] = *m;
    }
    p->mounts_count = kept;
    if (kind == OCI_RUNSC) /* made by its gofer, else, and seen as a change */
        share_need(p, OCI_INIT_INSIDE, PLAN_MOUNT_FILE, 0755);
    if (kind == OCI_RUNSC && p->seccomp)
        share_need(p, OCI_LIST_INSIDE, PLAN_MOUNT_FILE, 0444);
    share_need(p, "/proc", PLAN_MOUNT_DIR, 0755);
    share_need(p, "/dev", PLAN_MOUNT_DIR, 0755);
    share_need(p, "/sys", PLAN_MOUNT_DIR, 0755);
    share_need(p, "/tmp", PLAN_MOUNT_DIR, 01777);
    if (oci_nests(p, kind)) { /* the one id is ours, and root's, in the namespace above */
        p->uid_map[0].inside = p->gid_map[0].inside = 0;
        p->uid = p->gid = 0;
    }
}
