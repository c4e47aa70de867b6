#include "backends/backend.h"

void backend_health_add(struct backend_health *h, int state, const char *what, const char *why,
                        const char *mend)
{
    h->checks = mem_grow(h->checks, h->checks_count + 1, sizeof(*h->checks));
    struct backend_check *c = &h->checks[h->checks_count++];
    *c = (struct backend_check){
        .what = str_dup(what),
        .why = str_dup_or_null(why),
        .mend = str_dup_or_null(mend),
    };
    c->state = state;
}

void backend_health_done(struct backend_health *h)
{
    for (size_t i = 0; i < h->checks_count; i++) {
        free(h->checks[i].what);
        free(h->checks[i].why);
        free(h->checks[i].mend);
    }
    free(h->checks);
    *h = (struct backend_health){0};
}
