/* Layers' blobs whose digest is found out late, by whoever reads all of them anyway. */
#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "images/store_parts.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { STORE_SOURCES_MAX = 128 }; /* descriptors; more are copied at once */

static struct store_unread *unread_find(const struct image_store *s, const char *hex)
{
    for (size_t i = 0; i < s->unread_count; i++)
        if (memcmp(s->unread[i].hex, hex, 65) == 0)
            return &s->unread[i];
    return NULL;
}

const struct store_unread *store_find_unread(const struct image_store *s, const char *hex)
{
    return unread_find(s, hex);
}

void store_is_verified(struct image_store *s, const char *hex)
{
    struct store_unread *u = unread_find(s, hex);
    if (!u)
        return;
    fd_close(u->source);
    *u = s->unread[--s->unread_count];
}

void store_forget_unread(struct image_store *s)
{
    for (size_t i = 0; i < s->unread_count; i++)
        fd_close(s->unread[i].source);
    free(s->unread);
    s->unread = NULL;
    s->unread_count = 0;
}

static int unread_reopen(int fd)
{
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    int again = open(self, O_RDONLY | O_CLOEXEC);
    return again < 0 ? -errno : again;
}

int store_open_source(const struct image_store *s, const char *hex)
{
    const struct store_unread *u = unread_find(s, hex);
    return u && u->source >= 0 ? unread_reopen(u->source) : -ENOENT;
}

static void unread_add(struct image_store *s, const char *hex, uint64_t size, int source)
{
    struct store_unread u = {.size = size, .source = source};
    snprintf(u.hex, sizeof(u.hex), "%s", hex);
    s->unread = mem_grow(s->unread, s->unread_count + 1, sizeof(u));
    s->unread[s->unread_count++] = u;
}

/* 1: the two files share their blocks now; 0: they cannot. */
static int unread_share(struct image_store *s, int fd, const char *hex, uint64_t size,
                        struct error *e)
{
    struct stat st;
    autofree char *temp = NULL;
    autoclose int to = store_new_blob(s, &temp, e);
    if (to < 0)
        return to;
    if (ioctl(to, FICLONE, fd) < 0) {
        unlinkat(s->dir, temp, 0);
        return 0;
    }
    if (fstat(to, &st) < 0)
        return error_errno(e, errno, "copying a blob");
    int r = store_check_blob(NULL, size, hex, (uint64_t)st.st_size, e);
    if (r == 0)
        r = store_place_blob(s, FD_NONE, temp, hex, e);
    return r < 0 ? r : 1;
}

int image_store_add_layer_blob(struct image_store *s, int fd, bool ours, const char *hex,
                               uint64_t size, struct error *e)
{
    struct stat st;
    int r = store_regular_blob(fd, &st, e);
    if (r == 0)
        r = image_store_session(s, NULL, e);
    if (r < 0)
        return r;
    if ((uint64_t)st.st_size > size)
        return error_set(e, EBADMSG, "the blob sha256:%.16s… is larger than it says", hex);
    r = store_check_blob(NULL, size, hex, (uint64_t)st.st_size, e);
    if (r == 0 && !ours && s->unread_count >= STORE_SOURCES_MAX)
        return image_store_add_blob(s, fd, false, hex, size, NULL, NULL, e);
    if (r == 0)
        r = ours ? store_place_blob(s, fd, NULL, hex, e) : unread_share(s, fd, hex, size, e);
    if (r < 0)
        return r;
    int source = ours || r == 1 ? FD_NONE : unread_reopen(fd);
    if (source < 0 && source != FD_NONE)
        return error_errno(e, -source, "blob sha256:%.16s…", hex);
    unread_add(s, hex, size, source);
    return 0;
}

int store_read_blob(struct image_store *s, const char *hex, struct error *e)
{
    struct store_unread *u = unread_find(s, hex);
    char name[65], got[65];
    if (!u)
        return 0;
    memcpy(name, u->hex, sizeof(name)); /* `hex` may be the very one that goes */
    int r;
    if (u->source >= 0) {
        r = image_store_add_blob(s, u->source, false, name, u->size, NULL, NULL, e);
    } else {
        autoclose int fd = image_store_open_blob(s, name);
        r = fd < 0 ? fd : sha256_fd(fd, UINT64_MAX, got);
        r = r < 0 ? error_errno(e, -r, "blob sha256:%.16s…", name)
                  : store_check_blob(name, UINT64_MAX, got, 0, e);
    }
    if (r == 0)
        store_is_verified(s, name);
    return r;
}

int image_store_settle(struct image_store *s, struct error *e)
{
    int r = 0;
    while (r == 0 && s->unread_count)
        r = store_read_blob(s, s->unread[0].hex, e);
    return r;
}
