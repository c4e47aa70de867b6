/* What a guest's workload has changed: its own agent is asked, while there is one. */
#include "backends/changes_json.h"
#include "backends/microvm/vmm_launch.h"

enum { CHANGES_ASKED = 20000, CHANGES_REPORTED = 500 };

int vmm_ask_changes(struct launch *l, uint32_t request, struct error *e)
{
    int r = vmm_running(l, e);
    if (r == 0)
        r = agent_guest_changes(l->agent, CHANGES_ASKED, e);
    if (r == 0) {
        l->changing.request = request;
        l->changing.asked = l->changing.by_request = true;
    }
    return r;
}

const char *vmm_told_changes(const struct launch *l)
{
    return l->changes;
}

/* Main has ended: the last chance, unless nobody wants to know. */
bool vmm_changes_at_end(struct launch *l)
{
    struct error ignored;
    if (!l->changing.asked && agent_guest_changes(l->agent, CHANGES_REPORTED, &ignored) < 0)
        return false;
    l->changing.asked = true;
    return l->changing.at_end = true;
}

void vmm_changes_told(struct launch *l, const struct changes *c, const struct error *why,
                      const struct launch_events *events, void *data)
{
    struct vmm_changing was = l->changing;
    l->changing = (struct vmm_changing){0};
    json_t *o = why ? NULL : changes_to_json(c);
    autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (was.by_request)
        events->changes_told(data, was.request, text, why);
    if (text) {
        free(l->changes);
        l->changes = TAKE(text);
    }
    if (was.at_end)
        vmm_switch_off(l);
}
