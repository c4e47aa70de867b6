/* Unpacked layers, on their way into a session. */
#include "base/fd.h"
#include "base/file.h"
#include "images/store_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *image_store_layer_path(const struct image_store *s, enum image_owner_how how,
                             const char *diff_id)
{
    return str_format("%s/layers/%s/%s/fs", s->path, image_owner_names[how], diff_id);
}

bool image_store_layer_has(const struct image_store *s, const char *diff_id, const char *name)
{
    const char *how = image_owner_names[s->owner.how];
    autofree char *path = str_format("layers/%s/%s/fs/%s", how, diff_id, name);
    autofree char *fresh =
        str_format("%s/%s/%s/fs/%s", s->session ? s->session : "layers", how, diff_id, name);
    return faccessat(s->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           faccessat(s->dir, fresh, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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
    p->w->progress(p->w->data, p->hex, p->w->before + done, p->w->all ? p->w->all : p->total);
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

/* Whether the folder that is there was unpacked from this very blob. */
static bool layer_is_of(const struct image_store *s, const char *diff_id, const char *blob_hex)
{
    const char *how = image_owner_names[s->owner.how];
    const char *const folders[] = {"layers", s->session};
    autofree char *want = str_format("\"blob\":\"%s\"", blob_hex);
    for (size_t i = 0; i < ARRAY_SIZE(folders) && folders[i]; i++) {
        autofree char *path = str_format("%s/%s/%s/layer.json", folders[i], how, diff_id);
        autofree char *text = NULL;
        size_t size;
        if (file_read(s->dir, path, 4096, &text, &size) == 0 && strstr(text, want))
            return true;
    }
    return false;
}

/* A layer's folder being there says nothing of a blob that claims to be the same layer. */
static int layer_verify(struct image_store *s, const struct image_work *w, const char *blob_hex,
                        const char *diff_id, struct error *e)
{
    if (layer_is_of(s, diff_id, blob_hex))
        return 0;
    autoclose int blob = image_store_open_blob(s, blob_hex);
    autoclose int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (blob < 0 || nothing < 0)
        return error_errno(e, blob < 0 ? -blob : errno, "blob sha256:%.16s…", blob_hex);
    struct unpack_job job = {
        .blob = blob,
        .owner = {.how =
                      s->owner.how == IMAGE_OWNER_SHIFTED ? IMAGE_OWNER_SHIFTED : IMAGE_OWNER_SELF},
        .limits = w->limits,
        .diff_id = diff_id,
    };
    struct unpack_result u;
    int r = unpack_stream(&job, nothing, &u, e);
    return r < 0 ? error_wrap(e, "layer sha256:%.12s", blob_hex) : 0;
}

/* new/layer/{fs,spill} → HOW/HEX */
static int layer_finish(struct image_store *s, const char *folder, const char *blob_hex,
                        const struct unpack_result *u, struct error *e)
{
    autoclose int dir = openat(s->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autofree char *text =
        str_format("{\"version\":1,\"blob\":\"%s\",\"stream\":%llu,\"bytes\":%llu,\"entries\":%llu,"
                   "\"devices\":"
                   "%llu,\"xattrs\":%llu}\n",
                   blob_hex, (unsigned long long)u->stream, (unsigned long long)u->counts.bytes,
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

void image_store_tree_done(struct store_tree *t)
{
    free(t->path);
    fd_close(t->root);
    fd_close(t->spill);
}

int image_store_new_tree(struct image_store *s, const char *name, mode_t mode,
                         struct store_tree *ret, struct error *e)
{
    int r = image_store_session(s, NULL, e);
    if (r < 0)
        return r;
    struct store_tree t = {
        .path = str_format("%s/new/%s", s->session, name), .root = FD_NONE, .spill = FD_NONE};
    autofree char *fs = str_join_path(t.path, "fs"), *spill = str_join_path(t.path, "spill");
    if (mkdirat(s->dir, t.path, 0700) == 0 && mkdirat(s->dir, fs, mode) == 0) {
        t.root = openat(s->dir, fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        t.spill = openat(s->dir, spill, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (t.root < 0 || t.spill < 0) {
        r = error_errno(e, errno, "%s/%s", s->path, t.path);
        image_store_tree_done(&t);
        return r;
    }
    *ret = t;
    return 0;
}

/* Into new/layer. */
static int layer_unpack(struct image_store *s, struct unpack_job *job, const char *folder,
                        struct unpack_result *ret, struct error *e)
{
    struct store_tree tree;
    store_remove_tree(s, folder, e);
    int r = image_store_new_tree(s, "layer", 0755, &tree, e);
    if (r < 0)
        return r;
    r = unpack_layer(job, tree.root, tree.spill, ret, e);
    image_store_tree_done(&tree);
    return r;
}

/* From a blob that may still have to be copied into the session, which costs little on the way. */
static int layer_make(struct image_store *s, const struct image_work *w, const char *blob_hex,
                      const char *diff_id, struct unpack_result *ret, struct error *e)
{
    const struct store_unread *unread = store_find_unread(s, blob_hex);
    autofree char *temp = NULL, *folder = str_format("%s/new/layer", s->session);
    autoclose int blob = image_store_open_blob(s, blob_hex);
    struct stat st;
    if (blob < 0 || fstat(blob, &st) < 0)
        return error_errno(e, blob < 0 ? -blob : errno, "blob sha256:%.16s…", blob_hex);
    bool copies = unread && unread->source >= 0;
    autoclose int copy = copies ? store_new_blob(s, &temp, e) : FD_NONE;
    if (copies && copy < 0)
        return copy;
    struct layer_progress p = {w, blob_hex, (uint64_t)st.st_size};
    struct unpack_job job = {
        .blob = blob,
        .copy = copies ? &copy : NULL,
        .owner = s->owner,
        .limits = w->limits,
        .whiteouts = true,
        .digest = unread ? blob_hex : NULL,
        .diff_id = diff_id,
        .progress = w->progress ? layer_tell : NULL,
        .progress_data = &p,
    };
    int r = layer_unpack(s, &job, folder, ret, e);
    if (r == 0)
        r = layer_finish(s, folder, blob_hex, ret, e);
    if (r == 0 && copies)
        r = store_place_blob(s, FD_NONE, temp, blob_hex, e);
    return r;
}

int image_store_add_layer(struct image_store *s, const struct image_work *w, const char *blob_hex,
                          const char *diff_id, char ret_diff_id[65], struct error *e)
{
    if (diff_id && image_store_has_layer(s, s->owner.how, diff_id))
        return layer_verify(s, w, blob_hex, diff_id, e);
    int r = image_store_session(s, NULL, e);
    /* without a diff-id nothing would say that what is unpacked is what is kept */
    const struct store_unread *unread = diff_id ? NULL : store_find_unread(s, blob_hex);
    if (r == 0 && unread && unread->source >= 0)
        r = store_read_blob(s, blob_hex, e);
    if (r < 0)
        return r;
    struct unpack_result u;
    r = layer_make(s, w, blob_hex, diff_id, &u, e);
    if (r < 0)
        return error_wrap(e, "layer sha256:%.12s", blob_hex);
    store_is_verified(s, blob_hex);
    layer_warn(w, blob_hex, &u.counts);
    if (ret_diff_id)
        memcpy(ret_diff_id, u.diff_id, sizeof(u.diff_id));
    return 0;
}
