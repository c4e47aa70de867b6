/* What all documents are made of: texts, lists, descriptors. */
#include "images/documents_parts.h"

#include <string.h>

static const char document_ref_name[] = "org.opencontainers.image.ref.name",
                  document_whole_name[] = "io.containerd.image.name";

static const struct {
    const char *media_type;
    enum document_kind kind;
    const char *compression;
} document_types[] = {
    {"application/vnd.oci.image.index.v1+json",                      DOCUMENT_INDEX,    NULL  },
    {"application/vnd.docker.distribution.manifest.list.v2+json",    DOCUMENT_INDEX,    NULL  },
    {"application/vnd.oci.image.manifest.v1+json",                   DOCUMENT_MANIFEST, NULL  },
    {"application/vnd.docker.distribution.manifest.v2+json",         DOCUMENT_MANIFEST, NULL  },
    {"application/vnd.oci.image.config.v1+json",                     DOCUMENT_CONFIG,   NULL  },
    {"application/vnd.docker.container.image.v1+json",               DOCUMENT_CONFIG,   NULL  },
    {"application/vnd.oci.image.layer.v1.tar",                       DOCUMENT_LAYER,    "none"},
    {"application/vnd.oci.image.layer.v1.tar+gzip",                  DOCUMENT_LAYER,    "gzip"},
    {"application/vnd.oci.image.layer.v1.tar+zstd",                  DOCUMENT_LAYER,    "zstd"},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar",      DOCUMENT_LAYER,    "none"},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", DOCUMENT_LAYER,    "gzip"},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", DOCUMENT_LAYER,    "zstd"},
    {"application/vnd.docker.image.rootfs.diff.tar",                 DOCUMENT_LAYER,    "none"},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip",            DOCUMENT_LAYER,    "gzip"},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd",            DOCUMENT_LAYER,    "zstd"},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",    DOCUMENT_LAYER,    "gzip"},
};

enum { DOCUMENT_LIST_MAX = 10000, DOCUMENT_VALUES_MAX = 128 * 1024 };

const char *document_layer_compression(const char *media_type)
{
    for (size_t i = 0; i < ARRAY_SIZE(document_types); i++)
        if (str_equal(document_types[i].media_type, media_type))
            return document_types[i].compression;
    return NULL;
}

const char *document_digest(const char *s)
{
    static const char prefix[] = "sha256:";
    if (!s || !str_starts(s, prefix))
        return NULL;
    s += sizeof(prefix) - 1;
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64 ? s : NULL;
}

int document_bad(struct error *e, const char *what)
{
    return error_set(e, EBADMSG, "%s", what);
}

static int document_one_case(const json_t *j, struct error *e);

/* As Go's encoding/json does: besides the letters, the long s and the sign of Kelvin. */
static char *document_fold(const char *key)
{
    static const char long_s[] = "\xc5\xbf", kelvin[] = "\xe2\x84\xaa";
    autobuf folded = {0};
    for (const char *c = key; *c; c++) {
        if (str_starts(c, long_s)) {
            buf_putc(&folded, 's');
            c += strlen(long_s) - 1;
        } else if (str_starts(c, kelvin)) {
            buf_putc(&folded, 'k');
            c += strlen(kelvin) - 1;
        } else {
            buf_putc(&folded, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
        }
    }
    return buf_take(&folded);
}

static bool document_names_are_theirs(const char *key)
{
    return str_equal(key, "annotations") || str_equal(key, "Labels") || str_equal(key, "Volumes") ||
           str_equal(key, "ExposedPorts");
}

static int document_keys_of_one_case(const json_t *object, struct error *e)
{
    autojson *seen = json_object();
    json_t *value;
    const char *key;
    json_object_foreach((json_t *)object, key, value)
    {
        autofree char *lower = document_fold(key);
        if (json_object_get(seen, lower)) {
            autofree char *shown = str_escape(key, strnlen(key, 60));
            return error_set(e, EBADMSG, "%s is there twice, in upper and lower case", shown);
        }
        json_object_set_new(seen, lower, json_true());
        int r = document_names_are_theirs(key) ? 0 : document_one_case(value, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/*
 * Readers written in Go take "Layers" for "layers", and of both the later: such a document is two.
 * jansson bounds how deep it goes.
 */
static int document_one_case(const json_t *j, struct error *e)
{
    int r = json_is_object(j) ? document_keys_of_one_case(j, e) : 0;
    for (size_t i = 0; r == 0 && i < json_array_size(j); i++)
        r = document_one_case(json_array_get(j, i), e);
    return r;
}

/* A value of two bytes takes a hundred times that in memory: they are counted before they are read.
 */
static bool document_has_too_many(const char *text, size_t size)
{
    size_t values = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted)
            i += text[i] == '\\';
        else
            values += text[i] == '{' || text[i] == '[' || text[i] == ',';
    }
    return values > DOCUMENT_VALUES_MAX;
}

int document_load(const char *text, size_t size, json_t **ret, struct error *e)
{
    json_error_t why;
    if (size > DOCUMENT_MAX)
        return error_set(e, EFBIG, "a document of more than %d bytes", DOCUMENT_MAX);
    if (document_has_too_many(text, size))
        return error_set(e, EFBIG, "a document of more than %d values", DOCUMENT_VALUES_MAX);
    *ret = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (*ret)
        return document_one_case(*ret, e);
    autofree char *shown = str_escape_z(why.text);
    return error_set(e, EBADMSG, "line %d is no good JSON: %.200s", why.line, shown);
}

/* NULL for null and for what is not there; -EBADMSG for anything but a string. */
int document_text(const json_t *object, const char *key, char **ret, struct error *e)
{
    const json_t *j = json_object_get(object, key);
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_string(j))
        return error_set(e, EBADMSG, "%s is no text", key);
    free(*ret);
    *ret = str_dup(json_string_value(j));
    return 0;
}

int document_texts(const json_t *object, const char *key, char ***ret, struct error *e)
{
    const json_t *j = json_object_get(object, key);
    size_t i;
    json_t *item;
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_array(j) || json_array_size(j) > DOCUMENT_LIST_MAX)
        return error_set(e, EBADMSG, "%s is no list of texts", key);
    json_array_foreach(j, i, item)
    {
        if (!json_is_string(item))
            return error_set(e, EBADMSG, "%s is no list of texts", key);
        strv_add(ret, json_string_value(item));
    }
    return 0;
}

/* {"KEY": …} as KEY or KEY=VALUE. */
int document_keys(const json_t *object, const char *key, bool values, char ***ret, struct error *e)
{
    json_t *j = json_object_get(object, key), *value;
    const char *name;
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_object(j) || json_object_size(j) > DOCUMENT_LIST_MAX)
        return error_set(e, EBADMSG, "%s is no object, or too large a one", key);
    json_object_foreach(j, name, value)
    {
        if (values && !json_is_string(value))
            return error_set(e, EBADMSG, "%s: a value is no text", key);
        strv_take(ret,
                  values ? str_format("%s=%s", name, json_string_value(value)) : str_dup(name));
    }
    return 0;
}

int document_schema(const json_t *object, bool needed, struct error *e)
{
    const json_t *j = json_object_get(object, "schemaVersion");
    if (!json_is_object(object))
        return document_bad(e, "it is no object");
    if (!j && !needed)
        return 0;
    if (!json_is_integer(j) || json_integer_value(j) != 2)
        return document_bad(e, "schemaVersion is not 2");
    return 0;
}

void document_descriptor_done(struct document_descriptor *d)
{
    free(d->media_type);
    free(d->name);
    free(d->architecture);
    free(d->os);
    free(d->variant);
}

int document_descriptor_type(struct document_descriptor *d, unsigned kinds, struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(document_types); i++) {
        if (!str_equal(document_types[i].media_type, d->media_type))
            continue;
        d->kind = document_types[i].kind;
        if (kinds & (1u << d->kind))
            return 0;
    }
    autofree char *shown = str_escape_z(d->media_type ? d->media_type : "none");
    if (d->media_type && str_ends(d->media_type, "+encrypted"))
        return error_set(e, ENOTSUP, "it is encrypted (%.150s): skopeo copy --decryption-key",
                         shown);
    return error_set(e, EBADMSG, "the media type %.150s is not known here", shown);
}

/* What is not read must be of its kind all the same: others read it. */
static int document_descriptor_rest(const json_t *j, uint64_t size, struct error *e)
{
    autofree char *data = NULL;
    autostrv char **ignored = NULL;
    const json_t *platform = json_object_get(j, "platform");
    if (platform && !json_is_null(platform) && !json_is_object(platform))
        return document_bad(e, "a platform is no object");
    int r = document_keys(j, "annotations", true, &ignored, e);
    if (r == 0)
        r = document_texts(j, "urls", &ignored, e);
    if (r == 0)
        r = document_text(j, "data", &data, e);
    /* the blob itself is read, and has the digest; base 64 of it is this long */
    if (r == 0 && data && strlen(data) != (size + 2) / 3 * 4)
        r = document_bad(e, "data in a descriptor is not of its size");
    return r;
}

int document_descriptor_read(const json_t *j, unsigned kinds, struct document_descriptor *d,
                             struct error *e)
{
    if (!json_is_object(j))
        return document_bad(e, "a descriptor is no object");
    int r = document_text(j, "mediaType", &d->media_type, e);
    if (r == 0)
        r = document_descriptor_type(d, kinds, e);
    if (r < 0)
        return r;
    const char *hex = document_digest(json_string_value(json_object_get(j, "digest")));
    if (!hex)
        return document_bad(e, "a digest is not sha256 and 64 digits");
    memcpy(d->hex, hex, sizeof(d->hex));
    const json_t *size = json_object_get(j, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return document_bad(e, "a size is no number");
    d->size = (uint64_t)json_integer_value(size);
    if (d->kind != DOCUMENT_LAYER && d->size > DOCUMENT_MAX)
        return document_bad(e, "a document beyond reason");
    r = document_descriptor_rest(j, d->size, e);
    if (r < 0)
        return r;
    const json_t *platform = json_object_get(j, "platform");
    const json_t *notes = json_object_get(j, "annotations");
    r = document_text(platform, "architecture", &d->architecture, e);
    if (r == 0)
        r = document_text(platform, "os", &d->os, e);
    if (r == 0)
        r = document_text(platform, "variant", &d->variant, e);
    if (r == 0)
        r = document_text(notes, document_ref_name, &d->name, e);
    /* docker has the tag alone in the one, and the whole name in the other */
    return r < 0 ? r : document_text(notes, document_whole_name, &d->name, e);
}

json_t *document_descriptor_write(const struct document_descriptor *d)
{
    autofree char *digest = str_format("sha256:%s", d->hex);
    json_t *j = json_pack("{s:s, s:s, s:I}", "mediaType", d->media_type, "digest", digest, "size",
                          (json_int_t)d->size);
    if (d->name)
        json_object_set_new(j, "annotations", json_pack("{s:s}", document_ref_name, d->name));
    return j;
}
