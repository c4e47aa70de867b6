/* The table of verbs. A new one is a line in meson.build, from which verbs_rows.h is made. */
#include "app/cli/verbs.h"

#include "app/cli/help.h"
#include "app/cli/options.h"

const struct verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "app/cli/verbs_rows.h"
#undef VERB
};

const size_t verbs_count = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < verbs_count; i++)
        if (str_equal(verbs[i]->name, name))
            return verbs[i];
    return NULL;
}

const char *verb_nearest(const char *name)
{
    const char *names[ARRAY_SIZE(verbs)];
    size_t count = 0;
    for (size_t i = 0; i < verbs_count; i++)
        if (!(verbs[i]->flags & VERB_HIDDEN))
            names[count++] = verbs[i]->name;
    return str_nearest(name, names, count);
}

int verb_call(const struct verb *verb, char **argv)
{
    struct cli c = {.verb = verb};
    struct error e;
    if (options_parse(verb, argv, &c, &e) < 0) {
        c.verb = verb;
        return cli_usage(&c, "%s", e.text);
    }
    int status = 0;
    if (cli_switch(&c, "help"))
        help_print_verb(verb);
    else
        status = verb->run(&c);
    options_done(&c);
    return status;
}
