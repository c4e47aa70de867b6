/* The way in: a new scratch folder is filled from a snapshot. */
#include "backends/root/snapshot.h"

#include "backends/root/idmap.h"
#include "backends/root/snapshot_made.h"
#include "backends/root/steps.h"
#include "backends/root/tree.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Root's: the range it was taken with becomes the one of now. */
static int restore_map(const struct plan *p, const struct root_ids *ids, int folder,
                       struct error *e)
{
    struct stat st;
    if (fstatat(folder, "root", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, errno, "%s", p->snapshot_path);
    if (st.st_uid < ROOT_IDS_FIRST || st.st_uid != st.st_gid)
        return error_set(e, EPERM, "%s: its files are not of a range of ids of ours",
                         p->snapshot_path);
    const struct plan_id_map map = {st.st_uid, ids->uid_map[0].outside, ids->uid_map[0].count};
    autoclose int namespace = root_idmap_namespace(&map, &map, e);
    if (namespace < 0)
        return namespace;
    autoclose int tree = tree_clone(folder, "", false);
    int r = tree < 0 ? tree
                     : root_idmap_apply(tree, namespace,
                                        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                            MOUNT_ATTR_NOEXEC,
                                        false);
    if (r < 0)
        return error_errno(e, -r, "%s: its file system cannot give files other owners (idmap)",
                           p->snapshot_path);
    int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(e, errno, "%s", p->snapshot_path) : fd;
}

int root_snapshot_open(const struct plan *p, const struct root_ids *ids, bool memory,
                       struct error *e)
{
    if (p->snapshot_kind == PLAN_SNAPSHOT_NONE)
        return FD_NONE;
    if (p->snapshot_kind != PLAN_SNAPSHOT_FILES && !memory)
        return error_set(e, ENOTSUP, "%s keeps no memory in snapshots", p->runtime);
    const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    autoclose int fd = p->snapshot_path ? open(p->snapshot_path, how) : FD_NONE;
    if (fd < 0)
        return error_errno(e, p->snapshot_path ? errno : EINVAL, "the snapshot %s", p->snapshot);
    return p->map_by == PLAN_MAP_PARENT ? restore_map(p, ids, fd, e) : TAKE_FD(fd);
}

struct restoring {
    struct setup *s;
    struct made made;
    struct buf inside; /* owned */
};

static bool restore_wants(void *data, const char *path, const struct stat *st)
{
    struct restoring *r = data;
    switch (made_judge(&r->made, path, st, &r->inside)) {
    case MADE_LEAVE:
        return false;
    case MADE_OURS:
        buf_add(&r->s->made, r->inside.data, r->inside.used + 1);
        break;
    case MADE_TAKE:
    case MADE_CHANGED:
        break;
    }
    return true;
}

int setup_restore(struct setup *s)
{
    struct error mine;
    struct copy_counts counts;
    struct restoring r = {.s = s};
    if (s->plan->snapshot_kind == PLAN_SNAPSHOT_NONE)
        return 0;
    if (s->snapshot <= 0)
        return error_set(&s->error, ENOTSUP, "%s starts from no snapshot", s->plan->runtime);
    /* read anew by the workload's ids, whose files they are */
    autoclose int from = openat(s->snapshot, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0)
        return error_errno(&s->error, errno, "the snapshot");
    struct copy_wish w = {
        .from = from,
        .to = s->scratch,
        .bytes_most = s->plan->limits.disk || !s->plan->scratch ? step_disk(s->plan) : UINT64_MAX,
        .wants = restore_wants,
        .data = &r,
    };
    int code = made_read(from, &r.made, &mine);
    if (code == 0)
        code = copy_tree(&w, &counts, &mine);
    if (code == 0) {
        s->restored = r.made.made;
        r.made.made = (struct made_list){0};
    } else if (code == -ENOSPC) {
        error_set(&s->error, ENOSPC, "the snapshot is larger than what resources.disk allows");
    } else {
        s->error = mine;
        error_wrap(&s->error, "the snapshot");
    }
    made_done(&r.made);
    buf_done(&r.inside);
    return code;
}

bool setup_was_made(const struct setup *s, const char *prefix, const char *path)
{
    autofree char *whole = str_format("%s/%s", prefix, path + strspn(path, "/"));
    return made_list_has(&s->restored, whole);
}
