/* One image of the store, read: what it is made of and what it wants. */
#ifndef COFFERDAM_IMAGES_IMAGE_H
#define COFFERDAM_IMAGES_IMAGE_H

#include "images/store.h"

struct image {
    char *name;   /* owned or NULL */
    char hex[65]; /* of the manifest */
    struct document_manifest manifest;
    struct document_config config;
};

/*
 * By name, plain or not, or by the first digits (six at least) of the manifest's digest. -ENOENT
 * with the nearest name, -EEXIST: several match. `*ret_position` in the index, of which
 * `*ret` is a copy with everything owned by the caller (document_index_done() of one).
 */
int image_find(const struct image_store *s, const char *word, struct document_index *ret,
               struct error *e);

/* Reads manifest and configuration, and sees that they agree. */
int image_load(const struct image_store *s, const struct document_descriptor *d, struct image *ret,
               struct error *e);
void image_done(struct image *i);

/* Unpacks what is missing for the store's owner. The session is the caller's to commit. */
int image_unpack(struct image_store *s, const struct image *i, const struct image_work *w,
                 struct error *e);

/* Reads every blob again and compares. The first that is not what it says is the error. */
int image_verify(const struct image_store *s, const struct image *i, struct error *e);

/* Bytes of its blobs; of those no other image of the index has. */
int image_sizes(const struct image_store *s, const struct image *i, uint64_t *ret_all,
                uint64_t *ret_own, struct error *e);

/* --- import.c -----------------------------------------------------------------------------------
 */

enum image_source { IMAGE_SOURCE_ANY, IMAGE_SOURCE_OCI, IMAGE_SOURCE_DOCKER, IMAGE_SOURCE_ROOTFS };

struct image_import {
    struct image_store *store;
    struct image_work work;
    const char *name;            /* plain; NULL: what the source says, else the file's */
    const char *ref;             /* plain; the one of several in it that is meant; NULL: all */
    enum image_source source;    /* what it has to be */
    const char *architecture;    /* as OCI calls it; NULL: this machine's */
    const char *variant;         /* of the architecture; NULL: any */
    char **names;                /* owned; out: what has been put into the index */
    const char *file;            /* image_import()'s: where it comes from; NULL: a pipe */
    struct document_index ready; /* owned; its own: what gets its name when all of it is there */
};

/* A layout (folder or tar), a docker archive, a root file system (tar or folder); "-": a tar from
 * standard input. */
int image_import(struct image_import *m, const char *path, struct error *e);
/* A layout in a folder that is ours: blobs are moved. */
int image_import_layout(struct image_import *m, int dir, bool ours, struct error *e);

/* --- export.c -----------------------------------------------------------------------------------
 */

/* An OCI layout: into a new folder, or as a tar to `fd`. */
int image_export_dir(const struct image_store *s, const struct image *i, const char *path,
                     struct error *e);
int image_export_tar(const struct image_store *s, const struct image *i, int fd, struct error *e);

/* --- users.c ------------------------------------------------------------------------------------
 */

struct image_user {
    uint32_t uid, gid;
    uint32_t groups[32];
    size_t groups_count;
    char *name, *home; /* owned or NULL */
};

/*
 * "USER[:GROUP]", names or numbers, as docker reads it: by the passwd(5) and group(5) of the
 * uppermost layer that has one. `layers`: folders, the oldest first.
 */
int image_find_user(char *const *layers, const char *user, struct image_user *ret, struct error *e);

#endif
