#include "app/cli/running.h"

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

int workload_verb(const struct cli *c, workload_run *run, void *data)
{
    struct dirs d;
    struct error e;
    struct state_record r;
    int status;
    if (c->args_count != 1)
        return cli_usage(c, "one workload is needed");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    if (state_find(&d, c->args[0], &r, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        status = run(c, &d, &r, data);
        state_record_done(&r);
    }
    dirs_done(&d);
    return status;
}
