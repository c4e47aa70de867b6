/* The table of verbs. A new one is a line in meson.build, from which verbs_rows.h is made. */
#include "app/cli/verbs.h"

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
