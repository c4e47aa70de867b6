#include "images/disk_image.h"

#include "base/fd.h"

static int disk_of_layers(struct image_store *s, const struct image *i, const struct image_work *w,
                          const char *cache, struct disk_layer *layers, char **folders,
                          size_t count, struct disk *ret, struct error *e)
{
    const struct image_owner *owner = image_store_owner(s);
    for (size_t l = 0; l < count; l++) {
        folders[l] = image_store_layer_path(s, owner->how, i->config.diff_ids[l]);
        layers[l].folder = folders[l];
        layers[l].diff_id = i->config.diff_ids[l];
        if (owner->how != IMAGE_OWNER_SELF)
            continue;
        layers[l].blob = image_store_open_blob(s, i->manifest.layers[l].hex);
        if (layers[l].blob < 0)
            return error_errno(e, -layers[l].blob, "layer %.12s", i->manifest.layers[l].hex);
    }
    const struct disk_job job = {
        .cache = cache,
        .owner = *owner,
        .layers = layers,
        .count = count,
        .limits = w->limits,
    };
    return disk_make(&job, ret, e);
}

int disk_of_image(struct image_store *s, const struct image *i, const struct image_work *w,
                  const char *cache, struct disk *ret, struct error *e)
{
    size_t count = strv_length(i->config.diff_ids);
    char key[65];
    struct error why;
    if (!count || count != i->manifest.count)
        return error_set(e, EBADMSG, "an image without layers, or with some that it does not name");
    disk_key((const char *const *)i->config.diff_ids, count, key);
    if (disk_find(cache, key, ret, &why) == 0)
        return 0;
    int r = image_unpack(s, i, w, e);
    if (r == 0)
        r = image_store_commit(s, e);
    if (r < 0)
        return r;
    autofree struct disk_layer *layers = mem_zero(count, sizeof(*layers));
    autostrv char **folders = mem_zero(count + 1, sizeof(*folders));
    for (size_t l = 0; l < count; l++)
        layers[l].blob = FD_NONE;
    r = disk_of_layers(s, i, w, cache, layers, folders, count, ret, e);
    for (size_t l = 0; l < count; l++)
        fd_close(layers[l].blob);
    return r;
}
