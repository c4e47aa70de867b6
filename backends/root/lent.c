#include "backends/root/lent.h"

#include "backends/root/idmap.h"
#include "backends/root/tree.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int umount2(const char *, int);
enum { LENT_DETACH = 2, LENT_OPEN = 0006 };
static const char lent_hook[] = "lent", lent_node[] = "device";

static bool lent_is(const struct plan_mount *m)
{
    return (m->flags & PLAN_MOUNT_LENT) &&
           (m->kind == PLAN_MOUNT_BIND || m->kind == PLAN_MOUNT_DEVICE ||
            (m->kind == PLAN_MOUNT_OVERLAY && !m->layers));
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

/*
 * The file system devices are in maps no ids: a node of the same device, the workload's user's, on
 * a file system of its own that nothing else is in. Of a file system that hangs nowhere older
 * kernels clone nothing: then it is handed on whole, and the child takes the node out of it.
 */
static int lent_device(const struct plan *p, const struct root_ids *ids, const struct plan_mount *m,
                       int *ret, struct error *e)
{
    uint32_t uid, gid;
    struct stat st;
    if (!root_ids_outside(ids->uid_map, ids->uid_map_count, p->uid, &uid) ||
        !root_ids_outside(ids->gid_map, ids->gid_map_count, p->gid, &gid))
        return error_set(e, EINVAL, "the workload's user has no id outside");
    if (stat(m->source, &st) < 0)
        return errno == ENOENT && (m->flags & PLAN_MOUNT_OPTIONAL)
                   ? 0
                   : error_errno(e, errno, "mount %s: %s", m->target, m->source);
    if (!S_ISCHR(st.st_mode))
        return error_set(e, ENODEV, "mount %s: %s is no character device", m->target, m->source);
    static const char *const options[] = {"size=4k", "nr_inodes=2", "mode=700", NULL};
    autoclose int fs = tree_new_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (fs < 0)
        return error_errno(e, -fs, "mount %s: a file system for it", m->target);
    int r = mknodat(fs, lent_node, S_IFCHR | 0600, st.st_rdev) < 0 ? -errno : 0;
    if (r == -EPERM && (st.st_mode & LENT_OPEN) != LENT_OPEN)
        return error_set(e, EPERM,
                         "mount %s: root may make no device nodes here (CAP_MKNOD), and the host's "
                         "is not open to the id the workload gets; mend: chmod o+rw %s, or start "
                         "it as an ordinary user who may use it",
                         m->target, m->source);
    if (r == -EPERM)
        return 0; /* the host's own is shown */
    if (r < 0 || fchownat(fs, lent_node, uid, gid, 0) < 0)
        return error_errno(e, errno, "mount %s: a device node", m->target);
    int node = tree_clone(fs, lent_node, false);
    *ret = node < 0 ? TAKE_FD(fs) : node;
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
            r = p->mounts[i].kind == PLAN_MOUNT_DEVICE
                    ? lent_device(p, ids, &p->mounts[i], &l.fds[i], e)
                    : lent_tree(&p->mounts[i], namespace, &l.fds[i], e);
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

/* Takes `fs`, which hangs over the folder of devices while its node is cloned. */
static int lent_take_node(int fs)
{
    autoclose int mine = fs, over = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = over < 0 ? -errno : tree_attach(mine, over);
    if (r < 0)
        return r;
    int node = tree_clone(mine, lent_node, false);
    return umount2("/dev", LENT_DETACH) < 0 ? -errno : node;
}

int setup_take_lent(struct setup *s, const struct plan_mount *m)
{
    size_t i = (size_t)(m - s->plan->mounts);
    if (!s->lent || s->lent[i] < 0)
        return FD_NONE;
    struct stat st;
    int fd = TAKE_FD(s->lent[i]);
    bool whole = m->kind == PLAN_MOUNT_DEVICE && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return whole ? lent_take_node(fd) : fd;
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
