#include "images/documents.h"

#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

static const char document_ref_name[] = "org.opencontainers.image.ref.name";

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

static int document_bad(struct error *e, const char *what)
{
    return error_set(e, EBADMSG, "%s", what);
}

/* --- jansson ------------------------------------------------------------------------------------
 */

static void document_decref(json_t **j)
{
    json_decref(*j);
}
#define autojson __attribute__((cleanup(document_decref))) json_t

static int document_load(const char *text, size_t size, json_t **ret, struct error *e)
{
    json_error_t why;
    if (size > DOCUMENT_MAX)
        return error_set(e, EFBIG, "a document of more than %d bytes", DOCUMENT_MAX);
    *ret = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (*ret)
        return 0;
    autofree char *shown = str_escape_z(why.text);
    return error_set(e, EBADMSG, "line %d is no good JSON: %.200s", why.line, shown);
}

/* NULL for null and for what is not there; -EBADMSG for anything but a string. */
static int document_text(const json_t *object, const char *key, char **ret, struct error *e)
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

static int document_texts(const json_t *object, const char *key, char ***ret, struct error *e)
{
    const json_t *j = json_object_get(object, key);
    size_t i;
    json_t *item;
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_array(j) || json_array_size(j) > 10000)
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
static int document_keys(const json_t *object, const char *key, bool values, char ***ret,
                         struct error *e)
{
    json_t *j = json_object_get(object, key), *value;
    const char *name;
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_object(j))
        return error_set(e, EBADMSG, "%s is no object", key);
    json_object_foreach(j, name, value)
    {
        if (values && !json_is_string(value))
            return error_set(e, EBADMSG, "%s: a value is no text", key);
        strv_take(ret,
                  values ? str_format("%s=%s", name, json_string_value(value)) : str_dup(name));
    }
    return 0;
}

static int document_schema(const json_t *object, bool needed, struct error *e)
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

/* --- descriptors --------------------------------------------------------------------------------
 */

static void descriptor_done(struct document_descriptor *d)
{
    free(d->media_type);
    free(d->name);
    free(d->architecture);
    free(d->os);
    free(d->variant);
}

static int descriptor_type(struct document_descriptor *d, unsigned kinds, struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(document_types); i++) {
        if (!str_equal(document_types[i].media_type, d->media_type))
            continue;
        d->kind = document_types[i].kind;
        if (kinds & (1u << d->kind))
            return 0;
    }
    autofree char *shown = str_escape_z(d->media_type ? d->media_type : "none");
    return error_set(e, EBADMSG, "the media type %.150s is not known here", shown);
}

static int descriptor_read(const json_t *j, unsigned kinds, struct document_descriptor *d,
                           struct error *e)
{
    if (!json_is_object(j))
        return document_bad(e, "a descriptor is no object");
    int r = document_text(j, "mediaType", &d->media_type, e);
    if (r == 0)
        r = descriptor_type(d, kinds, e);
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
    const json_t *platform = json_object_get(j, "platform");
    const json_t *notes = json_object_get(j, "annotations");
    r = document_text(platform, "architecture", &d->architecture, e);
    if (r == 0)
        r = document_text(platform, "os", &d->os, e);
    if (r == 0)
        r = document_text(platform, "variant", &d->variant, e);
    return r < 0 ? r : document_text(notes, document_ref_name, &d->name, e);
}

static json_t *descriptor_write(const struct document_descriptor *d)
{
    autofree char *digest = str_format("sha256:%s", d->hex);
    json_t *j = json_pack("{s:s, s:s, s:I}", "mediaType", d->media_type, "digest", digest, "size",
                          (json_int_t)d->size);
    if (d->name)
        json_object_set_new(j, "annotations", json_pack("{s:s}", document_ref_name, d->name));
    return j;
}

/* --- index ---------------------------------------------------------------------------------------
 */

void document_index_done(struct document_index *i)
{
    for (size_t n = 0; n < i->count; n++)
        descriptor_done(&i->list[n]);
    free(i->list);
    *i = (struct document_index){0};
}

static int index_read(const json_t *object, struct document_index *i, struct error *e)
{
    int r = document_schema(object, true, e);
    if (r < 0)
        return r;
    if (json_object_get(object, "layers") || json_object_get(object, "config") ||
        json_object_get(object, "fsLayers"))
        return document_bad(e, "it could be an index and a manifest");
    const json_t *list = json_object_get(object, "manifests");
    if (!json_is_array(list) || json_array_size(list) > 10000)
        return document_bad(e, "it has no list of manifests");
    i->list = mem_zero(json_array_size(list) + 1, sizeof(i->list[0]));
    size_t at;
    json_t *item;
    json_array_foreach(list, at, item)
    {
        const char *type = json_string_value(json_object_get(item, "mediaType"));
        struct document_descriptor probe = {.media_type = (char *)type};
        struct error ignored;
        if (!type ||
            descriptor_type(&probe, 1u << DOCUMENT_INDEX | 1u << DOCUMENT_MANIFEST, &ignored) < 0)
            continue; /* signatures and such: not for us, and never chosen */
        i->count++;
        r = descriptor_read(item, 1u << DOCUMENT_INDEX | 1u << DOCUMENT_MANIFEST,
                            &i->list[i->count - 1], e);
        if (r < 0)
            return r;
    }
    return 0;
}

int document_read_index(const char *text, size_t size, struct document_index *ret, struct error *e)
{
    autojson *j = NULL;
    struct document_index i = {0};
    int r = document_load(text, size, &j, e);
    if (r == 0)
        r = index_read(j, &i, e);
    if (r < 0) {
        document_index_done(&i);
        return r;
    }
    *ret = i;
    return 0;
}

char *document_write_index(const struct document_index *i)
{
    autojson *list = json_array();
    for (size_t n = 0; n < i->count; n++)
        json_array_append_new(list, descriptor_write(&i->list[n]));
    autojson *j = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
                            document_types[0].media_type, "manifests", list);
    return json_dumps(j, JSON_INDENT(2));
}

const char *document_architecture(void)
{
    static const char *const names[][2] = {
        {"x86_64",  "amd64"  },
        {"aarch64", "arm64"  },
        {"riscv64", "riscv64"},
        {"i686",    "386"    },
        {"i386",    "386"    },
        {"armv7l",  "arm"    },
        {"ppc64le", "ppc64le"},
        {"s390x",   "s390x"  },
    };
    struct utsname u;
    if (uname(&u) == 0)
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (str_equal(names[i][0], u.machine))
                return names[i][1];
    return "unknown";
}

int document_choose(const struct document_index *i, const char *architecture)
{
    int any = -1;
    for (size_t n = 0; n < i->count; n++) {
        const struct document_descriptor *d = &i->list[n];
        if (!d->architecture && any < 0)
            any = (int)n;
        if (str_equal(d->architecture, architecture) && str_equal(d->os, "linux"))
            return (int)n;
    }
    return any;
}

/* --- manifest ------------------------------------------------------------------------------------
 */

void document_manifest_done(struct document_manifest *m)
{
    descriptor_done(&m->config);
    for (size_t n = 0; n < m->count; n++)
        descriptor_done(&m->layers[n]);
    free(m->layers);
    *m = (struct document_manifest){0};
}

static int manifest_read(const json_t *object, struct document_manifest *m, struct error *e)
{
    int r = document_schema(object, true, e);
    if (r < 0)
        return r;
    if (json_object_get(object, "manifests") || json_object_get(object, "fsLayers"))
        return document_bad(e, "it could be a manifest and an index");
    struct document_descriptor self = {0};
    r = document_text(object, "mediaType", &self.media_type, e);
    if (r == 0 && self.media_type)
        r = descriptor_type(&self, 1u << DOCUMENT_MANIFEST, e);
    descriptor_done(&self);
    if (r < 0)
        return r;
    r = descriptor_read(json_object_get(object, "config"), 1u << DOCUMENT_CONFIG, &m->config, e);
    if (r < 0)
        return error_wrap(e, "config");
    const json_t *list = json_object_get(object, "layers");
    if (!json_is_array(list) || json_array_size(list) > DOCUMENT_LAYERS_MAX)
        return document_bad(e, "it has no list of layers, or too long a one");
    m->layers = mem_zero(json_array_size(list) + 1, sizeof(m->layers[0]));
    for (size_t n = 0; n < json_array_size(list); n++) {
        m->count++;
        r = descriptor_read(json_array_get(list, n), 1u << DOCUMENT_LAYER, &m->layers[n], e);
        if (r < 0)
            return error_wrap(e, "layer %zu", n + 1);
    }
    return 0;
}

int document_read_manifest(const char *text, size_t size, struct document_manifest *ret,
                           struct error *e)
{
    autojson *j = NULL;
    struct document_manifest m = {0};
    int r = document_load(text, size, &j, e);
    if (r == 0)
        r = manifest_read(j, &m, e);
    if (r < 0) {
        document_manifest_done(&m);
        return r;
    }
    *ret = m;
    return 0;
}

char *document_write_manifest(const struct document_manifest *m)
{
    autojson *list = json_array();
    for (size_t n = 0; n < m->count; n++)
        json_array_append_new(list, descriptor_write(&m->layers[n]));
    autojson *j = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType",
                            document_types[2].media_type, "config", descriptor_write(&m->config),
                            "layers", list);
    return json_dumps(j, JSON_COMPACT);
}

/* --- configuration -------------------------------------------------------------------------------
 */

void document_config_done(struct document_config *c)
{
    free(c->architecture);
    free(c->os);
    free(c->created);
    strv_free(c->diff_ids);
    strv_free(c->env);
    strv_free(c->entrypoint);
    strv_free(c->command);
    strv_free(c->volumes);
    strv_free(c->ports);
    strv_free(c->labels);
    free(c->user);
    free(c->workdir);
    free(c->stop_signal);
    *c = (struct document_config){0};
}

static int config_read_layers(const json_t *object, struct document_config *c, struct error *e)
{
    const json_t *rootfs = json_object_get(object, "rootfs");
    const char *type = json_string_value(json_object_get(rootfs, "type"));
    autostrv char **ids = NULL;
    if (!type || !str_equal(type, "layers"))
        return document_bad(e, "rootfs.type is not \"layers\"");
    int r = document_texts(rootfs, "diff_ids", &ids, e);
    for (size_t i = 0; r == 0 && ids && ids[i]; i++) {
        const char *hex = document_digest(ids[i]);
        if (!hex || i >= DOCUMENT_LAYERS_MAX)
            return document_bad(e, "a diff-id is not sha256 and 64 digits");
        strv_add(&c->diff_ids, hex);
    }
    return r;
}

static int config_read_defaults(const json_t *j, struct document_config *c, struct error *e)
{
    if (!j || json_is_null(j))
        return 0;
    if (!json_is_object(j))
        return document_bad(e, "config is no object");
    int r = document_texts(j, "Env", &c->env, e);
    if (r == 0)
        r = document_texts(j, "Entrypoint", &c->entrypoint, e);
    if (r == 0)
        r = document_texts(j, "Cmd", &c->command, e);
    if (r == 0)
        r = document_keys(j, "Volumes", false, &c->volumes, e);
    if (r == 0)
        r = document_keys(j, "ExposedPorts", false, &c->ports, e);
    if (r == 0)
        r = document_keys(j, "Labels", true, &c->labels, e);
    if (r == 0)
        r = document_text(j, "User", &c->user, e);
    if (r == 0)
        r = document_text(j, "WorkingDir", &c->workdir, e);
    return r < 0 ? r : document_text(j, "StopSignal", &c->stop_signal, e);
}

static int config_read(const json_t *object, struct document_config *c, struct error *e)
{
    if (!json_is_object(object))
        return document_bad(e, "it is no object");
    c->architecture = str_dup("");
    c->os = str_dup("");
    int r = document_text(object, "architecture", &c->architecture, e);
    if (r == 0)
        r = document_text(object, "os", &c->os, e);
    if (r == 0)
        r = document_text(object, "created", &c->created, e);
    if (r == 0)
        r = config_read_layers(object, c, e);
    return r < 0 ? r : config_read_defaults(json_object_get(object, "config"), c, e);
}

int document_read_config(const char *text, size_t size, struct document_config *ret,
                         struct error *e)
{
    autojson *j = NULL;
    struct document_config c = {0};
    int r = document_load(text, size, &j, e);
    if (r == 0)
        r = config_read(j, &c, e);
    if (r < 0) {
        document_config_done(&c);
        return r;
    }
    *ret = c;
    return 0;
}

/* Nothing in it depends on when or where: the same tree makes the same image. */
char *document_write_config(const char *architecture, char *const *diff_ids, const char *by)
{
    autojson *ids = json_array();
    for (size_t i = 0; diff_ids[i]; i++)
        json_array_append_new(ids, json_sprintf("sha256:%s", diff_ids[i]));
    autojson *j = json_pack("{s:s, s:s, s:{}, s:{s:s, s:O}, s:[{s:s}]}", "architecture",
                            architecture, "os", "linux", "config", "rootfs", "type", "layers",
                            "diff_ids", ids, "history", "created_by", by);
    return json_dumps(j, JSON_COMPACT);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

void document_saved_free(struct document_saved *s, size_t count)
{
    for (size_t i = 0; s && i < count; i++) {
        free(s[i].config);
        strv_free(s[i].layers);
        strv_free(s[i].names);
    }
    free(s);
}

static int saved_read(const json_t *item, struct document_saved *s, struct error *e)
{
    if (!json_is_object(item))
        return document_bad(e, "an image is no object");
    int r = document_text(item, "Config", &s->config, e);
    if (r == 0)
        r = document_texts(item, "Layers", &s->layers, e);
    if (r == 0)
        r = document_texts(item, "RepoTags", &s->names, e);
    if (r == 0 && !s->config)
        r = document_bad(e, "an image has no Config");
    if (r == 0 && strv_length(s->layers) > DOCUMENT_LAYERS_MAX)
        r = document_bad(e, "an image has too many layers");
    return r;
}

int document_read_saved(const char *text, size_t size, struct document_saved **ret,
                        size_t *ret_count, struct error *e)
{
    autojson *j = NULL;
    int r = document_load(text, size, &j, e);
    if (r < 0)
        return r;
    if (!json_is_array(j) || json_array_size(j) == 0 || json_array_size(j) > 1000)
        return document_bad(e, "it is no list of images");
    size_t count = json_array_size(j);
    struct document_saved *s = mem_zero(count, sizeof(s[0]));
    for (size_t i = 0; r == 0 && i < count; i++)
        r = saved_read(json_array_get(j, i), &s[i], e);
    if (r < 0) {
        document_saved_free(s, count);
        return r;
    }
    *ret = s;
    *ret_count = count;
    return 0;
}

int document_check_layout(const char *text, size_t size, struct error *e)
{
    autojson *j = NULL;
    int r = document_load(text, size, &j, e);
    if (r < 0)
        return r;
    const char *version = json_string_value(json_object_get(j, "imageLayoutVersion"));
    return version && str_equal(version, "1.0.0")
               ? 0
               : document_bad(e, "it is not of image layout version 1.0.0");
}
