/* cofferdam version */
#include "app/cli/out.h"
#include "app/cli/release.h"
#include "app/cli/verbs.h"
#include "config.h"

static int version_run(struct cli *c)
{
    if (c->args_count)
        return cli_usage(c, "it takes no argument");
    if (!c->json) {
        release_print();
        return 0;
    }
    json_t *built = json_object();
    for (size_t i = 0; i < release_features_count; i++)
        json_object_set_new(built, release_features[i].name,
                            json_boolean(release_features[i].built));
    out_json(json_pack("{s:s, s:s, s:o}", "program", "cofferdam", "release", COFFERDAM_VERSION,
                       "features", built));
    return 0;
}

const struct verb verb_version = {
    .name = "version",
    .group = "Host",
    .usage = "[--json]",
    .summary = "the version and what this build has",
    .flags = VERB_JSON,
    .run = version_run,
};
