/* Overlays, and what is put into their upper folders before they are mounted. */
#include "backends/native/steps.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What is left of `path` behind the folder `under`, or NULL if it is not below it. */
static const char *overlay_below(const char *path, const char *under)
{
    size_t n = strlen(under);
    while (n && under[n - 1] == '/')
        n--;
    if (strncmp(path, under, n) != 0 || path[n] != '/')
        return NULL;
    return path[n + 1] ? path + n : NULL;
}

/* Whether the lower folder has something at `path`: its type bits, 0 for nothing, or -errno. */
static int overlay_lower_type(int lower, const char *path)
{
    while (*path == '/')
        path++;
    struct stat st;
    if (!strchr(path, '/')) /* nothing on the way that could be a link */
        return fstatat(lower, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int)(st.st_mode & S_IFMT) : 0;
    autoclose int fd = tree_open(lower, path, O_PATH);
    if (fd == -ELOOP) { /* a link, there or on the way */
        return fstatat(lower, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int)(st.st_mode & S_IFMT) : 0;
    }
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES)
        return 0;
    if (fd < 0)
        return fd;
    return fstat(fd, &st) < 0 ? -errno : (int)(st.st_mode & S_IFMT);
}

static int overlay_whiteout(const struct tree_maker *m, const char *path)
{
    const char *leaf;
    autoclose int parent = tree_make_parent(m, path, &leaf);
    if (parent < 0)
        return parent;
    if (mknodat(parent, leaf, S_IFCHR, makedev(0, 0)) < 0)
        return -errno;
    tree_note(m, path);
    return 0;
}

static int overlay_early_dir(const struct tree_maker *m, const struct plan_mount *d,
                             const char *path)
{
    autoclose int fd = tree_make_dir(m, path, d->mode, true);
    return fd < 0 ? fd : 0;
}

/* One later step, done in the upper folder. */
static int overlay_early(const struct tree_maker *m, const struct plan_mount *d, const char *path)
{
    bool optional = d->flags & PLAN_MOUNT_OPTIONAL;
    int type = optional || d->kind == PLAN_MOUNT_MASK ? overlay_lower_type(m->model, path) : 0;
    if (type < 0)
        return type;
    switch (d->kind) {
    case PLAN_MOUNT_MASK:
        return type ? overlay_whiteout(m, path) : 0;
    case PLAN_MOUNT_DIR:
        return optional && type != S_IFDIR ? 0 : overlay_early_dir(m, d, path);
    case PLAN_MOUNT_FILE:
        return optional && !type ? 0
                                 : step_make_file(m, path, d->content, d->mode ? d->mode : 0644);
    case PLAN_MOUNT_SYMLINK:
        return optional && !type ? 0 : step_make_symlink(m, path, d->source);
    default:
        return 0;
    }
}

/* The nearest overlay still to come that would hide what step `i` makes, or -1. */
static int overlay_cover(const struct plan *p, size_t i)
{
    const struct plan_mount *m = &p->mounts[i];
    if (m->kind != PLAN_MOUNT_MASK && m->kind != PLAN_MOUNT_DIR && m->kind != PLAN_MOUNT_FILE &&
        m->kind != PLAN_MOUNT_SYMLINK)
        return -1;
    int nearest = -1;
    size_t length = 0;
    for (size_t j = i + 1; j < p->mounts_count; j++) {
        const struct plan_mount *o = &p->mounts[j];
        if (o->kind == PLAN_MOUNT_OVERLAY && strlen(o->target) > length &&
            overlay_below(m->target, o->target)) {
            nearest = (int)j;
            length = strlen(o->target);
        }
    }
    return nearest;
}

void step_find_covers(struct setup *s)
{
    for (size_t i = 0; i < s->plan->mounts_count; i++)
        s->cover[i] = overlay_cover(s->plan, i);
}

static int overlay_fill_upper(struct setup *s, const struct plan_mount *o, int upper, int lower)
{
    int overlay = (int)(o - s->plan->mounts);
    bool other = s->plan->uid != geteuid() || s->plan->gid != getegid();
    struct tree_maker m = {
        .root = upper,
        .prefix = str_equal(o->target, "/") ? "" : o->target,
        .made = &s->made,
        .model = lower,
        .uid = other ? s->plan->uid : (uid_t)-1,
        .gid = other ? s->plan->gid : (gid_t)-1,
    };
    for (int i = 0; i < overlay; i++) {
        const struct plan_mount *d = &s->plan->mounts[i];
        if (s->cover[i] != overlay)
            continue;
        int r = overlay_early(&m, d, overlay_below(d->target, o->target));
        if (r < 0)
            return error_errno(&s->error, -r, "%s", d->target);
    }
    return 0;
}

/* layers/N with upper, work and target; descriptors of the first two in `ret`. */
static int overlay_make_layer(struct setup *s, const struct plan_mount *o, int lower, int ret[2])
{
    struct stat st;
    if (fstat(lower, &st) < 0)
        return -errno;
    char name[32];
    snprintf(name, sizeof(name), "layers/%u", s->layers++);
    if (mkdirat(s->scratch, name, 0755) < 0)
        return -errno;
    autoclose int layer = openat(s->scratch, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (layer < 0)
        return -errno;
    if (mkdirat(layer, "upper", st.st_mode & 01777) < 0 || mkdirat(layer, "work", 0700) < 0 ||
        symlinkat(o->target, layer, "target") < 0)
        return -errno;
    autoclose int upper = openat(layer, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int work =
        upper < 0 ? -1 : openat(layer, "work", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (work < 0)
        return -errno;
    ret[0] = TAKE_FD(upper);
    ret[1] = work;
    return 0;
}

/* The three folders are named by descriptor, so that no path is walked a second time. */
static int overlay_mount(int lower, const int layer[2], uint64_t attributes)
{
    char options[3][48];
    snprintf(options[0], sizeof(options[0]), "lowerdir=/proc/self/fd/%d", lower);
    snprintf(options[1], sizeof(options[1]), "upperdir=/proc/self/fd/%d", layer[0]);
    snprintf(options[2], sizeof(options[2]), "workdir=/proc/self/fd/%d", layer[1]);
    /* self-contained upper folders: nothing in them points elsewhere, nothing is half copied */
    const char *const all[] = {options[0],
                               options[1],
                               options[2],
                               "userxattr",
                               "index=off",
                               "metacopy=off",
                               "redirect_dir=nofollow",
                               NULL};
    return tree_new_fs("overlay", all, attributes);
}

int step_overlay(struct setup *s, const struct plan_mount *m, uint64_t attributes)
{
    int lower = s->sources[m - s->plan->mounts];
    int layer[2] = {FD_NONE, FD_NONE};
    int r = overlay_make_layer(s, m, lower, layer);
    if (r < 0)
        return r;
    autoclose int upper = layer[0], work = layer[1];
    r = overlay_fill_upper(s, m, upper, lower);
    if (r < 0)
        return r;
    autoclose int mount = overlay_mount(lower, (int[]){upper, work}, attributes);
    if (mount < 0)
        return mount;
    struct tree_maker maker = step_maker(s, NULL);
    autoclose int place = tree_make_dir(&maker, m->target, 0, false);
    if (place < 0)
        return place;
    r = tree_attach(mount, place);
    if (r < 0)
        return r;
    if (str_equal(m->target, "/")) { /* the root is this mount from now on */
        fd_close(s->root);
        s->root = TAKE_FD(mount);
    }
    return 0;
}
