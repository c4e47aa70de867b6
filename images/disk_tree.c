#include "images/disk_tree.h"

#include "base/fd.h"
#include "images/disk_tree_parts.h"
#include "images/layer_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* One name in one layer. */
struct tree_name {
    char *name;   /* owned */
    size_t layer; /* index in the folder's list of layers: 0 is the uppermost */
    bool dir, hides;
};

struct tree_names {
    struct tree_name *list; /* owned */
    size_t count, room;
};

static void tree_names_done(struct tree_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i].name);
    free(n->list);
}

static int tree_names_compare(const void *a, const void *b)
{
    const struct tree_name *x = a, *y = b;
    int r = strcmp(x->name, y->name);
    return r ? r : (x->layer > y->layer) - (x->layer < y->layer);
}

/* --- folders of one layer ------------------------------------------------------------------------
 */

int tree_open(const struct tree *t, size_t layer, const char *path)
{
    return fd_openat2(t->job->layers[layer], *path ? path : ".",
                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, LAYER_RESOLVE);
}

/* The one that is kept open: most names of a folder come from one layer. */
static int tree_parent(struct tree *t, size_t layer, const char *path)
{
    if (t->parent >= 0 && t->parent_layer == layer && str_equal(t->parent_path.data, path))
        return t->parent;
    t->parent = fd_close(t->parent);
    t->parent_path.used = 0;
    buf_puts(&t->parent_path, path);
    t->parent_layer = layer;
    t->parent = tree_open(t, layer, path);
    return t->parent;
}

static int tree_read_names(struct tree *t, int dir, size_t layer, struct tree_names *to)
{
    int copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int r = -errno;
        fd_close(copy);
        return r;
    }
    int r = 0;
    for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(d));) {
        struct stat st = {0};
        if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
            continue;
        bool looked = entry->d_type == DT_UNKNOWN || entry->d_type == DT_CHR;
        if (looked && fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            r = -errno;
            break;
        }
        if (++t->names > t->job->limits.entries) {
            r = -EFBIG;
            break;
        }
        if (to->count == to->room) {
            to->room = to->room ? 2 * to->room : 32;
            to->list = mem_grow(to->list, to->room, sizeof(*to->list));
        }
        to->list[to->count++] = (struct tree_name){
            .name = str_dup(entry->d_name),
            .layer = layer,
            .dir = looked ? S_ISDIR(st.st_mode) : entry->d_type == DT_DIR,
            .hides = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0),
        };
    }
    if (r == 0 && errno)
        r = -errno;
    closedir(d);
    return r;
}

/* --- all of them ---------------------------------------------------------------------------------
 */

static int tree_folder(struct tree *t, const size_t *layers, size_t count, unsigned depth,
                       struct error *e);

int tree_fail(const struct tree *t, int r, struct error *e)
{
    autofree char *shown =
        str_escape(t->path.used ? t->path.data : "/", MIN(MAX(t->path.used, 1), 150));
    return error_errno(e, -r, "%s", shown);
}

/* What is left of one name: a folder made of several, or the uppermost thing. */
static int tree_group(struct tree *t, const size_t *layers, const struct tree_name *names,
                      size_t count, unsigned depth, struct error *e)
{
    if (names->hides)
        return 0;
    size_t length = t->path.used;
    autofree char *folder = str_dup(t->path.used ? t->path.data : "");
    int r;
    if (names->dir) {
        autofree size_t *inner = mem_alloc(count * sizeof(*inner));
        size_t n = 0;
        while (n < count && names[n].dir) {
            inner[n] = layers[names[n].layer];
            n++;
        }
        if (length)
            buf_putc(&t->path, '/');
        buf_puts(&t->path, names->name);
        r = tree_folder(t, inner, n, depth + 1, e);
    } else {
        size_t layer = layers[names->layer];
        int parent = tree_parent(t, layer, folder);
        if (length)
            buf_putc(&t->path, '/');
        buf_puts(&t->path, names->name);
        r = parent < 0 ? tree_fail(t, parent, e) : tree_thing(t, layer, parent, names->name, e);
    }
    t->path.used = length;
    t->path.data[length] = '\0';
    return r;
}

/* The names of a folder in all its layers, down to one that hides what is below it. */
static int tree_gather(struct tree *t, const size_t *layers, size_t count, struct tree_names *to)
{
    int r = 0;
    bool opaque = false;
    for (size_t i = 0; r == 0 && i < count && !opaque; i++) {
        autoclose int dir = tree_open(t, layers[i], t->path.used ? t->path.data : "");
        r = dir < 0 ? dir : tree_read_names(t, dir, i, to);
        opaque = dir >= 0 && tree_is_opaque(dir);
    }
    if (r == 0 && to->count)
        qsort(to->list, to->count, sizeof(*to->list), tree_names_compare);
    return r;
}

/* The newest time directly below the root. */
static int tree_root_time(struct tree *t, const size_t *layers, const struct tree_names *names,
                          int64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < names->count; i++) {
        const struct tree_name *n = &names->list[i];
        struct stat st;
        if (n->hides || (i && str_equal(n->name, n[-1].name)))
            continue;
        int parent = tree_parent(t, layers[n->layer], "");
        if (parent < 0)
            return parent;
        if (fstatat(parent, n->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        *ret = MAX(*ret, (int64_t)st.st_mtim.tv_sec);
    }
    return 0;
}

static int tree_names_write(struct tree *t, const size_t *layers, const struct tree_names *names,
                            unsigned depth, struct error *e)
{
    for (size_t i = 0, n; i < names->count; i += n) {
        for (n = 1; i + n < names->count; n++)
            if (!str_equal(names->list[i].name, names->list[i + n].name))
                break;
        int r = tree_group(t, layers, &names->list[i], n, depth, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int tree_folder(struct tree *t, const size_t *layers, size_t count, unsigned depth,
                       struct error *e)
{
    struct tree_names names = {0};
    int64_t time = -1;
    int r = depth > t->job->limits.depth ? -ENAMETOOLONG : tree_gather(t, layers, count, &names);
    if (r == 0 && !t->path.used)
        r = tree_root_time(t, layers, &names, &time);
    if (r < 0)
        tree_fail(t, r, e);
    else
        r = tree_dir(t, layers[0], time, e);
    if (r == 0)
        r = tree_names_write(t, layers, &names, depth, e);
    tree_names_done(&names);
    return r;
}

int disk_tree_write(const struct disk_tree_job *job, struct disk_tar *to, struct layer_counts *ret,
                    struct error *e)
{
    if (!job->count)
        return error_set(e, EINVAL, "an image without layers");
    struct tree t = {.job = job, .to = to, .parent = FD_NONE};
    autofree size_t *layers = mem_alloc(job->count * sizeof(*layers));
    for (size_t i = 0; i < job->count; i++)
        layers[i] = job->count - 1 - i;
    buf_puts(&t.path, "");
    int r = tree_folder(&t, layers, job->count, 0, e);
    if (r == 0 && !t.names)
        r = error_set(e, ENOENT, "the image is empty");
    if (r == 0) {
        r = disk_tar_end(to);
        if (r < 0)
            error_errno(e, -r, "writing");
    }
    fd_close(t.parent);
    buf_done(&t.path);
    buf_done(&t.parent_path);
    disk_map_done(&t.links);
    free(t.chunk);
    if (r == 0)
        *ret = t.counts;
    return r;
}
