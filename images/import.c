/* What is this, and whose way in is it. */
#include "base/fd.h"
#include "base/file.h"
#include "base/sha256.h"
#include "images/import_parts.h"
#include "images/names.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMPORT_NESTED_MAX = 4, IMPORT_CHUNK = 256 * 1024 };

int import_open(int dir, const char *path, uint64_t resolve)
{
    autoclose int found =
        fd_openat2(dir, path, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve);
    struct stat st;
    char self[32];
    if (found < 0)
        return found;
    if (fstat(found, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode)) /* opening a device can do things already */
        return -EINVAL;
    snprintf(self, sizeof(self), "/proc/self/fd/%d", found);
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int import_not_opened(const char *path, int why, struct error *e)
{
    autofree char *shown = str_escape(path, strnlen(path, 100));
    if (!*path)
        return error_set(e, EBADMSG, "the name of a file is empty");
    if (why == -EINVAL || why == -ELOOP)
        return error_set(e, EINVAL, "%s is no regular file", shown);
    if (why == -EXDEV)
        return error_set(e, EXDEV, "%s would lead out of the image", shown);
    return error_errno(e, -why, "%s", shown);
}

int import_read(int dir, const char *path, char **ret, size_t *ret_size, struct error *e)
{
    autoclose int fd = import_open(dir, path, RESOLVE_NO_SYMLINKS);
    struct stat st;
    if (fd < 0)
        return import_not_opened(path, fd, e);
    if (fstat(fd, &st) < 0)
        return error_errno(e, errno, "%s", path);
    if (st.st_size > DOCUMENT_MAX)
        return error_set(e, EFBIG, "%s is too large for a document", path);
    autofree char *text = mem_alloc((size_t)st.st_size + 1);
    int r = fd_read_full(fd, text, (size_t)st.st_size);
    if (r < 0)
        return error_errno(e, -r, "%s", path);
    text[st.st_size] = '\0';
    *ret = TAKE(text);
    *ret_size = (size_t)st.st_size;
    return 0;
}

int import_names_are_few(size_t names, struct error *e)
{
    if (names <= IMPORT_NAMES_MAX)
        return 0;
    return error_set(e, E2BIG,
                     "there are %zu names in it, and at most %d come in at once: say which", names,
                     IMPORT_NAMES_MAX);
}

int import_finish(struct image_import *m, const struct document_descriptor *d, const char *name,
                  struct error *e)
{
    struct image i = {0};
    int r = image_load(m->store, d, &i, e);
    if (r == 0 && i.config.os[0] && !str_equal(i.config.os, "linux")) {
        autofree char *shown = str_escape(i.config.os, strnlen(i.config.os, 40));
        r = error_set(e, EINVAL, "it is an image for %s, which nothing here runs", shown);
    }
    if (r == 0)
        r = image_unpack(m->store, &i, &m->work, e);
    image_done(&i);
    for (size_t n = 0; r == 0 && n < m->ready.count; n++)
        if (str_equal(m->ready.list[n].name, name) && !str_equal(m->ready.list[n].hex, d->hex))
            r = error_set(e, EEXIST, "two images in it are called %s", name);
    if (r < 0)
        return r;
    m->ready.list = mem_grow(m->ready.list, m->ready.count + 1, sizeof(m->ready.list[0]));
    struct document_descriptor *to = &m->ready.list[m->ready.count++];
    *to = (struct document_descriptor){
        .kind = d->kind,
        .media_type = str_dup(d->media_type),
        .size = d->size,
        .name = str_dup(name),
    };
    memcpy(to->hex, d->hex, sizeof(to->hex));
    return 0;
}

int import_publish(struct image_import *m, int r, struct error *e)
{
    if (r == 0)
        r = image_store_commit(m->store, e);
    for (size_t i = 0; r == 0 && i < m->ready.count; i++) {
        const struct document_descriptor *d = &m->ready.list[i];
        r = image_store_tag(m->store, d->name, d, e);
        if (r == 0)
            strv_add(&m->names, d->name);
    }
    document_index_done(&m->ready);
    return r;
}

/* --- OCI layout ----------------------------------------------------------------------------------
 */

static int layout_check(int fd, const struct document_descriptor *d, struct error *e)
{
    char hex[65];
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    bool fits = r == 0 && (uint64_t)st.st_size == d->size;
    if (fits)
        r = sha256_fd(fd, d->size, hex);
    if (r < 0 && r != -EFBIG)
        return error_errno(e, -r, "blob sha256:%.16s…", d->hex);
    if (r == 0 && fits && memcmp(hex, d->hex, sizeof(hex)) == 0)
        return 0;
    return error_set(e, EBADMSG, "the blob sha256:%.16s… is not what it says", d->hex);
}

static int layout_blob(struct image_import *m, int dir, bool ours,
                       const struct document_descriptor *d, struct error *e)
{
    autofree char *path = str_format("blobs/sha256/%s", d->hex);
    autoclose int fd = import_open(dir, path, RESOLVE_NO_SYMLINKS);
    if (fd == -ENOENT &&
        (strstr(d->media_type, ".foreign.") || strstr(d->media_type, ".nondistributable.")))
        return error_set(e, ENOENT,
                         "the layer sha256:%.16s… is a foreign one, which has to come from "
                         "elsewhere: it is not in here",
                         d->hex);
    if (fd < 0)
        return import_not_opened(path, fd, e);
    int checked = d->kind == DOCUMENT_LAYER ? unpack_check_blob(fd, &m->work.limits, e) : 0;
    if (checked < 0)
        return error_wrap(e, "blob sha256:%.16s…", d->hex);
    int have = image_store_check_blob(m->store, d->hex, d->size, e);
    if (have < 0)
        return have;
    if (have == 0) /* a layout is judged by what is in it, not by what happens to be here */
        return layout_check(fd, d, e);
    if (d->kind == DOCUMENT_LAYER)
        return image_store_add_layer_blob(m->store, fd, ours, d->hex, d->size, e);
    return image_store_add_blob(m->store, fd, ours, d->hex, d->size, NULL, NULL, e);
}

/* The same bytes must not be one thing by their descriptor and another by themselves. */
static int layout_same_type(const struct document_descriptor *d, const char *own, struct error *e)
{
    if (!own || str_equal(own, d->media_type))
        return 0;
    return error_set(e, EBADMSG, "it is said to be %s, and says it is %s", d->media_type, own);
}

static int layout_choose(const struct image_import *m, const struct document_index *i,
                         const char *what, struct error *e)
{
    const char *machine = m->architecture ? m->architecture : document_architecture();
    int at = m->variant ? -1 : document_choose(i, machine);
    for (size_t n = 0; m->variant && at < 0 && n < i->count; n++)
        if (str_equal(i->list[n].architecture, machine) &&
            document_variant_is(&i->list[n], m->variant) && str_equal(i->list[n].os, "linux"))
            at = (int)n;
    if (m->variant && at < 0) /* a list that says no machine may lead to one that does */
        at = document_choose(i, "");
    if (at == -2)
        return error_set(e, EEXIST, "several images in %s do not say for which machine they are",
                         what);
    if (at >= 0)
        return at;
    autostrv char **has = NULL;
    for (size_t n = 0; n < i->count && strv_length(has) < 20; n++)
        if (i->list[n].architecture)
            strv_take(&has, str_escape_z(i->list[n].architecture));
    autofree char *list = strv_join(has, ", ");
    return error_set(e, ENOENT, "no image in %s is for linux/%s%s%s; it has: %.200s", what, machine,
                     m->variant ? "/" : "", m->variant ? m->variant : "",
                     has ? list : "none that says for what it is");
}

static int layout_manifest(struct image_import *m, int dir, bool ours,
                           const struct document_descriptor *d, const char *name, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    struct document_manifest manifest = {0};
    int r = layout_blob(m, dir, ours, d, e);
    if (r == 0)
        r = image_store_read_document(m->store, d, &text, &size, e);
    if (r == 0)
        r = document_read_manifest(text, size, &manifest, e);
    if (r == 0)
        r = layout_same_type(d, manifest.media_type, e);
    if (r == 0 && !manifest.count)
        r = error_set(e, EBADMSG, "it has no layers: there would be nothing to run");
    if (r < 0) {
        document_manifest_done(&manifest);
        return error_wrap(e, "manifest");
    }
    r = layout_blob(m, dir, ours, &manifest.config, e);
    for (size_t i = 0; r == 0 && i < manifest.count; i++)
        r = layout_blob(m, dir, ours, &manifest.layers[i], e);
    document_manifest_done(&manifest);
    return r < 0 ? r : import_finish(m, d, name, e);
}

/* Goes down through lists of platforms to the manifest for this machine. */
static int layout_entry(struct image_import *m, int dir, bool ours,
                        const struct document_descriptor *d, const char *name, unsigned depth,
                        struct error *e)
{
    if (d->kind == DOCUMENT_MANIFEST)
        return layout_manifest(m, dir, ours, d, name, e);
    autofree char *text = NULL;
    size_t size;
    struct document_index i = {0};
    if (depth == IMPORT_NESTED_MAX)
        return error_set(e, ELOOP, "lists in lists in lists");
    int r = layout_blob(m, dir, ours, d, e);
    if (r == 0)
        r = image_store_read_document(m->store, d, &text, &size, e);
    if (r == 0)
        r = document_read_index(text, size, &i, e);
    if (r == 0)
        r = layout_same_type(d, i.media_type, e);
    int at = r < 0 ? r : layout_choose(m, &i, "the list", e);
    r = at < 0 ? at : layout_entry(m, dir, ours, &i.list[at], name, depth + 1, e);
    document_index_done(&i);
    return r;
}

/* Which of two images a name means is nobody's to guess. */
static int layout_names_are_one(const struct document_index *i, struct error *e)
{
    for (size_t n = 0; n < i->count; n++)
        for (size_t k = 0; k < n && i->list[n].name; k++)
            if (str_equal(i->list[n].name, i->list[k].name) &&
                memcmp(i->list[n].hex, i->list[k].hex, 65) != 0) {
                autofree char *shown = str_escape_z(i->list[n].name);
                return error_set(e, EEXIST, "two images in it are called %.200s", shown);
            }
    return 0;
}

/*
 * What an entry's image shall be called. A bare tag ("latest", "1.2") is one of the file it comes
 * in, as "umoci --image FILE:TAG" has it.
 */
static char *layout_name(const struct image_import *m, const char *said)
{
    struct error why;
    bool tag = said && !strchr(said, '/') && !strchr(said, ':') &&
               (str_equal(said, "latest") || (*said >= '0' && *said <= '9') ||
                (*said == 'v' && said[1] >= '0' && said[1] <= '9'));
    autofree char *file = tag && m->file ? image_name_of_file(m->file) : NULL;
    if (m->name || !said)
        return m->name ? str_dup(m->name) : NULL;
    if (!file)
        return image_name_plain(said, &why);
    *strrchr(file, ':') = '\0';
    autofree char *whole = str_format("%s:%s", file, said);
    return image_name_plain(whole, &why);
}

static bool layout_is_meant(const char *said, const char *ref)
{
    struct error why;
    autofree char *plain = said ? image_name_plain(said, &why) : NULL;
    return str_equal(said, ref) || str_equal(plain, ref) || str_equal(said, strrchr(ref, ':') + 1);
}

static int layout_no_such(const struct document_index *i, const char *ref, struct error *e)
{
    autostrv char **has = NULL;
    for (size_t n = 0; n < i->count && strv_length(has) < 20; n++)
        if (i->list[n].name)
            strv_take(&has, str_escape_z(i->list[n].name));
    autofree char *list = strv_join(has, ", ");
    return error_set(e, ENOENT, "no image in it is called %s; there are: %.200s", ref,
                     has ? list : "none with names");
}

/* One that is asked for by name, the only one, or all that have names. */
static int layout_entries(struct image_import *m, int dir, bool ours,
                          const struct document_index *i, struct error *e)
{
    const char *ref = m->ref ? m->ref : m->name;
    size_t named = 0, last = 0;
    if (i->count == 0)
        return error_set(e, ENOENT, "there is no image in it");
    for (size_t n = 0; n < i->count; n++)
        if (i->list[n].name) {
            last = n;
            named++;
        }
    if (m->name && !m->ref && named < 2) {
        int at = named ? (int)last : layout_choose(m, i, "it", e);
        return at < 0 ? at : layout_entry(m, dir, ours, &i->list[at], m->name, 0, e);
    }
    int r = ref ? 0 : import_names_are_few(named, e);
    if (r == 0)
        r = layout_names_are_one(i, e);
    for (size_t n = 0; r == 0 && n < i->count; n++) {
        const char *said = i->list[n].name;
        if (ref ? !layout_is_meant(said, ref) : !said && named)
            continue; /* skopeo takes the name of what it replaces, and leaves the rest */
        autofree char *name = layout_name(m, said);
        if (!name && said) {
            autofree char *shown = str_escape(said, strnlen(said, 100));
            return error_set(e, EINVAL,
                             "what it is called, \"%s\", is no name here: give one behind the path",
                             shown);
        }
        if (!name)
            return error_set(e, EINVAL,
                             "the image has no name of its own: give one behind the path");
        r = layout_entry(m, dir, ours, &i->list[n], name, 0, e);
    }
    return r == 0 && !m->ready.count ? layout_no_such(i, ref ? ref : "so", e) : r;
}

int image_import_layout(struct image_import *m, int dir, bool ours, struct error *e)
{
    autofree char *layout = NULL, *text = NULL;
    size_t size;
    struct document_index i = {0};
    int r = image_store_session(m->store, NULL, e);
    if (r == 0)
        r = import_read(dir, "oci-layout", &layout, &size, e);
    if (r == 0)
        r = document_check_layout(layout, size, e);
    if (r == 0)
        r = import_read(dir, "index.json", &text, &size, e);
    if (r == 0) {
        r = document_read_index(text, size, &i, e);
        if (r < 0)
            error_wrap(e, "index.json");
    }
    if (r == 0)
        r = layout_entries(m, dir, ours, &i, e);
    document_index_done(&i);
    return import_publish(m, r, e);
}

/* --- files and folders ---------------------------------------------------------------------------
 */

static bool import_wants(const struct image_import *m, enum image_source s)
{
    return m->source == IMAGE_SOURCE_ANY || m->source == s;
}

/* 1: not there. What cannot be looked for is not taken for missing. */
static int import_lacks(int dir, const char *name, struct error *e)
{
    if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    return errno == ENOENT ? 1 : error_errno(e, errno, "%s", name);
}

/* 1: it is neither layout nor docker archive. */
static int import_known(struct image_import *m, int dir, bool ours, struct error *e)
{
    int r = import_wants(m, IMAGE_SOURCE_OCI) ? import_lacks(dir, "oci-layout", e) : 1;
    if (r <= 0)
        return r < 0 ? r : image_import_layout(m, dir, ours, e);
    r = import_wants(m, IMAGE_SOURCE_DOCKER) ? import_lacks(dir, "manifest.json", e) : 1;
    if (r <= 0)
        return r < 0 ? r : import_saved(m, dir, ours, e);
    if (ours && import_lacks(dir, "repositories", e) == 0)
        return error_set(e, ENOTSUP,
                         "a docker archive from before 2016, without manifest.json: "
                         "docker load and docker save make a newer one");
    if (import_wants(m, IMAGE_SOURCE_OCI) && import_lacks(dir, "index.json", e) == 0 &&
        import_lacks(dir, "blobs", e) == 0)
        return error_set(e, EBADMSG,
                         "an OCI layout has a file oci-layout, which is missing beside index.json "
                         "and blobs");
    return 1;
}

/* Unpacked into the session first: 1 if it is no archive of an image. */
static int import_archive(struct image_import *m, int fd, struct error *e)
{
    struct store_tree tree;
    int r = image_store_new_tree(m->store, "archive", 0700, &tree, e);
    if (r < 0)
        return r;
    struct unpack_job job = {
        .blob = fd,
        .owner = *image_store_owner(m->store),
        .limits = m->work.limits,
        .archive = true,
    };
    if (job.owner.how == IMAGE_OWNER_RANGES)
        job.owner.how = IMAGE_OWNER_SELF;
    struct unpack_result u;
    r = unpack_layer(&job, tree.root, tree.spill, &u, e);
    if (r == -EMEDIUMTYPE && import_wants(m, IMAGE_SOURCE_ROOTFS))
        r = 1;
    else if (r == 0)
        r = import_known(m, tree.root, true, e);
    if (r == 1)
        file_remove_tree(image_store_dir(m->store), tree.path);
    image_store_tree_done(&tree);
    return r;
}

static int import_name(struct image_import *m, const char *path, char **ret, struct error *e)
{
    *ret = m->name ? str_dup(m->name) : image_name_of_file(path);
    return *ret ? 0 : error_set(e, EINVAL, "give the image a name behind the path");
}

/* A folder becomes a tar, as if somebody had made one. */
static int import_folder(struct image_import *m, int dir, const char *path, struct error *e)
{
    autofree char *name = NULL;
    int r = import_name(m, path, &name, e);
    if (r < 0)
        return r;
    autoclose int fd = image_store_temp(m->store, "folder.tar", e);
    if (fd < 0)
        return fd;
    r = import_pack(dir, fd, e);
    return r < 0 ? r : import_rootfs(m, fd, true, name, e);
}

/* What comes through a pipe is kept in the session: it is read more than once. */
static int import_stdin(struct image_import *m, struct error *e)
{
    struct stat st;
    if (fstat(STDIN_FILENO, &st) < 0)
        return error_errno(e, errno, "standard input");
    if (S_ISREG(st.st_mode)) {
        int fd = open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? error_errno(e, errno, "standard input") : fd;
    }
    if (isatty(STDIN_FILENO))
        return error_set(e, EINVAL, "an archive does not come from a terminal");
    autoclose int to = image_store_temp(m->store, "stdin", e);
    if (to < 0)
        return to;
    autofree char *chunk = mem_alloc(IMPORT_CHUNK);
    int r = 0;
    for (uint64_t all = 0;;) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        r = cancel_poll(&p, 1, -1);
        if (cancelled)
            return error_set(e, ECANCELED, "given up");
        ssize_t n = r == -EINTR ? r : read(STDIN_FILENO, chunk, IMPORT_CHUNK);
        if (n < 0 && (r == -EINTR || errno == EINTR))
            continue;
        if (n < 0 || (r = fd_write_full(to, chunk, (size_t)n)) < 0)
            return error_errno(e, n < 0 ? errno : -r, "reading standard input");
        all += (uint64_t)n;
        if (n == 0 && all == 0)
            return error_set(e, ENODATA, "nothing came through standard input");
        if (n == 0)
            return TAKE_FD(to);
        if (all > m->work.limits.bytes)
            return error_set(e, EFBIG, "it is larger than the limit of %llu bytes",
                             (unsigned long long)m->work.limits.bytes);
    }
}

static int import_path(struct image_import *m, const char *path, struct error *e)
{
    bool piped = str_equal(path, "-");
    m->file = piped ? NULL : path;
    autoclose int fd =
        piped ? import_stdin(m, e) : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    if (piped && fd < 0)
        return fd;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "cannot be opened");
    if (S_ISDIR(st.st_mode)) {
        int r = import_known(m, fd, false, e);
        if (r == 1 && import_wants(m, IMAGE_SOURCE_ROOTFS))
            r = import_folder(m, fd, path, e);
        return r == 1 ? error_set(e, EMEDIUMTYPE, "it is not of the kind asked for") : r;
    }
    if (!S_ISREG(st.st_mode))
        return error_set(e, EINVAL, "neither a file nor a folder");
    int r = m->source == IMAGE_SOURCE_ROOTFS ? 1 : import_archive(m, fd, e);
    if (r != 1)
        return r;
    if (!import_wants(m, IMAGE_SOURCE_ROOTFS))
        return error_set(e, EMEDIUMTYPE, "it is not of the kind asked for");
    autofree char *name = NULL;
    r = import_name(m, path, &name, e);
    return r < 0 ? r : import_rootfs(m, fd, false, name, e);
}

int image_import(struct image_import *m, const char *path, struct error *e)
{
    int r = import_path(m, path, e);
    if (r == 0)
        return 0;
    autofree char *shown =
        str_equal(path, "-") ? str_dup("standard input") : str_escape(path, strnlen(path, 150));
    return error_wrap(e, "%s", shown);
}
