/* image import, export, tag, rm, prune: what changes the store. */
#include "app/cli/images.h"
#include "app/cli/new_file.h"
#include "app/cli/out.h"
#include "app/cli/progress.h"
#include "base/fd.h"
#include "images/names.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum image_source change_source(const char *type)
{
    static const char *const names[] = {"auto", "oci", "docker", "rootfs"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_equal(names[i], type))
            return (enum image_source)i;
    return IMAGE_SOURCE_ANY;
}

int images_import(struct cli *c, struct image_store *s)
{
    struct error e;
    if (c->args_count < 2 || c->args_count > 3)
        return cli_usage(c, "import: PATH (or -), and a name if you like");
    struct images_wish w;
    struct image_import m = {.store = s, .source = change_source(cli_option(c, "type"))};
    int r = images_wish(c, &w, &m, &e);
    if (r == 0)
        r = images_work(c, &m.work, &e);
    if (r == 0) {
        cancel_on_signals();
        r = image_import(&m, c->args[1], &e);
        progress_over();
    }
    int status = r < 0 ? cli_fail(c, &e) : images_said(c, "imported", m.names);
    strv_free(m.names);
    images_wish_done(&w);
    return status;
}

/* --- export --------------------------------------------------------------------------------------
 */

static int export_file(const struct image_store *s, const struct image *i, const char *path,
                       struct error *e)
{
    struct new_file f;
    if (str_equal(path, "-"))
        return image_export_tar(s, i, STDOUT_FILENO, e);
    int r = new_file_open(&f, path, e);
    if (r == 0)
        r = image_export_tar(s, i, f.fd, e);
    if (r == 0)
        r = new_file_keep(&f, path, e);
    new_file_done(&f);
    return r;
}

int images_export(struct cli *c, struct image_store *s)
{
    struct document_index one = {0};
    struct image i = {0};
    struct error e;
    if (c->args_count != 3)
        return cli_usage(c, "export: an image, and where to: FILE.tar, a new folder, or -");
    const char *path = c->args[2];
    if (str_equal(path, "-") && isatty(STDOUT_FILENO))
        return cli_usage(c, "export: an archive is nothing for a terminal");
    cancel_on_signals();
    int r = image_find(s, c->args[1], &one, &e);
    if (r == 0)
        r = image_load(s, &one.list[0], &i, &e);
    if (r == 0)
        r = image_verify(s, &i, &e);
    if (r == 0)
        r = str_equal(path, "-") || str_ends(path, ".tar") ? export_file(s, &i, path, &e)
                                                           : image_export_dir(s, &i, path, &e);
    image_done(&i);
    document_index_done(&one);
    return r < 0 ? cli_fail(c, &e) : 0;
}

/* --- names ---------------------------------------------------------------------------------------
 */

int images_tag(struct cli *c, struct image_store *s)
{
    struct document_index one = {0};
    struct error e;
    if (c->args_count != 3)
        return cli_usage(c, "tag: an image, and the name it shall have");
    autofree char *name = image_name_plain(c->args[2], &e);
    int r = name ? 0 : -e.code;
    if (r == 0)
        r = image_find(s, c->args[1], &one, &e);
    if (r == 0)
        r = image_store_tag(s, name, &one.list[0], &e);
    document_index_done(&one);
    return r < 0 ? cli_fail(c, &e) : 0;
}

/* Takes entries out of the index. */
struct change_removal {
    const char *name; /* this name; NULL: all without a name */
    const char *hex;  /* or all of this digest */
    size_t count;
};

static int change_remove(void *data, struct document_index *i, struct error *e)
{
    struct change_removal *x = data;
    (void)e;
    for (size_t n = 0; n < i->count;) {
        struct document_descriptor *d = &i->list[n];
        bool goes = x->hex    ? memcmp(d->hex, x->hex, 65) == 0
                    : x->name ? str_equal(d->name, x->name)
                              : !d->name;
        if (!goes) {
            n++;
            continue;
        }
        struct document_index one = {.list = mem_copy(d, sizeof(*d)), .count = 1};
        document_index_done(&one);
        memmove(d, d + 1, (i->count - n - 1) * sizeof(*d));
        i->count--;
        x->count++;
    }
    return x->count ? 0 : 1;
}

/* `cache`: owned; what prune did there, or NULL. */
static int change_collect(struct cli *c, struct image_store *s, const char *what,
                          char *const *names, json_t *cache)
{
    struct error e;
    uint64_t freed = 0;
    autostrv char **used = images_in_use();
    int r = image_store_collect(s, used, &freed, &e);
    if (r < 0 && r != -EBUSY) {
        json_decref(cache);
        return cli_fail(c, &e);
    }
    if (r == -EBUSY)
        fprintf(stderr, "cofferdam image: %s\n", e.text);
    if (c->json) {
        out_json(json_pack("{s:o, s:I, s:o*}", what, out_json_strings(names), "freed",
                           (json_int_t)freed, "cache", cache));
        return 0;
    }
    for (size_t i = 0; i < json_array_size(cache); i++)
        freed += (uint64_t)json_integer_value(json_object_get(json_array_get(cache, i), "freed"));
    json_decref(cache);
    images_said(c, what, names);
    char size[32];
    fprintf(stderr, "%s freed\n", str_from_size(freed, size, sizeof(size)));
    return 0;
}

int images_rm(struct cli *c, struct image_store *s)
{
    if (c->args_count < 2)
        return cli_usage(c, "rm: name an image");
    autostrv char **gone = NULL;
    int status = 0;
    for (size_t n = 1; n < c->args_count; n++) {
        struct document_index one = {0};
        struct error e;
        if (image_find(s, c->args[n], &one, &e) < 0) {
            status = cli_fail(c, &e);
            continue;
        }
        const struct document_descriptor *d = &one.list[0];
        autofree char *plain = image_name_plain(c->args[n], &e);
        bool by_name = str_equal(plain, d->name);
        struct change_removal x = {.name = d->name, .hex = by_name ? NULL : d->hex};
        if (!cli_switch(c, "dry-run") && image_store_edit_index(s, change_remove, &x, &e) < 0)
            status = cli_fail(c, &e);
        else
            strv_take(&gone, by_name ? str_dup(d->name) : str_format("sha256:%s", d->hex));
        document_index_done(&one);
    }
    if (cli_switch(c, "dry-run"))
        images_said(c, "removed", gone);
    if (cli_switch(c, "dry-run") || !gone)
        return status;
    int collected = change_collect(c, s, "removed", gone, NULL);
    return status ? status : collected;
}

int images_prune(struct cli *c, struct image_store *s)
{
    struct error e;
    struct change_removal x = {0};
    bool dry = cli_switch(c, "dry-run");
    if (c->args_count != 1)
        return cli_usage(c, "prune: it goes by what is needed, and by no name");
    if (!dry && image_store_edit_index(s, change_remove, &x, &e) < 0)
        return cli_fail(c, &e);
    json_t *cache = NULL;
    int status = images_prune_cache(c, s, dry, &cache);
    if (!dry && status == 0)
        return change_collect(c, s, "pruned", NULL, cache);
    if (status == 0 && c->json)
        out_json(json_pack("{s:O}", "cache", cache));
    json_decref(cache);
    return status;
}
