#include "backends/changes.h"

#include "backends/changes_notes.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    DEPTH_MOST = 200,
    LAYERS_MOST = 256,
    MADE_MOST = 16 << 20,
    WALK_FACTOR = 64, /* entries looked at, for each that is kept */
    WALK_LEAST = 100000,
};

struct walk {
    struct changes *c;
    size_t most;
    size_t budget;     /* entries that may still be looked at */
    const char **made; /* owned vector, sorted; the strings are borrowed */
    size_t made_count;
    const char **trees; /* owned vector: the ones that end in a slash, which hold all below them */
    size_t trees_count;
    struct timespec made_at;
    bool overlay;    /* whiteouts and opaque folders mean something */
    int lower;       /* borrowed; the folder below, or FD_NONE */
    struct buf path; /* of the entry looked at, inside */
    size_t top;      /* bytes of `path` that name the top of this tree */
    dev_t dev;       /* its file system: mounts in it are somebody else's */
};

static int change_order(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    unsigned bx = change_badness(x->notes), by = change_badness(y->notes);
    return bx != by ? (bx < by) - (bx > by) : strcmp(x->path, y->path);
}

void changes_trim(struct changes *c, size_t most)
{
    if (c->count)
        qsort(c->list, c->count, sizeof(*c->list), change_order);
    while (c->count > most) {
        free(c->list[--c->count].path);
        c->cut = true;
    }
}

static void walk_add(struct walk *w, enum change_kind kind, const struct stat *st, unsigned notes)
{
    struct changes *c = w->c;
    if (c->count >= 2 * w->most + 64)
        changes_trim(c, w->most);
    c->list = mem_grow(c->list, c->count + 1, sizeof(*c->list));
    c->list[c->count++] = (struct change){
        .kind = kind,
        .mode = st ? st->st_mode : 0,
        .size = st && S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
        .notes = notes,
        .path = str_dup(w->path.data),
    };
    if (st && S_ISREG(st->st_mode))
        c->bytes += (uint64_t)st->st_size;
}

static int made_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool walk_is_made(const struct walk *w)
{
    const char *path = w->path.data;
    for (size_t i = 0; i < w->trees_count; i++)
        if (str_starts(path, w->trees[i]))
            return true;
    return w->made_count &&
           bsearch(&path, w->made, w->made_count, sizeof(*w->made), made_order) != NULL;
}

/* Set-up had ended when `made` was written: what changed later was changed by the workload. */
static bool walk_is_newer(const struct walk *w, const struct stat *st)
{
    const struct timespec *a = &st->st_ctim, *b = &w->made_at;
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* lgetxattr(2) of a name in a folder, never through a link. */
static ssize_t entry_xattr(int dir, const char *name, const char *xattr, char *value, size_t room)
{
    char path[64 + NAME_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
    return lgetxattr(path, xattr, value, room);
}

static bool entry_has(int dir, const char *name, const char *user, const char *trusted)
{
    char value[256];
    return entry_xattr(dir, name, user, value, sizeof(value)) >= 0 || errno == ERANGE ||
           entry_xattr(dir, name, trusted, value, sizeof(value)) >= 0 || errno == ERANGE;
}

/* Whether the layer below has this entry: by looking, or by what overlayfs noted on copying up. */
static bool walk_in_lower(const struct walk *w, int dir, const char *name, struct stat *ret)
{
    if (!w->overlay)
        return false;
    const char *below = w->path.data + w->top;
    while (*below == '/')
        below++;
    if (w->lower >= 0) {
        autoclose int fd = fd_openat2(w->lower, below, O_PATH | O_NOFOLLOW, 0,
                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        return fd >= 0 && fstat(fd, ret) == 0;
    }
    *ret = (struct stat){0};
    return entry_has(dir, name, "user.overlay.origin", "trusted.overlay.origin");
}

static void walk_dir(struct walk *w, int dir, unsigned depth);

/* A folder that hides the one below it: what that one held and this one lacks was deleted. */
static void walk_hidden(struct walk *w, int dir)
{
    const char *below = w->path.data + w->top;
    below += strspn(below, "/");
    autoclose int fd = w->lower < 0 ? FD_NONE
                                    : fd_openat2(w->lower, *below ? below : ".",
                                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                                                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return;
    (void)TAKE_FD(fd);
    size_t used = w->path.used;
    for (struct dirent *entry; w->budget && (entry = readdir(d)); w->budget--) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        buf_putc(&w->path, '/');
        buf_puts(&w->path, entry->d_name);
        walk_add(w, CHANGE_DELETED, NULL, change_notes(w->path.data, 0));
        w->path.used = used;
        w->path.data[used] = '\0';
    }
    closedir(d);
}

static void walk_folder(struct walk *w, int dir, const char *name, const struct stat *st,
                        unsigned depth)
{
    struct stat lower;
    bool there = walk_in_lower(w, dir, name, &lower);
    bool differs =
        w->lower >= 0 && there && (lower.st_mode != st->st_mode || !S_ISDIR(lower.st_mode));
    if (!there && !walk_is_made(w))
        walk_add(w, CHANGE_ADDED, st, 0);
    else if (differs && !walk_is_made(w))
        walk_add(w, CHANGE_CHANGED, st, 0);
    autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || depth == 0) {
        w->c->unreadable++;
        return;
    }
    char opaque[2];
    if (there && (entry_xattr(dir, name, "user.overlay.opaque", opaque, 1) == 1 ||
                  entry_xattr(dir, name, "trusted.overlay.opaque", opaque, 1) == 1))
        walk_hidden(w, fd);
    walk_dir(w, fd, depth - 1);
}

static void walk_entry(struct walk *w, int dir, const char *name, unsigned depth)
{
    struct stat st, lower;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        w->c->unreadable += errno != ENOENT;
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        if (st.st_dev == w->dev)
            walk_folder(w, dir, name, &st, depth);
        return;
    }
    if (w->overlay && S_ISCHR(st.st_mode) && st.st_rdev == 0) {
        if (!walk_is_made(w) || walk_is_newer(w, &st)) /* or hidden by set-up */
            walk_add(w, CHANGE_DELETED, NULL, change_notes(w->path.data, 0));
        return;
    }
    bool made = walk_is_made(w);
    if (made && !walk_is_newer(w, &st))
        return;
    unsigned notes = change_notes(w->path.data, st.st_mode);
    char value[64];
    if (S_ISREG(st.st_mode) &&
        (entry_xattr(dir, name, "security.capability", value, sizeof(value)) > 0))
        notes |= CHANGE_CAPABILITY;
    bool there = made || walk_in_lower(w, dir, name, &lower);
    walk_add(w, there ? CHANGE_CHANGED : CHANGE_ADDED, &st, notes);
}

static void walk_dir(struct walk *w, int dir, unsigned depth)
{
    autoclose int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d) {
        w->c->unreadable++;
        return;
    }
    (void)TAKE_FD(again);
    size_t used = w->path.used;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!w->budget) {
            w->c->cut = true;
            break;
        }
        w->budget--;
        buf_putc(&w->path, '/');
        buf_puts(&w->path, entry->d_name);
        walk_entry(w, dir, entry->d_name, depth);
        w->path.used = used;
        w->path.data[used] = '\0';
    }
    closedir(d);
}

static void walk_tree(struct walk *w, int dir, const char *top)
{
    struct stat st;
    size_t length = strlen(top);
    if (fstat(dir, &st) < 0)
        return;
    w->dev = st.st_dev;
    while (length && top[length - 1] == '/')
        length--;
    buf_drop(&w->path, w->path.used);
    buf_add(&w->path, top, length);
    w->top = length;
    walk_dir(w, dir, DEPTH_MOST);
}

/* The text of a link, NULL if it is none or says no absolute path. */
static char *link_text(int dir, const char *name)
{
    char text[4096];
    ssize_t n = readlinkat(dir, name, text, sizeof(text));
    return n > 0 && (size_t)n < sizeof(text) && text[0] == '/' ? str_ndup(text, (size_t)n) : NULL;
}

static int walk_layer(struct walk *w, int layers, const char *name)
{
    autoclose int layer = openat(layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (layer < 0)
        return -errno;
    autofree char *target = link_text(layer, "target");
    autofree char *below = link_text(layer, "lower");
    autoclose int upper = openat(layer, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!target || upper < 0) {
        w->c->unreadable++;
        return 0;
    }
    autoclose int lower = below ? open(below, O_PATH | O_DIRECTORY | O_CLOEXEC) : FD_NONE;
    w->overlay = true;
    w->lower = lower;
    walk_tree(w, upper, target);
    w->overlay = false;
    w->lower = FD_NONE;
    return 0;
}

/* Reads `made` into a sorted vector of strings inside `*ret_text`. */
static int walk_read_made(struct walk *w, int scratch, char **ret_text)
{
    struct stat st;
    size_t size;
    if (fstatat(scratch, "made", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = file_read(scratch, "made", MADE_MOST, ret_text, &size);
    if (r < 0)
        return r;
    w->made_at = st.st_ctim;
    const char *text = *ret_text;
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\0';
    w->made = mem_zero(count + 1, sizeof(*w->made));
    w->trees = mem_zero(count + 1, sizeof(*w->trees));
    for (const char *p = text; p < text + size; p += strlen(p) + 1) {
        if (str_ends(p, "/"))
            w->trees[w->trees_count++] = p;
        else
            w->made[w->made_count++] = p;
    }
    qsort(w->made, w->made_count, sizeof(*w->made), made_order);
    return 0;
}

int changes_read(int scratch, size_t most, struct changes *ret, struct error *e)
{
    struct changes c = {0};
    struct walk w = {
        .c = &c,
        .most = most,
        .budget = MAX(most * WALK_FACTOR, (size_t)WALK_LEAST),
        .lower = FD_NONE,
    };
    autofree char *made = NULL;
    int r = walk_read_made(&w, scratch, &made);
    if (r < 0)
        return error_errno(e, -r, "the list of what set-up made");
    buf_puts(&w.path, "");

    autoclose int layers =
        openat(scratch, "layers", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (unsigned i = 0; layers >= 0 && i < LAYERS_MOST; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%u", i);
        if (walk_layer(&w, layers, name) < 0)
            break;
    }
    autoclose int root = openat(scratch, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root >= 0)
        walk_tree(&w, root, "");
    buf_done(&w.path);
    free(w.made);
    free(w.trees);
    if (layers < 0 && root < 0)
        return error_set(e, ENODATA, "there is no layer of changes here");
    changes_trim(&c, most);
    *ret = c;
    return 0;
}

void changes_done(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->list[i].path);
    free(c->list);
    *c = (struct changes){0};
}
