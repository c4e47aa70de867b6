/* cofferdam view: the screen of a whole machine, in a window of virt-viewer's. */
#include "app/cli/running.h"
#include "app/cli/verbs.h"

#include <unistd.h>

static int view_exec(const struct cli *c, const char *place)
{
    struct error e;
    execlp("remote-viewer", "remote-viewer", place, NULL);
    if (errno == ENOENT)
        error_set(&e, ENOENT, "remote-viewer is not here; mend: apt install virt-viewer");
    else
        error_errno(&e, errno, "remote-viewer");
    return cli_fail(c, &e);
}

/* The socket lies in its folder, which nobody else can enter. */
static int view_ours(const struct cli *c, const struct dirs *d, const struct state_record *r,
                     void *data)
{
    struct error e;
    autofree char *folder = str_join_path(d->runtime, r->id);
    autofree char *socket = str_join_path(folder, "screen");
    autofree char *place = str_format("vnc+unix://%s", socket);
    if (access(socket, W_OK) == 0)
        return view_exec(c, place);
    error_set(&e, ENOENT,
              "%s has no screen: a whole machine has one that was started with --set "
              "machine.display=window",
              r->name);
    return cli_fail(c, &e);
}

static int view_run(struct cli *c)
{
    return workload_verb(c, view_ours, NULL);
}

const struct verb verb_view = {
    .name = "view",
    .group = "Run",
    .usage = "WORKLOAD",
    .summary = "open the screen of a whole machine in a window",
    .flags = VERB_WORKLOADS,
    .run = view_run,
};
