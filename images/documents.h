/*
 * The documents of OCI image-spec 1.1 and docker's schema 2: index, manifest, configuration; and
 * the list in a docker archive. Pure: bytes in, structs out. Strict: a key given twice, a NUL, a
 * document that could be read as two kinds, an unknown media type are errors.
 */
#ifndef COFFERDAM_IMAGES_DOCUMENTS_H
#define COFFERDAM_IMAGES_DOCUMENTS_H

#include "base/error.h"
#include "base/str.h"

enum { DOCUMENT_MAX = 4 << 20, DOCUMENT_LAYERS_MAX = 500 };

enum document_kind { DOCUMENT_INDEX, DOCUMENT_MANIFEST, DOCUMENT_CONFIG, DOCUMENT_LAYER };

struct document_descriptor {
    enum document_kind kind; /* by its media type */
    char *media_type;        /* owned */
    char hex[65];            /* of its sha256 digest */
    uint64_t size;
    /* in an index */
    char *name;                        /* owned or NULL: org.opencontainers.image.ref.name, or containerd's */
    char *architecture, *os, *variant; /* owned or NULL */
};

/* `media_type`: owned; what the document says of itself, or NULL. */
struct document_index {
    char *media_type;
    struct document_descriptor *list; /* owned */
    size_t count;
};

struct document_manifest {
    char *media_type;
    struct document_descriptor config;
    struct document_descriptor *layers; /* owned; the oldest first */
    size_t count;
};

struct document_config {
    char *architecture, *os; /* owned; "" if not said */
    char *created;           /* owned or NULL */
    char **diff_ids;         /* owned; hexadecimal digits */
    char **env, **entrypoint, **command, **volumes, **ports, **labels; /* owned; NULL: none */
    char *user, *workdir, *stop_signal;                                /* owned or NULL */
};

/* One image of a docker archive's manifest.json: paths in the archive. */
struct document_saved {
    char *config;  /* owned */
    char **layers; /* owned */
    char **names;  /* owned; NULL: none */
};

/* "sha256:" and 64 hexadecimal digits: the digits, or NULL. */
const char *document_digest(const char *s);

int document_read_index(const char *text, size_t size, struct document_index *ret, struct error *e);
void document_index_done(struct document_index *i);
int document_read_manifest(const char *text, size_t size, struct document_manifest *ret,
                           struct error *e);
void document_manifest_done(struct document_manifest *m);
int document_read_config(const char *text, size_t size, struct document_config *ret,
                         struct error *e);
void document_config_done(struct document_config *c);
int document_read_saved(const char *text, size_t size, struct document_saved **ret,
                        size_t *ret_count, struct error *e);
void document_saved_free(struct document_saved *s, size_t count);

/* `{"imageLayoutVersion": "1.0.0"}` */
int document_check_layout(const char *text, size_t size, struct error *e);

/* Written again, for the store's own index and for images made here. Owned by the caller. */
char *document_write_index(const struct document_index *i);
char *document_write_manifest(const struct document_manifest *m);
char *document_write_config(const char *architecture, char *const *diff_ids, const char *by);

/*
 * The entry for this machine, its usual variant before others; -1: none; -2: several that do not
 * say for what they are. Entries that say no platform are for every one.
 */
int document_choose(const struct document_index *i, const char *architecture);
/* Whether the entry is for this variant (NULL: the usual one) of its architecture. */
bool document_variant_is(const struct document_descriptor *d, const char *variant);
const char *document_architecture(void); /* this machine's, as OCI calls it */

/* What a layer of this media type is compressed with ("none", "gzip", "zstd"); NULL: not said. */
const char *document_layer_compression(const char *media_type);

#endif
