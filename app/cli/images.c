#include "app/cli/images.h"

#include "app/cli/out.h"
#include "app/cli/progress.h"
#include "app/plan/plan.h"
#include "console/snapshots.h"
#include "console/state.h"
#include "images/names.h"

#include <stdio.h>
#include <string.h>

enum { IMAGES_CACHE_DAYS = 30 };

struct image_owner images_owner(const struct plan_host *host, bool ranges)
{
    struct image_owner o = {.how = host->uid == 0 ? IMAGE_OWNER_SHIFTED : IMAGE_OWNER_SELF};
    if (host->uid != 0 && host->newuidmap && host->subuid_count && host->subgid_count) {
        o.subuid = host->subuid;
        o.subuid_count = host->subuid_count;
        o.subgid = host->subgid;
        o.subgid_count = host->subgid_count;
        if (ranges)
            o.how = IMAGE_OWNER_RANGES;
    }
    return o;
}

int images_open(bool make, struct image_store **ret, struct error *e)
{
    struct dirs d = {0};
    struct plan_host host = {0};
    int r = dirs_init(&d, e);
    if (r == 0)
        r = plan_host_read(&host, e);
    if (r == 0) {
        struct image_owner owner = images_owner(&host, false);
        r = image_store_open(d.data, make, &owner, ret, e);
    }
    plan_host_done(&host);
    dirs_done(&d);
    return r;
}

/* --- work ----------------------------------------------------------------------------------------
 */

void images_tell(void *data, const char *what, uint64_t done, uint64_t total)
{
    (void)data;
    autofree char *text = str_format("unpacking, layer %.12s", what);
    progress_tell(text, done, total);
}

static void images_warn(void *data, const char *text)
{
    (void)data;
    progress_over();
    fprintf(stderr, "%s\n", text);
}

int images_work(const struct cli *c, struct image_work *ret, struct error *e)
{
    struct image_work w = {.limits = image_limits_usual, .warn = images_warn};
    const char *size = cli_option(c, "limit-size"), *entries = cli_option(c, "limit-entries"),
               *ratio = cli_option(c, "limit-ratio");
    uint64_t n;
    if (size && (str_to_size(size, &n) < 0 || n == 0))
        return error_set(e, EINVAL, "--limit-size: %s is no size", size);
    if (size)
        w.limits.bytes = n;
    if (entries && (str_to_uint(entries, &n) < 0 || n == 0))
        return error_set(e, EINVAL, "--limit-entries: %s is no number", entries);
    if (entries)
        w.limits.entries = n;
    if (ratio && (str_to_uint(ratio, &n) < 0 || n == 0 || n > 1000000))
        return error_set(e, EINVAL, "--limit-ratio: %s is no number", ratio);
    if (ratio)
        w.limits.ratio = (uint32_t)n;
    if (progress_is_wanted())
        w.progress = images_tell;
    *ret = w;
    return 0;
}

/* --- what is wished for
 * ---------------------------------------------------------------------------
 */

void images_wish_done(struct images_wish *w)
{
    free(w->name);
    free(w->ref);
    free(w->architecture);
    free(w->variant);
}

static int wish_platform(const char *platform, struct images_wish *w, struct error *e)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    autostrv char **parts = platform ? strv_split(platform, "/") : NULL;
    size_t count = strv_length(parts);
    if (!platform)
        return 0;
    bool plain = count == 2 || count == 3;
    for (size_t i = 0; plain && i < count; i++)
        plain = *parts[i] && strspn(parts[i], good) == strlen(parts[i]);
    if (!plain || !str_equal(parts[0], "linux"))
        return error_set(e, EINVAL,
                         "--platform is linux/ARCHITECTURE[/VARIANT], as in linux/arm64");
    w->architecture = str_dup(parts[1]);
    w->variant = str_dup_or_null(parts[2]);
    return 0;
}

int images_wish(const struct cli *c, struct images_wish *ret, struct image_import *m,
                struct error *e)
{
    struct images_wish w = {0};
    const char *name = c->args_count == 3 ? c->args[2] : NULL, *said = cli_option(c, "name"),
               *ref = cli_option(c, "ref");
    int r = wish_platform(cli_option(c, "platform"), &w, e);
    if (r == 0 && name && said)
        r = error_set(e, EINVAL, "the name is given twice: --name, and behind the path");
    if (r == 0 && (name || said) && !(w.name = image_name_plain(name ? name : said, e)))
        r = -e->code;
    if (r == 0 && ref && !(w.ref = image_name_plain(ref, e)))
        r = -e->code;
    *ret = w;
    m->name = w.name;
    m->ref = w.ref;
    m->architecture = w.architecture;
    m->variant = w.variant;
    return r;
}

int images_said(struct cli *c, const char *what, char *const *names)
{
    if (c->json)
        out_json(json_pack("{s:o}", what, out_json_strings(names)));
    for (size_t i = 0; !c->json && names && names[i]; i++) {
        autofree char *shown = out_text(names[i]);
        out_line("%s", shown);
    }
    return 0;
}

/* --- who uses what -------------------------------------------------------------------------------
 */

typedef void images_plan_fn(void *data, const char *json, size_t size);

/* Of each workload there is, and of each snapshot that others can be started from. */
static void images_each_plan(const struct dirs *d, images_plan_fn *fn, void *data)
{
    struct error ignored;
    struct state_record *list = NULL;
    struct snapshot_record *snapshots = NULL;
    size_t count = 0, snapshots_count = 0, size;
    if (state_list(d, &list, &count, &ignored) < 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        autofree char *json = NULL;
        if (state_read_plan(d, list[i].id, &json, &size, &ignored) == 0)
            fn(data, json, size);
    }
    state_list_free(list, count);
    if (snapshots_list(d, &snapshots, &snapshots_count, &ignored) < 0)
        snapshots_count = 0;
    for (size_t i = 0; i < snapshots_count; i++) {
        autofree char *json = NULL;
        if (snapshots_read_plan(d, snapshots[i].id, &json, &size, &ignored) == 0)
            fn(data, json, size);
    }
    snapshots_list_free(snapshots, snapshots_count);
}

static void images_add_text(void *data, const char *json, size_t size)
{
    buf_add(data, json, size);
}

/* Every plan there is, in one text. */
static void images_plans(const struct dirs *d, struct buf *to)
{
    images_each_plan(d, images_add_text, to);
    buf_puts(to, "");
}

static bool images_plan_has(void *data, const char *path)
{
    const struct buf *plans = data;
    return plans->data && strstr(plans->data, path);
}

static json_t *images_cache_said(const struct cache_figures f[CACHE_KINDS], bool dry)
{
    json_t *array = json_array();
    for (int kind = 0; kind < CACHE_KINDS; kind++) {
        char kept[32], gone[32];
        const struct cache_figures *k = &f[kind];
        if (k->files || k->removed)
            fprintf(stderr, "cache, %s: %s %llu of %s, %llu of %s left\n", cache_names[kind],
                    dry ? "would remove" : "removed", (unsigned long long)k->removed,
                    str_from_size(k->freed, gone, sizeof(gone)), (unsigned long long)k->files,
                    str_from_size(k->bytes, kept, sizeof(kept)));
        if (k->held)
            fprintf(stderr, "cache, %s: %llu kept, which a workload or a snapshot rests on\n",
                    cache_names[kind], (unsigned long long)k->held);
        json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "kind",
                                               cache_names[kind], "files", (json_int_t)k->files,
                                               "bytes", (json_int_t)k->bytes, "removed",
                                               (json_int_t)k->removed, "freed",
                                               (json_int_t)k->freed, "held", (json_int_t)k->held));
    }
    return array;
}

int images_prune_cache(struct cli *c, const struct image_store *s, bool dry, json_t **ret)
{
    struct cache_figures f[CACHE_KINDS];
    struct dirs d = {0};
    struct error e;
    struct kernel_list kernels = {0};
    autobuf plans = {0};
    const char *size = cli_option(c, "cache-size");
    uint64_t most = CACHE_MOST;
    if (size && (str_to_size(size, &most) < 0 || most == 0))
        return cli_usage(c, "prune: --cache-size is a size, as in 2G");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    images_plans(&d, &plans);
    struct cache_prune p = {
        .cache = d.cache,
        .store = s,
        .kernels = &kernels,
        .all = cli_switch(c, "cache"),
        .dry_run = dry,
        .days = IMAGES_CACHE_DAYS,
        .most = most,
        .in_use = images_plan_has,
        .data = &plans,
    };
    int r = kernel_list_read(d.data, "", &kernels, &e);
    if (r == 0)
        r = cache_prune(&p, f, &e);
    if (r == 0)
        *ret = images_cache_said(f, dry);
    kernel_list_done(&kernels);
    dirs_done(&d);
    return r < 0 ? cli_fail(c, &e) : 0;
}

void images_bound_cache(const struct dirs *d)
{
    struct cache_figures f[CACHE_KINDS];
    struct error ignored;
    autobuf plans = {0};
    images_plans(d, &plans);
    const struct cache_prune p = {
        .cache = d->cache,
        .most = CACHE_MOST,
        .only_most = true,
        .in_use = images_plan_has,
        .data = &plans,
    };
    cache_prune(&p, f, &ignored); /* what cannot be removed is in nobody's way */
}

int images_count_cache(struct cache_figures ret[CACHE_KINDS], struct error *e)
{
    struct dirs d = {0};
    int r = dirs_init(&d, e);
    if (r < 0)
        return r;
    const struct cache_prune p = {.cache = d.cache, .only_most = true, .dry_run = true};
    r = cache_prune(&p, ret, e);
    dirs_done(&d);
    return r;
}

static void images_add_layers(void *data, const char *json, size_t size)
{
    struct error ignored;
    struct plan *p = NULL;
    if (plan_from_json(json, size, &p, &ignored) < 0)
        return;
    for (size_t i = 0; i < p->mounts_count; i++)
        for (size_t n = 0; p->mounts[i].layers && p->mounts[i].layers[n]; n++)
            strv_add((char ***)data, p->mounts[i].layers[n]);
    plan_free(p);
}

char **images_in_use(void)
{
    struct dirs d = {0};
    struct error ignored;
    char **layers = NULL;
    if (dirs_init(&d, &ignored) == 0)
        images_each_plan(&d, images_add_layers, &layers);
    dirs_done(&d);
    return layers;
}
