/* One member after the other. */
#include "images/layer.h"

#include "base/fd.h"
#include "images/layer_parts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char layer_white[] = ".wh.", layer_aufs[] = ".wh..wh.",
                  layer_opaque[] = ".wh..wh..opq";

const struct image_limits image_limits_usual = {
    .bytes = (uint64_t)64 << 30,
    .entries = 4 << 20,
    .depth = 256,
    .ratio = 200,
};

/* --- kinds of members --------------------------------------------------------------------------
 */

static int layer_pour(struct tar *t, int fd, uint64_t size, struct error *e)
{
    const void *data;
    size_t n;
    uint64_t at, end = 0;
    int r;
    while ((r = tar_data(t, &data, &n, &at, e)) == 1) {
        end = at + n;
        for (const char *p = data; n;) {
            ssize_t done = pwrite(fd, p, n, (off_t)at);
            if (done < 0 && errno == EINTR)
                continue;
            if (done < 0)
                return -errno;
            p += done;
            at += (uint64_t)done;
            n -= (size_t)done;
        }
    }
    if (r == 0 && end < size && ftruncate(fd, (off_t)size) < 0)
        return -errno;
    return r;
}

static int layer_file(struct layer *l, struct tar *t, const struct tar_member *m, int parent,
                      const char *leaf, struct error *e)
{
    if (m->size > l->job->limits.bytes || l->counts.bytes > l->job->limits.bytes - m->size)
        return error_set(e, EFBIG, "the layer's files are larger than the limit of %llu bytes",
                         (unsigned long long)l->job->limits.bytes);
    l->counts.bytes += m->size;
    l->counts.files++;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t mode = l->job->archive ? 0600 : m->mode & 0777;
    autoclose int fd = openat(parent, leaf, flags, mode);
    if (fd < 0 && errno == EEXIST) {
        if (l->job->archive && parent == l->job->root && !str_ends(leaf, ".tar"))
            return error_set(e, EEXIST, "a document that comes twice: which is meant?");
        int r = layer_remove(l, parent, leaf);
        if (r < 0)
            return r;
        fd = openat(parent, leaf, flags, mode);
    }
    if (fd < 0)
        return -errno;
    int r = layer_pour(t, fd, m->size, e);
    return r < 0 || l->job->archive ? r : layer_dress(l, fd, m);
}

/* A folder is merged with one that is there; what hid it from below goes on hiding. */
static int layer_dir(struct layer *l, const struct tar_member *m, int parent, const char *leaf)
{
    if (mkdirat(parent, leaf, m->mode & 01777) < 0 && errno != EEXIST)
        return -errno;
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    autoclose int fd = openat(parent, leaf, flags);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        bool hides = layer_is_whiteout(parent, leaf);
        int r = layer_remove(l, parent, leaf);
        if (r < 0)
            return r;
        if (mkdirat(parent, leaf, m->mode & 01777) < 0)
            return -errno;
        fd = openat(parent, leaf, flags);
        r = fd < 0 || !hides ? 0 : layer_set_opaque(fd);
        if (r < 0)
            return r;
    }
    if (fd < 0)
        return -errno;
    if (l->job->archive)
        return fchmod(fd, 0700) < 0 ? -errno : 0;
    int r = layer_dress(l, fd, m);
    return r < 0 ? r : layer_spill_time(l, l->path.data, m);
}

static int layer_dress_by_name(struct layer *l, int parent, const char *leaf,
                               const struct tar_member *m)
{
    if (l->job->owners &&
        fchownat(parent, leaf, (uid_t)m->uid, (gid_t)m->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    const struct timespec times[2] = {
        {m->mtime_s, m->mtime_ns},
        {m->mtime_s, m->mtime_ns}
    };
    return utimensat(parent, leaf, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int layer_symlink(struct layer *l, const struct tar_member *m, int parent, const char *leaf)
{
    if (!m->link[0])
        return -ENOENT;
    int r = layer_remove(l, parent, leaf);
    if (r < 0)
        return r;
    if (symlinkat(m->link, parent, leaf) < 0)
        return -errno;
    l->counts.xattrs += m->xattrs_count;
    return layer_dress_by_name(l, parent, leaf, m);
}

static int layer_fifo(struct layer *l, const struct tar_member *m, int parent, const char *leaf)
{
    int r = layer_remove(l, parent, leaf);
    if (r < 0)
        return r;
    if (mknodat(parent, leaf, S_IFIFO | (m->mode & 0777), 0) < 0)
        return -errno;
    l->counts.xattrs += m->xattrs_count;
    return layer_dress_by_name(l, parent, leaf, m);
}

/* Where a hard link points: as strict as the member's own path. */
static int layer_hard_link(struct layer *l, const struct tar_member *m, int parent,
                           const char *leaf, struct error *e)
{
    autobuf target = {0};
    int r = layer_plain_path(m->link, l->job->limits.depth, &target);
    if (r == -EPERM)
        return error_set(e, EPERM, "it is a hard link that would leave the layer");
    if (r < 0)
        return r;
    if (str_equal(target.data, l->path.data))
        return error_set(e, EINVAL, "it is a hard link to itself");
    const char *slash = strrchr(target.data, '/'), *name = slash ? slash + 1 : target.data;
    if (l->job->whiteouts && str_starts(name, layer_white))
        return error_set(e, EPERM, "it is a hard link to a whiteout");
    autofree char *folder = slash ? str_ndup(target.data, (size_t)(slash - target.data)) : NULL;
    autoclose int from =
        fd_openat2(l->job->root, folder ? folder : ".", O_PATH | O_DIRECTORY, 0, LAYER_RESOLVE);
    struct stat st;
    if (from < 0 || fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set(e, ENOENT, "it is a hard link to something that is not in this layer");
    if (S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode))
        return error_set(e, EPERM, "it is a hard link to a folder or a whiteout");
    r = layer_remove(l, parent, leaf);
    if (r < 0)
        return r;
    return linkat(from, name, parent, leaf, 0) < 0 ? -errno : 0;
}

/* --- whiteouts ---------------------------------------------------------------------------------
 */

/* 1: it was one, or is to be left out. */
static int layer_take_whiteout(struct layer *l, const struct tar_member *m, int parent,
                               const char *leaf, struct error *e)
{
    if (!l->job->whiteouts || !str_starts(leaf, layer_white))
        return 0;
    if (m->type != TAR_FILE && m->type != TAR_HARD_LINK)
        return error_set(e, EPERM, "a whiteout that is no plain file");
    if (str_equal(leaf, layer_opaque)) {
        autoclose int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : layer_set_opaque(fd);
        return r < 0 ? r : 1;
    }
    if (str_starts(leaf, layer_aufs))
        return 1;
    const char *name = leaf + sizeof(layer_white) - 1;
    if (!*name || str_equal(name, ".") || str_equal(name, ".."))
        return error_set(e, EPERM, "a whiteout of nothing");
    int r = layer_whiteout(l, parent, name);
    return r < 0 ? r : 1;
}

/* A folder on the way cannot be called like a whiteout. */
static int layer_check_way(const struct layer *l, struct error *e)
{
    const char *p = l->path.data;
    if (!l->job->whiteouts)
        return 0;
    for (const char *slash; (slash = strchr(p, '/')); p = slash + 1)
        if (str_starts(p, layer_white))
            return error_set(e, EPERM, "it is below a whiteout");
    return 0;
}

/* Inside a folder that is AUFS's own book-keeping. */
static bool layer_is_aufs(const struct layer *l)
{
    return l->job->whiteouts && str_starts(l->path.data, layer_aufs) &&
           !str_equal(l->path.data, layer_opaque);
}

/* What an OCI layout or `docker save` has at its top: no root file system has only such. */
static bool layer_is_of_archive(const struct layer *l, const struct tar_member *m)
{
    static const char *const names[] = {"blobs", "oci-layout", "repositories"};
    static const char *const endings[] = {".json", ".tar", ".tar.gz"};
    const char *path = l->path.data;
    size_t n = strcspn(path, "/");
    if (strspn(path, "0123456789abcdef") == 64 && n == 64)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (n == strlen(names[i]) && memcmp(path, names[i], n) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
        if (!path[n] && m->type != TAR_DIR && str_ends(path, endings[i]))
            return true;
    return false;
}

/* --- all of them -------------------------------------------------------------------------------
 */

/* The layer's own folder, "./". */
static int layer_root(struct layer *l, const struct tar_member *m, struct error *e)
{
    if (m->type != TAR_DIR)
        return error_set(e, EINVAL, "the root of a layer that is no folder");
    if (l->job->archive)
        return 0;
    autoclose int fd = openat(l->job->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : layer_dress(l, fd, m);
    return r < 0 ? r : layer_spill_time(l, "", m);
}

static int layer_make(struct layer *l, struct tar *t, const struct tar_member *m, int parent,
                      const char *leaf, struct error *e)
{
    switch (m->type) {
    case TAR_FILE:
        return layer_file(l, t, m, parent, leaf, e);
    case TAR_HARD_LINK:
        return layer_hard_link(l, m, parent, leaf, e);
    case TAR_SYMLINK:
        if (!m->link[0])
            return error_set(e, EBADMSG, "it is a link to nothing");
        return layer_symlink(l, m, parent, leaf);
    case TAR_DIR:
        return layer_dir(l, m, parent, leaf);
    case TAR_FIFO:
        return layer_fifo(l, m, parent, leaf);
    case TAR_CHAR:
    case TAR_BLOCK_DEVICE:
        break;
    }
    l->counts.devices++;
    return 0;
}

static int layer_member(struct layer *l, struct tar *t, const struct tar_member *m, struct error *e)
{
    l->path.used = 0;
    int r = layer_plain_path(m->path, l->job->limits.depth, &l->path);
    if (r == -EPERM)
        return error_set(e, EPERM, "it would leave the layer");
    if (r < 0)
        return r;
    if (l->job->owners && (m->uid > 65535 || m->gid > 65535))
        return error_set(e, ERANGE, "its owner %llu:%llu is beyond 65535",
                         (unsigned long long)m->uid, (unsigned long long)m->gid);
    if (!l->path.used)
        return layer_root(l, m, e);
    if (layer_is_aufs(l))
        return 0;
    if (l->job->archive && !layer_is_of_archive(l, m))
        return error_set(e, EMEDIUMTYPE, "an archive of an image has no such thing");
    r = layer_check_way(l, e);
    const char *leaf;
    int parent = r < 0 ? r : layer_open_parent(l, l->path.data, m, &leaf);
    if (parent == -ELOOP || parent == -ENOTDIR || parent == -EXDEV)
        return error_set(e, -parent, "a link or a file of the layer is in its way");
    if (parent < 0)
        return parent;
    r = layer_take_whiteout(l, m, parent, leaf, e);
    if (r != 0)
        return r < 0 ? r : 0;
    return layer_make(l, t, m, parent, leaf, e);
}

/* Puts in front of an error, or of a plain -errno, the member it is about. */
static int layer_blame(const char *what, const char *path, int r, struct error *e)
{
    autofree char *shown = str_escape(path, strnlen(path, 150));
    if (e->code)
        return error_wrap(e, "%s %s", what, shown);
    return error_errno(e, -r, "%s %s", what, shown);
}

static int layer_members(struct layer *l, struct tar *t, struct error *e)
{
    const struct tar_member *m;
    uint64_t most = l->job->limits.entries;
    int r;
    e->code = 0;
    while ((r = tar_next(t, &m, e)) == 1) {
        l->counts.entries++;
        r = layer_member(l, t, m, e);
        if (r == 0 && l->counts.entries > most)
            r = error_set(e, EFBIG, "with it there are more than %llu files and folders",
                          (unsigned long long)most);
        if (r == -ENOSPC && !e->code && m->xattrs_count) /* some file systems say so of both */
            error_set(e, ENOSPC, "no space left, or none for %zu extended attributes of one file",
                      m->xattrs_count);
        if (r < 0)
            return layer_blame("member", m->path, r, e);
    }
    return r < 0 && l->path.used ? layer_blame("behind member", l->path.data, r, e) : r;
}

int layer_write(struct tar *t, const struct layer_job *job, struct layer_counts *ret,
                struct error *e)
{
    struct layer l = {.job = job, .parent = FD_NONE};
    int r = layer_members(&l, t, e);
    if (r == 0)
        r = tar_drain(t, e);
    if (r == 0) {
        r = layer_set_times(&l);
        if (r < 0)
            error_errno(e, -r, "times of folders");
    }
    layer_close_parent(&l);
    buf_done(&l.path);
    buf_done(&l.parent_path);
    buf_done(&l.spilled);
    if (r == 0)
        *ret = l.counts;
    return r;
}
