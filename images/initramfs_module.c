/* cpio by libarchive. Times, owners and inodes are ours to choose: the same content, the same
 * bytes. */
#include "images/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/stat.h>

static struct archive *writing;

static int fail(const char *text, char *why, unsigned room)
{
    const char *said = text ? text : writing ? archive_error_string(writing) : "out of memory";
    snprintf(why, room, "%s", said ? said : "it cannot be written");
    return -1;
}

static int begin(int fd, char *why, unsigned room)
{
    writing = archive_write_new();
    if (!writing)
        return fail(NULL, why, room);
    if (archive_write_set_format_cpio_newc(writing) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(writing, 512) != ARCHIVE_OK ||
        archive_write_open_fd(writing, fd) != ARCHIVE_OK)
        return fail(NULL, why, room);
    return 0;
}

static int add(const char *name, unsigned mode, unsigned links, const void *data, size_t size,
               char *why, unsigned room)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return fail("out of memory", why, room);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_mode(entry, mode);
    archive_entry_set_nlink(entry, links);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    int r = archive_write_header(writing, entry);
    archive_entry_free(entry);
    if (r != ARCHIVE_OK || (size && archive_write_data(writing, data, size) != (la_ssize_t)size))
        return fail(NULL, why, room);
    return 0;
}

static int folder(const char *name, char *why, unsigned room)
{
    return add(name, S_IFDIR | 0755, 2, NULL, 0, why, room);
}

static int file(const char *name, unsigned mode, const void *data, size_t size, char *why,
                unsigned room)
{
    return add(name, S_IFREG | mode, 1, data, size, why, room);
}

static int end(char *why, unsigned room)
{
    int r = writing && archive_write_close(writing) != ARCHIVE_OK ? fail(NULL, why, room) : 0;
    archive_write_free(writing);
    writing = NULL;
    return r;
}

__attribute__((visibility("default"))) extern const struct initramfs_module initramfs_module;
const struct initramfs_module initramfs_module = {
    .begin = begin, .folder = folder, .file = file, .end = end};
