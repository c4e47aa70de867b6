#include "app/cli/explain_show.h"

#include "app/cli/out.h"

#include <stdio.h>

/* Badness in words: half a hundred is where a boundary stops being one. */
static const char *explain_weight(unsigned badness, enum out_colour *ret)
{
    *ret = badness >= 50 ? OUT_RED : badness >= 20 ? OUT_YELLOW : OUT_GREEN;
    return badness >= 50 ? "wide open" : badness >= 20 ? "open" : badness > 0 ? "ajar" : "closed";
}

static void explain_show_text(const struct plan *p, const char *refused,
                              const struct plan_reach *reach, size_t count)
{
    autofree char *profile = out_text(p->profile);
    printf("%s%s%s: boundary %s, runtime %s. ", out_colour(OUT_BOLD), profile,
           out_colour(OUT_PLAIN), plan_boundary_name(p->boundary), p->runtime);
    if (refused) {
        autofree char *why = out_text(refused);
        printf("%sIt cannot be started here%s: %s\n", out_colour(OUT_RED), out_colour(OUT_PLAIN),
               why);
    }
    printf("What the workload %s still reach, the worst first:\n", refused ? "could" : "can");
    for (size_t i = 0; i < count; i++) {
        enum out_colour colour;
        const char *weight = explain_weight(reach[i].badness, &colour);
        autofree char *text = out_text(reach[i].text);
        printf("\n%s%-12s%s %s%s%s, %u of 100\n  %s\n", out_colour(OUT_BOLD), reach[i].subject,
               out_colour(OUT_PLAIN), out_colour(colour), weight, out_colour(OUT_PLAIN),
               reach[i].badness, text);
        if (reach[i].close) {
            autofree char *close = out_text(reach[i].close);
            printf("  Closed by: %s\n", close);
        }
    }
}

void explain_show(const struct cli *c, const struct plan *p, const char *refused)
{
    struct plan_reach *reach = NULL;
    size_t count = 0;
    plan_explain(p, &reach, &count);
    if (c->json) {
        json_t *array = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(array,
                                  json_pack("{s:i, s:s, s:o, s:o}", "badness",
                                            (int)reach[i].badness, "subject", reach[i].subject,
                                            "text", out_json_string(reach[i].text), "close",
                                            out_json_string(reach[i].close)));
        out_json(json_pack("{s:o, s:s, s:s, s:b, s:o, s:o}", "profile", out_json_string(p->profile),
                           "boundary", plan_boundary_name(p->boundary), "runtime", p->runtime,
                           "startable", refused == NULL, "refused", out_json_string(refused),
                           "reach", array));
    } else {
        explain_show_text(p, refused, reach, count);
    }
    plan_reach_free(reach, count);
}
