/* cofferdam view: the screen of a whole machine, in a window of virt-viewer's. */
#include "app/cli/running.h"
#include "app/cli/verbs.h"

#include "app/plan/plan.h"

#include <unistd.h>

static int view_exec(const struct cli *c, const char *const *argv)
{
    struct error e;
    execvp(argv[0], (char *const *)argv);
    if (errno == ENOENT)
        error_set(&e, ENOENT, "%s is not here; mend: apt install virt-viewer", argv[0]);
    else
        error_errno(&e, errno, "%s", argv[0]);
    return cli_fail(c, &e);
}

static int view_none(const struct cli *c, const char *name)
{
    struct error e;
    error_set(&e, ENOENT,
              "%s has no screen: a whole machine has one that was started with --set "
              "machine.display=window",
              name);
    return cli_fail(c, &e);
}

/* The socket lies in its folder, which nobody else can enter. */
static int view_here(const struct cli *c, const struct dirs *d, const struct state_record *r)
{
    autofree char *folder = str_join_path(d->runtime, r->id);
    autofree char *socket = str_join_path(folder, "screen");
    autofree char *place = str_format("vnc+unix://%s", socket);
    const char *const argv[] = {"remote-viewer", place, NULL};
    return access(socket, W_OK) < 0 ? view_none(c, r->name) : view_exec(c, argv);
}

/* virt-viewer asks libvirt there for the socket, and goes through an ssh of its own. */
static int view_far(const struct cli *c, const struct state_record *r, const struct plan *p)
{
    autofree char *name = str_format("cofferdam-%s", r->id);
    const char *const argv[] = {"virt-viewer",   "--connect", p->machine.uri,
                                "--domain-name", name,        NULL};
    return p->machine.window && state_phase_lives(r->phase) ? view_exec(c, argv)
                                                            : view_none(c, r->name);
}

static int view_ours(const struct cli *c, const struct dirs *d, const struct state_record *r,
                     void *data)
{
    struct error none;
    struct plan *p = NULL;
    autofree char *json = NULL;
    size_t size;
    if (state_read_plan(d, r->id, &json, &size, &none) == 0)
        plan_from_json(json, size, &p, &none);
    int status = p && plan_is_far(p) ? view_far(c, r, p) : view_here(c, d, r);
    plan_free(p);
    return status;
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
