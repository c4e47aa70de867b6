#include "backends/root/lent.h"

#include "backends/root/idmap.h"
#include "backends/root/tree.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int umount2(const char *, int);
enum { LENT_DETACH = 2 };
static const char lent_hook[] = "lent";

static bool lent_is(const struct plan_mount *m)
{
    return (m->flags & PLAN_MOUNT_LENT) &&
           (m->kind == PLAN_MOUNT_BIND || (m->kind == PLAN_MOUNT_OVERLAY && !m->layers));
}

/* --- the parent ----------------------------------------------------------------------------------
 */

static int lent_namespace(const struct plan *p, const struct root_ids *ids, struct error *e)
{
    struct plan_id_map uid = {(uint32_t)geteuid(), 0, 1}, gid = {(uint32_t)getegid(), 0, 1};
    if (!root_ids_outside(ids->uid_map, ids->uid_map_count, p->uid, &uid.outside) ||
        !root_ids_outside(ids->gid_map, ids->gid_map_count, p->gid, &gid.outside))
        return error_set(e, EINVAL, "the workload's user has no id outside");
    return root_idmap_namespace(&uid, &gid, e);
}

/*
 * With all that is mounted below it, else the top alone: what cannot be mapped further down stays
 * nobody's. Of what is only read nothing is lost where it cannot be mapped at all; who was promised
 * to write has to know.
 */
static int lent_tree(const struct plan_mount *m, int namespace, int *ret, struct error *e)
{
    bool bind = m->kind == PLAN_MOUNT_BIND;
    autoclose int tree = tree_clone(AT_FDCWD, m->source, bind);
    if (tree == -ENOENT && (m->flags & PLAN_MOUNT_OPTIONAL))
        return 0;
    if (tree < 0)
        return error_errno(e, -tree, "mount %s: %s", m->target, m->source);
    int r = root_idmap_apply(tree, namespace, 0, bind);
    if (r < 0 && bind)
        r = root_idmap_apply(tree, namespace, 0, false);
    if (r == 0)
        *ret = TAKE_FD(tree);
    else if (!bind || !(m->flags & PLAN_MOUNT_RO))
        return error_errno(e, -r,
                           "mount %s: the file system of %s cannot lend root's files to the "
                           "workload (read-only it could be seen; an ordinary user's it could use)",
                           m->target, m->source);
    return 0;
}

static size_t lent_count(const struct plan *p)
{
    size_t count = 0;
    for (size_t i = 0; p->map_by == PLAN_MAP_PARENT && i < p->mounts_count; i++)
        count += lent_is(&p->mounts[i]);
    return count;
}

int root_lent_open(const struct plan *p, const struct root_ids *ids, struct root_lent *ret,
                   struct error *e)
{
    if (lent_count(p) == 0)
        return 0;
    autoclose int namespace = lent_namespace(p, ids, e);
    if (namespace < 0)
        return namespace;
    struct root_lent l = {.fds = mem_zero(p->mounts_count, sizeof(int)), .count = p->mounts_count};
    for (size_t i = 0; i < l.count; i++)
        l.fds[i] = FD_NONE;
    int r = 0;
    for (size_t i = 0; r == 0 && i < l.count; i++)
        if (lent_is(&p->mounts[i]))
            r = lent_tree(&p->mounts[i], namespace, &l.fds[i], e);
    if (r < 0)
        root_lent_close(&l);
    else
        *ret = l;
    return r;
}

void root_lent_close(struct root_lent *l)
{
    for (size_t i = 0; i < l->count; i++)
        fd_close(l->fds[i]);
    free(l->fds);
    *l = (struct root_lent){0};
}

/* --- the child -----------------------------------------------------------------------------------
 */

int setup_take_lent(struct setup *s, const struct plan_mount *m)
{
    size_t i = (size_t)(m - s->plan->mounts);
    if (!s->lent || s->lent[i] < 0)
        return FD_NONE;
    return TAKE_FD(s->lent[i]);
}

int setup_hang_lent(struct setup *s, const struct plan_mount *m, int tree)
{
    if (!lent_is(m))
        return 0;
    if (mkdirat(s->scratch, lent_hook, 0700) < 0)
        return -errno;
    autoclose int hook = openat(s->scratch, lent_hook, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return hook < 0 ? -errno : tree_attach(tree, hook);
}

void setup_drop_lent(struct setup *s, const struct plan_mount *m, int tree)
{
    if (!lent_is(m))
        return;
    char path[48];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", tree);
    umount2(path, LENT_DETACH);
    unlinkat(s->scratch, lent_hook, AT_REMOVEDIR);
}
