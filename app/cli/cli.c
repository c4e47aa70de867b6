/* How the command line speaks of errors. */
#include "app/cli/verb.h"

#include <stdio.h>

static void cli_say(const struct cli *c, const char *text)
{
    autofree char *shown = str_escape_z(text);
    fflush(stdout);
    if (c && c->verb)
        fprintf(stderr, "cofferdam %s: %s\n", c->verb->name, shown);
    else
        fprintf(stderr, "cofferdam: %s\n", shown);
}

int cli_fail(const struct cli *c, const struct error *e)
{
    cli_say(c, e->text);
    return EXIT_OURS;
}

int cli_fail_command(const struct cli *c, const struct error *e)
{
    cli_say(c, e->text);
    if (e->code == ENOENT)
        return EXIT_NOT_FOUND;
    return e->code == EACCES || e->code == ENOEXEC ? EXIT_NOT_EXECUTABLE : EXIT_OURS;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    autofree char *text = str_vformat(fmt, ap);
    va_end(ap);
    cli_say(c, text);
    if (c && c->verb)
        fprintf(stderr, "Try \"cofferdam help %s\".\n", c->verb->name);
    else
        fputs("Try \"cofferdam --help\".\n", stderr);
    return EXIT_OURS;
}
