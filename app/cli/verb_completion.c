/* cofferdam completion: scripts for shells, made from the table of verbs. */
#include "app/cli/completion.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "profiles/settings.h"

static const char *const subverbs[] = {"bash", "zsh", "fish", "words", NULL};

/* The names of a kind, a line each; errors are nobody's business while a key is pressed. */
static int completion_words(const char *kind)
{
    struct profile_path p = {0};
    struct error e;
    if (profile_path_init(&p, &e) < 0)
        return EXIT_OURS;
    autostrv char **names = NULL;
    completion_names(&p, kind, &names);
    for (char **name = names; name && *name; name++) {
        autofree char *shown = out_text(*name);
        out_line("%s", shown);
    }
    profile_path_done(&p);
    return 0;
}

static int completion_run(struct cli *c)
{
    if (str_equal(c->args[0], "words"))
        return c->args_count == 2 ? completion_words(c->args[1])
                                  : cli_usage(c, "words: profile, workload, workload-file or snapshot");
    if (c->args_count > 1)
        return cli_usage(c, "%s: takes no argument", c->args[0]);
    if (str_equal(c->args[0], "bash"))
        completion_bash();
    else if (str_equal(c->args[0], "zsh"))
        completion_zsh();
    else
        completion_fish();
    return 0;
}

const struct verb verb_completion = {
    .name = "completion",
    .group = "Host",
    .usage = "bash|zsh|fish|words",
    .summary = "print the completion script for a shell",
    .subverbs = subverbs,
    .flags = VERB_SUBVERBS,
    .run = completion_run,
};
