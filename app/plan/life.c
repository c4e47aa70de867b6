/* How long it lives, what is kept of it, what its console holds. */
#include "app/plan/build.h"

#include "app/plan/names.h"
#include "profiles/forms.h"

#include <signal.h>

void build_life(struct build *b)
{
    struct plan *p = b->p;
    const struct settings *s = b->s;
    int keep = plan_name_find(plan_keep_names, settings_text(s, KEY_LIFECYCLE_KEEP));
    p->keep = keep < 0 ? PLAN_KEEP_NEVER : (enum plan_keep)keep;
    p->snapshot_on_exit = settings_bool(s, KEY_LIFECYCLE_SNAPSHOT_ON_EXIT);
    if (p->keep != PLAN_KEEP_NEVER || p->snapshot_on_exit)
        p->scratch = str_dup_or_null(b->r->scratch);

    enum form_restart restart = FORM_RESTART_NO;
    const char *said = settings_text(s, KEY_LIFECYCLE_RESTART);
    if (said && form_restart(said, &restart, &p->restart_most) == 0)
        p->restart = restart == FORM_RESTART_ALWAYS       ? PLAN_RESTART_ALWAYS
                     : restart == FORM_RESTART_ON_FAILURE ? PLAN_RESTART_ON_FAILURE
                                                          : PLAN_RESTART_NO;
    p->time_limit_ms = settings_number(s, KEY_LIFECYCLE_TIME_LIMIT);
    p->idle_limit_ms = settings_number(s, KEY_LIFECYCLE_IDLE_LIMIT);
    p->stop_signal = SIGTERM;
    said = settings_text(s, KEY_LIFECYCLE_STOP_SIGNAL);
    if (said)
        form_signal(said, &p->stop_signal);
    p->stop_grace_ms = settings_number(s, KEY_LIFECYCLE_STOP_GRACE);

    p->scrollback = (unsigned)settings_number(s, KEY_CONSOLE_SCROLLBACK);
    p->record = settings_bool(s, KEY_CONSOLE_RECORD);
    p->detach_keys = str_dup_or_null(settings_text(s, KEY_CONSOLE_DETACH_KEYS));
    p->labels = strv_copy(settings_list(s, KEY_WORKLOAD_LABELS));
}
