/* Indexes and manifests: where an image begins. */
#include "images/documents.h"

#include "images/documents_parts.h"

#include <string.h>
#include <sys/utsname.h>

/* --- index ---------------------------------------------------------------------------------------
 */

void document_index_done(struct document_index *i)
{
    for (size_t n = 0; n < i->count; n++)
        document_descriptor_done(&i->list[n]);
    free(i->list);
    free(i->media_type);
    *i = (struct document_index){0};
}

/* What a document says it is has to be of the kind it is read as. */
static int document_own_type(const json_t *object, enum document_kind kind, char **ret,
                             struct error *e)
{
    int r = document_text(object, "mediaType", ret, e);
    struct document_descriptor self = {.media_type = *ret};
    return r < 0 || !*ret ? r : document_descriptor_type(&self, 1u << kind, e);
}

/* Artifacts, and the attestations that buildx puts beside an image: for no machine, with no name.
 */
static bool index_is_beside(const json_t *item)
{
    const json_t *platform = json_object_get(item, "platform");
    const char *machine = json_string_value(json_object_get(platform, "architecture"));
    const char *os = json_string_value(json_object_get(platform, "os"));
    const json_t *notes = json_object_get(item, "annotations");
    return (machine && str_equal(machine, "unknown") && os && str_equal(os, "unknown")) ||
           json_is_string(json_object_get(item, "artifactType")) ||
           json_is_string(json_object_get(notes, "vnd.docker.reference.type"));
}

static int index_read(const json_t *object, struct document_index *i, struct error *e)
{
    int r = document_schema(object, true, e);
    if (r < 0)
        return r;
    if (json_object_get(object, "layers") || json_object_get(object, "config") ||
        json_object_get(object, "fsLayers"))
        return document_bad(e, "it could be an index and a manifest");
    r = document_own_type(object, DOCUMENT_INDEX, &i->media_type, e);
    if (r < 0)
        return r;
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
        if (!type || document_descriptor_type(
                         &probe, 1u << DOCUMENT_INDEX | 1u << DOCUMENT_MANIFEST, &ignored) < 0)
            continue; /* signatures and such: not for us, and never chosen */
        if (index_is_beside(item))
            continue;
        i->count++;
        r = document_descriptor_read(item, 1u << DOCUMENT_INDEX | 1u << DOCUMENT_MANIFEST,
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
        json_array_append_new(list, document_descriptor_write(&i->list[n]));
    autojson *j = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
                            "application/vnd.oci.image.index.v1+json", "manifests", list);
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

bool document_variant_is(const struct document_descriptor *d, const char *variant)
{
    const char *usual = str_equal(d->architecture, "arm64")   ? "v8"
                        : str_equal(d->architecture, "amd64") ? "v1"
                                                              : NULL;
    const char *has = d->variant ? d->variant : usual, *want = variant ? variant : usual;
    return has && want ? str_equal(has, want) : has == want;
}

int document_choose(const struct document_index *i, const char *architecture)
{
    int any = -1, other = -1;
    for (size_t n = 0; n < i->count; n++) {
        const struct document_descriptor *d = &i->list[n];
        bool same = any >= 0 && memcmp(i->list[any].hex, d->hex, 65) == 0;
        if (!d->architecture)
            any = any == -1 || same ? (int)n : -2;
        if (!str_equal(d->architecture, architecture) || !str_equal(d->os, "linux"))
            continue;
        if (document_variant_is(d, NULL))
            return (int)n;
        other = other < 0 ? (int)n : other;
    }
    return other < 0 ? any : other;
}

/* --- manifest ------------------------------------------------------------------------------------
 */

void document_manifest_done(struct document_manifest *m)
{
    free(m->media_type);
    document_descriptor_done(&m->config);
    for (size_t n = 0; n < m->count; n++)
        document_descriptor_done(&m->layers[n]);
    free(m->layers);
    *m = (struct document_manifest){0};
}

/* Charts, modules, signatures: they have a configuration of another kind. */
static int manifest_is_of_image(const json_t *config, struct error *e)
{
    struct document_descriptor probe = {
        .media_type = (char *)json_string_value(json_object_get(config, "mediaType"))};
    struct error ignored;
    if (!probe.media_type || document_descriptor_type(&probe, 1u << DOCUMENT_CONFIG, &ignored) == 0)
        return 0;
    autofree char *shown = str_escape_z(probe.media_type);
    return error_set(e, ENOTSUP, "it is an artifact of type %.150s, and no image of a file system",
                     shown);
}

static int manifest_read(const json_t *object, struct document_manifest *m, struct error *e)
{
    int r = document_schema(object, true, e);
    if (r < 0)
        return r;
    if (json_object_get(object, "manifests") || json_object_get(object, "fsLayers"))
        return document_bad(e, "it could be a manifest and an index");
    r = document_own_type(object, DOCUMENT_MANIFEST, &m->media_type, e);
    if (r < 0)
        return r;
    r = manifest_is_of_image(json_object_get(object, "config"), e);
    if (r == 0)
        r = document_descriptor_read(json_object_get(object, "config"), 1u << DOCUMENT_CONFIG,
                                     &m->config, e);
    if (r < 0)
        return error_wrap(e, "config");
    const json_t *list = json_object_get(object, "layers");
    if (!json_is_array(list) || json_array_size(list) > DOCUMENT_LAYERS_MAX)
        return document_bad(e, "it has no list of layers, or too long a one");
    m->layers = mem_zero(json_array_size(list) + 1, sizeof(m->layers[0]));
    for (size_t n = 0; n < json_array_size(list); n++) {
        m->count++;
        r = document_descriptor_read(json_array_get(list, n), 1u << DOCUMENT_LAYER, &m->layers[n],
                                     e);
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
        json_array_append_new(list, document_descriptor_write(&m->layers[n]));
    autojson *j = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType",
                            "application/vnd.oci.image.manifest.v1+json", "config",
                            document_descriptor_write(&m->config), "layers", list);
    return json_dumps(j, JSON_COMPACT);
}
