#include "images/cache_prune.h"

#include "base/fd.h"
#include "base/file.h"
#include "images/blank.h"
#include "images/disk.h"
#include "images/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CACHE_JUST_USED = 3600 };

const char *const cache_names[] = {"disks",   "vmlinux",   "initramfs",
                                   "filters", "templates", "blanks"};
static const char *const cache_folders[] = {
    "disks", "vmlinux", "initramfs", "seccomp", CACHE_TEMPLATES_FOLDER, BLANK_FOLDER};
static const char *const cache_endings[] = {
    ".squashfs", ".vmlinux", ".cpio", ".bpf", CACHE_TEMPLATES_ENDING, BLANK_ENDING};

struct cache_file {
    enum cache_kind kind;
    char *name; /* owned */
    uint64_t bytes;
    time_t used;
    bool goes, held;
};

struct cache_files {
    struct cache_file *list; /* owned */
    size_t count;
};

static void cache_files_done(struct cache_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->list[i].name);
    free(f->list);
}

/* What the names of files that are needed begin with. */
struct cache_needs {
    char **starts[CACHE_KINDS]; /* owned */
};

static int cache_needs_disks(const struct cache_prune *p, struct cache_needs *n, struct error *e)
{
    struct document_index index = {0};
    int r = p->store ? image_store_read_index(p->store, &index, e) : 0;
    for (size_t i = 0; r == 0 && i < index.count; i++) {
        struct image image = {0};
        char key[65];
        r = image_load(p->store, &index.list[i], &image, e);
        if (r == 0) {
            disk_key((const char *const *)image.config.diff_ids, strv_length(image.config.diff_ids),
                     key);
            strv_add(&n->starts[CACHE_DISKS], key);
        }
        image_done(&image);
    }
    document_index_done(&index);
    return r;
}

static void cache_needs_kernels(const struct cache_prune *p, struct cache_needs *n)
{
    for (size_t i = 0; p->kernels && i < p->kernels->count; i++) {
        const struct kernel *k = &p->kernels->list[i];
        struct error ignored;
        char key[65];
        if (kernel_key(k, KERNEL_VMLINUX_FORMAT, key, &ignored) == 0)
            strv_add(&n->starts[CACHE_VMLINUX], key);
        if (kernel_key(k, "", key, &ignored) == 0)
            strv_take(&n->starts[CACHE_INITRAMFS], str_ndup(key, KERNEL_KEY_SHORT));
    }
}

static bool cache_is_needed(char *const *starts, const char *name)
{
    for (; starts && *starts; starts++)
        if (str_starts(name, *starts))
            return true;
    return false;
}

/* Locks, and what their holders were writing: 1 if nobody holds it any more. */
static int cache_is_left(int dir, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || (!str_equal(dot, ".lock") && !str_equal(dot, ".new")))
        return 0;
    autofree char *lock = str_format("%.*s.lock", (int)(dot - name), name);
    autoclose int fd = openat(dir, lock, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Of no image and no kernel alone. */
static bool cache_is_of_nobody(enum cache_kind kind)
{
    return kind == CACHE_FILTERS || kind == CACHE_TEMPLATES || kind == CACHE_BLANKS;
}

static bool cache_goes(const struct cache_prune *p, const struct cache_needs *n,
                       const struct cache_file *f)
{
    bool old = p->days && f->used < time(NULL) - (time_t)p->days * 24 * 3600;
    return !p->only_most &&
           (p->all || old ||
            (!cache_is_of_nobody(f->kind) && !cache_is_needed(n->starts[f->kind], f->name)));
}

static bool cache_in_use(const struct cache_prune *p, const struct cache_file *f)
{
    autofree char *path = str_format("%s/%s/%s", p->cache, cache_folders[f->kind], f->name);
    return p->in_use && p->in_use(p->data, path);
}

static DIR *cache_open(const struct cache_prune *p, enum cache_kind kind, struct error *e)
{
    autofree char *folder = str_join_path(p->cache, cache_folders[kind]);
    struct error why;
    int fd = file_open_private_dir(folder, false, &why);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d)
        return d;
    error_errno(e, fd < 0 ? -fd : errno, "%s", folder);
    fd_close(fd);
    return NULL;
}

/* On the disk; of a folder, what is right in it. */
static uint64_t cache_bytes(int dir, const char *name, const struct stat *st)
{
    uint64_t bytes = (uint64_t)st->st_blocks * 512;
    int fd = S_ISDIR(st->st_mode)
                 ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                 : FD_NONE;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct stat in;
    for (const struct dirent *entry; d && (entry = readdir(d));)
        if (fstatat(dirfd(d), entry->d_name, &in, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(in.st_mode))
            bytes += (uint64_t)in.st_blocks * 512;
    if (d)
        closedir(d);
    return bytes;
}

/* Writes down the files of a kind; what was left half made goes at once. */
static int cache_look(const struct cache_prune *p, const struct cache_needs *n,
                      enum cache_kind kind, struct cache_files *to, struct error *e)
{
    DIR *d = cache_open(p, kind, e);
    if (!d)
        return e->code == ENOENT ? 0 : -e->code;
    for (struct dirent *entry; (entry = readdir(d));) {
        struct stat st;
        mode_t type = kind == CACHE_TEMPLATES ? S_IFDIR : S_IFREG;
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            (st.st_mode & S_IFMT) != type || entry->d_name[0] == '.')
            continue;
        if (!str_ends(entry->d_name, cache_endings[kind]) &&
            !(kind == CACHE_BLANKS && str_ends(entry->d_name, BLANK_OVERLAY_ENDING))) {
            if (!p->dry_run && cache_is_left(dirfd(d), entry->d_name))
                unlinkat(dirfd(d), entry->d_name, 0);
            continue;
        }
        to->list = mem_grow(to->list, to->count + 1, sizeof(to->list[0]));
        struct cache_file *f = &to->list[to->count++];
        *f = (struct cache_file){
            .kind = kind,
            .name = str_dup(entry->d_name),
            .bytes = cache_bytes(dirfd(d), entry->d_name, &st),
            .used = MAX(st.st_atime, st.st_mtime),
        };
        f->goes = cache_goes(p, n, f);
        f->held = f->goes && cache_in_use(p, f);
        f->goes = f->goes && !f->held;
    }
    closedir(d);
    return 0;
}

static int cache_by_age(const void *a, const void *b)
{
    const struct cache_file *x = a, *y = b;
    return (x->used > y->used) - (x->used < y->used);
}

static void cache_choose_oldest(const struct cache_prune *p, struct cache_files *f)
{
    time_t now = time(NULL);
    uint64_t all = 0;
    for (size_t i = 0; i < f->count; i++)
        all += f->list[i].goes ? 0 : f->list[i].bytes;
    if (f->count > 1)
        qsort(f->list, f->count, sizeof(f->list[0]), cache_by_age);
    for (size_t i = 0; p->most && all > p->most && i < f->count; i++) {
        struct cache_file *one = &f->list[i];
        if (one->goes || one->used > now - CACHE_JUST_USED)
            continue;
        one->held = one->held || cache_in_use(p, one);
        if (one->held)
            continue;
        one->goes = true;
        all -= one->bytes;
    }
}

/* A filter has its text beside it. */
static int cache_remove(const struct cache_prune *p, const struct cache_file *f, struct error *e)
{
    DIR *d = cache_open(p, f->kind, e);
    if (!d)
        return -e->code;
    int r = f->kind == CACHE_TEMPLATES           ? -file_remove_tree(dirfd(d), f->name)
            : unlinkat(dirfd(d), f->name, 0) < 0 ? errno
                                                 : 0;
    r = r == ENOENT ? 0 : r;
    autofree char *text = str_format("%s.txt", f->name);
    if (f->kind == CACHE_FILTERS)
        unlinkat(dirfd(d), text, 0);
    closedir(d);
    return r ? error_errno(e, r, "removing %s/%s", cache_folders[f->kind], f->name) : 0;
}

int cache_prune(const struct cache_prune *p, struct cache_figures ret[CACHE_KINDS], struct error *e)
{
    struct cache_needs n = {0};
    struct cache_files files = {0};
    struct cache_figures f[CACHE_KINDS] = {0};
    int r = p->only_most ? 0 : cache_needs_disks(p, &n, e);
    cache_needs_kernels(p, &n);
    for (int kind = 0; r == 0 && kind < CACHE_KINDS; kind++)
        r = cache_look(p, &n, (enum cache_kind)kind, &files, e);
    if (r == 0)
        cache_choose_oldest(p, &files);
    for (size_t i = 0; r == 0 && i < files.count; i++) {
        const struct cache_file *one = &files.list[i];
        if (one->goes && !p->dry_run)
            r = cache_remove(p, one, e);
        *(one->goes ? &f[one->kind].removed : &f[one->kind].files) += 1;
        *(one->goes ? &f[one->kind].freed : &f[one->kind].bytes) += one->bytes;
        f[one->kind].held += one->held;
    }
    cache_files_done(&files);
    for (int kind = 0; kind < CACHE_KINDS; kind++)
        strv_free(n.starts[kind]);
    if (r == 0)
        memcpy(ret, f, sizeof(f));
    return r;
}
