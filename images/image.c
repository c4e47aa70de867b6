#include "images/image.h"

#include "base/fd.h"
#include "base/sha256.h"
#include "images/names.h"

#include <string.h>
#include <sys/stat.h>

enum { IMAGE_DIGITS_LEAST = 6 };

static int image_no_such(const struct document_index *i, const char *word, struct error *e)
{
    const char **names = mem_zero(i->count + 1, sizeof(names[0]));
    size_t count = 0;
    for (size_t n = 0; n < i->count; n++)
        if (i->list[n].name)
            names[count++] = i->list[n].name;
    autofree char *shown = str_escape(word, strnlen(word, 100));
    const char *near = str_nearest(word, names, count);
    error_set(e, ENOENT,
              "there is no image %s%s%s%s; \"cofferdam image list\" shows those there are", shown,
              near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    free(names);
    return -ENOENT;
}

/* -1: none, -2: several. */
static int image_position(const struct document_index *i, const char *name, const char *digits)
{
    int found = -1;
    for (size_t n = 0; n < i->count; n++)
        if (name && str_equal(i->list[n].name, name))
            return (int)n;
    size_t length = digits ? strlen(digits) : 0;
    if (length < IMAGE_DIGITS_LEAST || strspn(digits, "0123456789abcdef") != length)
        return -1;
    for (size_t n = 0; n < i->count; n++) {
        if (strncmp(i->list[n].hex, digits, length) != 0)
            continue;
        if (found >= 0 && memcmp(i->list[n].hex, i->list[found].hex, 65) != 0)
            return -2;
        found = (int)n;
    }
    return found;
}

int image_find(const struct image_store *s, const char *word, struct document_index *ret,
               struct error *e)
{
    struct error why;
    autofree char *name = image_name_plain(word, &why);
    const char *digits = str_starts(word, "sha256:") ? word + 7 : word;
    struct document_index i = {0};
    int r = image_store_read_index(s, &i, e);
    if (r < 0)
        return r;
    int at = image_position(&i, name, digits);
    if (at == -2)
        r = error_set(e, EEXIST, "several images begin with %s", digits);
    else if (at < 0)
        r = image_no_such(&i, word, e);
    if (r == 0) {
        ret->list = mem_copy(&i.list[at], sizeof(i.list[0]));
        ret->count = 1;
        i.count--;
        memmove(&i.list[at], &i.list[at + 1], (i.count - (size_t)at) * sizeof(i.list[0]));
    }
    document_index_done(&i);
    return r;
}

void image_done(struct image *i)
{
    free(i->name);
    document_manifest_done(&i->manifest);
    document_config_done(&i->config);
    *i = (struct image){0};
}

static int image_load_into(const struct image_store *s, const struct document_descriptor *d,
                           struct image *i, struct error *e)
{
    autofree char *manifest = NULL, *config = NULL;
    size_t size;
    i->name = str_dup_or_null(d->name);
    memcpy(i->hex, d->hex, sizeof(i->hex));
    int r = image_store_read_document(s, d, &manifest, &size, e);
    if (r == 0)
        r = document_read_manifest(manifest, size, &i->manifest, e);
    if (r < 0)
        return error_wrap(e, "manifest");
    r = image_store_read_document(s, &i->manifest.config, &config, &size, e);
    if (r == 0)
        r = document_read_config(config, size, &i->config, e);
    if (r < 0)
        return error_wrap(e, "configuration");
    size_t ids = strv_length(i->config.diff_ids);
    if (ids != i->manifest.count)
        return error_set(e, EBADMSG, "the manifest has %zu layers and the configuration %zu",
                         i->manifest.count, ids);
    return 0;
}

int image_load(const struct image_store *s, const struct document_descriptor *d, struct image *ret,
               struct error *e)
{
    struct image i = {0};
    int r = image_load_into(s, d, &i, e);
    if (r < 0) {
        image_done(&i);
        return d->name ? error_wrap(e, "image %s", d->name) : r;
    }
    *ret = i;
    return 0;
}

/* What the media type says has to be what the first bytes say. */
static int image_check_compression(const struct image_store *s, const struct document_descriptor *d,
                                   struct error *e)
{
    const char *said = document_layer_compression(d->media_type);
    autoclose int blob = image_store_open_blob(s, d->hex);
    int is = blob < 0 ? blob : unpack_compression(blob);
    if (is < 0)
        return error_errno(e, -is, "blob sha256:%.16s…", d->hex);
    if (said && !str_equal(said, compression_name((enum compression)is)))
        return error_set(e, EBADMSG,
                         "layer sha256:%.12s is said to be compressed by %s and is by %s", d->hex,
                         said, compression_name((enum compression)is));
    return 0;
}

int image_unpack(struct image_store *s, const struct image *i, const struct image_work *work,
                 struct error *e)
{
    struct image_work w = *work;
    for (size_t n = 0; n < i->manifest.count; n++)
        w.all += i->manifest.layers[n].size;
    for (size_t n = 0; n < i->manifest.count; n++) {
        const struct document_descriptor *d = &i->manifest.layers[n];
        const char *diff_id = i->config.diff_ids[n];
        int r = image_check_compression(s, d, e);
        if (r < 0)
            return r;
        r = image_store_add_layer(s, &w, d->hex, diff_id, NULL, e);
        w.before += d->size;
        if (r < 0) { /* a damaged blob is the better word for what comes of it */
            struct error why;
            if (image_store_settle(s, &why) == -EBADMSG)
                *e = why;
            return -e->code;
        }
    }
    return 0;
}

static int image_verify_blob(const struct image_store *s, const struct document_descriptor *d,
                             struct error *e)
{
    char hex[65];
    struct stat st;
    autoclose int fd = image_store_open_blob(s, d->hex);
    int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : sha256_fd(fd, d->size, hex);
    if (r < 0)
        return error_errno(e, -r, "blob sha256:%.16s…", d->hex);
    if ((uint64_t)st.st_size != d->size || memcmp(hex, d->hex, sizeof(hex)) != 0)
        return error_set(e, EBADMSG, "the blob sha256:%.16s… is not what it says", d->hex);
    return 0;
}

int image_verify(const struct image_store *s, const struct image *i, struct error *e)
{
    int r = image_verify_blob(s, &i->manifest.config, e);
    for (size_t n = 0; r == 0 && n < i->manifest.count; n++)
        r = image_verify_blob(s, &i->manifest.layers[n], e);
    return r;
}

static bool image_has_blob(const struct image *i, const char *hex)
{
    for (size_t n = 0; n < i->manifest.count; n++)
        if (memcmp(i->manifest.layers[n].hex, hex, 65) == 0)
            return true;
    return memcmp(i->manifest.config.hex, hex, 65) == 0;
}

int image_sizes(const struct image_store *s, const struct image *i, uint64_t *ret_all,
                uint64_t *ret_own, struct error *e)
{
    struct document_index index = {0};
    int r = image_store_read_index(s, &index, e);
    if (r < 0)
        return r;
    uint64_t all = i->manifest.config.size, own = i->manifest.config.size;
    bool *shared = mem_zero(i->manifest.count + 1, sizeof(shared[0]));
    for (size_t n = 0; n < index.count; n++) {
        struct image other = {0};
        struct error ignored;
        if (memcmp(index.list[n].hex, i->hex, 65) == 0 ||
            image_load(s, &index.list[n], &other, &ignored) < 0)
            continue;
        for (size_t l = 0; l < i->manifest.count; l++)
            shared[l] = shared[l] || image_has_blob(&other, i->manifest.layers[l].hex);
        image_done(&other);
    }
    for (size_t l = 0; l < i->manifest.count; l++) {
        all += i->manifest.layers[l].size;
        own += shared[l] ? 0 : i->manifest.layers[l].size;
    }
    free(shared);
    document_index_done(&index);
    *ret_all = all;
    *ret_own = own;
    return 0;
}
