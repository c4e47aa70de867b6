#include "backends/guest/guest_told.h"

#include "backends/changes_json.h"

enum { CHANGES_ASKED = 20000, CHANGES_REPORTED = 500 };

int guest_told_ask(struct guest_told *t, struct agent_host *h, uint32_t request, struct error *e)
{
    int r = agent_guest_changes(h, CHANGES_ASKED, e);
    if (r == 0) {
        t->request = request;
        t->asked = t->by_request = true;
    }
    return r;
}

bool guest_told_at_end(struct guest_told *t, struct agent_host *h)
{
    struct error ignored;
    if (!t->asked && agent_guest_changes(h, CHANGES_REPORTED, &ignored) < 0)
        return false;
    t->asked = true;
    return t->at_end = true;
}

bool guest_told_take(struct guest_told *t, const struct changes *c, const struct error *why,
                     const struct launch_events *events, void *data)
{
    struct guest_told was = *t;
    *t = (struct guest_told){.json = was.json};
    json_t *o = why ? NULL : changes_to_json(c);
    autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (was.by_request)
        events->changes_told(data, was.request, text, why);
    if (text) {
        free(t->json);
        t->json = TAKE(text);
    }
    return was.at_end;
}
