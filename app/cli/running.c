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
