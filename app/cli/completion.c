#include "app/cli/completion.h"

#include "app/cli/options.h"
#include "app/cli/verbs.h"
#include "base/dirs.h"
#include "console/snapshots.h"
#include "console/state.h"

#include <stdio.h>

static void completion_workloads(char ***names)
{
    struct dirs d;
    struct state_record *list;
    size_t count;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return;
    if (state_list(&d, &list, &count, &e) == 0) {
        for (size_t i = 0; i < count; i++)
            if (list[i].name)
                strv_add(names, list[i].name);
        state_list_free(list, count);
    }
    dirs_done(&d);
}

static void completion_snapshots(char ***names)
{
    struct dirs d;
    struct snapshot_record *list;
    size_t count;
    struct error e;
    if (dirs_init(&d, &e) < 0)
        return;
    if (snapshots_list(&d, &list, &count, &e) == 0) {
        for (size_t i = 0; i < count; i++)
            strv_add(names, list[i].name);
        snapshots_list_free(list, count);
    }
    dirs_done(&d);
}

void completion_names(const struct profile_path *p, const char *kind, char ***names)
{
    struct profile_entry *list;
    size_t count;
    struct error e;
    const char *folder = str_equal(kind, "profile")         ? "profiles"
                         : str_equal(kind, "workload-file") ? "workloads"
                                                            : NULL;
    if (str_equal(kind, "snapshot") || str_equal(kind, "snapshot-workload"))
        completion_snapshots(names);
    if (str_equal(kind, "workload") || str_equal(kind, "snapshot-workload"))
        completion_workloads(names);
    if (folder && profile_list(p, folder, &list, &count, &e) == 0) {
        for (size_t i = 0; i < count; i++)
            strv_add(names, list[i].name);
        profile_list_free(list, count);
    }
}

/* Walks a verb's options: its own, --json, --help. */
static const struct option_row *completion_option(const struct verb *v, size_t *at)
{
    size_t own = 0;
    while (v->options && v->options[own].name)
        own++;
    size_t i = (*at)++;
    if (i < own)
        return &v->options[i];
    bool json = v->flags & VERB_JSON;
    if (i == own && json)
        return &option_json;
    return i == own + json ? &option_help : NULL;
}

/* What the arguments of a verb are: "profile", "workload", "workload-file", "file", or NULL. */
static const char *completion_of_args(const struct verb *v)
{
    if (v->flags & VERB_WORKLOADS || str_equal(v->name, "domain"))
        return "workload";
    if (str_equal(v->name, "clone") || str_equal(v->name, "snapshot"))
        return "snapshot-workload";
    if (str_equal(v->name, "profile"))
        return "profile";
    if (str_equal(v->name, "workload"))
        return "workload-file";
    return "file";
}

static void completion_print_verbs(const char *separator)
{
    bool first = true;
    for (size_t i = 0; i < verbs_count; i++) {
        if (verbs[i]->flags & VERB_HIDDEN)
            continue;
        printf("%s%s", first ? "" : separator, verbs[i]->name);
        first = false;
    }
}

/* bash: a row for each verb of its option words, and one for each option that takes a value. */
static void completion_bash_verb(const struct verb *v)
{
    const struct option_row *row;
    printf("    %s)\n        options=\"", v->name);
    for (size_t at = 0; (row = completion_option(v, &at));)
        printf("%s--%s", at > 1 ? " " : "", row->name);
    printf("\"\n        subverbs=\"");
    for (size_t i = 0; v->subverbs && v->subverbs[i]; i++)
        printf("%s%s", i ? " " : "", v->subverbs[i]);
    printf("\"\n        kind=%s\n        case $previous in\n", completion_of_args(v));
    for (size_t at = 0; (row = completion_option(v, &at));) {
        if (!row->value)
            continue;
        if (row->letter)
            printf("        -%c|", row->letter);
        else
            printf("        ");
        printf("--%s) kind='%s'; value=1 ;;\n", row->name, row->complete ? row->complete : "none");
    }
    puts("        esac ;;");
}

void completion_bash(void)
{
    puts("# bash completion for cofferdam; made by \"cofferdam completion bash\"\n"
         "_cofferdam()\n"
         "{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    local verb=${COMP_WORDS[1]} options= subverbs= kind= value= IFS=$' \\t\\n'\n"
         "    COMPREPLY=()\n"
         "    if ((COMP_CWORD == 1)); then");
    printf("        COMPREPLY=($(compgen -W \"");
    completion_print_verbs(" ");
    puts(" --help --version\" -- \"$word\"))\n        return\n    fi\n    case $verb in");
    for (size_t i = 0; i < verbs_count; i++)
        completion_bash_verb(verbs[i]);
    puts("    esac\n"
         "    if [[ -z $value && $word == -* ]]; then\n"
         "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "        return\n"
         "    fi\n"
         "    if [[ -z $value && -n $subverbs ]] && ((COMP_CWORD == 2)); then\n"
         "        COMPREPLY=($(compgen -W \"$subverbs\" -- \"$word\"))\n"
         "        return\n"
         "    fi\n"
         "    case $kind in\n"
         "    profile|workload|workload-file|snapshot|snapshot-workload)\n"
         "        COMPREPLY=($(compgen -W \"$(cofferdam completion words \"$kind\" 2>/dev/null)\" "
         "-- \"$word\")) ;;\n"
         "    dir) COMPREPLY=($(compgen -d -- \"$word\")) ;;\n"
         "    none) ;;\n"
         "    *'|'*) COMPREPLY=($(compgen -W \"${kind//|/ }\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "    esac\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _cofferdam cofferdam");
}

/* Text between single quotes, with what zsh's _arguments and fish would take for syntax kept out.
 */
static void completion_print_quoted(const char *s, const char *escaped)
{
    for (; *s; s++) {
        if (*s == '\'')
            printf("'\\''");
        else if (strchr(escaped, *s))
            printf("\\%c", *s);
        else
            putchar(*s);
    }
}

static void completion_zsh_action(const char *complete)
{
    if (!complete)
        printf(" ");
    else if (str_equal(complete, "file"))
        printf("_files");
    else if (str_equal(complete, "dir"))
        printf("_files -/");
    else if (strchr(complete, '|')) {
        printf("(");
        for (const char *p = complete; *p; p++)
            putchar(*p == '|' ? ' ' : *p);
        printf(")");
    } else
        printf("{_cofferdam_words %s}", complete);
}

static void completion_zsh_option(const struct option_row *row)
{
    /* a letter and a name are two specifications with one help text */
    for (int part = row->letter ? 0 : 1; part < 2; part++) {
        printf("            '*%s", part ? "--" : "-");
        if (part)
            printf("%s%s", row->name, row->value ? "=" : "");
        else
            printf("%c%s", row->letter, row->value ? "+" : "");
        printf("[");
        completion_print_quoted(row->help, "[]\\:");
        printf("]");
        if (row->value) {
            printf(":");
            completion_print_quoted(row->value, "[]\\:");
            printf(":");
            completion_zsh_action(row->complete);
        }
        puts("' \\");
    }
}

void completion_zsh(void)
{
    puts("#compdef cofferdam\n"
         "# zsh completion; made by \"cofferdam completion zsh\"\n"
         "_cofferdam_words()\n"
         "{\n"
         "    local -a words_of_kind\n"
         "    words_of_kind=(${(f)\"$(cofferdam completion words $1 2>/dev/null)\"})\n"
         "    compadd -a words_of_kind\n"
         "}\n"
         "_cofferdam()\n"
         "{\n"
         "    local -a verbs\n"
         "    if ((CURRENT == 2)); then\n"
         "        verbs=(");
    for (size_t i = 0; i < verbs_count; i++) {
        if (verbs[i]->flags & VERB_HIDDEN)
            continue;
        printf("            '%s:", verbs[i]->name);
        completion_print_quoted(verbs[i]->summary, ":\\");
        puts("'");
    }
    puts("        )\n        _describe verb verbs\n        return\n    fi\n"
         "    local verb=$words[2]\n    shift words; ((CURRENT--))\n    case $verb in");
    const struct option_row *row;
    for (size_t i = 0; i < verbs_count; i++) {
        const struct verb *v = verbs[i];
        printf("    %s)\n        _arguments -s \\\n", v->name);
        for (size_t at = 0; (row = completion_option(v, &at));)
            completion_zsh_option(row);
        if (v->subverbs) {
            autofree char *list = strv_join((char *const *)v->subverbs, " ");
            printf("            '1:subcommand:(%s)' \\\n", list);
        }
        printf("            '*:argument:");
        completion_zsh_action(completion_of_args(v));
        puts("' ;;");
    }
    puts("    esac\n}\n_cofferdam \"$@\"");
}

static void completion_fish_option(const char *verb, const struct option_row *row)
{
    printf("complete -c cofferdam -n '__fish_seen_subcommand_from %s' -l %s", verb, row->name);
    if (row->letter)
        printf(" -s %c", row->letter);
    if (row->value)
        printf(" -r");
    if (row->complete && strchr(row->complete, '|')) {
        printf(" -f -a '");
        for (const char *p = row->complete; *p; p++)
            putchar(*p == '|' ? ' ' : *p);
        printf("'");
    } else if (row->complete && str_equal(row->complete, "dir")) {
        printf(" -f -a '(__fish_complete_directories)'");
    } else if (row->complete && !str_equal(row->complete, "file")) {
        printf(" -f -a '(cofferdam completion words %s 2>/dev/null)'", row->complete);
    } else if (row->value && !row->complete) {
        printf(" -f");
    }
    printf(" -d '");
    completion_print_quoted(row->help, "\\");
    puts("'");
}

void completion_fish(void)
{
    printf("# fish completion for cofferdam; made by \"cofferdam completion fish\"\n"
           "set -l verbs ");
    completion_print_verbs(" ");
    putchar('\n');
    const struct option_row *row;
    for (size_t i = 0; i < verbs_count; i++) {
        const struct verb *v = verbs[i];
        if (!(v->flags & VERB_HIDDEN)) {
            printf("complete -c cofferdam -n \"not __fish_seen_subcommand_from $verbs\" -f -a %s "
                   "-d '",
                   v->name);
            completion_print_quoted(v->summary, "\\");
            puts("'");
        }
        for (size_t at = 0; (row = completion_option(v, &at));)
            completion_fish_option(v->name, row);
        if (v->subverbs) {
            autofree char *list = strv_join((char *const *)v->subverbs, " ");
            printf("complete -c cofferdam -n '__fish_seen_subcommand_from %s; and not "
                   "__fish_seen_subcommand_from %s' -f -a '%s'\n",
                   v->name, list, list);
        }
        const char *kind = completion_of_args(v);
        if (!str_equal(kind, "file"))
            printf("complete -c cofferdam -n '__fish_seen_subcommand_from %s' -f -a '(cofferdam "
                   "completion words %s 2>/dev/null)'\n",
                   v->name, kind);
    }
}
