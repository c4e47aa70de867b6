/* Blobs, on their way into a session and out of the store. */
#include "base/fd.h"
#include "base/file.h"
#include "base/sha256.h"
#include "images/store_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOB_CHUNK = 256 * 1024 };

static int blob_open(int dir, const char *path)
{
    autoclose int fd = fd_openat2(dir, path, O_RDONLY | O_NONBLOCK, 0, STORE_RESOLVE);
    struct stat st;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

int image_store_open_blob(const struct image_store *s, const char *hex)
{
    autofree char *path = str_join_path("blobs/sha256", hex);
    int fd = blob_open(s->dir, path);
    if (fd != -ENOENT || !s->session)
        return fd;
    autofree char *other = str_format("%s/blobs/%s", s->session, hex);
    fd = blob_open(s->dir, other);
    return fd == -ENOENT ? store_open_source(s, hex) : fd;
}

int image_store_read_document(const struct image_store *s, const struct document_descriptor *d,
                              char **ret, size_t *ret_size, struct error *e)
{
    autoclose int fd = image_store_open_blob(s, d->hex);
    if (fd < 0)
        return error_errno(e, -fd, "blob sha256:%.16s…", d->hex);
    if (d->size > DOCUMENT_MAX)
        return error_set(e, EFBIG, "blob sha256:%.16s… is too large for a document", d->hex);
    autofree char *text = mem_alloc((size_t)d->size + 2);
    size_t used = 0;
    for (ssize_t n; used <= d->size; used += (size_t)n) {
        n = read(fd, text + used, (size_t)d->size + 1 - used);
        if (n < 0)
            return error_errno(e, errno, "blob sha256:%.16s…", d->hex);
        if (n == 0)
            break;
    }
    struct sha256 hash;
    unsigned char digest[32];
    char hex[65];
    sha256_init(&hash);
    sha256_add(&hash, text, used);
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    if (used != d->size || memcmp(hex, d->hex, sizeof(hex)) != 0)
        return error_set(e, EBADMSG, "blob sha256:%.16s… is not what it says", d->hex);
    text[used] = '\0';
    *ret = TAKE(text);
    *ret_size = used;
    return 0;
}

int store_check_blob(const char *want, uint64_t want_size, const char *hex, uint64_t size,
                     struct error *e)
{
    if (want_size != UINT64_MAX && size != want_size)
        return error_set(e, EBADMSG, "the blob sha256:%.16s… has %llu bytes and not %llu",
                         want ? want : hex, (unsigned long long)size,
                         (unsigned long long)want_size);
    if (want && memcmp(want, hex, 65) != 0)
        return error_set(e, EBADMSG, "the blob sha256:%.16s… has the digest sha256:%.16s…", want,
                         hex);
    return 0;
}

/* Into a new file of the session: its name there, owned by the caller, and its descriptor. */
int image_store_check_blob(struct image_store *s, const char *hex, uint64_t size, struct error *e)
{
    char got[65];
    struct stat st;
    autofree char *path = str_join_path("blobs/sha256", hex);
    autoclose int old = blob_open(s->dir, path);
    int r = old < 0 ? 0 : sha256_fd(old, UINT64_MAX, got);
    if (r < 0)
        return error_errno(e, -r, "blob sha256:%.16s…", hex);
    if (old >= 0 && memcmp(got, hex, sizeof(got)) != 0 && unlinkat(s->dir, path, 0) < 0)
        return error_errno(e, errno, "removing %s/%s", s->path, path);
    autoclose int fd = image_store_open_blob(s, hex);
    if (fd == -ENOENT)
        return 1;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, fd < 0 ? -fd : errno, "blob sha256:%.16s…", hex);
    return store_check_blob(NULL, size, hex, (uint64_t)st.st_size, e);
}

/* --- adding --------------------------------------------------------------------------------------
 */

/* To `to` unless that is FD_NONE, hashed. */
static int blob_copy(int from, int to, uint64_t most, char hex[65], uint64_t *ret_size)
{
    autofree char *chunk = mem_alloc(BLOB_CHUNK);
    struct sha256 hash;
    unsigned char digest[32];
    sha256_init(&hash);
    for (off_t at = 0;;) {
        if (cancelled)
            return -ECANCELED;
        ssize_t n = pread(from, chunk, BLOB_CHUNK, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) {
            *ret_size = (uint64_t)at;
            break;
        }
        at += n;
        if ((uint64_t)at > most)
            return -EFBIG;
        sha256_add(&hash, chunk, (size_t)n);
        int r = to < 0 ? 0 : fd_write_full(to, chunk, (size_t)n);
        if (r < 0)
            return r;
    }
    sha256_end(&hash, digest);
    sha256_hex(digest, hex);
    return 0;
}

static int blob_link(const struct image_store *s, int fd, const char *to)
{
    char from[48];
    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    if (fchown(fd, geteuid(), getegid()) < 0 || fchmod(fd, 0600) < 0)
        return -errno;
    return linkat(AT_FDCWD, from, s->dir, to, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST ? -errno
                                                                                        : 0;
}

int store_new_blob(const struct image_store *s, char **ret, struct error *e)
{
    autofree char *temp = str_format("%s/new/blob", s->session);
    unlinkat(s->dir, temp, 0);
    int to = openat(s->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return error_errno(e, errno, "%s/%s", s->path, temp);
    *ret = TAKE(temp);
    return to;
}

/* What is in `temp`, or is `fd` where that is NULL, becomes the blob `hex` of the session. */
int store_place_blob(const struct image_store *s, int fd, const char *temp, const char *hex,
                     struct error *e)
{
    autofree char *path = str_format("%s/blobs/%s", s->session, hex);
    int r = 0;
    if (!temp)
        r = blob_link(s, fd, path);
    else if (renameat(s->dir, temp, s->dir, path) < 0)
        r = -errno;
    return r < 0 ? error_errno(e, -r, "%s/%s", s->path, path) : 0;
}

int store_regular_blob(int fd, struct stat *ret, struct error *e)
{
    if (fstat(fd, ret) < 0 || !S_ISREG(ret->st_mode))
        return error_set(e, EINVAL, "a blob is no regular file");
    return 0;
}

static int blob_take(struct image_store *s, int fd, bool ours, const char *want, uint64_t want_size,
                     char hex[65], uint64_t *ret_size, struct error *e)
{
    autofree char *temp = NULL;
    autoclose int to = ours ? FD_NONE : store_new_blob(s, &temp, e);
    if (!ours && to < 0)
        return to;
    int r = blob_copy(fd, to, want_size, hex, ret_size);
    if (r == -EFBIG)
        return error_set(e, EBADMSG, "the blob sha256:%.16s… is larger than it says", want);
    if (r < 0)
        return error_errno(e, -r, "copying a blob");
    r = store_check_blob(want, want_size, hex, *ret_size, e);
    return r < 0 ? r : store_place_blob(s, fd, temp, hex, e);
}

int image_store_add_blob(struct image_store *s, int fd, bool ours, const char *hex, uint64_t size,
                         char ret_hex[65], uint64_t *ret_size, struct error *e)
{
    struct stat st;
    int r = store_regular_blob(fd, &st, e);
    if (r == 0)
        r = image_store_session(s, NULL, e);
    if (r < 0)
        return r;
    char got[65];
    uint64_t bytes = 0;
    r = blob_take(s, fd, ours, hex, size, got, &bytes, e);
    if (r < 0)
        return r;
    if (ret_hex)
        memcpy(ret_hex, got, sizeof(got));
    if (ret_size)
        *ret_size = bytes;
    return 0;
}

int image_store_add_document(struct image_store *s, const char *text,
                             struct document_descriptor *ret, struct error *e)
{
    autoclose int fd = fd_sealed("document", text, strlen(text));
    if (fd < 0)
        return error_errno(e, -fd, "a document");
    return image_store_add_blob(s, fd, false, NULL, UINT64_MAX, ret->hex, &ret->size, e);
}
