/* Blobs and unpacked layers, on their way into a session and out of the store. */
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
    return blob_open(s->dir, other);
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

static int blob_check(const char *want, uint64_t want_size, const char *hex, uint64_t size,
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

static int blob_take(struct image_store *s, int fd, bool ours, const char *want, uint64_t want_size,
                     char hex[65], uint64_t *ret_size, struct error *e)
{
    autofree char *temp = str_format("%s/new/blob", s->session);
    autoclose int to = FD_NONE;
    unlinkat(s->dir, temp, 0);
    if (!ours) {
        to = openat(s->dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
            return error_errno(e, errno, "%s/%s", s->path, temp);
    }
    int r = blob_copy(fd, to, want_size, hex, ret_size);
    if (r == -EFBIG)
        return error_set(e, EBADMSG, "the blob sha256:%.16s… is larger than it says", want);
    if (r < 0)
        return error_errno(e, -r, "copying a blob");
    r = blob_check(want, want_size, hex, *ret_size, e);
    if (r < 0)
        return r;
    autofree char *path = str_format("%s/blobs/%s", s->session, hex);
    if (ours)
        r = blob_link(s, fd, path);
    else if (renameat(s->dir, temp, s->dir, path) < 0)
        r = -errno;
    return r < 0 ? error_errno(e, -r, "%s/%s", s->path, path) : 0;
}

int image_store_add_blob(struct image_store *s, int fd, bool ours, const char *hex, uint64_t size,
                         char ret_hex[65], uint64_t *ret_size, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(e, EINVAL, "a blob is no regular file");
    int r = image_store_session(s, NULL, e);
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

/* --- layers --------------------------------------------------------------------------------------
 */

char *image_store_layer_path(const struct image_store *s, enum image_owner_how how,
                             const char *diff_id)
{
    return str_format("%s/layers/%s/%s/fs", s->path, image_owner_names[how], diff_id);
}

bool image_store_has_layer(const struct image_store *s, enum image_owner_how how,
                           const char *diff_id)
{
    struct stat st;
    autofree char *path = str_format("layers/%s/%s/layer.json", image_owner_names[how], diff_id);
    if (fstatat(s->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (!s->session)
        return false;
    autofree char *other =
        str_format("%s/%s/%s/layer.json", s->session, image_owner_names[how], diff_id);
    return fstatat(s->dir, other, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

struct layer_progress {
    const struct image_work *w;
    const char *hex;
    uint64_t total;
};

static void layer_tell(void *data, uint64_t done)
{
    const struct layer_progress *p = data;
    p->w->progress(p->w->data, p->hex, done, p->total);
}

static void layer_warn(const struct image_work *w, const char *hex, const struct layer_counts *c)
{
    if (!w->warn || (!c->devices && !c->xattrs))
        return;
    autofree char *text =
        str_format("layer sha256:%.12s: left out %llu device nodes, %llu extended attributes", hex,
                   (unsigned long long)c->devices, (unsigned long long)c->xattrs);
    w->warn(w->data, text);
}

/* new/layer/{fs,spill} → HOW/HEX */
static int layer_finish(struct image_store *s, const char *folder, const struct unpack_result *u,
                        struct error *e)
{
    autoclose int dir = openat(s->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autofree char *text =
        str_format("{\"version\":1,\"stream\":%llu,\"bytes\":%llu,\"entries\":%llu,\"devices\":"
                   "%llu,\"xattrs\":%llu}\n",
                   (unsigned long long)u->stream, (unsigned long long)u->counts.bytes,
                   (unsigned long long)u->counts.entries, (unsigned long long)u->counts.devices,
                   (unsigned long long)u->counts.xattrs);
    int r = dir < 0 ? -errno : 0;
    if (r == 0 && unlinkat(dir, "spill", 0) < 0)
        r = -errno;
    if (r == 0)
        r = file_write_whole(dir, "layer.json", text, strlen(text), 0600, false);
    autofree char *to =
        str_format("%s/%s/%s", s->session, image_owner_names[s->owner.how], u->diff_id);
    if (r == 0 && renameat(s->dir, folder, s->dir, to) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        r = -errno;
    return r < 0 ? error_errno(e, -r, "%s/%s", s->path, to) : 0;
}

int image_store_add_layer(struct image_store *s, const struct image_work *w, const char *blob_hex,
                          const char *diff_id, char ret_diff_id[65], struct error *e)
{
    if (diff_id && image_store_has_layer(s, s->owner.how, diff_id))
        return 0;
    int r = image_store_session(s, NULL, e);
    if (r < 0)
        return r;
    autoclose int blob = image_store_open_blob(s, blob_hex);
    struct stat st;
    if (blob < 0 || fstat(blob, &st) < 0)
        return error_errno(e, blob < 0 ? -blob : errno, "blob sha256:%.16s…", blob_hex);
    autofree char *folder = str_format("%s/new/layer", s->session);
    autofree char *fs = str_join_path(folder, "fs"), *spill = str_join_path(folder, "spill");
    store_remove_tree(s, folder, e);
    if (mkdirat(s->dir, folder, 0700) < 0 || mkdirat(s->dir, fs, 0755) < 0)
        return error_errno(e, errno, "%s/%s", s->path, folder);
    autoclose int root = openat(s->dir, fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclose int times = openat(s->dir, spill, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (root < 0 || times < 0)
        return error_errno(e, errno, "%s/%s", s->path, folder);
    struct layer_progress p = {w, blob_hex, (uint64_t)st.st_size};
    struct unpack_job job = {
        .blob = blob,
        .owner = s->owner,
        .limits = w->limits,
        .whiteouts = true,
        .diff_id = diff_id,
        .progress = w->progress ? layer_tell : NULL,
        .progress_data = &p,
    };
    struct unpack_result u;
    r = unpack_layer(&job, root, times, &u, e);
    if (r == 0)
        r = layer_finish(s, folder, &u, e);
    if (r < 0)
        return error_wrap(e, "layer sha256:%.12s", blob_hex);
    layer_warn(w, blob_hex, &u.counts);
    if (ret_diff_id)
        memcpy(ret_diff_id, u.diff_id, sizeof(u.diff_id));
    return 0;
}
