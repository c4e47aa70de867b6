/* The plan of a snapshot becomes that of a new workload which starts from it. */
#include "app/plan/build.h"

#include <stdio.h>
#include <string.h>

static void renew_text(char **text, const char *value)
{
    free(*text);
    *text = str_dup_or_null(value);
}

/* A host name that was the workload's name is the new one's; another gets a tail of its own. */
static void renew_hostname(struct plan *p, const struct plan_renewal *r)
{
    autofree char *old = str_dup(p->name), *new = str_dup(r->name);
    for (char *c = old; *c; c++)
        *c = *c == '_' ? '-' : *c;
    for (char *c = new; *c; c++)
        *c = *c == '_' ? '-' : *c;
    if (!str_equal(p->hostname, old)) {
        free(TAKE(new));
        new = str_format("%.56s-%.6s", p->hostname, r->id);
    }
    free(p->hostname);
    p->hostname = TAKE(new);
}

static bool renew_is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    while (n && folder[n - 1] == '/')
        n--;
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* Whether what step `i` makes lies in the scratch layer, and so came with the snapshot. */
static bool renew_came_along(const struct plan *p, size_t i)
{
    const struct plan_mount *m = &p->mounts[i];
    if (m->kind != PLAN_MOUNT_MASK && m->kind != PLAN_MOUNT_DIR && m->kind != PLAN_MOUNT_SYMLINK &&
        m->kind != PLAN_MOUNT_FILE)
        return false;
    for (size_t j = 0; j < i; j++)
        if (plan_mount_is_one(p->mounts[j].kind) && p->mounts[j].kind != PLAN_MOUNT_OVERLAY &&
            renew_is_below(m->target, p->mounts[j].target))
            return false;
    return true;
}

static void renew_drop(struct plan *p, size_t i)
{
    struct plan_mount *m = &p->mounts[i];
    free(m->source);
    free(m->target);
    free(m->content);
    free(m->origin);
    strv_free(m->layers);
    memmove(m, m + 1, (--p->mounts_count - i) * sizeof(*m));
}

/* The neighbour of a path of the old one's. */
static void renew_place(char **path, const char *id)
{
    const char *slash = *path ? strrchr(*path, '/') : NULL;
    if (!slash)
        return;
    char *new = str_format("%.*s/%s", (int)(slash - *path), *path, id);
    free(*path);
    *path = new;
}

static void renew_machine(struct plan *p, const struct plan_renewal *r, bool in_scratch)
{
    renew_place(&p->machine.sockets, r->id);
    if (!p->machine.folder)
        return;
    if (in_scratch)
        renew_text(&p->machine.folder, r->scratch);
    else
        renew_place(&p->machine.folder, r->id);
}

void plan_renew(struct plan *p, const struct plan_renewal *r)
{
    bool kept = p->keep != PLAN_KEEP_NEVER || p->snapshot_on_exit;
    bool in_scratch = kept && str_equal(p->machine.folder, p->scratch);
    if (r->fresh)
        renew_hostname(p, r);
    renew_text(&p->id, r->id);
    renew_text(&p->name, r->name);
    renew_text(&p->scratch, kept ? r->scratch : NULL);
    renew_text(&p->snapshot, r->snapshot);
    renew_text(&p->snapshot_path, r->snapshot_path);
    p->snapshot_kind = r->kind;
    p->snapshot_disks = r->disks;
    renew_machine(p, r, in_scratch);
    for (size_t i = 0; i < p->mounts_count;) {
        struct plan_mount *m = &p->mounts[i];
        if (m->kind == PLAN_MOUNT_COPY) {
            renew_drop(p, i);
            continue;
        }
        bool along = renew_came_along(p, i++);
        autofree char *text = m->kind == PLAN_MOUNT_FILE ? identity_text(p, m->target) : NULL;
        /* what memory knows of its files must hold; who it is then is said when it runs again */
        bool said = r->kind == PLAN_SNAPSHOT_MEMORY && along;
        bool new = text && (r->fresh || !along) && !said;
        if (new || (text && r->fresh))
            renew_text(&m->content, text);
        m->flags &= ~(unsigned)PLAN_MOUNT_KEPT;
        if (along && !new)
            m->flags |= PLAN_MOUNT_KEPT;
    }
}

const char *plan_stands_on(const struct plan *p)
{
    bool alone = p->snapshot_disks == PLAN_DISKS_FULL && p->restart == PLAN_RESTART_NO;
    return alone ? NULL : p->snapshot;
}
