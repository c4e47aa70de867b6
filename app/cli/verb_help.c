/* cofferdam help */
#include "app/cli/help.h"
#include "app/cli/verbs.h"

static int help_run(struct cli *c)
{
    if (c->json) {
        help_print_json();
        return 0;
    }
    if (!c->args_count) {
        help_print_all();
        return 0;
    }
    if (c->args_count > 1)
        return cli_usage(c, "one verb at a time");
    const struct verb *verb = verb_find(c->args[0]);
    if (!verb) {
        const char *near = verb_nearest(c->args[0]);
        if (near)
            return cli_usage(c, "there is no verb \"%s\"; did you mean \"%s\"?", c->args[0], near);
        return cli_usage(c, "there is no verb \"%s\"", c->args[0]);
    }
    help_print_verb(verb);
    return 0;
}

const struct verb verb_help = {
    .name = "help",
    .group = "Host",
    .usage = "[--json] [VERB]",
    .summary = "explain a verb, or list them all",
    .flags = VERB_JSON,
    .run = help_run,
};
