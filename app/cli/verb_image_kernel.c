/* cofferdam image kernel, image disk: what machines boot from. */
#include "app/cli/images.h"
#include "app/cli/out.h"
#include "app/cli/progress.h"
#include "images/disk_image.h"
#include "images/kernel.h"

/* --- kernels -------------------------------------------------------------------------------------
 */

/* The drivers of one state, as words; owned. */
static char **kernel_words(const struct kernel *k, enum kernel_driver_state state)
{
    struct kernel_modules m;
    struct error e;
    char **words = NULL;
    if (!k->modules || kernel_modules_open(k->modules, &m, &e) < 0)
        return NULL;
    for (int d = 0; d < KERNEL_DRIVERS; d++)
        if (kernel_modules_state(&m, (enum kernel_driver)d) == state)
            strv_add(&words, kernel_driver_names[d]);
    kernel_modules_done(&m);
    return words;
}

static const char *kernel_form(const struct kernel *k)
{
    if (!k->readable)
        return "unreadable";
    return k->head.form == KERNEL_BZIMAGE ? "bzImage" : "vmlinux";
}

static void kernel_row(struct out_table *t, json_t *array, const struct kernel *k)
{
    autostrv char **modules = kernel_words(k, KERNEL_MODULE);
    autostrv char **builtin = kernel_words(k, KERNEL_BUILT_IN);
    autostrv char **missing = kernel_words(k, KERNEL_MISSING);
    autofree char *lacks = strv_join(missing, " ");
    const char *source = k->imported ? "imported" : "this machine";
    int zstd = kernel_config_has(k, "CONFIG_SQUASHFS_ZSTD");
    out_table_add(t, (const char *[]){k->release, kernel_form(k), source,
                                      !k->modules ? "its modules"
                                      : *lacks    ? lacks
                                                  : NULL});
    json_array_append_new(
        array,
        json_pack("{s:o, s:o, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "release",
                  out_json_string(k->release), "path", out_json_string(k->path), "form",
                  kernel_form(k), "imported", k->imported, "readable", k->readable, "version",
                  out_json_string(k->readable ? k->head.version : NULL), "modules",
                  out_json_string(k->modules), "built_in", out_json_strings(builtin), "as_modules",
                  out_json_strings(modules), "missing", out_json_strings(missing), "squashfs_zstd",
                  zstd < 0 ? json_null() : json_boolean(zstd)));
}

static int kernel_show(struct cli *c, const struct dirs *d)
{
    static const char *const columns[] = {"RELEASE", "FORM", "FROM", "LACKS", NULL};
    struct kernel_list l;
    struct error e;
    if (kernel_list_read(d->data, "", &l, &e) < 0)
        return cli_fail(c, &e);
    struct out_table t = {.columns = columns};
    json_t *array = json_array();
    for (size_t i = 0; i < l.count; i++) {
        if (cli_switch(c, "quiet"))
            out_line("%s", l.list[i].release);
        else
            kernel_row(&t, array, &l.list[i]);
    }
    if (c->json)
        out_json(json_pack("{s:O}", "kernels", array));
    else if (!cli_switch(c, "quiet"))
        out_table_print(&t);
    json_decref(array);
    out_table_done(&t);
    kernel_list_done(&l);
    return 0;
}

static int kernel_bring(struct cli *c, const struct dirs *d)
{
    struct error e;
    autofree char *release = NULL;
    if (kernel_import(d->data, (const char *const *)c->args + 2, c->args_count - 2, &release, &e) <
        0)
        return cli_fail(c, &e);
    if (c->json)
        out_json(json_pack("{s:o}", "imported", out_json_string(release)));
    else
        out_line("%s", release);
    return 0;
}

static int kernel_drop(struct cli *c, const struct dirs *d)
{
    int status = 0;
    for (size_t i = 2; i < c->args_count; i++) {
        struct error e;
        if (kernel_remove(d->data, c->args[i], &e) < 0)
            status = cli_fail(c, &e);
        else if (!c->json)
            out_line("%s", c->args[i]);
    }
    return status;
}

int images_kernel(struct cli *c)
{
    struct dirs d = {0};
    struct error e;
    const char *what = c->args_count > 1 ? c->args[1] : "list";
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (str_equal(what, "list") && c->args_count <= 2)
        status = kernel_show(c, &d);
    else if (str_equal(what, "import") && c->args_count > 2)
        status = kernel_bring(c, &d);
    else if (str_equal(what, "rm") && c->args_count > 2)
        status = kernel_drop(c, &d);
    else
        status = cli_usage(c, "kernel: list, import FILE|PACKAGE.deb… or rm RELEASE…");
    dirs_done(&d);
    return status;
}

/* --- disks ---------------------------------------------------------------------------------------
 */

static int disk_show(const struct cli *c, const struct disk *d)
{
    char size[32];
    if (c->json)
        out_json(json_pack("{s:o, s:s, s:s, s:I, s:b}", "path", out_json_string(d->path), "key",
                           d->key, "file_system", DISK_FILE_SYSTEM, "size", (json_int_t)d->size,
                           "made", d->made));
    else if (cli_switch(c, "quiet"))
        out_line("%s", d->path);
    else
        out_line("%s  %s, %s, %s", d->path, DISK_FILE_SYSTEM,
                 str_from_size(d->size, size, sizeof(size)), d->made ? "made now" : "was there");
    return 0;
}

int images_disk(struct cli *c, struct image_store *s)
{
    struct document_index found = {0};
    struct image image = {0};
    struct image_work work = {0};
    struct dirs d = {0};
    struct disk disk = {0};
    struct error e;
    if (c->args_count != 2)
        return cli_usage(c, "disk: name one image");
    int r = dirs_init(&d, &e);
    if (r == 0)
        r = images_work(c, &work, &e);
    if (r == 0)
        r = image_find(s, c->args[1], &found, &e);
    if (r == 0)
        r = image_load(s, &found.list[0], &image, &e);
    if (r == 0)
        r = disk_of_image(s, &image, &work, d.cache, &disk, &e);
    progress_over();
    if (r == 0 && disk.made)
        images_bound_cache(&d);
    int status = r < 0 ? cli_fail(c, &e) : disk_show(c, &disk);
    disk_done(&disk);
    image_done(&image);
    document_index_done(&found);
    dirs_done(&d);
    return status;
}
