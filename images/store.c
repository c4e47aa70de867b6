/* Opening, locking, the index, sessions and their end. */
#include "images/store.h"

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

const char *const image_owner_names[] = {"self", "ranges", "shifted"};

/* --- opening -------------------------------------------------------------------------------------
 */

static int store_make(const struct image_store *s, struct error *e)
{
    static const char *const folders[] = {
        "blobs", "blobs/sha256", "layers", "layers/self", "layers/ranges", "layers/shifted", "tmp"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (mkdirat(s->dir, folders[i], 0700) < 0 && errno != EEXIST)
            return error_errno(e, errno, "%s/%s", s->path, folders[i]);
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
    static const char index[] = "{\"schemaVersion\":2,\"manifests\":[]}\n";
    autoclose int lock = store_lock(s, "lock", LOCK_EX);
    int r = lock < 0 ? lock : 0;
    if (r == 0 && faccessat(s->dir, "oci-layout", F_OK, 0) < 0)
        r = file_write_whole(s->dir, "oci-layout", layout, sizeof(layout) - 1, 0600, true);
    if (r == 0 && faccessat(s->dir, "index.json", F_OK, 0) < 0)
        r = file_write_whole(s->dir, "index.json", index, sizeof(index) - 1, 0600, true);
    return r < 0 ? error_errno(e, -r, "%s", s->path) : 0;
}

int image_store_open(const char *data, bool make, const struct image_owner *owner,
                     struct image_store **ret, struct error *e)
{
    struct image_store *s = NEW(struct image_store);
    s->path = str_join_path(data, "images");
    s->owner = *owner;
    s->users = FD_NONE;
    s->dir = file_open_private_dir(s->path, make, e);
    int r = s->dir < 0 ? s->dir : 0;
    if (r == 0 && make && faccessat(s->dir, "index.json", F_OK, 0) < 0)
        r = store_make(s, e);
    if (r < 0) {
        image_store_free(s);
        return error_wrap(e, "the image store");
    }
    *ret = s;
    return 0;
}

void image_store_free(struct image_store *s)
{
    if (!s)
        return;
    struct error ignored;
    if (s->session)
        store_remove_session(s, s->session, &ignored);
    free(s->session);
    store_forget_unread(s);
    fd_close(s->users);
    fd_close(s->dir);
    free(s->path);
    free(s);
}

const char *image_store_path(const struct image_store *s)
{
    return s->path;
}

int image_store_dir(const struct image_store *s)
{
    return s->dir;
}

const struct image_owner *image_store_owner(const struct image_store *s)
{
    return &s->owner;
}

/* --- locks ---------------------------------------------------------------------------------------
 */

int store_lock(const struct image_store *s, const char *name, int how)
{
    autoclose int fd = openat(s->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    while (flock(fd, how) < 0)
        if (errno != EINTR)
            return -errno;
    return TAKE_FD(fd);
}

int image_store_hold(struct image_store *s, struct error *e)
{
    if (s->users >= 0)
        return 0;
    s->users = store_lock(s, "users", LOCK_SH);
    return s->users < 0 ? error_errno(e, -s->users, "%s/users", s->path) : 0;
}

/* --- index ---------------------------------------------------------------------------------------
 */

int image_store_read_index(const struct image_store *s, struct document_index *ret, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    int r = file_read(s->dir, "index.json", DOCUMENT_MAX, &text, &size);
    if (r < 0)
        return error_errno(e, -r, "%s/index.json", s->path);
    r = document_read_index(text, size, ret, e);
    return r < 0 ? error_wrap(e, "%s/index.json", s->path) : 0;
}

int image_store_edit_index(struct image_store *s,
                           int (*edit)(void *data, struct document_index *i, struct error *e),
                           void *data, struct error *e)
{
    autoclose int lock = store_lock(s, "lock", LOCK_EX);
    if (lock < 0)
        return error_errno(e, -lock, "%s/lock", s->path);
    struct document_index i = {0};
    store_sweep_documents(s);
    int r = image_store_read_index(s, &i, e);
    if (r == 0)
        r = edit(data, &i, e);
    if (r == 0) {
        autofree char *text = document_write_index(&i);
        r = file_write_whole(s->dir, "index.json", text, strlen(text), 0600, true);
        if (r < 0)
            error_errno(e, -r, "%s/index.json", s->path);
    }
    document_index_done(&i);
    return r < 0 ? r : 0;
}

struct store_tag {
    const char *name;
    const struct document_descriptor *d;
};

static int store_put_tag(void *data, struct document_index *i, struct error *e)
{
    const struct store_tag *t = data;
    (void)e;
    for (size_t n = 0; n < i->count; n++) {
        if (str_equal(i->list[n].name, t->name)) {
            free(i->list[n].name);
            i->list[n].name = NULL; /* kept until it is pruned */
        }
    }
    i->list = mem_grow(i->list, i->count + 1, sizeof(i->list[0]));
    struct document_descriptor *d = &i->list[i->count++];
    *d = (struct document_descriptor){.kind = t->d->kind, .size = t->d->size};
    d->media_type = str_dup(t->d->media_type);
    d->name = str_dup(t->name);
    memcpy(d->hex, t->d->hex, sizeof(d->hex));
    /* an entry without a name is there only as long as no name leads to the same image */
    for (size_t n = 0; n + 1 < i->count;) {
        struct document_descriptor *old = &i->list[n];
        if (old->name || memcmp(old->hex, d->hex, sizeof(d->hex)) != 0) {
            n++;
            continue;
        }
        struct document_index one = {.list = mem_copy(old, sizeof(*old)), .count = 1};
        document_index_done(&one);
        memmove(old, old + 1, (i->count - n - 1) * sizeof(*old));
        i->count--;
        d = &i->list[i->count - 1];
    }
    return 0;
}

int image_store_tag(struct image_store *s, const char *name, const struct document_descriptor *d,
                    struct error *e)
{
    struct store_tag t = {name, d};
    return image_store_edit_index(s, store_put_tag, &t, e);
}

/* --- sessions ------------------------------------------------------------------------------------
 */

/* Whoever finds the store without users clears away what others have left. */
static void store_sweep_if_alone(struct image_store *s)
{
    autoclose int alone = store_lock(s, "users", LOCK_EX | LOCK_NB);
    struct error ignored;
    if (alone >= 0)
        store_sweep(s, &ignored);
}

int image_store_session(struct image_store *s, char **ret, struct error *e)
{
    static const char *const folders[] = {"blobs", "self", "ranges", "shifted", "new"};
    if (!s->session) {
        if (s->users < 0)
            store_sweep_if_alone(s);
        int r = image_store_hold(s, e);
        if (r < 0)
            return r;
        autofree char *whole = str_format("%s/tmp/XXXXXX", s->path);
        if (!mkdtemp(whole))
            return error_errno(e, errno, "%s/tmp", s->path);
        s->session = str_dup(whole + strlen(s->path) + 1);
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
            autofree char *folder = str_join_path(s->session, folders[i]);
            if (mkdirat(s->dir, folder, 0700) < 0)
                return error_errno(e, errno, "%s/%s", s->path, folder);
        }
    }
    if (ret)
        *ret = str_dup(s->session);
    return 0;
}

int image_store_temp(struct image_store *s, const char *name, struct error *e)
{
    int r = image_store_session(s, NULL, e);
    if (r < 0)
        return r;
    autofree char *path = str_format("%s/new/%s", s->session, name);
    int fd = openat(s->dir, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? error_errno(e, errno, "%s/%s", s->path, path) : fd;
}

/*
 * Moves everything of one folder of the session. A layer that is there already stays as it is; a
 * blob takes the place of its like, which has the same bytes unless the disk has lost some.
 */
static int store_move(const struct image_store *s, const char *from, const char *to,
                      struct error *e)
{
    autofree char *session = str_join_path(s->session, from);
    int source = openat(s->dir, session, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int target = openat(s->dir, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = source < 0 ? NULL : fdopendir(source);
    if (!d || target < 0) {
        int r = error_errno(e, errno, "%s/%s", s->path, to);
        if (d)
            closedir(d);
        else
            fd_close(source);
        return r;
    }
    int r = 0;
    unsigned flags = str_equal(to, "blobs/sha256") ? 0 : RENAME_NOREPLACE;
    for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(d));)
        if (entry->d_name[0] != '.' &&
            renameat2(source, entry->d_name, target, entry->d_name, flags) < 0 && errno != EEXIST)
            r = error_errno(e, errno, "%s/%s", s->path, to);
    if (r == 0 && errno) /* not the end */
        r = error_errno(e, errno, "%s/%s", s->path, from);
    closedir(d);
    if (r == 0 && fsync(target) < 0)
        r = error_errno(e, errno, "%s/%s", s->path, to);
    return r;
}

int image_store_commit(struct image_store *s, struct error *e)
{
    if (!s->session)
        return 0;
    int r = image_store_settle(s, e);
    if (r < 0)
        return r;
    if (syncfs(s->dir) < 0)
        return error_errno(e, errno, "writing %s to the disk", s->path);
    r = store_move(s, "blobs", "blobs/sha256", e);
    for (size_t i = 0; r == 0 && i < IMAGE_OWNER_HOWS; i++) {
        autofree char *to = str_join_path("layers", image_owner_names[i]);
        r = store_move(s, image_owner_names[i], to, e);
    }
    return r;
}
