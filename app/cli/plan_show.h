/* A plan for people, or as JSON: plan and inspect print it. */
#ifndef COFFERDAM_APP_CLI_PLAN_SHOW_H
#define COFFERDAM_APP_CLI_PLAN_SHOW_H

#include "app/cli/verb.h"
#include "app/plan/plan.h"

#include <jansson.h>

/* With what was found; `refused`: the first reason why it cannot start, NULL: it can. */
void plan_show(const struct cli *c, const struct plan *p, const struct plan_finding *found,
               size_t count, const char *refused);

void plan_show_text(const struct plan *p);
/* Parts of that: a value with the key it comes from, a step in the making of the root. */
void plan_show_key(const struct plan *p, enum key_id key, const char *name, const char *text);
void plan_show_step(const struct plan_mount *m);
/* The plan's JSON as an object, owned by the caller; NULL if it is broken. */
json_t *plan_show_json(const struct plan *p);

#endif
