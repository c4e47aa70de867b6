/* What the files that read documents share; the only ones that know jansson. */
#ifndef COFFERDAM_IMAGES_DOCUMENTS_PARTS_H
#define COFFERDAM_IMAGES_DOCUMENTS_PARTS_H

#include "images/documents.h"

#include <jansson.h>

static inline void document_decref(json_t **j)
{
    json_decref(*j);
}
#define autojson __attribute__((cleanup(document_decref))) json_t

int document_bad(struct error *e, const char *what); /* -EBADMSG */
int document_load(const char *text, size_t size, json_t **ret, struct error *e);

/* These leave `*ret` as it is for null and for what is not there; -EBADMSG for another type. */
int document_text(const json_t *object, const char *key, char **ret, struct error *e);
int document_texts(const json_t *object, const char *key, char ***ret, struct error *e);
/* {"KEY": …} as KEY, or KEY=VALUE if `values`. */
int document_keys(const json_t *object, const char *key, bool values, char ***ret, struct error *e);
int document_schema(const json_t *object, bool needed, struct error *e);

/* Its kind by its media type; -EBADMSG if that is none of `kinds`, bits by enum document_kind. */
int document_descriptor_type(struct document_descriptor *d, unsigned kinds, struct error *e);
int document_descriptor_read(const json_t *j, unsigned kinds, struct document_descriptor *d,
                             struct error *e);
json_t *document_descriptor_write(const struct document_descriptor *d);
void document_descriptor_done(struct document_descriptor *d);

#endif
