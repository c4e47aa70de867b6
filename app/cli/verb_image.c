/* cofferdam image: the store of images, and the ways in and out of it. */
#include "app/cli/images.h"
#include "app/cli/verbs.h"

static const char *const subverbs[] = {"list", "inspect", "history", "import", "pull", "export",
                                       "tag",  "rm",      "prune",   "verify", "disk", "kernel",
                                       NULL};

static const struct option_row options[] = {
    {"quiet",         'q', NULL,     "list, kernel list: names alone; disk: its path alone", NULL},
    {"type",          't', "TYPE",   "import: what it has to be (default: auto)", "auto|oci|docker|rootfs"},
    {"name",          0,   "NAME",   "import, pull: what it shall be called (default: what it says itself)", NULL},
    {"ref",           0,   "NAME",   "import: the one of several images in it (default: all)", NULL},
    {"platform",      0,   "OS/ARCH", "import, pull: for which machine (default: linux and this one's)", NULL},
    {"limit-size",    0,   "SIZE",   "import, pull: most bytes a layer may unpack to (64G)", NULL},
    {"limit-entries", 0,   "NUMBER", "import, pull: most files in a layer (4194304)", NULL},
    {"limit-ratio",   0,   "NUMBER", "import, pull: most a layer may grow when decompressed (200)", NULL},
    {"dry-run",       0,   NULL,     "rm, prune: only say what would go", NULL},
    {"cache",         0,   NULL,     "prune: all of the cache, which can be made again", NULL},
    {"cache-size",    0,   "SIZE",   "prune: what of the cache may stay, the last used first (10G)", NULL},
    {0},
};

static const struct {
    const char *name;
    int (*run)(struct cli *c, struct image_store *s);
    bool makes; /* the store, where there is none */
    bool holds; /* from the start: nothing goes away while it is looked at */
} image_rows[] = {
    {"list",    images_list,    true,  true },
    {"inspect", images_inspect, false, true },
    {"history", images_history, false, true },
    {"import",  images_import,  true,  false},
    {"pull",    images_pull,    true,  false},
    {"export",  images_export,  false, true },
    {"tag",     images_tag,     false, true },
    {"rm",      images_rm,      false, false},
    {"prune",   images_prune,   true,  false},
    {"verify",  images_verify,  true,  true },
    {"disk",    images_disk,    false, true },
};

static int image_run(struct cli *c)
{
    if (str_equal(c->args[0], "kernel"))
        return images_kernel(c);
    for (size_t i = 0; i < ARRAY_SIZE(image_rows); i++) {
        if (!str_equal(image_rows[i].name, c->args[0]))
            continue;
        struct image_store *s = NULL;
        struct error e;
        if (images_open(image_rows[i].makes, &s, &e) < 0) {
            if (e.code == ENOENT)
                error_set(&e, ENOENT, "there are no images yet; \"cofferdam image import\" or "
                                      "\"pull\" bring some");
            return cli_fail(c, &e);
        }
        int r = image_rows[i].holds ? image_store_hold(s, &e) : 0;
        int status = r < 0 ? cli_fail(c, &e) : image_rows[i].run(c, s);
        image_store_free(s);
        cancel_end();
        return status;
    }
    return cli_usage(c, "%s: not known", c->args[0]);
}

const struct verb verb_image = {
    .name = "image",
    .group = "Files",
    .usage = "list|inspect|history|import|pull|export|tag|rm|prune|verify|disk|kernel [OPTION…] [ARGUMENT…]",
    .summary = "import, pull, show, export and remove images, and kernels for machines",
    .subverbs = subverbs,
    .options = options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = image_run,
};
