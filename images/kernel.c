/* Which kernels there are, and which one to take. */
#include "images/kernel.h"

#include "base/file.h"
#include "base/sha256.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KERNEL_CONFIG_MAX = 1 << 20 };

static void kernel_done(struct kernel *k)
{
    free(k->release);
    free(k->path);
    free(k->modules);
    free(k->config);
}

void kernel_list_done(struct kernel_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        kernel_done(&l->list[i]);
    free(l->list);
    *l = (struct kernel_list){0};
}

/* --- reading one ---------------------------------------------------------------------------------
 */

static char *kernel_if_there(char *path, mode_t type)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & S_IFMT) == type)
        return path;
    free(path);
    return NULL;
}

/* False: it is no kernel. */
static bool kernel_look(struct kernel *k)
{
    autoclose int fd = open(k->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES || errno == EPERM;
    autofree char *head = mem_alloc(KERNEL_HEAD);
    struct stat st;
    struct error e;
    ssize_t n = pread(fd, head, KERNEL_HEAD, 0);
    if (n < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    k->readable = true;
    return kernel_head_read(head, (size_t)n, (uint64_t)st.st_size, &k->head, &e) == 0;
}

/* Takes the strings over. A second one of the same release is passed over. */
static void kernel_add(struct kernel_list *l, struct kernel *k)
{
    bool there = false;
    for (size_t i = 0; i < l->count; i++)
        there |= l->list[i].imported == k->imported && str_equal(l->list[i].release, k->release);
    if (there || !k->path || !kernel_is_release(k->release) || !kernel_look(k)) {
        kernel_done(k);
        return;
    }
    l->list = mem_grow(l->list, l->count + 1, sizeof(*l->list));
    l->list[l->count++] = *k;
}

static void kernel_add_host(struct kernel_list *l, const char *root, const char *release,
                            char *path)
{
    static const char *const places[] = {"usr/lib/modules", "lib/modules"};
    struct kernel k = {.release = str_dup(release), .path = kernel_if_there(path, S_IFREG)};
    for (size_t i = 0; !k.modules && i < ARRAY_SIZE(places); i++)
        k.modules =
            kernel_if_there(str_format("%s/%s/%s/kernel", root, places[i], release), S_IFDIR);
    if (k.modules)
        k.modules[strlen(k.modules) - strlen("/kernel")] = '\0';
    k.config = kernel_if_there(str_format("%s/boot/config-%s", root, release), S_IFREG);
    kernel_add(l, &k);
}

/* --- all of them ---------------------------------------------------------------------------------
 */

static void kernel_each(const char *folder, void (*each)(void *data, const char *name), void *data)
{
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            each(data, entry->d_name);
    if (d)
        closedir(d);
}

struct kernel_search {
    struct kernel_list *list;
    const char *root, *folder;
};

static void kernel_in_boot(void *data, const char *name)
{
    struct kernel_search *s = data;
    if (str_starts(name, "vmlinuz-"))
        kernel_add_host(s->list, s->root, name + strlen("vmlinuz-"),
                        str_join_path(s->folder, name));
}

static void kernel_in_modules(void *data, const char *name)
{
    struct kernel_search *s = data;
    kernel_add_host(s->list, s->root, name, str_format("%s/%s/vmlinuz", s->folder, name));
}

static void kernel_in_store(void *data, const char *name)
{
    struct kernel_search *s = data;
    struct kernel k = {.release = str_dup(name), .imported = true};
    k.path = kernel_if_there(str_format("%s/%s/vmlinuz", s->folder, name), S_IFREG);
    k.modules = kernel_if_there(str_format("%s/%s/modules", s->folder, name), S_IFDIR);
    k.config = kernel_if_there(str_format("%s/%s/config", s->folder, name), S_IFREG);
    kernel_add(s->list, &k);
}

static int kernel_compare(const void *a, const void *b)
{
    const struct kernel *x = a, *y = b;
    if (x->imported != y->imported)
        return x->imported ? -1 : 1;
    return -strverscmp(x->release, y->release);
}

int kernel_list_read(const char *data, const char *root, struct kernel_list *ret, struct error *e)
{
    struct kernel_list l = {0};
    autofree char *store = str_join_path(data, "kernels");
    autofree char *boot = str_format("%s/boot", root);
    autofree char *usr = str_format("%s/usr/lib/modules", root);
    autofree char *lib = str_format("%s/lib/modules", root);
    kernel_each(store, kernel_in_store, &(struct kernel_search){&l, root, store});
    kernel_each(boot, kernel_in_boot, &(struct kernel_search){&l, root, boot});
    kernel_each(usr, kernel_in_modules, &(struct kernel_search){&l, root, usr});
    kernel_each(lib, kernel_in_modules, &(struct kernel_search){&l, root, lib});
    if (l.count)
        qsort(l.list, l.count, sizeof(*l.list), kernel_compare);
    *ret = l;
    return 0;
}

/* --- choosing ------------------------------------------------------------------------------------
 */

static bool kernel_serves(const struct kernel *k)
{
    static const enum kernel_driver needed[] = {KERNEL_BLK, KERNEL_CONSOLE, KERNEL_SQUASHFS,
                                                KERNEL_OVERLAY};
    struct kernel_modules m;
    struct error e;
    if (!k->readable || !k->modules || kernel_modules_open(k->modules, &m, &e) < 0)
        return false;
    bool serves = kernel_modules_state(&m, KERNEL_VIRTIO_MMIO) != KERNEL_MISSING ||
                  kernel_modules_state(&m, KERNEL_VIRTIO_PCI) != KERNEL_MISSING;
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        serves = serves && kernel_modules_state(&m, needed[i]) != KERNEL_MISSING;
    kernel_modules_done(&m);
    return serves;
}

static int kernel_by_name(const struct kernel_list *l, const char *release,
                          const struct kernel **ret, struct error *e)
{
    const struct kernel *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct kernel *k = &l->list[i];
        if (str_equal(k->release, release)) {
            *ret = k;
            return 0;
        }
        if (str_starts(k->release, release)) {
            found = k;
            count++;
        }
    }
    autofree char *shown = str_escape(release, strnlen(release, 100));
    if (count > 1)
        return error_set(e, EEXIST, "several kernels begin with %s: image kernel list", shown);
    if (!count)
        return error_set(e, ENOENT, "there is no kernel %s: image kernel list", shown);
    *ret = found;
    return 0;
}

int kernel_choose(const struct kernel_list *l, const char *release, const struct kernel **ret,
                  struct error *e)
{
    if (!str_empty(release))
        return kernel_by_name(l, release, ret, e);
    for (size_t i = 0; i < l->count; i++)
        if (kernel_serves(&l->list[i])) {
            *ret = &l->list[i];
            return 0;
        }
    /* what came alone may have all of it built in: that is seen when it is put together */
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].imported && l->list[i].readable && !l->list[i].modules &&
            l->list[i].head.form != KERNEL_BZIMAGE) {
            *ret = &l->list[i];
            return 0;
        }
    return error_set(e, ENOENT,
                     "there is no kernel for machines: apt-get download linux-image-cloud-amd64's "
                     "package, then: cofferdam image kernel import FILE.deb");
}

/* --- what else is asked of one -------------------------------------------------------------------
 */

int kernel_config_has(const struct kernel *k, const char *name)
{
    autofree char *text = NULL;
    size_t size;
    if (!k->config || file_read(AT_FDCWD, k->config, KERNEL_CONFIG_MAX, &text, &size) < 0)
        return -1;
    autofree char *builtin = str_format("\n%s=y\n", name);
    autofree char *module = str_format("\n%s=m\n", name);
    return strstr(text, builtin) || strstr(text, module);
}

static int kernel_key_add(struct sha256 *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    const uint64_t identity[] = {st.st_dev,
                                 st.st_ino,
                                 (uint64_t)st.st_size,
                                 (uint64_t)st.st_mtim.tv_sec,
                                 (uint64_t)st.st_mtim.tv_nsec,
                                 (uint64_t)st.st_ctim.tv_sec,
                                 (uint64_t)st.st_ctim.tv_nsec};
    sha256_add(s, path, strlen(path) + 1);
    sha256_add(s, identity, sizeof(identity));
    return 0;
}

int kernel_key(const struct kernel *k, const char *more, char ret[65], struct error *e)
{
    struct sha256 s;
    unsigned char digest[32];
    sha256_init(&s);
    sha256_add(&s, more, strlen(more) + 1);
    int r = kernel_key_add(&s, k->path);
    if (r == 0 && k->modules) {
        autofree char *list = str_join_path(k->modules, "modules.builtin");
        r = kernel_key_add(&s, k->modules);
        if (r == 0)
            kernel_key_add(&s, list); /* may be missing */
    }
    if (r < 0)
        return error_errno(e, -r, "kernel %s", k->release);
    sha256_end(&s, digest);
    sha256_hex(digest, ret);
    return 0;
}
