#include "app/cli/help.h"

#include "app/cli/options.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"

#include <stdio.h>

static const char *const groups[] = {"Run", "Watch", "Files", "Profiles", "Host"};

static void help_print_group(const char *group)
{
    printf("\n%s%s%s\n", out_colour(OUT_BOLD), group, out_colour(OUT_PLAIN));
    for (size_t i = 0; i < verbs_count; i++)
        if (!(verbs[i]->flags & VERB_HIDDEN) && str_equal(verbs[i]->group, group))
            printf("  %-11s %s\n", verbs[i]->name, verbs[i]->summary);
}

void help_print_all(void)
{
    puts("Usage: cofferdam                        the terminal interface\n"
         "       cofferdam VERB [OPTION…] [ARGUMENT…]\n"
         "       cofferdam help VERB");
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        help_print_group(groups[i]);
    puts("\nA workload is named by its name, its id, or an unambiguous beginning of either.\n"
         "Exit status: 125 when Cofferdam itself fails, 126 when the command cannot be executed, "
         "127\nwhen it is not found, 128+N when signal N ended it, else the command's own.");
}

static void help_print_option(const struct option_row *row)
{
    autobuf left = {0};
    if (row->letter)
        buf_printf(&left, "-%c, ", row->letter);
    else
        buf_puts(&left, "    ");
    buf_printf(&left, "--%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
    if (left.used > 30)
        printf("  %s\n  %-30s  %s\n", left.data, "", row->help);
    else
        printf("  %-30s  %s\n", left.data, row->help);
}

void help_print_verb(const struct verb *verb)
{
    printf("Usage: cofferdam %s%s%s\n\n%s\n", verb->name, str_empty(verb->usage) ? "" : " ",
           verb->usage ? verb->usage : "", verb->summary);
    if (verb->subverbs) {
        autofree char *list = strv_join((char *const *)verb->subverbs, ", ");
        printf("\nSubcommands: %s\n", list);
    }
    puts("\nOptions:");
    for (const struct option_row *row = verb->options; row && row->name; row++)
        help_print_option(row);
    if (verb->flags & VERB_JSON)
        help_print_option(&option_json);
    help_print_option(&option_help);
}

static json_t *help_option_json(const struct option_row *row)
{
    char letter[2] = {row->letter, '\0'};
    return json_pack("{s:s, s:s*, s:s*, s:s, s:s*}", "name", row->name, "letter",
                     row->letter ? letter : NULL, "value", row->value, "help", row->help,
                     "complete", row->complete);
}

void help_print_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < verbs_count; i++) {
        const struct verb *v = verbs[i];
        json_t *options = json_array();
        for (const struct option_row *row = v->options; row && row->name; row++)
            json_array_append_new(options, help_option_json(row));
        if (v->flags & VERB_JSON)
            json_array_append_new(options, help_option_json(&option_json));
        json_array_append_new(options, help_option_json(&option_help));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:o}", "name", v->name, "group",
                            v->group, "usage", v->usage ? v->usage : "", "summary", v->summary,
                            "subverbs", out_json_strings((char *const *)v->subverbs), "hidden",
                            !!(v->flags & VERB_HIDDEN), "options", options));
    }
    out_json(json_pack("{s:o}", "verbs", list));
}
