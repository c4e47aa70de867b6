/* What the files of the store share. */
#ifndef COFFERDAM_IMAGES_STORE_PARTS_H
#define COFFERDAM_IMAGES_STORE_PARTS_H

#include "images/store.h"

#include <linux/openat2.h>

enum { STORE_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

struct image_store {
    char *path;     /* owned */
    int dir, users; /* owned; users: the lock, held while >= 0 */
    struct image_owner owner;
    char *session;     /* owned; "tmp/XXXXXX"; NULL: none yet */
    char **unverified; /* owned; blobs of the session whose digest nobody has looked at yet */
};

extern const char *const image_owner_names[]; /* by enum image_owner_how */
enum { IMAGE_OWNER_HOWS = 3 };

/* Opens a lock file and locks it (LOCK_SH, LOCK_EX, LOCK_NB). Its descriptor or -errno. */
int store_lock(const struct image_store *s, const char *name, int how);

void store_is_verified(struct image_store *s, const char *hex);

/* Removes a folder below the store's, with layers in it whose files belong to other ids. */
int store_remove_tree(const struct image_store *s, const char *path, struct error *e);
/* The same of a session. */
int store_remove_session(const struct image_store *s, const char *path, struct error *e);
/* Removes all sessions; for whoever has the store alone. */
int store_sweep(const struct image_store *s, struct error *e);
/* Documents that somebody was writing; for whoever holds "lock". */
void store_sweep_documents(const struct image_store *s);

#endif
