/*
 * Writes manual pages for scdoc: a template with lines "@keys" replaced by every row of the key
 * table, "@usage VERB" and "@options VERB" by that verb's synopsis and options. What a page says of
 * a key or an option is so what the program does.
 */
#include "app/cli/options.h"
#include "app/cli/verbs.h"
#include "profiles/keys.h"

#include <stdio.h>

/* Text that scdoc is to take as it stands. */
static void put_plain(const char *s)
{
    for (; *s; s++) {
        if (strchr("\\*_<>[]#~`", *s))
            putchar('\\');
        putchar(*s);
    }
}

static const char *type_name(const struct key *k)
{
    switch (k->type) {
    case KEY_TYPE_LIST:
        return "List. ";
    case KEY_TYPE_LINES:
        return "List, an item a line. ";
    case KEY_TYPE_TEXT:
    case KEY_TYPE_BOOL:
    case KEY_TYPE_WORD:
    case KEY_TYPE_SIZE:
    case KEY_TYPE_DURATION:
    case KEY_TYPE_DECIMAL:
    case KEY_TYPE_INTEGER:
        break;
    }
    return "";
}

static void put_key(const struct key *k)
{
    printf("*%s* = ", k->name);
    put_plain(k->synopsis);
    printf("\n\t%s%s", type_name(k), k->doc);
    if (!str_empty(k->fallback)) {
        printf(" Default: ");
        put_plain(k->fallback);
        putchar('.');
    }
    if (!(k->used_by & KEY_USED_CONTAINER))
        printf(" Needs %s.", k->needs);
    printf("\n\n");
}

static void put_keys(void)
{
    const char *section = NULL;
    for (enum key_id i = 0; i < KEY_COUNT; i++) {
        if (!str_equal(section, keys[i].section)) {
            section = keys[i].section;
            printf("## [%s]\n\n", section);
            if (!(keys[i].files & KEY_IN_PROFILE))
                puts("This section stands in workload files only.\n");
        }
        put_key(&keys[i]);
    }
}

static void put_option(const struct option_row *row)
{
    if (row->letter)
        printf("*-%c*, ", row->letter);
    printf("*--%s*", row->name);
    if (row->value) {
        printf(" _");
        put_plain(row->value);
        putchar('_');
    }
    printf("\n\t");
    put_plain(row->help);
    printf("\n\n");
}

static bool put_options(const char *name)
{
    const struct verb *verb = verb_find(name);
    if (!verb)
        return false;
    for (const struct option_row *row = verb->options; row && row->name; row++)
        put_option(row);
    if (verb->flags & VERB_JSON)
        put_option(&option_json);
    return true;
}

/* "[OPTION…] FILE": what is to be replaced stands in capitals, and underlined in a page. */
static bool put_usage(const char *name)
{
    const struct verb *verb = verb_find(name);
    if (!verb)
        return false;
    printf("*cofferdam %s* ", name);
    for (const char *at = verb->usage ? verb->usage : ""; *at;) {
        size_t capitals = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (capitals > 1)
            printf("_%.*s_", (int)capitals, at);
        else if (str_starts(at, "…"))
            printf("...");
        else
            putchar(*at);
        at += capitals > 1 ? capitals : str_starts(at, "…") ? strlen("…") : 1;
    }
    putchar('\n');
    return true;
}

/* What an "@…" line stands for; false: there is no such verb. */
static bool put_line(const char *text)
{
    static const char options[] = "@options ", usage[] = "@usage ";
    if (str_equal(text, "@keys"))
        put_keys();
    else if (str_starts(text, options))
        return put_options(text + sizeof(options) - 1);
    else if (str_starts(text, usage))
        return put_usage(text + sizeof(usage) - 1);
    else
        printf("%s\n", text);
    return true;
}

int main(int argc, char **argv)
{
    FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!template) {
        fprintf(stderr, "usage: %s TEMPLATE\n", argv[0]);
        return 2;
    }
    char line[4096];
    while (fgets(line, sizeof(line), template)) {
        char *text = line;
        text[strcspn(text, "\n")] = '\0'; /* a tab in front means something to scdoc */
        if (!put_line(text))
            fprintf(stderr, "%s: there is no such verb: %s\n", argv[1], text);
    }
    fclose(template);
    return fflush(stdout) ? 1 : 0;
}
