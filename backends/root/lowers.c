#include "backends/root/lowers.h"

#include "backends/root/idmap.h"
#include "backends/root/tree.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int umount2(const char *, int);
enum { LOWERS_DETACH = 2, LOWERS_MAX = 500 };
static const char lowers_hook[] = "lowers";

const struct plan_mount *root_lowers_mount(const struct plan *p)
{
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_OVERLAY && p->mounts[i].layers)
            return &p->mounts[i];
    return NULL;
}

/* --- the parent ----------------------------------------------------------------------------------
 */

static int lowers_map(const char *path, int namespace, struct error *e)
{
    autoclose int tree = tree_clone(AT_FDCWD, path, false);
    if (tree < 0)
        return error_errno(e, -tree, "%s", path);
    int r = root_idmap_apply(tree, namespace,
                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
    if (r < 0)
        return error_errno(e, -r, "%s: its file system cannot give files other owners (idmap)",
                           path);
    return TAKE_FD(tree);
}

int root_lowers_open(const struct plan *p, const struct root_ids *ids, struct root_lowers *ret,
                     struct error *e)
{
    const struct plan_mount *m = root_lowers_mount(p);
    if (!m || !m->layers_owner)
        return 0;
    if (p->map_by != PLAN_MAP_PARENT)
        return error_set(e, EINVAL, "the image's layers belong to ids that only root can map");
    const struct plan_id_map map = {m->layers_owner, ids->uid_map[0].outside,
                                    ids->uid_map[0].count};
    autoclose int namespace = root_idmap_namespace(&map, &map, e);
    if (namespace < 0)
        return namespace;
    struct root_lowers l = {.fds = mem_zero(strv_length(m->layers), sizeof(int))};
    for (size_t i = 0; m->layers[i]; i++) {
        int tree = lowers_map(m->layers[i], namespace, e);
        if (tree < 0) {
            root_lowers_close(&l);
            return tree;
        }
        l.fds[l.count++] = tree;
    }
    *ret = l;
    return 0;
}

void root_lowers_close(struct root_lowers *l)
{
    for (size_t i = 0; i < l->count; i++)
        fd_close(l->fds[i]);
    free(l->fds);
    *l = (struct root_lowers){0};
}

/* --- the child -----------------------------------------------------------------------------------
 */

int setup_open_lowers(struct setup *s, const struct plan_mount *m)
{
    if (s->lowers_count) /* the parent's */
        return fcntl(s->lowers[0], F_DUPFD_CLOEXEC, 0);
    size_t count = strv_length(m->layers);
    if (count == 0 || count > LOWERS_MAX)
        return error_set(&s->error, E2BIG, "an image of %zu layers", count);
    s->lowers = mem_zero(count, sizeof(int));
    for (size_t i = 0; i < count; i++) {
        s->lowers[i] =
            fd_openat2(AT_FDCWD, m->layers[i], O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
        if (s->lowers[i] < 0)
            return error_errno(&s->error, -s->lowers[i], "%s", m->layers[i]);
        s->lowers_count++;
    }
    int fd = fcntl(s->lowers[0], F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? error_errno(&s->error, errno, "%s", m->layers[0]) : fd;
}

int setup_hang_lowers(struct setup *s)
{
    if (!s->lowers_hang)
        return 0;
    if (mkdirat(s->scratch, lowers_hook, 0700) < 0)
        return -errno;
    autoclose int hook = openat(s->scratch, lowers_hook, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < s->lowers_count; i++) {
        int r = hook < 0 ? -errno : tree_attach(s->lowers[i], hook);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The overlay has copies of its own by now. */
void setup_drop_lowers(struct setup *s)
{
    for (size_t i = s->lowers_count; i-- > 0;) {
        char path[48];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", s->lowers[i]);
        if (s->lowers_hang)
            umount2(path, LOWERS_DETACH);
        fd_close(s->lowers[i]);
    }
    if (s->lowers_hang)
        unlinkat(s->scratch, lowers_hook, AT_REMOVEDIR);
    s->lowers_count = 0;
    free(s->lowers);
    s->lowers = NULL;
}
