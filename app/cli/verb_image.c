/* cofferdam image: the store of images, and the ways in and out of it. */
#include "app/cli/images.h"
#include "app/cli/verbs.h"

static const char *const subverbs[] = {"list", "inspect", "history", "import", "pull", "export",
                                       "tag",  "rm",      "prune",   "verify", "disk", "kernel",
                                       NULL};

static const struct option_row options[] = {
    {"quiet",         'q', NULL,     "list, kernel list: names alone; disk: its path alone", NULL},
    {"type",          't', "TYPE",   "import: what it has to be (default: auto)", "auto|oci|docker|rootfs"},
    {"limit-size",    0,   "SIZE",   "import, pull: most bytes a layer may unpack to (64G)", NULL},
    {"limit-entries", 0,   "NUMBER", "import, pull: most files in a layer (4194304)", NULL},
    {"limit-ratio",   0,   "NUMBER", "import, pull: most a layer may grow when decompressed (200)", NULL},
    {"dry-run",       0,   NULL,     "rm: only say what would go", NULL},
    {0},
};

static const struct {
    const char *name;
    int (*run)(struct cli *c, struct image_store *s);
    bool makes;
} image_rows[] = {
    {"list",    images_list,    false},
    {"inspect", images_inspect, false},
    {"history", images_history, false},
    {"import",  images_import,  true },
    {"pull",    images_pull,    true },
    {"export",  images_export,  false},
    {"tag",     images_tag,     false},
    {"rm",      images_rm,      false},
    {"prune",   images_prune,   true },
    {"verify",  images_verify,  true },
    {"disk",    images_disk,    false},
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
        /* a list of nothing is no error */
        if (images_open(image_rows[i].makes || i == 0, &s, &e) < 0) {
            if (e.code == ENOENT)
                error_set(&e, ENOENT, "there are no images yet; \"cofferdam image import\" or "
                                      "\"pull\" bring some");
            return cli_fail(c, &e);
        }
        int status = image_rows[i].run(c, s);
        image_store_free(s);
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
