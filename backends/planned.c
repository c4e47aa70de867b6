#include "backends/planned.h"

void planned_wishes(const struct plan *p, const char *command, struct launch_wishes *ret)
{
    *ret = (struct launch_wishes){
        .id = p->id,
        .name = p->name,
        .profile = p->profile,
        .boundary = plan_boundary_name(p->boundary),
        .runtime = p->runtime,
        .image = p->image,
        .command = command,
        .accel = !plan_is_machine(p)                  ? NULL
                 : p->machine.accel == PLAN_ACCEL_TCG ? "tcg"
                                                      : "kvm",
        .labels = p->labels,
        .no_network = p->network == PLAN_NETWORK_NONE,
        .terminal = p->terminal,
        .scrollback = p->scrollback,
        .record = p->record,
        .time_limit_ms = p->time_limit_ms,
        .idle_limit_ms = p->idle_limit_ms,
        .stop_signal = p->stop_signal,
        .stop_grace_ms = p->stop_grace_ms,
        .while_watched = p->machine.watched != NULL,
        .restart_most = p->restart_most,
        .snapshot = plan_stands_on(p),
        .snapshot_on_exit = p->snapshot_on_exit,
        /* the same names in the same order */
        .keep = (int)p->keep,
        .restart = (int)p->restart,
    };
    _Static_assert((int)PLAN_KEEP_ALWAYS == (int)LAUNCH_KEEP_ALWAYS &&
                       (int)PLAN_KEEP_ON_FAILURE == (int)LAUNCH_KEEP_ON_FAILURE &&
                       (int)PLAN_RESTART_ALWAYS == (int)LAUNCH_RESTART_ALWAYS &&
                       (int)PLAN_RESTART_ON_FAILURE == (int)LAUNCH_RESTART_ON_FAILURE,
                   "one enum is the other");
}
