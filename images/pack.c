/* A folder of the host as a tar stream: names in order, no link followed, no mount crossed. */
#include "base/fd.h"
#include "images/import_parts.h"
#include "images/tar_write.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PACK_DEPTH_MAX = 200, PACK_LINKS_MAX = 1 << 20 };

/* Files seen that have more names than one. */
struct pack_link {
    ino_t inode;
    char *path; /* owned */
};

struct pack {
    int to;
    dev_t device;
    bool owners;             /* as they are; else everything is root's */
    struct pack_link *links; /* owned */
    size_t links_count;
};

static void pack_member(const struct pack *p, const char *path, const struct stat *st,
                        struct tar_member *m)
{
    *m = (struct tar_member){
        .path = (char *)path,
        .mode = st->st_mode & 07777,
        .uid = p->owners ? st->st_uid : 0,
        .gid = p->owners ? st->st_gid : 0,
        .mtime_s = st->st_mtim.tv_sec,
        .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
    };
}

static void pack_xattrs(int fd, struct tar_member *m)
{
    char names[4096], value[4096];
    ssize_t size = flistxattr(fd, names, sizeof(names));
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        const char *name = names + at;
        if ((!str_starts(name, "user.") || str_starts(name, "user.overlay.")) &&
            !str_equal(name, "security.capability"))
            continue;
        ssize_t n = fgetxattr(fd, name, value, sizeof(value));
        if (n < 0 || m->xattrs_count == TAR_XATTRS_MAX)
            continue;
        m->xattrs = mem_grow(m->xattrs, m->xattrs_count + 1, sizeof(m->xattrs[0]));
        m->xattrs[m->xattrs_count++] =
            (struct tar_xattr){str_dup(name), mem_copy(value, (size_t)n + 1), (size_t)n};
    }
}

static int pack_put(struct pack *p, int fd, struct tar_member *m)
{
    pack_xattrs(fd, m);
    int r = tar_write_member(p->to, m);
    for (size_t i = 0; i < m->xattrs_count; i++) {
        free(m->xattrs[i].name);
        free(m->xattrs[i].value);
    }
    free(m->xattrs);
    return r;
}

static int pack_file(struct pack *p, int dir, const char *name, const char *path,
                     const struct stat *st)
{
    struct tar_member m;
    pack_member(p, path, st, &m);
    for (size_t i = 0; st->st_nlink > 1 && i < p->links_count; i++) {
        if (p->links[i].inode != st->st_ino)
            continue;
        m.type = TAR_HARD_LINK;
        m.link = p->links[i].path;
        return tar_write_member(p->to, &m);
    }
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (st->st_nlink > 1 && p->links_count < PACK_LINKS_MAX) {
        p->links = mem_grow(p->links, p->links_count + 1, sizeof(p->links[0]));
        p->links[p->links_count++] = (struct pack_link){st->st_ino, str_dup(path)};
    }
    m.type = TAR_FILE;
    m.size = (uint64_t)st->st_size;
    int r = pack_put(p, fd, &m);
    return r < 0 ? r : tar_write_content(p->to, fd, m.size);
}

static int pack_link(struct pack *p, int dir, const char *name, const char *path,
                     const struct stat *st)
{
    char text[4097];
    ssize_t n = readlinkat(dir, name, text, sizeof(text) - 1);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    struct tar_member m;
    pack_member(p, path, st, &m);
    m.type = TAR_SYMLINK;
    m.link = text;
    return tar_write_member(p->to, &m);
}

static int pack_dir(struct pack *p, int fd, const char *path, const struct stat *st, unsigned depth,
                    char **ret_bad);

static int pack_entry(struct pack *p, int dir, const char *name, const char *path, unsigned depth,
                      char **ret_bad)
{
    struct stat st;
    int r = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    if (r == 0 && S_ISREG(st.st_mode)) {
        r = pack_file(p, dir, name, path, &st);
    } else if (r == 0 && S_ISLNK(st.st_mode)) {
        r = pack_link(p, dir, name, path, &st);
    } else if (r == 0 && S_ISDIR(st.st_mode)) {
        int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : pack_dir(p, fd, path, &st, depth + 1, ret_bad);
    }
    if (r < 0 && !*ret_bad)
        *ret_bad = str_escape(path, strnlen(path, 200));
    return r; /* sockets, devices and FIFOs are of no use in an image */
}

static int pack_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `fd` is taken over. */
static int pack_dir(struct pack *p, int fd, const char *path, const struct stat *st, unsigned depth,
                    char **ret_bad)
{
    struct tar_member m;
    autofree char *own = *path ? str_format("%s/", path) : str_dup("./");
    autostrv char **names = NULL;
    pack_member(p, own, st, &m);
    m.type = TAR_DIR;
    int r = depth > PACK_DEPTH_MAX ? -ELOOP : pack_put(p, fd, &m);
    DIR *d = r < 0 || st->st_dev != p->device ? NULL : fdopendir(fd);
    if (!d) { /* what is mounted there is not of the folder: an empty one */
        fd_close(fd);
        return r;
    }
    for (struct dirent *entry; (errno = 0, entry = readdir(d));)
        if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
            strv_add(&names, entry->d_name);
    r = -errno;
    if (names)
        qsort(names, strv_length(names), sizeof(names[0]), pack_compare);
    for (size_t i = 0; r == 0 && names && names[i]; i++) {
        autofree char *inner = *path ? str_format("%s/%s", path, names[i]) : str_dup(names[i]);
        r = pack_entry(p, dirfd(d), names[i], inner, depth, ret_bad);
    }
    closedir(d);
    return r;
}

int import_pack(int dir, int to, struct error *e)
{
    struct stat st;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "the folder");
    struct pack p = {.to = to, .device = st.st_dev, .owners = geteuid() == 0};
    autofree char *bad = NULL;
    int r = pack_dir(&p, fd, "", &st, 0, &bad);
    if (r == 0)
        r = tar_write_end(to);
    for (size_t i = 0; i < p.links_count; i++)
        free(p.links[i].path);
    free(p.links);
    return r < 0 ? error_errno(e, -r, "%s", bad ? bad : "packing the folder") : 0;
}
