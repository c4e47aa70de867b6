#include "app/cli/running.h"

#include "app/cli/out.h"

#include <stdio.h>

int running_find(const struct dirs *d, const char *word, struct state_record *ret, struct error *e)
{
    struct state_record record;
    int r = state_find(d, word, &record, e);
    if (r < 0)
        return r;
    if (record.phase == STATE_RUNNING || record.phase == STATE_STARTING) {
        *ret = record;
        return 0;
    }
    if (record.phase == STATE_EXITED)
        r = error_set(e, ESRCH, "%s has ended", record.name);
    else
        r = error_set(e, ESRCH, "%s is %s%s", record.name, state_phase_name(record.phase),
                      record.phase == STATE_PAUSED ? "; resume it first" : "");
    state_record_done(&record);
    return r;
}

static int workload_one(const struct cli *c, const struct dirs *d, const char *word,
                        workload_run *run, void *data)
{
    struct error e;
    struct state_record r;
    if (state_find(d, word, &r, &e) < 0)
        return cli_fail(c, &e);
    if (c->args_count > 1) {
        autofree char *name = out_text(r.name);
        printf("%s==> %s <==\n", word == c->args[0] ? "" : "\n", name);
        fflush(stdout); /* what follows may not go through it */
    }
    int status = run(c, d, &r, data);
    state_record_done(&r);
    return status;
}

int workloads_verb(const struct cli *c, workload_run *run, void *data)
{
    struct dirs d;
    struct error e;
    int status = 0;
    if (!c->args_count)
        return cli_usage(c, "which workload?");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    for (size_t i = 0; i < c->args_count; i++) {
        int one = workload_one(c, &d, c->args[i], run, data);
        status = status ? status : one;
        fflush(stdout);
    }
    dirs_done(&d);
    return status;
}

int workload_verb(const struct cli *c, workload_run *run, void *data)
{
    if (c->args_count != 1)
        return cli_usage(c, "one workload is needed");
    return workloads_verb(c, run, data);
}
