/*
 * The store: an OCI image layout that other programs can read, and unpacked layers beside it.
 *
 *   oci-layout, index.json, blobs/sha256/HEX   OCI image-spec, image-layout.md; the index holds
 * names layers/{self,ranges,shifted}/HEX/fs        an unpacked layer by its diff-id (owner.h)
 *   layers/…/HEX/layer.json                    its numbers
 *   tmp/XXXXXX/                                a session: what one process is making
 *   lock                                       held while the index is written
 *   users                                      held shared by whoever makes or uses things, alone
 * by whoever removes them
 *
 * Nothing is visible before it is whole and on the disk: sessions are synced, then renamed, then
 * named in the index. What a killed process leaves lies in tmp or is named nowhere, and goes with
 * the next session that finds nobody else here. No counters: what refers to what is read.
 */
#ifndef COFFERDAM_IMAGES_STORE_H
#define COFFERDAM_IMAGES_STORE_H

#include "images/documents.h"
#include "images/unpack.h"

struct image_store;

/*
 * Opens `DATA/images`. `make`: makes it where it is missing, else -ENOENT. `owner`: whose unpacked
 * layers are, of those this process makes.
 */
int image_store_open(const char *data, bool make, const struct image_owner *owner,
                     struct image_store **ret, struct error *e);
void image_store_free(struct image_store *s); /* NULL is fine; an unfinished session goes */

const char *image_store_path(const struct image_store *s);
int image_store_dir(const struct image_store *s);
const struct image_owner *image_store_owner(const struct image_store *s);

/* Nothing that is in the store goes away until image_store_free(). Waits for removers. */
int image_store_hold(struct image_store *s, struct error *e);

/* --- names --------------------------------------------------------------------------------------
 */
int image_store_read_index(const struct image_store *s, struct document_index *ret,
                           struct error *e);
/* Changes the index under the lock: `edit` returns 0 to write it, 1 to leave it, or -errno. */
int image_store_edit_index(struct image_store *s,
                           int (*edit)(void *data, struct document_index *i, struct error *e),
                           void *data, struct error *e);
/* Puts a name, taking it from who has it. */
int image_store_tag(struct image_store *s, const char *name, const struct document_descriptor *d,
                    struct error *e);

/* --- blobs --------------------------------------------------------------------------------------
 */
/* A regular file of this digest, of the store or the session: its descriptor, or -ENOENT. */
int image_store_open_blob(const struct image_store *s, const char *hex);
/*
 * Reads a blob of the store again: 0 it is there (or in the session), 1 it is not there. One that
 * the disk has broken is taken away, so that a good one can come. -EBADMSG: its size is not what is
 * said.
 */
int image_store_check_blob(struct image_store *s, const char *hex, uint64_t size, struct error *e);
/* A document, with size and digest checked. NUL-terminated, owned by the caller. */
int image_store_read_document(const struct image_store *s, const struct document_descriptor *d,
                              char **ret, size_t *ret_size, struct error *e);
/*
 * Copies what `fd` (a regular file, from its start) holds into the session, or links it where it is
 * already in our own temporary folder (`ours`). `hex`, `size`: what it has to be; NULL, UINT64_MAX:
 * anything. -EBADMSG if it is not.
 */
int image_store_add_blob(struct image_store *s, int fd, bool ours, const char *hex, uint64_t size,
                         char ret_hex[65], uint64_t *ret_size, struct error *e);
int image_store_add_document(struct image_store *s, const char *text,
                             struct document_descriptor *ret, struct error *e);
/*
 * As image_store_add_blob() of a layer's, but whether the digest is right may be found out as late
 * as by image_store_add_layer(), which reads all of it anyway, or image_store_commit().
 */
int image_store_add_layer_blob(struct image_store *s, int fd, bool ours, const char *hex,
                               uint64_t size, struct error *e);
/* Finds it out now, of all there are in the session. */
int image_store_settle(struct image_store *s, struct error *e);

/* --- layers -------------------------------------------------------------------------------------
 */
/* The folder of an unpacked layer, whether or not it is there. Owned by the caller. */
char *image_store_layer_path(const struct image_store *s, enum image_owner_how how,
                             const char *diff_id);
bool image_store_has_layer(const struct image_store *s, enum image_owner_how how,
                           const char *diff_id);
/* Whether an unpacked layer of this process's owner has `name` at its top. */
bool image_store_layer_has(const struct image_store *s, const char *diff_id, const char *name);
/*
 * Unpacks a blob into the session; where its diff-id is there already, from another blob, sees that
 * this one would become the same.
 */
struct image_work {
    struct image_limits limits;
    /* `what` is a short hexadecimal digest; `done` of `total` bytes. May be NULL. */
    void (*progress)(void *data, const char *what, uint64_t done, uint64_t total);
    void (*warn)(void *data, const char *text); /* may be NULL */
    void *data;
    /* Bytes of other layers that are behind us, and of all there are to do; 0: this one is told
     * alone */
    uint64_t before, all;
};
int image_store_add_layer(struct image_store *s, const struct image_work *w, const char *blob_hex,
                          const char *diff_id, char ret_diff_id[65], struct error *e);

/* A new folder in the session, for whatever; its name below image_store_dir(). */
int image_store_session(struct image_store *s, char **ret, struct error *e);
/* A new file in the session, to write and to read: its descriptor. */
int image_store_temp(struct image_store *s, const char *name, struct error *e);
/* A new folder in the session with an empty one to unpack into, and a file for its times. */
struct store_tree {
    char *path;      /* owned; below image_store_dir() */
    int root, spill; /* owned */
};
int image_store_new_tree(struct image_store *s, const char *name, mode_t mode,
                         struct store_tree *ret, struct error *e);
void image_store_tree_done(struct store_tree *t); /* what is on the disk stays */

/* All of the session to the disk and into its place. */
int image_store_commit(struct image_store *s, struct error *e);

/* --- removing -----------------------------------------------------------------------------------
 */
/*
 * Removes blobs, layers and leftovers that no name leads to; layers whose folder is in `in_use`
 * stay. -EBUSY: somebody holds the store. `*ret_bytes`: what was freed.
 */
int image_store_collect(struct image_store *s, char *const *in_use, uint64_t *ret_bytes,
                        struct error *e);

#endif
