/* An overlay over a disk of somebody's; where that has a format, qemu-img is asked what it makes of
 * it. */
#include "images/disk_base.h"
#include "images/disk_tool.h"

#include "base/str.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OVERLAY_TIME_MS = 30000, OVERLAY_JSON = 256 * 1024, OVERLAY_NAME_MAX = 1023 };
#define OVERLAY_MEMORY ((uint64_t)512 << 20)

int disk_base_agree(const struct disk_base *b, const char *json, size_t size, struct error *e)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const char *format = json_string_value(json_object_get(root, "format"));
    json_t *seen = json_object_get(root, "virtual-size");
    json_t *specific = json_object_get(json_object_get(root, "format-specific"), "data");
    int r = 0;
    if (!str_equal(format, disk_format_name(b->format)))
        r = error_set(e, EBADMSG, "qemu-img takes it for something else");
    else if (json_object_get(root, "backing-filename") ||
             json_object_get(root, "full-backing-filename") ||
             json_object_get(specific, "data-file"))
        r = error_set(e, EPERM, "it leads to another file, which its maker chose");
    else if (json_is_true(json_object_get(root, "encrypted")))
        r = error_set(e, ENOTSUP, "it is encrypted");
    else if (json_is_true(json_object_get(specific, "corrupt")))
        r = error_set(e, EBADMSG, "it is marked as damaged: qemu-img check -r all");
    else if (!json_is_integer(seen) || json_integer_value(seen) < 0 ||
             (uint64_t)json_integer_value(seen) - b->size >= 512)
        r = error_set(e, EBADMSG, "qemu-img sees another size");
    json_decref(root);
    return r;
}

static int overlay_ask(const struct disk_base *b, struct error *e)
{
    const char *const argv[] = {
        "qemu-img",        "info", "--output=json", "-f", disk_format_name(b->format),
        "/proc/self/fd/3", NULL};
    const struct disk_tool tool = {
        .argv = argv,
        .package = "qemu-utils",
        .in = FD_NONE,
        .files = &b->fd,
        .files_count = 1,
        .memory = OVERLAY_MEMORY,
    };
    autofree char *json = NULL;
    size_t size;
    int r = disk_tool_read(&tool, OVERLAY_TIME_MS, OVERLAY_JSON, &json, &size, e);
    return r < 0 ? r : disk_base_agree(b, json, size, e);
}

/* --- writing one ------------------------------------------------------------------------------ */

/* qemu's docs/interop/qcow2.txt, version 3: its header, one table of counts, one block, the map. */
enum {
    OVERLAY_CLUSTER_BITS = 16,
    OVERLAY_CLUSTER = 1 << OVERLAY_CLUSTER_BITS,
    OVERLAY_COUNTS_AT = OVERLAY_CLUSTER,
    OVERLAY_BLOCK_AT = 2 * OVERLAY_CLUSTER,
    OVERLAY_MAP_AT = 3 * OVERLAY_CLUSTER,
    OVERLAY_HEADER = 104,
};
#define OVERLAY_EXT_FORMAT 0xe2792acau
#define OVERLAY_BY_ENTRY ((uint64_t)OVERLAY_CLUSTER * (OVERLAY_CLUSTER / 8)) /* of the map */

static void overlay_big(struct buf *b, unsigned bytes, uint64_t n)
{
    while (bytes--)
        buf_putc(b, (char)(n >> (8 * bytes) & 0xff));
}

static void overlay_pad(struct buf *b, size_t to)
{
    while (b->used < to)
        buf_putc(b, '\0');
}

static void overlay_header(struct buf *b, const char *base, const char *format, uint64_t size,
                           uint64_t entries)
{
    size_t name_at =
        OVERLAY_HEADER + 8 + 8 + 8; /* behind the format's extension and the last one */
    buf_add(b, "QFI\xfb", 4);
    overlay_big(b, 4, 3);
    overlay_big(b, 8, base ? name_at : 0);
    overlay_big(b, 4, base ? strlen(base) : 0);
    overlay_big(b, 4, OVERLAY_CLUSTER_BITS);
    overlay_big(b, 8, size);
    overlay_big(b, 4, 0); /* not encrypted */
    overlay_big(b, 4, entries);
    overlay_big(b, 8, OVERLAY_MAP_AT);
    overlay_big(b, 8, OVERLAY_COUNTS_AT);
    overlay_big(b, 4, 1);               /* cluster of the counts' table */
    overlay_pad(b, OVERLAY_HEADER - 8); /* no snapshots, no features */
    overlay_big(b, 4, 4);               /* counts of 16 bits */
    overlay_big(b, 4, OVERLAY_HEADER);
    if (base) {
        overlay_big(b, 4, OVERLAY_EXT_FORMAT);
        overlay_big(b, 4, strlen(format));
        buf_puts(b, format);
        overlay_pad(b, name_at - 8);
    }
    overlay_big(b, 8, 0); /* the last extension */
    if (base)
        buf_puts(b, base);
    overlay_pad(b, OVERLAY_COUNTS_AT);
}

int disk_overlay_write(int fd, const char *base, enum disk_format format, uint64_t size,
                       struct error *e)
{
    if (base && strlen(base) > OVERLAY_NAME_MAX)
        return error_set(e, ENAMETOOLONG, "disk: an overlay cannot keep a path this long");
    if ((base && base[0] != '/') || size > DISK_SIZE_MAX)
        return error_set(e, EINVAL, "disk: no overlay can lie over that");
    struct buf b = {0};
    size = (size + 511) & ~(uint64_t)511;
    uint64_t entries = MAX((size + OVERLAY_BY_ENTRY - 1) / OVERLAY_BY_ENTRY, (uint64_t)1);
    uint64_t clusters = 3 + (entries * 8 + OVERLAY_CLUSTER - 1) / OVERLAY_CLUSTER;
    overlay_header(&b, base, disk_format_name(format), size, entries);
    overlay_big(&b, 8, OVERLAY_BLOCK_AT);
    overlay_pad(&b, OVERLAY_BLOCK_AT);
    for (uint64_t i = 0; i < clusters; i++)
        overlay_big(&b, 2, 1);
    int r = fd_write_full(fd, b.data, b.used);
    if (r == 0 && ftruncate(fd, (off_t)(clusters * OVERLAY_CLUSTER)) < 0)
        r = -errno;
    buf_done(&b);
    return r < 0 ? error_errno(e, -r, "writing an overlay") : 0;
}

/* The name that the overlay has kept still means what was looked at. */
static int overlay_check_base(const struct disk_base *b, struct error *e)
{
    struct stat named, held;
    if (stat(b->path, &named) < 0 || fstat(b->fd, &held) < 0 || named.st_dev != held.st_dev ||
        named.st_ino != held.st_ino)
        return error_set(e, ESTALE, "it was replaced meanwhile");
    return 0;
}

int disk_overlay_check(const struct disk_base *b, uint64_t size, struct error *e)
{
    if (size && size < b->size)
        return error_set(e, EINVAL, "disk: it has %llu bytes, an overlay cannot have fewer",
                         (unsigned long long)b->size);
    /* of a raw one nothing is read, by nobody */
    int r = b->format == DISK_RAW ? 0 : overlay_ask(b, e);
    return r < 0 ? error_wrap(e, "disk") : 0;
}

int disk_overlay_make(const struct disk_base *b, const char *overlay, uint64_t size,
                      struct error *e)
{
    int r = disk_overlay_check(b, size, e);
    if (r < 0)
        return r;
    autoclose int fd = open(overlay, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(e, errno, "%s", overlay);
    r = disk_overlay_write(fd, b->path, b->format, size ? size : b->size, e);
    if (r == 0)
        r = overlay_check_base(b, e);
    if (r < 0) {
        unlink(overlay);
        return error_wrap(e, "disk");
    }
    return 0;
}
