/* cofferdam diff: what a workload changed on its file system, while it lives or after. */
#include "app/cli/changed.h"
#include "app/cli/out.h"
#include "app/cli/report.h"
#include "app/cli/running.h"
#include "app/cli/verbs.h"
#include "backends/changes_json.h"

static int diff_of(const struct cli *c, const struct dirs *d, const struct state_record *r,
                   void *data)
{
    struct error e;
    struct changes changes;
    if (changed_list(d, r, &changes, &e) < 0) {
        error_wrap(&e, "%.64s", r->name);
        return cli_fail(c, &e);
    }
    if (c->json)
        out_json(changes_to_json(&changes));
    else
        report_print_changes(stdout, &changes, 0, *out_colour(OUT_BOLD) != '\0');
    changes_done(&changes);
    return 0;
}

static int diff_run(struct cli *c)
{
    return c->json ? workload_verb(c, diff_of, NULL) : workloads_verb(c, diff_of, NULL);
}

const struct verb verb_diff = {
    .name = "diff",
    .group = "Files",
    .usage = "WORKLOAD…",
    .summary = "what a workload changed on its file system, the worst first",
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = diff_run,
};
