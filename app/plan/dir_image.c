/* The image `dir:PATH`: a folder of the host used in place, with a layer for the changes on top. */
#include "app/plan/build.h"

struct plan_mount *build_layered_root(struct build *b, const char *lower, unsigned flags)
{
    struct plan *p = b->p;
    uint64_t disk = p->limits.disk;
    /* Made in the layer, so that they are folders whatever the image has in their place. */
    static const char *const made[] = {"/proc", "/sys", "/dev", "/run"};
    for (size_t i = 0; i < ARRAY_SIZE(made); i++)
        build_dir(b, made[i], 0755, 0);
    build_dir(b, "/tmp", 01777, 0);
    build_identity_small(b);
    size_t root = p->mounts_count;
    build_step(b, PLAN_MOUNT_OVERLAY, lower, "/", flags | (p->read_only ? PLAN_MOUNT_RO : 0));
    if (p->read_only) {
        build_tmpfs(b, "/tmp", 01777, disk / 2, 0);
        build_tmpfs(b, "/run", 0755, disk / 4, PLAN_MOUNT_OWNED);
    }
    return &p->mounts[root];
}

void build_dir_image(struct build *b)
{
    build_layered_root(b, b->p->image + 4, PLAN_MOUNT_TAME);
}
