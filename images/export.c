/* An image out again, as an OCI layout of its own. */
#include "base/fd.h"
#include "base/file.h"
#include "images/image.h"
#include "images/tar_write.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where files go: a folder, or a tar stream. */
struct export
{
    const struct image_store *s;
    int dir, tar;
};

static int export_text(struct export *x, const char *name, const char *text)
{
    size_t size = strlen(text);
    if (x->dir >= 0)
        return file_write_whole(x->dir, name, text, size, 0644, false);
    struct tar_member m = {.path = (char *)name, .mode = 0644, .size = size};
    int r = tar_write_member(x->tar, &m);
    return r < 0 ? r : tar_write_bytes(x->tar, text, size);
}

static int export_folder(struct export *x, const char *name)
{
    if (x->dir >= 0)
        return mkdirat(x->dir, name, 0755) < 0 ? -errno : 0;
    autofree char *path = str_format("%s/", name);
    struct tar_member m = {.type = TAR_DIR, .path = path, .mode = 0755};
    return tar_write_member(x->tar, &m);
}

static int export_copy(int dir, const char *path, int from, uint64_t size)
{
    autoclose int to =
        openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (to < 0)
        return errno == EEXIST ? 0 : -errno; /* two layers of the same bytes */
    while (size) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)MIN(size, (uint64_t)1 << 30), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        size -= (uint64_t)n;
    }
    return 0;
}

static int export_blob(struct export *x, const char *hex, uint64_t size, struct error *e)
{
    if (cancelled)
        return error_set(e, ECANCELED, "given up");
    autofree char *path = str_format("blobs/sha256/%s", hex);
    autoclose int from = image_store_open_blob(x->s, hex);
    int r = from < 0 ? from : 0;
    if (r == 0 && x->dir >= 0) {
        r = export_copy(x->dir, path, from, size);
    } else if (r == 0) {
        struct tar_member m = {.path = path, .mode = 0644, .size = size};
        r = tar_write_member(x->tar, &m);
        if (r == 0)
            r = tar_write_content(x->tar, from, size);
    }
    return r < 0 ? error_errno(e, -r, "blob sha256:%.16s…", hex) : 0;
}

static int export_all(struct export *x, const struct image *i, struct error *e)
{
    struct document_descriptor d = {
        .kind = DOCUMENT_MANIFEST,
        .media_type = (char *)"application/vnd.oci.image.manifest.v1+json",
        .name = i->name,
    };
    struct stat st;
    memcpy(d.hex, i->hex, sizeof(d.hex));
    autoclose int manifest = image_store_open_blob(x->s, i->hex);
    if (manifest < 0 || fstat(manifest, &st) < 0)
        return error_errno(e, manifest < 0 ? -manifest : errno, "the manifest");
    d.size = (uint64_t)st.st_size;
    if (str_starts(i->manifest.config.media_type, "application/vnd.docker."))
        d.media_type = (char *)"application/vnd.docker.distribution.manifest.v2+json";
    const struct document_index index = {.list = &d, .count = 1};
    autofree char *text = document_write_index(&index);
    int r = export_text(x, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n");
    if (r == 0)
        r = export_text(x, "index.json", text);
    if (r == 0)
        r = export_folder(x, "blobs");
    if (r == 0)
        r = export_folder(x, "blobs/sha256");
    if (r < 0)
        return error_errno(e, -r, "writing the layout");
    r = export_blob(x, i->hex, d.size, e);
    if (r == 0)
        r = export_blob(x, i->manifest.config.hex, i->manifest.config.size, e);
    for (size_t n = 0; r == 0 && n < i->manifest.count; n++) {
        bool twice = false;
        for (size_t k = 0; k < n; k++)
            twice = twice || memcmp(i->manifest.layers[k].hex, i->manifest.layers[n].hex, 65) == 0;
        if (!twice)
            r = export_blob(x, i->manifest.layers[n].hex, i->manifest.layers[n].size, e);
    }
    return r;
}

int image_export_dir(const struct image_store *s, const struct image *i, const char *path,
                     struct error *e)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    autofree char *plain = str_ndup(path, length);
    autofree char *temporary = str_format("%s.part-%d", plain, (int)getpid());
    struct stat st;
    if (lstat(plain, &st) == 0)
        return error_set(e, EEXIST, "%s is there already", plain);
    if (mkdir(temporary, 0755) < 0)
        return error_errno(e, errno, "%s", temporary);
    autoclose int dir = open(temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct export x = {.s = s, .dir = dir, .tar = FD_NONE};
    int r = dir < 0 ? error_errno(e, errno, "%s", temporary) : export_all(&x, i, e);
    if (r == 0 &&
        (syncfs(dir) < 0 || renameat2(AT_FDCWD, temporary, AT_FDCWD, plain, RENAME_NOREPLACE) < 0))
        r = error_errno(e, errno, "%s", plain);
    if (r < 0)
        file_remove_tree(AT_FDCWD, temporary);
    return r;
}

int image_export_tar(const struct image_store *s, const struct image *i, int fd, struct error *e)
{
    struct export x = {.s = s, .dir = FD_NONE, .tar = fd};
    int r = export_all(&x, i, e);
    if (r < 0)
        return r;
    r = tar_write_end(fd);
    return r < 0 ? error_errno(e, -r, "writing the archive") : 0;
}
