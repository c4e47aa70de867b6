#include "images/cache_prune.h"

#include "base/fd.h"
#include "base/file.h"
#include "images/disk.h"
#include "images/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *const cache_names[] = {"disks", "vmlinux", "initramfs"};
static const char *const cache_endings[] = {".squashfs", ".vmlinux", ".cpio"};

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

static bool cache_goes(const struct cache_prune *p, const struct cache_needs *n,
                       enum cache_kind kind, int dir, const char *name, const struct stat *st)
{
    if (!str_ends(name, cache_endings[kind]))
        return cache_is_left(dir, name);
    autofree char *path = str_format("%s/%s/%s", p->cache, cache_names[kind], name);
    if (p->in_use && p->in_use(p->data, path))
        return false;
    time_t used = MAX(st->st_atime, st->st_mtime);
    bool old = p->days && used < time(NULL) - (time_t)p->days * 24 * 3600;
    return p->all || old || !cache_is_needed(n->starts[kind], name);
}

static int cache_prune_kind(const struct cache_prune *p, const struct cache_needs *n,
                            enum cache_kind kind, struct cache_figures *f, struct error *e)
{
    autofree char *folder = str_join_path(p->cache, cache_names[kind]);
    struct error why;
    int fd = file_open_private_dir(folder, false, &why);
    if (fd == -ENOENT)
        return 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        fd_close(fd);
        return error_errno(e, fd < 0 ? -fd : errno, "%s", folder);
    }
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(d));) {
        struct stat st;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            continue;
        bool goes = cache_goes(p, n, kind, fd, entry->d_name, &st);
        if (goes && !p->dry_run && unlinkat(fd, entry->d_name, 0) < 0)
            r = error_errno(e, errno, "removing %s/%s", folder, entry->d_name);
        if (!str_ends(entry->d_name, cache_endings[kind]))
            continue;
        *(goes ? &f->removed : &f->files) += 1;
        *(goes ? &f->freed : &f->bytes) += (uint64_t)st.st_blocks * 512;
    }
    closedir(d);
    return r;
}

int cache_prune(const struct cache_prune *p, struct cache_figures ret[CACHE_KINDS], struct error *e)
{
    struct cache_needs n = {0};
    struct cache_figures f[CACHE_KINDS] = {0};
    int r = cache_needs_disks(p, &n, e);
    cache_needs_kernels(p, &n);
    for (int kind = 0; r == 0 && kind < CACHE_KINDS; kind++)
        r = cache_prune_kind(p, &n, (enum cache_kind)kind, &f[kind], e);
    for (int kind = 0; kind < CACHE_KINDS; kind++)
        strv_free(n.starts[kind]);
    if (r == 0)
        memcpy(ret, f, sizeof(f));
    return r;
}
