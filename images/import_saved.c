/* Images that come without OCI documents: docker archives, root file systems. */
#include "base/fd.h"
#include "images/import_parts.h"
#include "images/names.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char saved_manifest_type[] = "application/vnd.oci.image.manifest.v1+json";
static const char saved_config_type[] = "application/vnd.oci.image.config.v1+json";

static const char *saved_layer_type(enum compression c)
{
    switch (c) {
    case COMPRESSION_NONE:
        return "application/vnd.oci.image.layer.v1.tar";
    case COMPRESSION_GZIP:
        return "application/vnd.oci.image.layer.v1.tar+gzip";
    case COMPRESSION_ZSTD:
        return "application/vnd.oci.image.layer.v1.tar+zstd";
    case COMPRESSION_XZ:
    case COMPRESSION_BZIP2:
    case COMPRESSION_LZ4:
    case COMPRESSION_LZMA:
    case COMPRESSION_LZIP:
    case COMPRESSION_COMPRESS:
        break;
    }
    return NULL;
}

/* To be filled, and freed by document_manifest_done(). */
static struct document_manifest saved_manifest(void)
{
    return (struct document_manifest){
        .config = {.kind = DOCUMENT_CONFIG, .media_type = str_dup(saved_config_type)}
    };
}

static int saved_add_layer(struct image_import *m, int fd, bool ours, const char *want,
                           struct document_manifest *manifest, struct error *e)
{
    int r = unpack_check_blob(fd, &m->work.limits, e);
    if (r < 0)
        return r;
    int how = unpack_compression(fd);
    const char *type = how < 0 ? NULL : saved_layer_type((enum compression)how);
    if (!type)
        return error_set(e, EBADMSG, "it is compressed as no layer may be");
    manifest->layers = mem_grow(manifest->layers, manifest->count + 1, sizeof(manifest->layers[0]));
    struct document_descriptor *d = &manifest->layers[manifest->count++];
    *d = (struct document_descriptor){.kind = DOCUMENT_LAYER, .media_type = str_dup(type)};
    return image_store_add_blob(m->store, fd, ours, want, UINT64_MAX, d->hex, &d->size, e);
}

/* Writes the manifest and gives the image its name. */
static int saved_finish(struct image_import *m, const struct document_manifest *manifest,
                        const char *name, struct error *e)
{
    struct document_descriptor d = {.kind = DOCUMENT_MANIFEST};
    autofree char *text = document_write_manifest(manifest);
    autofree char *type = str_dup(saved_manifest_type);
    d.media_type = type;
    int r = image_store_add_document(m->store, text, &d, e);
    return r < 0 ? r : import_finish(m, &d, name, e);
}

/* --- docker archives -----------------------------------------------------------------------------
 */

/* Layers may be links to one another within the archive, which has been unpacked by then. */
static int saved_open(int dir, const char *path, struct error *e)
{
    int fd = path[0] == '/' ? -EXDEV : import_open(dir, path, 0);
    return fd >= 0 ? fd : import_not_opened(path, fd, e);
}

/* "HEX.json" and "blobs/sha256/HEX" say what their bytes hash to; NULL: the name says nothing. */
static const char *saved_digest(const char *path, char hex[65])
{
    static const char blobs[] = "blobs/sha256/", json[] = ".json";
    const char *p = str_starts(path, blobs) ? path + sizeof(blobs) - 1 : path;
    size_t length = strspn(p, "0123456789abcdef");
    if (length != 64 || !str_equal(p + 64, p == path ? json : ""))
        return NULL;
    memcpy(hex, p, 64);
    hex[64] = '\0';
    return hex;
}

static int saved_image(struct image_import *m, int dir, bool ours, const struct document_saved *s,
                       const char *name, struct error *e)
{
    struct document_manifest manifest = saved_manifest();
    char want[65];
    struct stat st;
    autoclose int config = saved_open(dir, s->config, e);
    int r = config < 0 ? config : 0;
    if (r == 0 && (fstat(config, &st) < 0 || st.st_size > DOCUMENT_MAX))
        r = error_set(e, EFBIG, "%.100s is too large for a document", s->config);
    if (r == 0)
        r = image_store_add_blob(m->store, config, ours, saved_digest(s->config, want), UINT64_MAX,
                                 manifest.config.hex, &manifest.config.size, e);
    for (size_t i = 0; r == 0 && s->layers && s->layers[i]; i++) {
        autoclose int layer = saved_open(dir, s->layers[i], e);
        r = layer < 0
                ? layer
                : saved_add_layer(m, layer, ours, saved_digest(s->layers[i], want), &manifest, e);
    }
    if (r == 0)
        r = saved_finish(m, &manifest, name, e);
    document_manifest_done(&manifest);
    return r;
}

static bool saved_is_meant(const struct document_saved *s, const char *ref)
{
    struct error why;
    for (size_t n = 0; s->names && s->names[n]; n++) {
        autofree char *plain = image_name_plain(s->names[n], &why);
        if (str_equal(plain, ref))
            return true;
    }
    return false;
}

static int saved_no_such(const struct document_saved *s, size_t count, const char *ref,
                         struct error *e)
{
    autostrv char **has = NULL;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; s[i].names && s[i].names[n] && strv_length(has) < 20; n++)
            strv_take(&has, str_escape_z(s[i].names[n]));
    autofree char *list = strv_join(has, ", ");
    return error_set(e, ENOENT, "no image in it is called %s; there are: %.200s", ref ? ref : "so",
                     has ? list : "none with names");
}

int import_saved(struct image_import *m, int dir, bool ours, struct error *e)
{
    autofree char *text = NULL;
    size_t size, count = 0;
    struct document_saved *s = NULL;
    int r = import_read(dir, "manifest.json", &text, &size, e);
    if (r == 0)
        r = document_read_saved(text, size, &s, &count, e);
    if (r < 0)
        return error_wrap(e, "manifest.json");
    const char *ref = m->ref ? m->ref : count > 1 ? m->name : NULL;
    size_t names = 0;
    for (size_t i = 0; i < count; i++)
        names += strv_length(s[i].names);
    if (!ref && !m->name)
        r = import_names_are_few(names, e);
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (ref && !saved_is_meant(&s[i], ref))
            continue;
        if (!m->name && !s[i].names)
            r = error_set(e, EINVAL, "the image has no name of its own: give one behind the path");
        for (size_t n = 0; r == 0 && (m->name ? n == 0 : s[i].names[n] != NULL); n++) {
            autofree char *name = m->name ? str_dup(m->name) : image_name_plain(s[i].names[n], e);
            r = name ? saved_image(m, dir, ours, &s[i], name, e) : -e->code;
        }
    }
    if (r == 0 && !m->ready.count)
        r = saved_no_such(s, count, ref, e);
    document_saved_free(s, count);
    return import_publish(m, r, e);
}

/* --- root file systems ---------------------------------------------------------------------------
 */

/* xz and others are no compressions of layers: the layer is the plain tar. */
static int rootfs_plain(struct image_import *m, int fd, struct error *e)
{
    autoclose int to = image_store_temp(m->store, "plain.tar", e);
    if (to < 0)
        return to;
    struct unpack_job job = {
        .blob = fd, .owner = *image_store_owner(m->store), .limits = m->work.limits};
    if (job.owner.how == IMAGE_OWNER_RANGES)
        job.owner.how = IMAGE_OWNER_SELF;
    struct unpack_result u;
    int r = unpack_stream(&job, to, &u, e);
    return r < 0 ? r : TAKE_FD(to);
}

/* With other things beside it at the top, an image's archive would pass for a root file system. */
static int rootfs_is_no_image(const struct image_import *m, const char *diff_id, struct error *e)
{
    bool oci = image_store_layer_has(m->store, diff_id, "oci-layout") &&
               image_store_layer_has(m->store, diff_id, "index.json");
    bool docker = image_store_layer_has(m->store, diff_id, "manifest.json") &&
                  !image_store_layer_has(m->store, diff_id, "bin");
    if (!oci && !docker)
        return 0;
    return error_set(e, EBADMSG,
                     "it could be the archive of an image, with things in it that do not belong "
                     "there; --type rootfs takes it for a root file system");
}

int import_rootfs(struct image_import *m, int fd, bool ours, const char *name, struct error *e)
{
    int how = unpack_compression(fd);
    autoclose int plain = FD_NONE;
    if (how >= 0 && !saved_layer_type((enum compression)how)) {
        plain = rootfs_plain(m, fd, e);
        if (plain < 0)
            return plain;
        fd = plain;
        ours = true;
    }
    struct document_manifest manifest = saved_manifest();
    char diff_id[65];
    int r = saved_add_layer(m, fd, ours, NULL, &manifest, e);
    if (r == 0)
        r = image_store_add_layer(m->store, &m->work, manifest.layers[0].hex, NULL, diff_id, e);
    if (r == 0 && m->source == IMAGE_SOURCE_ANY)
        r = rootfs_is_no_image(m, diff_id, e);
    if (r == 0) {
        char *ids[] = {diff_id, NULL};
        autofree char *text =
            document_write_config(document_architecture(), ids, "cofferdam image import");
        r = image_store_add_document(m->store, text, &manifest.config, e);
    }
    if (r == 0)
        r = saved_finish(m, &manifest, name, e);
    document_manifest_done(&manifest);
    return import_publish(m, r, e);
}
