#include "app/cli/archive_module.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

enum { BLOCK = 64 * 1024 };

static void enable(struct archive *a)
{
    archive_read_support_format_tar(a);
    archive_read_support_format_cpio(a);
    archive_read_support_format_ar(a);
    archive_read_support_format_zip(a);
    archive_read_support_format_7zip(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_lzma(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_lz4(a);
}

static int fail(struct archive *a, char *why, unsigned room)
{
    const char *text = archive_error_string(a);
    snprintf(why, room, "%s", text ? text : "it cannot be read");
    archive_read_free(a);
    return -1;
}

static int list(int fd, int (*each)(void *data, const struct archive_item *item), void *data,
                char *why, unsigned room)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    int r;
    if (!a) {
        snprintf(why, room, "out of memory");
        return -1;
    }
    enable(a);
    if (archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
        return fail(a, why, room);
    while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        const char *path = archive_entry_pathname(entry);
        const char *link = archive_entry_symlink(entry);
        if (!path)
            path = archive_entry_pathname_utf8(entry);
        if (!link)
            link = archive_entry_hardlink(entry);
        struct archive_item item = {
            .path = path ? path : "",
            .link = link,
            .mode = archive_entry_mode(entry),
            .size = archive_entry_size_is_set(entry) ? (uint64_t)archive_entry_size(entry) : 0,
        };
        if (each(data, &item)) {
            archive_read_free(a);
            return 0;
        }
    }
    if (r != ARCHIVE_EOF)
        return fail(a, why, room);
    archive_read_free(a);
    return 0;
}

__attribute__((visibility("default"))) extern const struct archive_module archive_module;
const struct archive_module archive_module = {.list = list};
