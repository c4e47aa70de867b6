#include "images/initramfs.h"

#include "base/file.h"
#include "base/module.h"
#include "images/disk_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INITRAMFS_INIT = 64 << 20 };

void initramfs_done(struct initramfs *i)
{
    free(i->path);
    *i = (struct initramfs){0};
}

/* --- what goes in --------------------------------------------------------------------------------
 */

struct initramfs_writer {
    const struct initramfs_module *module;
    char why[200];
};

static int initramfs_said(struct initramfs_writer *w, int r, const char *what, struct error *e)
{
    autofree char *shown = r < 0 ? str_escape_z(w->why) : NULL;
    return r < 0 ? error_set(e, EIO, "writing %s: %s", what, shown) : 0;
}

/*
 * A module without the signature behind it (Documentation/admin-guide/module-signing.rst): checking
 * one costs an emulated guest six milliseconds, and whoever made this archive chose the modules.
 */
static size_t initramfs_unsigned(const char *data, size_t size)
{
    static const char magic[] = "~Module signature appended~\n";
    const size_t mark = sizeof(magic) - 1, info = 12; /* struct module_signature, its length last */
    if (size < mark + info || memcmp(data + size - mark, magic, mark) != 0)
        return size;
    const unsigned char *p = (const unsigned char *)data + size - mark - 4;
    size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    return length < size - mark - info ? size - mark - info - length : size;
}

static int initramfs_put(struct initramfs_writer *w, const char *name, unsigned mode, int fd,
                         struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", name);
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > INITRAMFS_INIT)
        return error_set(e, EINVAL, "%s is no file, or not of a sensible size", name);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return error_errno(e, errno, "%s", name);
    size_t size = initramfs_unsigned(p, (size_t)st.st_size);
    int r = w->module->file(name, mode, p, size, w->why, sizeof(w->why));
    munmap(p, (size_t)st.st_size);
    return initramfs_said(w, r, name, e);
}

/* It has all of it built in; a guest does without chance and a balloon from here if it must. */
static int initramfs_plain(const struct initramfs_wish *wish, struct error *e)
{
    const unsigned spare = 1u << KERNEL_RNG | 1u << KERNEL_BALLOON;
    unsigned lacks = 0, major = 0, minor = 0;
    if (sscanf(wish->kernel->release, "%u.%u", &major, &minor) == 2 &&
        (major < 5 || (major == 5 && minor < 12))) /* mount_setattr(2) */
        return error_set(e, ENOTSUP, "kernel %s is too old: our init needs Linux 5.12",
                         wish->kernel->release);
    int r = kernel_plain_lacks(wish->kernel, wish->drivers & ~spare, &lacks, e);
    for (int d = 0; r == 0 && d < KERNEL_DRIVERS; d++)
        if (lacks >> d & 1)
            r = error_set(e, ENOENT, "kernel %s came without modules and has no %s built in",
                          wish->kernel->release, kernel_driver_names[d]);
    return r;
}

static int initramfs_modules(struct initramfs_writer *w, const struct initramfs_wish *wish,
                             struct error *e)
{
    struct kernel_modules m;
    autostrv char **names = NULL;
    autobuf load = {0};
    int *fds = NULL;
    if (!wish->kernel->modules) {
        int r = initramfs_plain(wish, e);
        return r < 0 ? r
                     : initramfs_said(
                           w, w->module->file("modules/load", 0444, "", 0, w->why, sizeof(w->why)),
                           "modules/load", e);
    }
    int r = kernel_modules_open(wish->kernel->modules, &m, e);
    if (r < 0)
        return r;
    r = kernel_modules_resolve(&m, wish->drivers, &names, &fds, e);
    kernel_modules_done(&m);
    if (r < 0)
        return error_wrap(e, "kernel %s", wish->kernel->release);
    size_t count = strv_length(names);
    buf_puts(&load, "");
    for (size_t i = 0; r == 0 && i < count; i++) {
        autofree char *name = str_format("modules/%s.ko", names[i]);
        buf_printf(&load, "%s.ko\n", names[i]);
        r = initramfs_put(w, name, 0444, fds[i], e);
    }
    kernel_fds_close(fds, count);
    if (r < 0)
        return r;
    r = w->module->file("modules/load", 0444, load.data, load.used, w->why, sizeof(w->why));
    return initramfs_said(w, r, "modules/load", e);
}

static int initramfs_all(struct initramfs_writer *w, const struct initramfs_wish *wish,
                         struct error *e)
{
    static const char *const folders[] = {"dev", "modules", "proc", "root", "run", "sys"};
    autoclose int init = open(wish->init, O_RDONLY | O_CLOEXEC);
    if (init < 0)
        return error_errno(e, errno, "%s", wish->init);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        int r = w->module->folder(folders[i], w->why, sizeof(w->why));
        if (r < 0)
            return initramfs_said(w, r, folders[i], e);
    }
    int r = initramfs_put(w, "init", 0555, init, e);
    return r < 0 ? r : initramfs_modules(w, wish, e);
}

int initramfs_write(const struct initramfs_wish *wish, int fd, struct error *e)
{
    struct initramfs_writer w = {.module = module_open("images", "initramfs_module", e)};
    if (!w.module)
        return -e->code;
    int r = w.module->begin(fd, w.why, sizeof(w.why));
    r = r < 0 ? initramfs_said(&w, r, "an initramfs", e) : initramfs_all(&w, wish, e);
    int ended = w.module->end(w.why, sizeof(w.why));
    return r < 0 ? r : initramfs_said(&w, ended, "an initramfs", e);
}

/* --- the cache -----------------------------------------------------------------------------------
 */

/* Its name, owned: by what it is made from. */
static int initramfs_name(const struct initramfs_wish *w, char **ret, struct error *e)
{
    struct stat st;
    char key[65];
    if (stat(w->init, &st) < 0)
        return error_errno(e, errno, "%s", w->init);
    autofree char *more =
        str_format(INITRAMFS_FORMAT " %x %llu %llu %llu %lld.%09ld %lld.%09ld", w->drivers,
                   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                   (unsigned long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                   (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    char kernel[65];
    int r = kernel_key(w->kernel, more, key, e);
    if (r == 0)
        r = kernel_key(w->kernel, "", kernel, e);
    if (r == 0) /* so that it can be told whose it is */
        *ret = str_format("%.*s-%s.cpio", KERNEL_KEY_SHORT, kernel, key);
    return r;
}

static bool initramfs_look(int dir, const char *folder, const char *name, struct initramfs *ret)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
        return false;
    *ret = (struct initramfs){.path = str_join_path(folder, name), .size = (uint64_t)st.st_size};
    return true;
}

int initramfs_make(const struct initramfs_wish *w, struct initramfs *ret, struct error *e)
{
    autofree char *folder = str_join_path(w->cache, "initramfs");
    autofree char *name = NULL;
    int r = initramfs_name(w, &name, e);
    if (r < 0)
        return r;
    autoclose int dir = disk_cache_open(w->cache, "initramfs", e);
    if (dir < 0)
        return dir;
    if (initramfs_look(dir, folder, name, ret)) {
        disk_cache_used(dir, name);
        return 0;
    }
    struct disk_cache_new new;
    r = disk_cache_begin(dir, name, &new, e);
    if (r < 0)
        return r;
    if (!initramfs_look(dir, folder, name, ret)) {
        r = initramfs_write(w, new.fd, e);
        if (r == 0)
            r = disk_cache_publish(&new, 0400, e);
        if (r == 0 && !initramfs_look(dir, folder, name, ret))
            r = error_set(e, EIO, "the initramfs is gone again");
        if (r == 0)
            ret->made = true;
    }
    disk_cache_end(&new);
    return r;
}
