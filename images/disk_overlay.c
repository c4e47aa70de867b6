/* qemu-img: asked what it makes of a disk, and told to make an overlay over it. */
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
#define OVERLAY_BYTES ((uint64_t)1 << 30) /* of tables: an empty overlay is far smaller */

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

static int overlay_create(const struct disk_base *b, int overlay, uint64_t size, struct error *e)
{
    char bytes[24];
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)size);
    const char *const argv[] = {"qemu-img",
                                "create",
                                "-q",
                                "-f",
                                "qcow2",
                                "-b",
                                b->path,
                                "-F",
                                disk_format_name(b->format),
                                "/proc/self/fd/4",
                                bytes,
                                NULL};
    const int files[] = {b->fd, overlay};
    const struct disk_tool tool = {
        .argv = argv,
        .package = "qemu-utils",
        .in = FD_NONE,
        .out = FD_NONE,
        .files = files,
        .files_count = 2,
        .writable = 2,
        .file_bytes = OVERLAY_BYTES,
        .memory = OVERLAY_MEMORY,
    };
    struct disk_tool_running running;
    int r = disk_tool_start(&tool, &running, e);
    return r < 0 ? r : disk_tool_finish(&running, OVERLAY_TIME_MS, e);
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

int disk_overlay_make(const struct disk_base *b, const char *overlay, uint64_t size,
                      struct error *e)
{
    if (strlen(b->path) > OVERLAY_NAME_MAX)
        return error_set(e, ENAMETOOLONG, "disk: an overlay cannot keep a path this long");
    if (size && size < b->size)
        return error_set(e, EINVAL, "disk: it has %llu bytes, an overlay cannot have fewer",
                         (unsigned long long)b->size);
    int r = overlay_ask(b, e);
    if (r < 0)
        return error_wrap(e, "disk");
    autoclose int fd = open(overlay, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(e, errno, "%s", overlay);
    r = overlay_create(b, fd, size ? size : b->size, e);
    if (r == 0)
        r = overlay_check_base(b, e);
    if (r < 0) {
        unlink(overlay);
        return error_wrap(e, "disk");
    }
    return 0;
}
