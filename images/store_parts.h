/* What the files of the store share. */
#ifndef COFFERDAM_IMAGES_STORE_PARTS_H
#define COFFERDAM_IMAGES_STORE_PARTS_H

#include "images/store.h"

#include <linux/openat2.h>
#include <sys/stat.h>

enum { STORE_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

/* A layer's blob whose digest nobody has looked at yet. */
struct store_unread {
    char hex[65];
    uint64_t size;
    int source; /* owned; the file it is still to be copied from. FD_NONE: it is in the session */
};

struct image_store {
    char *path;     /* owned */
    int dir, users; /* owned; users: the lock, held while >= 0 */
    struct image_owner owner;
    char *session;               /* owned; "tmp/XXXXXX"; NULL: none yet */
    struct store_unread *unread; /* owned */
    size_t unread_count;
};

extern const char *const image_owner_names[]; /* by enum image_owner_how */
enum { IMAGE_OWNER_HOWS = 3 };

/* Opens a lock file and locks it (LOCK_SH, LOCK_EX, LOCK_NB). Its descriptor or -errno. */
int store_lock(const struct image_store *s, const char *name, int how);

/* store_blob.c: a new file of the session for a blob: its name, owned by the caller, and its fd. */
int store_new_blob(const struct image_store *s, char **ret, struct error *e);
/* What is in `temp`, or is `fd` where that is NULL, becomes the blob `hex` of the session. */
int store_place_blob(const struct image_store *s, int fd, const char *temp, const char *hex,
                     struct error *e);
int store_regular_blob(int fd, struct stat *ret, struct error *e);
int store_check_blob(const char *want, uint64_t want_size, const char *hex, uint64_t size,
                     struct error *e);

/* store_unread.c: NULL if it has been read, or is unknown; borrowed until the next call here. */
const struct store_unread *store_find_unread(const struct image_store *s, const char *hex);
/* Where it is still to be copied from, to be read from its start; or -ENOENT. */
int store_open_source(const struct image_store *s, const char *hex);
/* Copies and verifies it now, if it has to be. */
int store_read_blob(struct image_store *s, const char *hex, struct error *e);
void store_is_verified(struct image_store *s, const char *hex); /* and in its place */
void store_forget_unread(struct image_store *s);

/* Removes a folder below the store's, with layers in it whose files belong to other ids. */
int store_remove_tree(const struct image_store *s, const char *path, struct error *e);
/* The same of a session. */
int store_remove_session(const struct image_store *s, const char *path, struct error *e);
/* Removes all sessions; for whoever has the store alone. */
int store_sweep(const struct image_store *s, struct error *e);
/* Documents that somebody was writing; for whoever holds "lock". */
void store_sweep_documents(const struct image_store *s);

#endif
