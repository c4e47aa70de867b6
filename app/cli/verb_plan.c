/* cofferdam plan: what run would do, without doing it. */
#include "app/cli/bundle.h"
#include "app/cli/launch.h"
#include "app/cli/out.h"
#include "app/cli/plan_show.h"
#include "app/cli/verbs.h"

static const struct option_row options[] = {
    LAUNCH_OPTIONS,
    {"bundle", 0, "FOLDER", "make FOLDER an OCI bundle of it, for a runtime by hand", "dir"},
    {0},
};

static int plan_run(struct cli *c)
{
    struct launching l = {0};
    struct error e;
    int r = launching_options(&l, c, &e);
    if (r == 0)
        r = launching_build(&l, &e);
    int status = 0;
    if (r < 0) {
        status = cli_fail(c, &e);
    } else {
        struct plan_finding *found = NULL;
        size_t count = 0;
        r = launching_check(&l, &found, &count, &e);
        const char *folder = cli_option(c, "bundle");
        if (r == 0 && folder)
            r = bundle_write(l.plan, folder, &e);
        if (folder && r < 0)
            cli_fail(c, &e);
        else if (!folder)
            plan_show(c, l.plan, found, count, r < 0 ? e.text : NULL);
        plan_findings_free(found, count);
        status = r < 0 ? EXIT_OURS : 0;
    }
    launching_done(&l);
    return status;
}

const struct verb verb_plan = {
    .name = "plan",
    .group = "Profiles",
    .usage = "[OPTION…] [--] [COMMAND [ARGUMENT…]]",
    .summary = "print what run would do, and what stands in its way",
    .options = options,
    .flags = VERB_COMMAND | VERB_JSON,
    .run = plan_run,
};
