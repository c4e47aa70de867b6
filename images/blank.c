#include "images/blank.h"

#include "base/fd.h"
#include "base/str.h"
#include "images/disk_cache.h"
#include "images/disk_tool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLANK_TIME_MS = 60000, BLANK_BLOCK = 4096 };
#define BLANK_TOOL_MEMORY (512ull << 20)

/*
 * The features are named, not left to a configuration file: any kernel of the last ten years reads
 * them without a further module. Identifier and seed are always the same: so are the bytes of the
 * superblock, which a guest that goes on from a template may hold in its memory. Tables of inodes
 * are holes: they read as zeros, and nobody has to write them.
 */
static int blank_format(int fd, uint64_t size, struct error *e)
{
    static const char id[] = "00000000-0000-4000-8000-000000000001";
    autofree char *blocks = str_format("%" PRIu64, size / BLANK_BLOCK);
    const char *const argv[] = {
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-m",
        "0",
        "-U",
        id,
        "-O",
        "none,extent,filetype,dir_index,sparse_super,large_file,huge_file,flex_bg,extra_isize,"
        "dir_nlink,ext_attr,uninit_bg,64bit",
        "-E",
        "nodiscard,lazy_itable_init=1,root_owner=0:0,hash_seed=00000000-0000-4000-8000-"
        "000000000002",
        "/proc/self/fd/3",
        blocks,
        NULL};
    const struct disk_tool tool = {
        .argv = argv,
        .package = "e2fsprogs",
        .in = FD_NONE,
        .out = FD_NONE,
        .files = &fd,
        .files_count = 1,
        .writable = 1,
        .file_bytes = size,
        .memory = BLANK_TOOL_MEMORY,
    };
    struct disk_tool_running running;
    if (ftruncate(fd, (off_t)size) < 0)
        return error_errno(e, errno, "an empty disk");
    int r = disk_tool_start(&tool, &running, e);
    return r < 0 ? r : disk_tool_finish(&running, BLANK_TIME_MS, e);
}

/* The whole size, and a superblock where ext4 has it. */
static bool blank_is_there(int dir, const char *name, uint64_t size)
{
    struct stat st;
    unsigned char magic[2];
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size &&
           pread(fd, magic, sizeof(magic), 1080) == sizeof(magic) && magic[0] == 0x53 &&
           magic[1] == 0xef;
}

/* As it is written, and nothing else. */
static bool blank_overlay_is_there(int dir, const char *name, uint64_t size)
{
    unsigned char head[DISK_HEAD];
    enum disk_format format = DISK_RAW;
    uint64_t seen = 0;
    struct error ignored;
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
    return n > 0 && disk_base_read(head, (size_t)n, 0, &format, &seen, &ignored) == 0 &&
           format == DISK_QCOW2 && seen == size;
}

static int blank_overlay_format(int fd, uint64_t size, struct error *e)
{
    return disk_overlay_write(fd, NULL, DISK_RAW, size, e);
}

struct blank_kind {
    const char *ending;
    bool (*is_there)(int dir, const char *name, uint64_t size);
    int (*format)(int fd, uint64_t size, struct error *e);
};

static int blank_make_one(const char *cache, const struct blank_kind *k, uint64_t size,
                          char **ret_path, bool *ret_made, struct error *e)
{
    autofree char *name = str_format("%" PRIu64 "%s", size, k->ending);
    autoclose int dir = disk_cache_open(cache, BLANK_FOLDER, e);
    if (dir < 0)
        return dir;
    bool made = false;
    if (!k->is_there(dir, name, size)) {
        struct disk_cache_new new;
        int r = disk_cache_begin(dir, name, &new, e);
        if (r < 0)
            return r;
        if (!k->is_there(dir, name, size)) { /* else somebody made it while we waited */
            r = k->format(new.fd, size, e);
            if (r == 0)
                r = disk_cache_publish(&new, 0400, e);
            made = r == 0;
        }
        disk_cache_end(&new);
        if (r < 0)
            return error_wrap(e, "an empty disk");
    }
    disk_cache_used(dir, name);
    *ret_path = str_format("%s/" BLANK_FOLDER "/%s", cache, name);
    *ret_made = made;
    return 0;
}

int blank_make(const char *cache, uint64_t size, char **ret_path, bool *ret_made, struct error *e)
{
    static const struct blank_kind kind = {BLANK_ENDING, blank_is_there, blank_format};
    return blank_make_one(cache, &kind, size / BLANK_BLOCK * BLANK_BLOCK, ret_path, ret_made, e);
}

int blank_overlay_make(const char *cache, const struct disk_base *base, uint64_t size,
                       char **ret_path, bool *ret_made, struct error *e)
{
    static const struct blank_kind kind = {BLANK_OVERLAY_ENDING, blank_overlay_is_there,
                                           blank_overlay_format};
    uint64_t whole = ((size ? size : base->size) + 511) & ~(uint64_t)511;
    int r = disk_overlay_check(base, size, e);
    return r < 0 ? r : blank_make_one(cache, &kind, whole, ret_path, ret_made, e);
}
