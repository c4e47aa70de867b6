/* From a package or a file to a folder of the store. */
#include "images/kernel.h"

#include "base/file.h"
#include "images/kernel_deb.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMPORT_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, IMPORT_PACKAGES = 8 };

struct import {
    int store;     /* owned; DATA/kernels */
    char *name;    /* owned; ".new-XXXXXX", what is being made */
    int dir;       /* owned; that folder */
    char *release; /* owned */
};

/* --- copying -------------------------------------------------------------------------------------
 */

static int import_copy(int from_dir, const char *from, int to_dir, const char *to, uint64_t most,
                       struct error *e)
{
    autoclose int in = from_dir == AT_FDCWD
                           ? open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                           : fd_openat2(from_dir, from, O_RDONLY | O_NONBLOCK, 0, IMPORT_RESOLVE);
    struct stat st;
    if (in < 0)
        return error_errno(e, from_dir == AT_FDCWD ? errno : -in, "%s", from);
    if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > most)
        return error_set(e, EINVAL, "%s: no file, or too large", from);
    autoclose int out =
        openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (out < 0)
        return error_errno(e, errno, "%s", to);
    char chunk[32 * 1024];
    ssize_t n;
    for (uint64_t all = 0; (n = read(in, chunk, sizeof(chunk))) > 0;) {
        all += (uint64_t)n;
        if (all > most)
            return error_set(e, EFBIG, "%s grows", from);
        int r = fd_write_full(out, chunk, (size_t)n);
        if (r < 0)
            return error_errno(e, -r, "%s", to);
    }
    if (n < 0 || fsync(out) < 0)
        return error_errno(e, errno, "%s", to);
    return 0;
}

/* --- what is in unpacked packages ----------------------------------------------------------------
 */

/* The first name in a folder that begins so; owned. NULL: none, or no folder. */
static char *import_first(int dir, const char *folder, const char *prefix)
{
    int fd = fd_openat2(dir, folder, O_RDONLY | O_DIRECTORY, 0, IMPORT_RESOLVE);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    char *found = NULL;
    for (struct dirent *entry; d && !found && (entry = readdir(d));)
        if (entry->d_name[0] != '.' && str_starts(entry->d_name, prefix))
            found = str_dup(entry->d_name);
    if (d)
        closedir(d);
    return found;
}

static int import_kernel_file(struct import *i, int dir, struct error *e)
{
    autofree char *name = import_first(dir, "boot", "vmlinuz-");
    if (!name)
        return -ENOENT;
    const char *release = name + strlen("vmlinuz-");
    if (!kernel_is_release(release))
        return error_set(e, EINVAL, "its kernel has an impossible name");
    if (i->release)
        return error_set(e, EINVAL, "there are two kernels in it: %s and %s", i->release, release);
    autofree char *path = str_format("boot/%s", name);
    i->release = str_dup(release);
    return import_copy(dir, path, i->dir, "vmlinuz", KERNEL_MAX, e);
}

static int import_config(struct import *i, int dir, struct error *e)
{
    autofree char *path = str_format("boot/config-%s", i->release);
    struct stat st;
    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return import_copy(dir, path, i->dir, "config", 1 << 20, e);
}

/* One module, under its own path. */
static int import_module(struct import *i, const struct kernel_modules *m, const char *name,
                         struct error *e)
{
    const char *path = disk_map_get(&m->paths, name, strlen(name), NULL);
    autofree char *to = str_format("modules/%s", path);
    for (char *p = to; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        if (mkdirat(i->dir, to, 0700) < 0 && errno != EEXIST)
            return error_errno(e, errno, "%s", to);
    }
    if (faccessat(i->dir, to, F_OK, 0) == 0)
        return 0; /* another driver needs it too */
    return import_copy(m->dir, path, i->dir, to, KERNEL_MAX, e);
}

static int import_drivers(struct import *i, const struct kernel_modules *m, struct error *e)
{
    for (int d = 0; d < KERNEL_DRIVERS; d++) {
        autostrv char **names = NULL;
        struct error why;
        int r = kernel_modules_resolve(m, 1u << d, &names, NULL, &why);
        if (r == -ENOENT)
            continue; /* a driver this kernel lacks */
        if (r < 0) {
            *e = why;
            return r;
        }
        for (char **n = names; r == 0 && n && *n; n++)
            r = import_module(i, m, *n, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -ENOENT: this package has none for that release. */
static int import_modules(struct import *i, int dir, const char *unpacked, struct error *e)
{
    static const char *const places[] = {"usr/lib/modules", "lib/modules"};
    for (size_t p = 0; p < ARRAY_SIZE(places); p++) {
        autofree char *place = str_format("%s/%s", places[p], i->release);
        autoclose int fd = fd_openat2(dir, place, O_RDONLY | O_DIRECTORY, 0, IMPORT_RESOLVE);
        if (fd < 0)
            continue;
        autofree char *whole = str_join_path(unpacked, place);
        struct kernel_modules m;
        int r = kernel_modules_open(whole, &m, e);
        if (r < 0)
            return r;
        if (mkdirat(i->dir, "modules", 0700) < 0 && errno != EEXIST)
            r = error_errno(e, errno, "modules");
        if (r == 0 && faccessat(fd, "modules.builtin", F_OK, 0) == 0)
            r = import_copy(fd, "modules.builtin", i->dir, "modules/modules.builtin", 1 << 20, e);
        if (r == 0)
            r = import_drivers(i, &m, e);
        kernel_modules_done(&m);
        return r;
    }
    return -ENOENT;
}

/* --- the sources ---------------------------------------------------------------------------------
 */

/* Each package is unpacked into a folder of its own, which goes again. */
static int import_packages(struct import *i, const char *data, const char *const *paths,
                           size_t count, struct error *e)
{
    struct unpacked {
        int dir;
        char *name;
    } all[IMPORT_PACKAGES];
    int r = 0;
    size_t done = 0;
    for (; r == 0 && done < count; done++) {
        all[done].name = str_format("%s/unpacked-%zu", i->name, done);
        all[done].dir = FD_NONE;
        r = kernel_deb_unpack(paths[done], i->store, all[done].name, &all[done].dir, e);
    }
    for (size_t p = 0; r == 0 && p < done; p++) {
        r = import_kernel_file(i, all[p].dir, e);
        r = r == -ENOENT ? 0 : r;
    }
    if (r == 0 && !i->release)
        r = error_set(e, ENOENT, "there is no kernel in it (boot/vmlinuz-…)");
    bool has_modules = false;
    for (size_t p = 0; r == 0 && p < done; p++) {
        autofree char *unpacked = str_format("%s/kernels/%s", data, all[p].name);
        r = import_config(i, all[p].dir, e);
        int found = r == 0 && !has_modules ? import_modules(i, all[p].dir, unpacked, e) : -ENOENT;
        has_modules |= found == 0;
        r = found < 0 && found != -ENOENT ? found : r;
    }
    for (size_t p = 0; p < done; p++) {
        fd_close(all[p].dir);
        file_remove_tree(i->store, all[p].name);
        free(all[p].name);
    }
    return r;
}

static int import_head(int dir, const char *path, struct kernel_head *ret, struct error *e)
{
    autoclose int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "opening it");
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > KERNEL_MAX)
        return error_set(e, EINVAL, "it is no file, or no kernel's size");
    autofree char *head = mem_alloc(KERNEL_HEAD);
    ssize_t n = pread(fd, head, KERNEL_HEAD, 0);
    if (n < 0)
        return error_errno(e, errno, "reading it");
    int r = kernel_head_read(head, (size_t)n, (uint64_t)st.st_size, ret, e);
    if (r < 0 || ret->form == KERNEL_BZIMAGE)
        return r;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return error_errno(e, errno, "reading it");
    r = kernel_vmlinux_read(p, (size_t)st.st_size, true, ret, e);
    munmap(p, (size_t)st.st_size);
    return r;
}

static int import_plain(struct import *i, const char *path, struct error *e)
{
    struct kernel_head head;
    int r = import_head(AT_FDCWD, path, &head, e);
    if (r < 0)
        return r;
    if (!head.release[0])
        return error_set(e, EINVAL, "the kernel does not say its release");
    i->release = str_dup(head.release);
    return import_copy(AT_FDCWD, path, i->dir, "vmlinuz", KERNEL_MAX, e);
}

/* What a package calls its kernel, the kernel has to call itself. */
static int import_verify(const struct import *i, struct error *e)
{
    struct kernel_head head;
    int r = import_head(i->dir, "vmlinuz", &head, e);
    if (r < 0 || !head.release[0] || str_equal(head.release, i->release))
        return r;
    return error_set(e, EBADMSG, "it is called %s, but says it is %s", i->release, head.release);
}

/* --- the store -----------------------------------------------------------------------------------
 */

static void import_sweep(int store)
{
    int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (str_starts(entry->d_name, ".new-"))
            file_remove_tree(store, entry->d_name);
    if (d)
        closedir(d);
}

/* The lock is the folder's own descriptor: importing is rare, and what another left is swept. */
static int import_begin(const char *data, struct import *i, struct error *e)
{
    autofree char *folder = str_join_path(data, "kernels");
    int r = file_make_dirs(data, 0700);
    if (r < 0)
        return error_errno(e, -r, "%s", data);
    i->store = file_open_private_dir(folder, true, e);
    if (i->store < 0)
        return i->store;
    while (flock(i->store, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(e, errno, "%s", folder);
    import_sweep(i->store);
    autofree char *temporary = str_format("%s/.new-XXXXXX", folder);
    if (!mkdtemp(temporary))
        return error_errno(e, errno, "%s", folder);
    i->name = str_dup(strrchr(temporary, '/') + 1);
    i->dir = openat(i->store, i->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return i->dir < 0 ? error_errno(e, errno, "%s", temporary) : 0;
}

static int import_publish(struct import *i, struct error *e)
{
    if (syncfs(i->dir) < 0)
        return error_errno(e, errno, "writing the kernel");
    if (renameat2(i->store, i->name, i->store, i->release, RENAME_NOREPLACE) == 0)
        return fsync(i->store) < 0 ? error_errno(e, errno, "writing the kernel") : 0;
    /* the one that was there takes the temporary name, and goes with it */
    if (errno != EEXIST || renameat2(i->store, i->name, i->store, i->release, RENAME_EXCHANGE) < 0)
        return error_errno(e, errno, "naming the kernel");
    return 0;
}

static void import_end(struct import *i)
{
    fd_close(i->dir);
    if (i->name)
        file_remove_tree(i->store, i->name);
    fd_close(i->store);
    free(i->name);
    free(i->release);
}

int kernel_import(const char *data, const char *const *paths, size_t count, char **ret_release,
                  struct error *e)
{
    struct import i = {.store = FD_NONE, .dir = FD_NONE};
    if (count < 1 || count > IMPORT_PACKAGES)
        return error_set(e, EINVAL, "one kernel, or up to %d packages", IMPORT_PACKAGES);
    int deb = kernel_deb_is(paths[0], e);
    if (deb < 0)
        return deb;
    if (!deb && count > 1)
        return error_set(e, EINVAL, "%s is no Debian package", paths[0]);
    int r = import_begin(data, &i, e);
    if (r == 0)
        r = deb ? import_packages(&i, data, paths, count, e) : import_plain(&i, paths[0], e);
    if (r == 0)
        r = import_verify(&i, e);
    if (r == 0)
        r = import_publish(&i, e);
    if (r == 0)
        *ret_release = str_dup(i.release);
    import_end(&i);
    autofree char *shown = str_escape(paths[0], strnlen(paths[0], 200));
    return r == 0 ? 0
           : deb  ? error_wrap(e, "importing a kernel")
                  : error_wrap(e, "importing the kernel %s", shown);
}

int kernel_remove(const char *data, const char *release, struct error *e)
{
    autofree char *folder = str_join_path(data, "kernels");
    autofree char *shown = str_escape(release, strnlen(release, 100));
    struct stat st;
    autoclose int store = file_open_private_dir(folder, false, e);
    if (store < 0)
        return store;
    if (!kernel_is_release(release) || fstatat(store, release, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set(e, ENOENT, "no kernel %s has been imported", shown);
    while (flock(store, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_errno(e, errno, "%s", folder);
    import_sweep(store);
    /* out of its place at once: half a kernel is never found there */
    autofree char *gone = str_format(".new-%s", release);
    int r = renameat(store, release, store, gone) < 0 ? -errno : file_remove_tree(store, gone);
    return r < 0 ? error_errno(e, -r, "removing kernel %s", shown) : 0;
}
