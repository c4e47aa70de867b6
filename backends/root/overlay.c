/* Overlays, and what is put into their upper folders before they are mounted. */
#include "backends/root/lent.h"
#include "backends/root/lowers.h"
#include "backends/root/snapshot.h"
#include "backends/root/steps.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { OVERLAY_WORTH_LISTING = 32 };

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

/* --- what the lower folder holds ------------------------------------------------------------- */

/* Its own entries are read once: most of what is to be hidden is not there. */
struct overlay_lower {
    int folder;        /* borrowed */
    const int *layers; /* borrowed; an image's, the lowest first; NULL: `folder` alone */
    size_t layers_count;
    struct tree_near near; /* of `folder` */
    struct buf names;      /* owned; each a byte d_type, the name, a NUL; sorted by `index` */
    char **index;          /* owned; into names.data, at the names */
    size_t count;
    bool listed;
};

static int overlay_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Where a folder can be entered but not read, entries are looked up one by one. */
static void overlay_list(struct overlay_lower *l)
{
    int fd = openat(l->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        fd_close(fd);
        return;
    }
    errno = 0;
    for (struct dirent *d; (d = readdir(list)); l->count++) {
        buf_add(&l->names, &d->d_type, 1);
        buf_add(&l->names, d->d_name, strlen(d->d_name) + 1);
    }
    l->listed = errno == 0;
    closedir(list);
    l->index = mem_zero(l->count + 1, sizeof(*l->index));
    char *name = l->names.data;
    for (size_t i = 0; i < l->count; i++) {
        l->index[i] = ++name;
        name += strlen(name) + 1;
    }
    qsort(l->index, l->count, sizeof(*l->index), overlay_compare_names);
}

/*
 * What is not for everybody is taken for missing: the workload of a user has the user's own id, and
 * their groups where these cannot be left, so an entry's bits would not keep it out.
 */
static int overlay_close(struct overlay_lower *l)
{
    if (!l->listed)
        return -EACCES;
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->index[i];
        struct stat st;
        if (name[-1] == DT_LNK || str_equal(name, ".") || str_equal(name, ".."))
            continue;
        bool there = fstatat(l->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        mode_t open = there && S_ISDIR(st.st_mode) ? S_IROTH | S_IXOTH : S_IROTH;
        if (!there || (!S_ISLNK(st.st_mode) && (st.st_mode & open) != open))
            l->index[i][-1] = DT_WHT;
    }
    return 0;
}

static void overlay_lower_done(struct overlay_lower *l)
{
    tree_forget(&l->near);
    buf_done(&l->names);
    free(l->index);
}

/* The type bits of an entry of the lower folder itself; 0: none; -EAGAIN: not known. */
static int overlay_listed_type(const struct overlay_lower *l, const char *name)
{
    if (!l->listed)
        return -EAGAIN;
    char **found = bsearch(&name, l->index, l->count, sizeof(*l->index), overlay_compare_names);
    if (!found || (*found)[-1] == DT_WHT)
        return 0;
    return (*found)[-1] == DT_UNKNOWN ? -EAGAIN : (int)DTTOIF((*found)[-1]);
}

static bool overlay_is_closed(const struct overlay_lower *l, const char *path)
{
    size_t size = strcspn(path, "/");
    for (size_t i = 0; i < l->count; i++)
        if (l->index[i][-1] == DT_WHT && strncmp(l->index[i], path, size) == 0 &&
            l->index[i][size] == '\0')
            return true;
    return false;
}

/*
 * What the lower folder has at `path`: its type bits, 0 for nothing. -ELOOP: a link stands on the
 * way, and links are not followed.
 */
static int overlay_lower_type(struct overlay_lower *l, const char *path)
{
    while (*path == '/')
        path++;
    struct stat st;
    if (l->layers) {
        int r = tree_find(l->layers, l->layers_count, path, &st);
        return r == 0 ? (int)(st.st_mode & S_IFMT) : r == -ENOENT || r == -ENOTDIR ? 0 : r;
    }
    const char *slash = strrchr(path, '/');
    int type = slash ? -EAGAIN : overlay_listed_type(l, path);
    if (type != -EAGAIN || overlay_is_closed(l, path))
        return type == -EAGAIN ? 0 : type;
    int folder = tree_open_near(l->folder, &l->near, path, slash ? (size_t)(slash - path) : 0);
    if (folder == -ENOENT || folder == -ENOTDIR || folder == -EACCES)
        return 0;
    if (folder < 0)
        return folder;
    int r = fstatat(folder, slash ? slash + 1 : path, &st, AT_SYMLINK_NOFOLLOW);
    return r == 0 ? (int)(st.st_mode & S_IFMT) : 0;
}

static int overlay_whiteout(const struct tree_maker *m, const char *path)
{
    const char *leaf;
    int parent = tree_make_parent(m, path, &leaf);
    if (parent < 0)
        return parent;
    if (mknodat(parent, leaf, S_IFCHR, makedev(0, 0)) < 0)
        return -errno;
    tree_note(m, path);
    return 0;
}

/*
 * A snapshot may have something at the place, or above it, that is no folder of the lower one: what
 * was hidden is out of sight then, whatever else it is.
 */
static int overlay_hide(const struct tree_maker *m, const struct plan_mount *d, const char *path)
{
    int r = overlay_whiteout(m, path);
    bool kept = d->flags & PLAN_MOUNT_KEPT;
    return kept && (r == -EEXIST || r == -ENOTDIR || r == -ELOOP) ? 0 : r;
}

/* One later step, done in the upper folder. */
static int overlay_early(const struct setup *s, const struct tree_maker *m,
                         struct overlay_lower *lower, const struct plan_mount *d, const char *path)
{
    bool optional = d->flags & PLAN_MOUNT_OPTIONAL;
    if (d->flags & PLAN_MOUNT_KEPT && d->kind != PLAN_MOUNT_MASK &&
        setup_was_made(s, m->prefix, path))
        return 0;
    int type = optional || d->kind == PLAN_MOUNT_MASK ? overlay_lower_type(lower, path) : 0;
    if (type == -ELOOP && !d->origin) /* of the usual list: what it leads to is hidden elsewhere */
        return 0;
    if (type < 0)
        return type;
    switch (d->kind) {
    case PLAN_MOUNT_MASK:
        return type ? overlay_hide(m, d, path) : 0;
    case PLAN_MOUNT_DIR:
        return optional && type != S_IFDIR ? 0 : tree_need_dir(m, path, d->mode, true);
    case PLAN_MOUNT_FILE:
        return optional && !type ? 0
                                 : step_make_file(m, path, d->content, d->mode ? d->mode : 0644);
    case PLAN_MOUNT_SYMLINK:
        return optional && !type ? 0 : step_make_symlink(m, path, d->source);
    case PLAN_MOUNT_OVERLAY:
    case PLAN_MOUNT_BIND:
    case PLAN_MOUNT_TMPFS:
    case PLAN_MOUNT_PROC:
    case PLAN_MOUNT_SYSFS:
    case PLAN_MOUNT_DEVPTS:
    case PLAN_MOUNT_MQUEUE:
    case PLAN_MOUNT_CGROUP:
    case PLAN_MOUNT_DEVICE:
    case PLAN_MOUNT_READONLY:
    case PLAN_MOUNT_COPY:
        break; /* mounts have to wait for it */
    }
    return 0;
}

/* The nearest of the overlays still to come that would hide what step `i` makes, or -1. */
static int overlay_cover(const struct plan *p, size_t i, const int *overlays, size_t count)
{
    const struct plan_mount *m = &p->mounts[i];
    if (m->kind != PLAN_MOUNT_MASK && m->kind != PLAN_MOUNT_DIR && m->kind != PLAN_MOUNT_FILE &&
        m->kind != PLAN_MOUNT_SYMLINK)
        return -1;
    int nearest = -1;
    size_t length = 0;
    for (size_t j = 0; j < count; j++) {
        const struct plan_mount *o = &p->mounts[overlays[j]];
        if (overlays[j] > (int)i && strlen(o->target) > length &&
            overlay_below(m->target, o->target)) {
            nearest = overlays[j];
            length = strlen(o->target);
        }
    }
    return nearest;
}

void step_find_covers(struct setup *s)
{
    const struct plan *p = s->plan;
    autofree int *overlays = mem_zero(p->mounts_count + 1, sizeof(*overlays));
    size_t count = 0;
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_OVERLAY)
            overlays[count++] = (int)i;
    for (size_t i = 0; i < p->mounts_count; i++)
        s->cover[i] = overlay_cover(p, i, overlays, count);
}

/* Whether this overlay is what step `i`, which comes later, will find at its target. */
static bool overlay_shows(const struct plan *p, size_t overlay, size_t i)
{
    size_t longest = 0, shown = SIZE_MAX;
    for (size_t j = 0; j < i; j++) {
        const struct plan_mount *m = &p->mounts[j];
        size_t length = strlen(m->target);
        if (plan_mount_is_one(m->kind) && length >= longest &&
            overlay_below(p->mounts[i].target, m->target)) {
            longest = length;
            shown = j;
        }
    }
    return shown == overlay;
}

/* The folder above `path` becomes writable, if it belongs to nobody the workload could be. */
static int overlay_open_parent(const struct tree_maker *m, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[4096];
    size_t size = (size_t)(slash - path);
    if (size == 0 || size >= sizeof(parent))
        return 0; /* the overlay's own root is the workload's */
    memcpy(parent, path, size);
    parent[size] = '\0';
    struct stat st;
    if (tree_find(m->models, m->models_count, parent, &st) == 0 && S_ISDIR(st.st_mode) &&
        (st.st_uid == geteuid() || m->keeps))
        return 0;
    return tree_need_dir(m, parent, 0, true);
}

/*
 * What a later step needs to be there is made in the upper folder as well: once it is mounted, a
 * single id could make nothing in the folders of others.
 */
static int overlay_make_place(const struct setup *s, const struct tree_maker *m,
                              struct overlay_lower *lower, size_t i, const char *path)
{
    const struct plan_mount *d = &s->plan->mounts[i];
    if (d->kind == PLAN_MOUNT_FILE || d->kind == PLAN_MOUNT_SYMLINK || d->kind == PLAN_MOUNT_COPY)
        return d->flags & PLAN_MOUNT_OPTIONAL ? 0 : overlay_open_parent(m, path);
    bool folder =
        d->kind == PLAN_MOUNT_DIR && !(d->flags & (PLAN_MOUNT_OPTIONAL | PLAN_MOUNT_FOLLOW));
    if (!folder && !plan_mount_is_one(d->kind))
        return 0;
    int type = overlay_lower_type(lower, path);
    if (type != 0 && type != -ELOOP) /* behind a link there is nothing, or the next step says so */
        return type < 0 ? type : 0;
    struct stat st;
    if ((d->kind == PLAN_MOUNT_BIND || d->kind == PLAN_MOUNT_DEVICE) &&
        fstat(s->sources[i], &st) == 0 && !S_ISDIR(st.st_mode))
        return step_make_file(m, path, NULL, 0644);
    return tree_need_dir(m, path, d->mode && folder ? d->mode : 0755, true);
}

/* So many that a list of the lower folder is cheaper than a look at each name. */
bool step_overlay_asks_much(const struct setup *s, int overlay)
{
    size_t count = 0;
    for (size_t i = 0; i < s->plan->mounts_count; i++)
        count += s->cover[i] == overlay;
    return count >= OVERLAY_WORTH_LISTING;
}

/*
 * A whiteout between the upper folder and the lower one: what is in the upper folder at that name
 * stands alone. Marking it opaque would need an attribute that no tmpfs keeps before Linux 6.6.
 */
static int overlay_part(int upper, const char *name, int *between)
{
    static const char folder[] = "../between"; /* beside the upper one */
    if (*between < 0 && mkdirat(upper, folder, 0755) < 0)
        return -errno;
    if (*between < 0)
        *between = openat(upper, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *between < 0 || mknodat(*between, name, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

/* What a step has made in the place of one that is closed shows nothing of it. */
static int overlay_hide_closed(const struct tree_maker *m, const struct overlay_lower *l,
                               int *between)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->index[i][-1] != DT_WHT)
            continue;
        struct stat st;
        int r = overlay_whiteout(m, l->index[i]);
        if (r == -EEXIST)
            r = fstatat(m->root, l->index[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
                : S_ISDIR(st.st_mode) ? overlay_part(m->root, l->index[i], between)
                                      : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int overlay_fill_upper(struct setup *s, const struct plan_mount *o, int upper, int lower,
                              int *between)
{
    size_t overlay = (size_t)(o - s->plan->mounts);
    bool other = s->plan->uid != geteuid() || s->plan->gid != getegid();
    struct tree_near in_upper = {0};
    struct overlay_lower in_lower = {
        .folder = lower,
        .layers = o->layers ? s->lowers : NULL,
        .layers_count = s->lowers_count,
    };
    struct tree_maker m = {
        .root = upper,
        .near = &in_upper,
        .prefix = str_equal(o->target, "/") ? "" : o->target,
        .made = &s->made,
        .models = o->layers ? s->lowers : &lower,
        .models_count = o->layers ? s->lowers_count : 1,
        .keeps = o->layers != NULL,
    };
    int r = 0;
    bool public = o->flags & PLAN_MOUNT_PUBLIC;
    if (public || step_overlay_asks_much(s, (int)overlay))
        overlay_list(&in_lower);
    if (public && (r = overlay_close(&in_lower)) < 0)
        error_errno(&s->error, -r, "%s: what is in it", o->target);
    for (size_t i = 0; r == 0 && i < s->plan->mounts_count; i++) {
        const struct plan_mount *d = &s->plan->mounts[i];
        const char *path = overlay_below(d->target, o->target);
        /* an image's own folders stay its root's, whoever the workload is */
        bool given = other && (!o->layers || d->flags & PLAN_MOUNT_OWNED);
        m.uid = given ? s->plan->uid : (uid_t)-1;
        m.gid = given ? s->plan->gid : (gid_t)-1;
        if (s->cover[i] == (int)overlay)
            r = overlay_early(s, &m, &in_lower, d, path);
        else if (i > overlay && path && s->cover[i] < 0 && !s->skip[i] &&
                 overlay_shows(s->plan, overlay, i))
            r = overlay_make_place(s, &m, &in_lower, i, path);
        if (r < 0)
            error_errno(&s->error, -r, "%s", d->target);
    }
    if (r == 0 && public && (r = overlay_hide_closed(&m, &in_lower, between)) < 0)
        error_errno(&s->error, -r, "%s: what is not for everybody", o->target);
    tree_forget(&in_upper);
    overlay_lower_done(&in_lower);
    return r;
}

/* A layer that came with a snapshot has to be of the same place; only work/ is new. */
static int overlay_reopen_layer(const struct setup *s, const struct plan_mount *o, const char *name,
                                int ret[2])
{
    const int how = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    char target[4096];
    autoclose int layer = openat(s->scratch, name, how);
    ssize_t n = layer < 0 ? -1 : readlinkat(layer, "target", target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    if (!str_equal(target, o->target))
        return -ESTALE;
    if (mkdirat(layer, "work", 0700) < 0)
        return -errno;
    autoclose int upper = openat(layer, "upper", how);
    int work = upper < 0 ? -1 : openat(layer, "work", how);
    if (work < 0)
        return -errno;
    ret[0] = TAKE_FD(upper);
    ret[1] = work;
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
        return errno == EEXIST && s->restored.of ? overlay_reopen_layer(s, o, name, ret) : -errno;
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
    bool lent = o->flags & PLAN_MOUNT_LENT; /* as the folder itself */
    return lent && fchownat(layer, "upper", s->plan->uid, s->plan->gid, AT_SYMLINK_NOFOLLOW) < 0
               ? -errno
               : 0;
}

/*
 * Several lower folders, the uppermost first, either as one text, which can be 255 bytes long and
 * so names them by number alone, or one after the other, which Linux 6.7 has brought.
 */
static int overlay_name_lowers(const struct setup *s, char ***to)
{
    autobuf text = {0};
    buf_puts(&text, "lowerdir=");
    for (size_t i = s->lowers_count; i-- > 0;)
        buf_printf(&text, "%d%s", s->lowers[i], i ? ":" : "");
    if (text.used < 250) {
        strv_take(to, buf_take(&text));
        return chdir("/proc/self/fd") < 0 ? -errno : 0; /* pivot_root(2) leads away again */
    }
    for (size_t i = s->lowers_count; i-- > 0;)
        strv_take(to, str_format("lowerdir+=/proc/self/fd/%d", s->lowers[i]));
    return 0;
}

/* The layers of an image below the folder for the changes. */
static int overlay_mount_layers(struct setup *s, const char *const *options, uint64_t attributes)
{
    autostrv char **all = NULL;
    int r = overlay_name_lowers(s, &all);
    for (; *options; options++)
        strv_add(&all, *options);
    if (r == 0)
        r = setup_hang_lowers(s);
    if (r == 0)
        r = tree_new_fs("overlay", (const char *const *)all, attributes);
    setup_drop_lowers(s);
    return r;
}

/*
 * The folders are named by descriptor, so that no path is walked a second time. `layer`: the upper
 * folder, the one for work and, if there is one, that between the upper and the lower.
 */
static int overlay_mount(struct setup *s, const struct plan_mount *m, int lower, const int layer[3],
                         uint64_t attributes)
{
    char options[3][64];
    if (layer[2] < 0)
        snprintf(options[0], sizeof(options[0]), "lowerdir=/proc/self/fd/%d", lower);
    else
        snprintf(options[0], sizeof(options[0]), "lowerdir=/proc/self/fd/%d:/proc/self/fd/%d",
                 layer[2], lower);
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
    if (m->layers) /* an image's files are for its user: nothing of them is hidden for their bits */
        return layer[2] < 0 ? overlay_mount_layers(s, all + 1, attributes) : -EINVAL;
    int r = setup_hang_lent(s, m, lower);
    if (r == 0)
        r = tree_new_fs("overlay", all, attributes);
    setup_drop_lent(s, m, lower);
    return r;
}

int step_overlay_make(struct setup *s, const struct plan_mount *m, uint64_t attributes)
{
    int lower = s->sources[m - s->plan->mounts];
    int layer[2] = {FD_NONE, FD_NONE};
    int r = overlay_make_layer(s, m, lower, layer);
    if (r < 0)
        return r;
    autoclose int upper = layer[0], work = layer[1];
    int parts = FD_NONE;
    r = overlay_fill_upper(s, m, upper, lower, &parts);
    autoclose int between = parts;
    return r < 0 ? r : overlay_mount(s, m, lower, (int[]){upper, work, between}, attributes);
}

int step_overlay_attach(struct setup *s, const struct plan_mount *m, int *mount)
{
    struct tree_maker maker = step_maker(s, NULL);
    autoclose int place = tree_make_dir(&maker, m->target, 0, false);
    if (place < 0)
        return place;
    int r = tree_attach(*mount, place);
    if (r < 0)
        return r;
    if (str_equal(m->target, "/")) { /* the root is this mount from now on */
        fd_close(s->root);
        s->root = TAKE_FD(*mount);
    }
    return 0;
}

int step_overlay(struct setup *s, const struct plan_mount *m, uint64_t attributes)
{
    autoclose int mount = step_overlay_make(s, m, attributes);
    return mount < 0 ? mount : step_overlay_attach(s, m, &mount);
}
