/* The root is a list of steps, done in order by one loop. */
#include "backends/root/steps.h"
#include "backends/root/aside.h"
#include "backends/root/setup.h"
#include "backends/root/snapshot.h"
#include "backends/root/tree.h"
#include "base/fd.h"
#include "base/records.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { STEP_PTYS = 64, STEP_INODE_BYTES = 4096, STEP_INODES_LEAST = 4096 };

static uint64_t step_attributes(const struct plan_mount *m)
{
    uint64_t set = 0;
    if (m->flags & PLAN_MOUNT_RO)
        set |= MOUNT_ATTR_RDONLY;
    if (m->flags & PLAN_MOUNT_NOSUID)
        set |= MOUNT_ATTR_NOSUID;
    if (m->flags & PLAN_MOUNT_NODEV)
        set |= MOUNT_ATTR_NODEV;
    if (m->flags & PLAN_MOUNT_NOEXEC)
        set |= MOUNT_ATTR_NOEXEC;
    return set;
}

struct tree_maker step_maker(struct setup *s, const struct plan_mount *m)
{
    struct tree_maker maker = {
        .root = s->root,
        .near = &s->near,
        .prefix = "",
        .made = &s->made,
        .uid = -1,
        .gid = -1,
    };
    if (m && (m->flags & PLAN_MOUNT_OWNED)) {
        maker.uid = s->plan->uid;
        maker.gid = s->plan->gid;
    }
    return maker;
}

/* A place to mount on: the folder or (empty) file at the target, made if it is missing. */
static int step_place(struct setup *s, const struct plan_mount *m, bool folder)
{
    struct tree_maker maker = step_maker(s, NULL);
    if (folder)
        return tree_make_dir(&maker, m->target, 0, false);
    int fd = tree_open(s->root, m->target, O_PATH);
    if (fd != -ENOENT)
        return fd;
    const char *leaf;
    int parent = tree_make_parent(&maker, m->target, &leaf);
    if (parent < 0)
        return parent;
    autoclose int file = openat(parent, leaf, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (file < 0)
        return -errno;
    tree_note(&maker, m->target);
    return tree_open(s->root, m->target, O_PATH);
}

static int step_attach(struct setup *s, const struct plan_mount *m, int tree, bool folder)
{
    autoclose int place = step_place(s, m, folder);
    return place < 0 ? place : tree_attach(tree, place);
}

/* A new file system, mounted at the target, which must be (or become) a real folder. */
static int step_new_fs(struct setup *s, const struct plan_mount *m, const char *type,
                       const char *const *options, uint64_t attributes)
{
    autoclose int mount = tree_new_fs(type, options, attributes | step_attributes(m));
    return mount < 0 ? mount : step_attach(s, m, mount, true);
}

uint64_t step_disk(const struct plan *p)
{
    if (p->limits.disk)
        return p->limits.disk;
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit / 4 : 1u << 30;
}

/* "size=", "nr_inodes=" and "mode=" of a tmpfs that can fill neither memory nor the inode table. */
void step_tmpfs_options(struct step_tmpfs *t, uint64_t size, unsigned mode)
{
    uint64_t inodes = STEP_INODES_LEAST + size / STEP_INODE_BYTES;
    snprintf(t->size, sizeof(t->size), "size=%llu", (unsigned long long)size);
    snprintf(t->inodes, sizeof(t->inodes), "nr_inodes=%llu", (unsigned long long)inodes);
    snprintf(t->mode, sizeof(t->mode), "mode=%04o", mode & 01777);
    t->options[0] = t->size;
    t->options[1] = t->inodes;
    t->options[2] = t->mode;
    t->options[3] = t->options[4] = t->options[5] = NULL;
}

static int step_tmpfs(struct setup *s, const struct plan_mount *m)
{
    struct step_tmpfs t;
    char uid[24], gid[24];
    step_tmpfs_options(&t, m->size ? m->size : step_disk(s->plan), m->mode ? m->mode : 0755);
    if (m->flags & PLAN_MOUNT_OWNED) {
        snprintf(uid, sizeof(uid), "uid=%u", s->plan->uid);
        snprintf(gid, sizeof(gid), "gid=%u", s->plan->gid);
        t.options[3] = uid;
        t.options[4] = gid;
    }
    return step_new_fs(s, m, "tmpfs", t.options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static int step_bind(struct setup *s, const struct plan_mount *m)
{
    int tree = s->sources[m - s->plan->mounts];
    struct stat st;
    if (fstat(tree, &st) < 0)
        return -errno;
    return step_attach(s, m, tree, S_ISDIR(st.st_mode));
}

/* Opened in the mount just made, never through a path: nothing can stand in between. */
static int step_sysctl(struct setup *s, const struct plan_sysctl *c)
{
    char path[256];
    if ((size_t)snprintf(path, sizeof(path), "sys/%s", c->path) >= sizeof(path))
        return -ENAMETOOLONG;
    autoclose int fd = fd_openat2(s->proc, path, O_WRONLY | O_NOFOLLOW, 0, STEP_RESOLVE_STRICT);
    if (fd < 0)
        return fd;
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
        return -EXDEV;
    return TAKE_FD(fd);
}

/* Last, for each detached mount counts as a mount namespace, of which there may be none then. */
int setup_sysctls(struct setup *s)
{
    for (size_t i = 0; i < s->plan->sysctls_count; i++) {
        const struct plan_sysctl *c = &s->plan->sysctls[i];
        if (s->sysctls[i] < 0) /* written already */
            continue;
        int r = fd_write_full(s->sysctls[i], c->value, strlen(c->value));
        if (r < 0)
            return error_errno(&s->error, -r, "sysctl %s", c->path);
        s->sysctls[i] = fd_close(s->sysctls[i]);
    }
    return 0;
}

static int step_proc(struct setup *s, const struct plan_mount *m)
{
    uint64_t set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | step_attributes(m);
    autoclose int mount =
        tree_new_fs("proc", (const char *const[]){NULL}, set & ~(uint64_t)MOUNT_ATTR_RDONLY);
    int r = mount < 0 ? mount : step_attach(s, m, mount, true);
    if (r < 0)
        return r;
    fd_close(s->proc);
    s->proc = TAKE_FD(mount);
    for (size_t i = 0; i < s->plan->sysctls_count; i++) {
        const struct plan_sysctl *c = &s->plan->sysctls[i];
        s->sysctls[i] = step_sysctl(s, c);
        if (s->sysctls[i] < 0)
            return error_errno(&s->error, -s->sysctls[i], "sysctl %s", c->path);
    }
    if (!(set & MOUNT_ATTR_RDONLY))
        return 0;
    r = setup_sysctls(s); /* nothing may be open for writing any more */
    return r < 0 ? r : tree_attributes(s->proc, MOUNT_ATTR_RDONLY, false);
}

static int step_sysfs(struct setup *s, const struct plan_mount *m)
{
    return step_new_fs(s, m, "sysfs", (const char *const[]){NULL},
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static int step_devpts(struct setup *s, const struct plan_mount *m)
{
    char most[32];
    snprintf(most, sizeof(most), "max=%u", m->size ? (unsigned)m->size : STEP_PTYS);
    const char *const options[] = {"newinstance", "ptmxmode=0666", "mode=620", most, NULL};
    return step_new_fs(s, m, "devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static int step_mqueue(struct setup *s, const struct plan_mount *m)
{
    return step_new_fs(s, m, "mqueue", (const char *const[]){NULL},
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static int step_cgroup(struct setup *s, const struct plan_mount *m)
{
    return step_new_fs(s, m, "cgroup2", (const char *const[]){NULL},
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                           MOUNT_ATTR_NOEXEC);
}

static int step_mask(struct setup *s, const struct plan_mount *m)
{
    autoclose int place = tree_open(s->root, m->target, O_PATH);
    if (place < 0)
        return place == -ENOENT || place == -ENOTDIR ? 0 : place;
    struct stat st;
    if (fstat(place, &st) < 0)
        return -errno;
    autoclose int tree = tree_clone(s->scratch, S_ISDIR(st.st_mode) ? "void" : "empty", false);
    if (tree < 0)
        return tree;
    int r = tree_attributes(tree, STEP_CLOSED, false);
    return r < 0 ? r : tree_attach(tree, place);
}

/* A mount made before is made read-only as it is, without what is mounted in it. */
static int step_readonly(struct setup *s, const struct plan_mount *m)
{
    autoclose int place = tree_open(s->root, m->target, O_PATH);
    if (place < 0)
        return place == -ENOENT || place == -ENOTDIR ? 0 : place;
    uint64_t set = MOUNT_ATTR_RDONLY | step_attributes(m);
    struct statx st;
    if (statx(place, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
        return -errno;
    if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return tree_attributes(place, set, false);
    autoclose int tree = tree_clone(place, "", true);
    if (tree < 0)
        return tree;
    int r = tree_attributes(tree, set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, true);
    return r < 0 ? r : tree_attach(tree, place);
}

/* A folder an image counts on: over itself if it has to stay writable when the root is no more. */
static int step_image_dir(struct setup *s, const struct plan_mount *m)
{
    struct tree_maker maker = step_maker(s, m);
    autofree char *path = NULL;
    int r = tree_follow(s->root, m->target, &path);
    if (r < 0 || !path[1])
        return r;
    autoclose int place = tree_make_dir(&maker, path, m->mode, true);
    if (place == -ENOTDIR)
        return error_set(&s->error, ENOTDIR, "the image wants a folder, and has something else");
    if (place < 0 || !(m->flags & PLAN_MOUNT_WRITABLE))
        return place < 0 ? place : 0;
    autoclose int tree = tree_clone(place, "", true);
    r = tree < 0 ? tree : tree_attach(tree, place);
    tree_forget(&s->near);
    return r;
}

static int step_dir(struct setup *s, const struct plan_mount *m)
{
    if (m->flags & PLAN_MOUNT_FOLLOW)
        return step_image_dir(s, m);
    struct tree_maker maker = step_maker(s, NULL);
    if (m->flags & PLAN_MOUNT_OPTIONAL) /* as below an overlay: only where there is one already */
        return 0;
    if (m->flags & PLAN_MOUNT_OWNED) {
        maker.uid = s->plan->uid;
        maker.gid = s->plan->gid;
    }
    return tree_need_dir(&maker, m->target, m->mode ? m->mode : 0755, true);
}

/* Nothing can be made there: the folder is read-only, or of an owner nobody here is. */
static bool step_is_closed(int r)
{
    return r == -EROFS || r == -EACCES || r == -EPERM;
}

/* A file over one that is there, where the folder takes no new one. */
static int step_file_over(struct setup *s, const struct plan_mount *m)
{
    autoclose int place = tree_open(s->root, m->target, O_PATH);
    struct stat st;
    if (place < 0 || fstat(place, &st) < 0 || !S_ISREG(st.st_mode))
        return m->flags & PLAN_MOUNT_OPTIONAL ? 0 : -EROFS;
    char name[32];
    snprintf(name, sizeof(name), "file-%u", s->files++);
    struct tree_near none = {0};
    struct tree_maker maker = step_maker(s, m);
    maker.root = s->scratch;
    maker.near = &none;
    maker.made = NULL;
    int r = step_make_file(&maker, name, m->content, m->mode ? m->mode : 0644);
    if (r < 0)
        return r;
    autoclose int tree = tree_clone(s->scratch, name, false);
    if (tree < 0)
        return tree;
    r = tree_attributes(tree, STEP_CLOSED, false);
    return r < 0 ? r : tree_attach(tree, place);
}

static int step_symlink(struct setup *s, const struct plan_mount *m)
{
    struct tree_maker maker = step_maker(s, m);
    int r = step_make_symlink(&maker, m->target, m->source);
    return step_is_closed(r) && (m->flags & PLAN_MOUNT_OPTIONAL) ? 0 : r;
}

static int step_file(struct setup *s, const struct plan_mount *m)
{
    struct tree_maker maker = step_maker(s, m);
    int r = step_make_file(&maker, m->target, m->content, m->mode ? m->mode : 0644);
    return step_is_closed(r) ? step_file_over(s, m) : r;
}

static int step_copy(struct setup *s, const struct plan_mount *m)
{
    struct tree_maker maker = step_maker(s, m);
    const char *leaf;
    int parent = tree_make_parent(&maker, m->target, &leaf);
    if (parent < 0)
        return parent;
    /* the parent folder has to be readable as a folder, not only as a path */
    autoclose int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    int code, stream;
    size_t count = 1;
    if (fd_receive(s->copies, &code, sizeof(code), &stream, &count) != (ssize_t)sizeof(code))
        return -EPIPE;
    autoclose int from = count ? stream : FD_NONE;
    if (code < 0 || !count)
        return error_errno(&s->error, code < 0 ? -code : EPIPE, "%s", m->source);
    char what[512] = "";
    int r = records_receive(from, dir, leaf, step_disk(s->plan), what, sizeof(what));
    if (r < 0) {
        autofree char *shown = str_escape_z(what);
        return error_errno(&s->error, -r, "%.300s", shown);
    }
    tree_note(&maker, m->target);
    struct stat st;
    if (fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode)) {
        autofree char *whole = str_format("%s/", m->target); /* all that is in it */
        tree_note(&maker, whole);
    } else if (m->mode && S_ISREG(st.st_mode) && fchmodat(dir, leaf, m->mode & 0777, 0) < 0) {
        return -errno;
    }
    return m->flags & PLAN_MOUNT_OWNED ? step_own_tree(dir, leaf, s->plan->uid, s->plan->gid) : 0;
}

/* The root itself becomes read-only when all that belongs in it is there. */
static uint64_t step_overlay_attributes(const struct plan_mount *m)
{
    uint64_t set = step_attributes(m) | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    return str_equal(m->target, "/") ? set & ~(uint64_t)MOUNT_ATTR_RDONLY : set;
}

static int step_overlay_loudly(struct setup *s, const struct plan_mount *m)
{
    return step_overlay(s, m, step_overlay_attributes(m));
}

static const struct step {
    const char *verb;
    int (*run)(struct setup *s, const struct plan_mount *m);
} steps[] = {
    [PLAN_MOUNT_OVERLAY] = {"mount",     step_overlay_loudly},
    [PLAN_MOUNT_BIND] = {"mount",     step_bind          },
    [PLAN_MOUNT_TMPFS] = {"mount",     step_tmpfs         },
    [PLAN_MOUNT_PROC] = {"mount",     step_proc          },
    [PLAN_MOUNT_SYSFS] = {"mount",     step_sysfs         },
    [PLAN_MOUNT_DEVPTS] = {"mount",     step_devpts        },
    [PLAN_MOUNT_MQUEUE] = {"mount",     step_mqueue        },
    [PLAN_MOUNT_CGROUP] = {"mount",     step_cgroup        },
    [PLAN_MOUNT_DEVICE] = {"mount",     step_bind          },
    [PLAN_MOUNT_MASK] = {"hide",      step_mask          },
    [PLAN_MOUNT_READONLY] = {"read-only", step_readonly      },
    [PLAN_MOUNT_DIR] = {"folder",    step_dir           },
    [PLAN_MOUNT_SYMLINK] = {"link",      step_symlink       },
    [PLAN_MOUNT_FILE] = {"file",      step_file          },
    [PLAN_MOUNT_COPY] = {"copy to",   step_copy          },
};

/* Whether the step may have changed what a path leads to. */
static bool step_may_mount(enum plan_mount_kind kind)
{
    return kind != PLAN_MOUNT_DIR && kind != PLAN_MOUNT_SYMLINK && kind != PLAN_MOUNT_FILE;
}

/* In the snapshot as the workload had it, or away, if that is what it wanted. */
static bool step_came_along(const struct setup *s, const struct plan_mount *m)
{
    return m->flags & PLAN_MOUNT_KEPT && m->kind != PLAN_MOUNT_MASK &&
           setup_was_made(s, "", m->target);
}

static int step_failed(struct setup *s, const struct plan_mount *m, int r)
{
    if (s->error.code == 0)
        return error_errno(&s->error, -r, "%s %s", steps[m->kind].verb, m->target);
    return error_wrap(&s->error, "%s %s", steps[m->kind].verb, m->target);
}

/* The overlay that is being made beside the others is needed now. */
static int step_fetch(struct setup *s, struct aside *a)
{
    if (a->pid <= 0)
        return 0;
    const size_t step = a->step;
    s->error.code = 0;
    int r = aside_end(a, s);
    tree_forget(&s->near);
    s->sources[step] = fd_close(s->sources[step]);
    return r < 0 ? step_failed(s, &s->plan->mounts[step], r) : 0;
}

static int step_do(struct setup *s, struct aside *aside, size_t i)
{
    const struct plan_mount *m = &s->plan->mounts[i];
    if ((size_t)m->kind >= ARRAY_SIZE(steps))
        return error_set(&s->error, EINVAL, "mount %s: of no known kind", m->target);
    if (aside_concerns(aside, s, m) && step_fetch(s, aside) < 0)
        return -s->error.code;
    if (m->kind == PLAN_MOUNT_OVERLAY && step_overlay_asks_much(s, (int)i) &&
        aside_begin(aside, s, i, step_overlay_attributes(m)))
        return 0;
    s->error.code = 0;
    int r = steps[m->kind].run(s, m);
    if (step_may_mount(m->kind))
        tree_forget(&s->near);
    if (r < 0)
        return step_failed(s, m, r);
    s->sources[i] = fd_close(s->sources[i]);
    return 0;
}

int setup_mounts(struct setup *s)
{
    struct aside aside = {0};
    step_find_covers(s);
    for (size_t i = 0; i < s->plan->mounts_count; i++) {
        if (s->skip[i] || s->cover[i] >= 0 || step_came_along(s, &s->plan->mounts[i]))
            continue;
        int r = step_do(s, &aside, i);
        if (r < 0)
            return r; /* one that is being made ends with us */
    }
    return step_fetch(s, &aside);
}
