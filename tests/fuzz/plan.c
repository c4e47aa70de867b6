/* A plan from JSON: whatever is accepted says the same when it is written and read again. */
#include "app/plan/plan.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan *p = NULL, *again = NULL;
    struct error e;
    if (plan_from_json((const char *)data, size, &p, &e) < 0) {
        if (p || e.code <= 0 || !e.text[0])
            abort();
        return 0;
    }
    autofree char *json = plan_to_json(p, size % 2);
    if (plan_from_json(json, strlen(json), &again, &e) < 0)
        abort();
    autofree char *second = plan_to_json(again, size % 2);
    if (strcmp(json, second) != 0)
        abort();
    struct plan_reach *reach;
    size_t count;
    plan_explain(p, &reach, &count);
    plan_reach_free(reach, count);
    plan_free(p);
    plan_free(again);
    return 0;
}
