#include "images/kernel_modules.h"

#include "base/file.h"
#include "images/kernel_head.h"
#include "images/unpack.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MODULES_LIST = 1 << 20, /* bytes of modules.builtin */
    MODULES_MOST = 100000,
    MODULES_DEEP = 32,
    MODULES_NEEDED = 200,
    MODULE_BYTES = 128 << 20,
};

const char *const kernel_driver_names[KERNEL_DRIVERS] = {
    "virtio-mmio", "virtio-pci", "virtio-blk", "virtio-console", "virtio-net", "virtio-rng",
    "balloon",     "vsock",      "squashfs",   "erofs",          "overlay",    "ext4",
    "virtiofs",    "9p",
};

/* What each is made of. After a NULL: what it asks for while it runs and has if it exists. */
// clang-format off
static const char *const driver_modules[KERNEL_DRIVERS][6] = {
    [KERNEL_VIRTIO_MMIO] = {"virtio_mmio"},
    [KERNEL_VIRTIO_PCI] = {"virtio_pci"},
    [KERNEL_BLK] = {"virtio_blk"},
    [KERNEL_CONSOLE] = {"virtio_console"},
    [KERNEL_NET] = {"virtio_net"},
    [KERNEL_RNG] = {"virtio_rng"},
    [KERNEL_BALLOON] = {"virtio_balloon"},
    [KERNEL_VSOCK] = {"vmw_vsock_virtio_transport"},
    [KERNEL_SQUASHFS] = {"squashfs"},
    [KERNEL_EROFS] = {"erofs", NULL, "crc32c_generic"},
    [KERNEL_OVERLAY] = {"overlay"},
    [KERNEL_EXT4] = {"ext4", NULL, "crc32c_generic"},
    [KERNEL_VIRTIOFS] = {"virtiofs"},
    [KERNEL_9P] = {"9p", "9pnet_virtio"},
};
// clang-format on

/* --- the index -----------------------------------------------------------------------------------
 */

char *kernel_module_name(const char *file)
{
    static const char *const endings[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};
    size_t n = strlen(file);
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t cut = strlen(endings[i]);
        if (n <= cut || !str_ends(file, endings[i]))
            continue;
        char *name = str_ndup(file, n - cut);
        for (char *c = name; *c; c++)
            *c = *c == '-' ? '_' : *c;
        if (kernel_is_release(name))
            return name;
        free(name);
    }
    return NULL;
}

static void modules_put(struct disk_map *map, const char *name, const char *value)
{
    disk_map_put(map, name, strlen(name), value, strlen(value) + 1);
}

static const char *modules_get(const struct disk_map *map, const char *name)
{
    return disk_map_get(map, name, strlen(name), NULL);
}

/* "kernel/fs/ext4/ext4.ko" a line. */
static void modules_read_builtin(struct kernel_modules *m)
{
    autofree char *text = NULL;
    size_t size;
    if (file_read(m->dir, "modules.builtin", MODULES_LIST, &text, &size) < 0)
        return; /* then nothing counts as built in */
    autostrv char **lines = strv_split(text, "\n");
    for (char **l = lines; l && *l; l++) {
        const char *slash = strrchr(*l, '/');
        autofree char *name = kernel_module_name(slash ? slash + 1 : *l);
        if (name)
            modules_put(&m->builtin, name, "");
    }
}

static int modules_walk(struct kernel_modules *m, const char *path, unsigned depth)
{
    if (depth > MODULES_DEEP)
        return -ELOOP;
    int fd = fd_openat2(m->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return fd == -ENOENT ? 0 : fd < 0 ? fd : -errno;
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(d));) {
        autofree char *inner = str_join_path(path, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        struct stat st = {0};
        if (entry->d_type == DT_UNKNOWN)
            fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW);
        if (entry->d_type == DT_DIR || S_ISDIR(st.st_mode)) {
            r = modules_walk(m, inner, depth + 1);
            continue;
        }
        autofree char *name = kernel_module_name(entry->d_name);
        if (name && m->paths.count < MODULES_MOST)
            modules_put(&m->paths, name, inner);
    }
    closedir(d);
    return r;
}

int kernel_modules_open(const char *path, struct kernel_modules *ret, struct error *e)
{
    /* depmod's order: what comes later is preferred */
    static const char *const folders[] = {"kernel", "extra", "updates"};
    struct kernel_modules m = {.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (m.dir < 0)
        return error_errno(e, errno, "%s", path);
    modules_read_builtin(&m);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        int r = modules_walk(&m, folders[i], 0);
        if (r < 0) {
            kernel_modules_done(&m);
            return error_errno(e, -r, "%s/%s", path, folders[i]);
        }
    }
    *ret = m;
    return 0;
}

void kernel_modules_done(struct kernel_modules *m)
{
    m->dir = fd_close(m->dir);
    disk_map_done(&m->paths);
    disk_map_done(&m->builtin);
}

static enum kernel_driver_state modules_has(const struct kernel_modules *m, const char *name)
{
    if (modules_get(&m->builtin, name))
        return KERNEL_BUILT_IN;
    return modules_get(&m->paths, name) ? KERNEL_MODULE : KERNEL_MISSING;
}

enum kernel_driver_state kernel_modules_state(const struct kernel_modules *m,
                                              enum kernel_driver driver)
{
    enum kernel_driver_state state = KERNEL_BUILT_IN;
    for (const char *const *name = driver_modules[driver]; *name; name++)
        state = MIN(state, modules_has(m, *name));
    return state;
}

/* --- content -------------------------------------------------------------------------------------
 */

static int modules_inflate(int packed, int to, struct error *e)
{
    struct unpack_job job = {.blob = packed, .limits = image_limits_usual};
    struct unpack_result result;
    job.limits.bytes = MODULE_BYTES;
    return unpack_stream(&job, to, &result, e);
}

static int modules_copy(int from, int to, struct error *e)
{
    char chunk[32 * 1024];
    uint64_t all = 0;
    ssize_t n;
    while ((n = read(from, chunk, sizeof(chunk))) > 0) {
        all += (uint64_t)n;
        if (all > MODULE_BYTES || fd_write_full(to, chunk, (size_t)n) < 0)
            return error_set(e, EFBIG, "it is too large");
    }
    return n < 0 ? error_errno(e, errno, "reading it") : 0;
}

int kernel_modules_content(const struct kernel_modules *m, const char *name, struct error *e)
{
    const char *path = modules_get(&m->paths, name);
    if (!path)
        return error_set(e, ENOENT, "module %s: there is none", name);
    autoclose int fd = fd_openat2(m->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
                                  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    autoclose int to = memfd_create("module", MFD_CLOEXEC);
    struct stat st;
    if (fd < 0 || to < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_errno(e, fd < 0 ? -fd : EINVAL, "module %s", name);
    int r = str_ends(path, ".ko") ? modules_copy(fd, to, e) : modules_inflate(fd, to, e);
    return r < 0 ? error_wrap(e, "module %s", name) : TAKE_FD(to);
}

/* --- order ---------------------------------------------------------------------------------------
 */

struct resolve {
    const struct kernel_modules *m;
    struct disk_map seen;
    char **names; /* owned */
    int *fds;     /* owned */
    size_t count;
};

static int resolve_info(int fd, struct kernel_module_info *ret, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0)
        return error_set(e, EBADMSG, "it is empty");
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return error_errno(e, errno, "reading it");
    int r = kernel_module_read(p, (size_t)st.st_size, ret, e);
    munmap(p, (size_t)st.st_size);
    return r;
}

static int resolve_one(struct resolve *s, const char *name, bool must, struct error *e);

/* First what it depends on, then itself. Circles end because it counts as seen. */
static int resolve_inner(struct resolve *s, const char *name, int fd, struct error *e)
{
    struct kernel_module_info info = {0};
    int r = resolve_info(fd, &info, e);
    if (r < 0)
        error_wrap(e, "module %s", name);
    for (char **d = info.depends; r == 0 && d && *d; d++)
        r = resolve_one(s, *d, true, e);
    for (char **d = info.soft; r == 0 && d && *d; d++)
        r = resolve_one(s, *d, false, e);
    kernel_module_info_done(&info);
    return r;
}

static int resolve_one(struct resolve *s, const char *name, bool must, struct error *e)
{
    enum kernel_driver_state state = modules_has(s->m, name);
    if (state == KERNEL_BUILT_IN || modules_get(&s->seen, name))
        return 0;
    if (state == KERNEL_MISSING) {
        autofree char *shown = str_escape_z(name);
        return must ? error_set(e, ENOENT, "the kernel has no module %.64s", shown) : 0;
    }
    if (s->seen.count >= MODULES_NEEDED)
        return error_set(e, E2BIG, "more than %d modules are needed", MODULES_NEEDED);
    modules_put(&s->seen, name, "");
    autoclose int fd = kernel_modules_content(s->m, name, e);
    int r = fd < 0 ? fd : resolve_inner(s, name, fd, e);
    if (r < 0)
        return r;
    s->fds = mem_grow(s->fds, s->count + 1, sizeof(*s->fds));
    s->fds[s->count++] = TAKE_FD(fd);
    strv_add(&s->names, name);
    return 0;
}

static int resolve_driver(struct resolve *s, enum kernel_driver driver, struct error *e)
{
    const char *const *names = driver_modules[driver];
    bool must = true;
    for (size_t i = 0; i < ARRAY_SIZE(driver_modules[driver]); i++) {
        if (!names[i]) {
            must = false;
            continue;
        }
        int r = resolve_one(s, names[i], must, e);
        if (r < 0)
            return error_wrap(e, "driver %s", kernel_driver_names[driver]);
    }
    return 0;
}

void kernel_fds_close(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fd_close(fds[i]);
    free(fds);
}

int kernel_modules_resolve(const struct kernel_modules *m, unsigned drivers, char ***ret,
                           int **ret_fds, struct error *e)
{
    struct resolve s = {.m = m};
    int r = 0;
    for (int d = 0; r == 0 && d < KERNEL_DRIVERS; d++)
        if (drivers >> d & 1)
            r = resolve_driver(&s, (enum kernel_driver)d, e);
    disk_map_done(&s.seen);
    if (r == 0) {
        *ret = TAKE(s.names);
        if (ret_fds)
            *ret_fds = TAKE(s.fds);
    }
    kernel_fds_close(s.fds, s.fds ? s.count : 0);
    strv_free(s.names);
    return r;
}
