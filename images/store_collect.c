/* What nobody needs any more goes: found by reading what refers to what. */
#include "base/fd.h"
#include "base/file.h"
#include "images/store_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- trees ---------------------------------------------------------------------------------------
 */

/* A folder whose `fs` may belong to ids that only a user namespace can act as. */
static bool tree_is_of_others(const struct image_store *s, const char *path)
{
    return s->owner.subuid_count && (strstr(path, "/ranges/") || strstr(path, "/new/"));
}

int store_remove_tree(const struct image_store *s, const char *path, struct error *e)
{
    autofree char *fs = str_join_path(path, "fs");
    autoclose int dir = tree_is_of_others(s, path)
                            ? fd_openat2(s->dir, fs, O_RDONLY | O_DIRECTORY, 0, STORE_RESOLVE)
                            : FD_NONE;
    struct image_owner ranges = s->owner;
    ranges.how = IMAGE_OWNER_RANGES;
    int r = dir < 0 ? 0 : unpack_remove(&ranges, dir, e);
    if (r < 0)
        return r;
    r = file_remove_tree(s->dir, path);
    return r < 0 ? error_errno(e, -r, "removing %s/%s", s->path, path) : 0;
}

/* Calls back with the name of each entry of a folder of the store. */
static int store_each(const struct image_store *s, const char *folder,
                      int (*each)(void *data, const char *path, const char *name, struct error *e),
                      void *data, struct error *e)
{
    int dir = fd_openat2(s->dir, folder, O_RDONLY | O_DIRECTORY, 0, STORE_RESOLVE);
    if (dir == -ENOENT)
        return 0;
    DIR *d = dir < 0 ? NULL : fdopendir(dir);
    if (!d) {
        int r = error_errno(e, dir < 0 ? -dir : errno, "%s/%s", s->path, folder);
        fd_close(dir);
        return r;
    }
    autostrv char **names = NULL; /* first all, for each() removes */
    for (struct dirent *entry; (errno = 0, entry = readdir(d));)
        if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
            strv_add(&names, entry->d_name);
    int r = errno ? error_errno(e, errno, "%s/%s", s->path, folder) : 0;
    closedir(d);
    for (size_t i = 0; r == 0 && names && names[i]; i++) {
        autofree char *path = str_join_path(folder, names[i]);
        r = each(data, path, names[i], e);
    }
    return r;
}

static int sweep_layer(void *data, const char *path, const char *name, struct error *e)
{
    (void)name;
    return store_remove_tree(data, path, e);
}

int store_remove_session(const struct image_store *s, const char *path, struct error *e)
{
    static const char *const folders[] = {"self", "ranges", "shifted", "new"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *folder = str_join_path(path, folders[i]);
        int r = store_each(s, folder, sweep_layer, (void *)s, e);
        if (r < 0)
            return r;
    }
    int r = file_remove_tree(s->dir, path);
    return r < 0 ? error_errno(e, -r, "removing %s/%s", s->path, path) : 0;
}

static int sweep_session(void *data, const char *path, const char *name, struct error *e)
{
    const struct image_store *s = data;
    (void)name;
    if (s->session && str_equal(path, s->session))
        return 0;
    return store_remove_session(s, path, e);
}

int store_sweep(const struct image_store *s, struct error *e)
{
    return store_each(s, "tmp", sweep_session, (void *)s, e);
}

static int sweep_document(void *data, const char *path, const char *name, struct error *e)
{
    const struct image_store *s = data;
    (void)path;
    if ((str_starts(name, "index.json.new-") || str_starts(name, "oci-layout.new-")) &&
        unlinkat(s->dir, name, 0) < 0)
        return error_errno(e, errno, "removing %s/%s", s->path, name);
    return 0;
}

void store_sweep_documents(const struct image_store *s)
{
    struct error ignored;
    store_each(s, ".", sweep_document, (void *)s, &ignored);
}

/* --- what is referred to -------------------------------------------------------------------------
 */

struct marks {
    const struct image_store *s;
    char **blobs, **layers; /* owned; hexadecimal digits */
    char *const *in_use;    /* borrowed */
    uint64_t freed;
};

static int mark_config(struct marks *m, const struct document_descriptor *d, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    struct document_config c = {0};
    strv_add(&m->blobs, d->hex);
    int r = image_store_read_document(m->s, d, &text, &size, e);
    if (r == 0)
        r = document_read_config(text, size, &c, e);
    for (size_t i = 0; r == 0 && c.diff_ids && c.diff_ids[i]; i++)
        strv_add(&m->layers, c.diff_ids[i]);
    document_config_done(&c);
    return r;
}

static int mark_manifest(struct marks *m, const struct document_descriptor *d, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    struct document_manifest manifest = {0};
    strv_add(&m->blobs, d->hex);
    int r = image_store_read_document(m->s, d, &text, &size, e);
    if (r == 0)
        r = document_read_manifest(text, size, &manifest, e);
    for (size_t i = 0; r == 0 && i < manifest.count; i++)
        strv_add(&m->blobs, manifest.layers[i].hex);
    if (r == 0)
        r = mark_config(m, &manifest.config, e);
    document_manifest_done(&manifest);
    return r;
}

/* Entries without a name refer to nothing: prune has taken the name, or another image has it. */
static int mark_all(struct marks *m, struct document_index *i, struct error *e)
{
    for (size_t n = 0; n < i->count; n++) {
        int r = mark_manifest(m, &i->list[n], e);
        if (r < 0) /* nothing is removed on the word of a broken image */
            return error_wrap(e, "image %s", i->list[n].name ? i->list[n].name : "without a name");
    }
    return 0;
}

static int sweep_blob(void *data, const char *path, const char *name, struct error *e)
{
    struct marks *m = data;
    struct stat st;
    if (strv_has(m->blobs, name))
        return 0;
    if (fstatat(m->s->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        m->freed += (uint64_t)st.st_size;
    return unlinkat(m->s->dir, path, 0) < 0 ? error_errno(e, errno, "removing %s", path) : 0;
}

/*
 * Out of its place at once, so that nobody ever finds half a layer there; what it leads to goes
 * with the sweep of the sessions, be it another process's.
 */
static int sweep_unmarked_layer(void *data, const char *path, const char *name, struct error *e)
{
    struct marks *m = data;
    int dir = m->s->dir;
    if (strv_has(m->layers, name))
        return 0;
    autofree char *fs = str_format("%s/%s/fs", m->s->path, path);
    if (strv_has(m->in_use, fs))
        return 0;
    autofree char *parts = str_dup(path);
    *strrchr(parts, '/') = '\0';
    autofree char *folder = str_format("tmp/removed/%s", strrchr(parts, '/') + 1);
    autofree char *to = str_join_path(folder, name);
    if ((mkdirat(dir, "tmp/removed", 0700) < 0 && errno != EEXIST) ||
        (mkdirat(dir, folder, 0700) < 0 && errno != EEXIST) || renameat(dir, path, dir, to) < 0)
        return error_errno(e, errno, "removing %s/%s", m->s->path, path);
    return 0;
}

int image_store_collect(struct image_store *s, char *const *in_use, uint64_t *ret_bytes,
                        struct error *e)
{
    s->users = fd_close(s->users);
    autoclose int alone = store_lock(s, "users", LOCK_EX | LOCK_NB);
    autoclose int lock = alone < 0 ? FD_NONE : store_lock(s, "lock", LOCK_EX);
    if (alone < 0 || lock < 0)
        return error_set(e, alone == -EWOULDBLOCK ? EBUSY : EIO,
                         "the image store is in use; what is left over goes with the next prune");
    struct document_index i = {0};
    struct marks m = {.s = s, .in_use = in_use};
    store_sweep_documents(s);
    int r = store_sweep(s, e);
    if (r == 0)
        r = image_store_read_index(s, &i, e);
    if (r == 0)
        r = mark_all(&m, &i, e);
    if (r == 0)
        r = store_each(s, "blobs/sha256", sweep_blob, &m, e);
    for (size_t n = 0; r == 0 && n < IMAGE_OWNER_HOWS; n++) {
        autofree char *folder = str_join_path("layers", image_owner_names[n]);
        r = store_each(s, folder, sweep_unmarked_layer, &m, e);
    }
    if (r == 0)
        r = store_sweep(s, e);
    document_index_done(&i);
    strv_free(m.blobs);
    strv_free(m.layers);
    if (r == 0 && ret_bytes)
        *ret_bytes = m.freed;
    return r;
}
