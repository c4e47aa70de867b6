#include "app/cli/options.h"

const struct option_row option_help = {"help", 'h', NULL, "show this help", NULL};
const struct option_row option_json = {"json", 0, NULL, "print JSON", NULL};

static const struct option_row *options_at(const struct verb *verb, size_t i)
{
    size_t own = 0;
    while (verb->options && verb->options[own].name)
        own++;
    if (i < own)
        return &verb->options[i];
    if (i == own)
        return &option_help;
    return i == own + 1 && (verb->flags & VERB_JSON) ? &option_json : NULL;
}

const struct option_row *options_find(const struct verb *verb, const char *name, size_t length)
{
    const struct option_row *row;
    for (size_t i = 0; (row = options_at(verb, i)); i++)
        if (strlen(row->name) == length && memcmp(row->name, name, length) == 0)
            return row;
    return NULL;
}

static const struct option_row *options_find_letter(const struct verb *verb, char letter)
{
    const struct option_row *row;
    for (size_t i = 0; (row = options_at(verb, i)); i++)
        if (row->letter && row->letter == letter)
            return row;
    return NULL;
}

static int options_unknown(const struct verb *verb, const char *name, size_t length,
                           struct error *e)
{
    enum { MOST = 64 };
    const char *names[MOST];
    size_t count = 0;
    const struct option_row *row;
    while (count < MOST && (row = options_at(verb, count)))
        names[count++] = row->name;
    autofree char *wrong = str_ndup(name, length);
    autofree char *shown = str_escape(wrong, strnlen(wrong, 64));
    const char *near = str_nearest(wrong, names, count);
    if (near)
        return error_set(e, EINVAL, "there is no option --%s; did you mean --%s?", shown, near);
    return error_set(e, EINVAL, "there is no option --%s", shown);
}

static void options_add(struct cli *c, const struct option_row *row, const char *value)
{
    c->options = mem_grow(c->options, c->options_count + 1, sizeof(*c->options));
    c->options[c->options_count++] = (struct option_value){row, value};
    if (row == &option_json)
        c->json = true;
}

/* "--name", "--name=value" or "--name value" at *argv; moves on past what it took. */
static int options_take_long(struct cli *c, char ***argv, struct error *e)
{
    const char *name = **argv + 2;
    size_t length = strcspn(name, "=");
    const struct option_row *row = options_find(c->verb, name, length);
    if (!row)
        return options_unknown(c->verb, name, length, e);
    const char *value = name[length] ? name + length + 1 : NULL;
    (*argv)++;
    if (!row->value && value)
        return error_set(e, EINVAL, "--%s takes no value", row->name);
    if (row->value && !value) {
        value = **argv;
        if (!value)
            return error_set(e, EINVAL, "--%s needs a value: %s", row->name, row->value);
        (*argv)++;
    }
    options_add(c, row, value);
    return 0;
}

/* "-x", "-xyz", "-xvalue" or "-x value". */
static int options_take_short(struct cli *c, char ***argv, struct error *e)
{
    const char *letters = **argv + 1;
    (*argv)++;
    for (; *letters; letters++) {
        const struct option_row *row = options_find_letter(c->verb, *letters);
        if (!row) {
            autofree char *shown = str_escape(letters, 1);
            return error_set(e, EINVAL, "there is no option -%s", shown);
        }
        if (!row->value) {
            options_add(c, row, NULL);
            continue;
        }
        const char *value = letters[1] ? letters + 1 : **argv;
        if (!value)
            return error_set(e, EINVAL, "-%c needs a value: %s", row->letter, row->value);
        if (!letters[1])
            (*argv)++;
        options_add(c, row, value);
        break;
    }
    return 0;
}

static void options_add_arg(struct cli *c, char *arg)
{
    c->args = mem_grow(c->args, c->args_count + 2, sizeof(char *));
    c->args[c->args_count++] = arg;
    c->args[c->args_count] = NULL;
}

/* A non-option: an argument, or the beginning of the command (true). */
static bool options_take_word(struct cli *c, char ***argv)
{
    bool command = c->verb->flags & VERB_COMMAND;
    bool workload_first = (c->verb->flags & VERB_WORKLOADS) && c->args_count == 0;
    if (command && !workload_first)
        return true;
    options_add_arg(c, **argv);
    (*argv)++;
    return false;
}

static int options_check_subverb(const struct cli *c, struct error *e)
{
    const char *const *names = c->verb->subverbs;
    size_t count = strv_length((char *const *)names);
    autofree char *list = strv_join((char *const *)names, ", ");
    if (!c->args_count)
        return error_set(e, EINVAL, "say which: %s", list);
    if (strv_has((char *const *)names, c->args[0]))
        return 0;
    const char *near = str_nearest(c->args[0], names, count);
    autofree char *shown = str_escape(c->args[0], strnlen(c->args[0], 64));
    if (near)
        return error_set(e, EINVAL, "\"%s\" is not known; did you mean \"%s\"?", shown, near);
    return error_set(e, EINVAL, "\"%s\" is none of %s", shown, list);
}

int options_parse(const struct verb *verb, char **argv, struct cli *ret, struct error *e)
{
    struct cli c = {.verb = verb, .args = mem_zero(1, sizeof(char *))};
    int r = 0;
    bool tail = verb->flags & (VERB_COMMAND | VERB_TAIL);
    while (*argv && r == 0) {
        if (str_equal(*argv, "--")) {
            argv++;
            if (tail)
                break;
            while (*argv)
                options_add_arg(&c, *argv++);
        } else if (str_starts(*argv, "--")) {
            r = options_take_long(&c, &argv, e);
        } else if (**argv == '-' && (*argv)[1]) {
            r = options_take_short(&c, &argv, e);
        } else if (options_take_word(&c, &argv)) {
            break;
        }
    }
    if (r == 0 && *argv)
        c.command = argv;
    bool help = cli_switch(&c, "help");
    if (r == 0 && !help && (verb->flags & VERB_SUBVERBS))
        r = options_check_subverb(&c, e);
    if (r < 0) {
        options_done(&c);
        return r;
    }
    *ret = c;
    return 0;
}

void options_done(struct cli *c)
{
    free(c->options);
    free(c->args);
    *c = (struct cli){0};
}

const char *cli_option(const struct cli *c, const char *name)
{
    for (size_t i = c->options_count; i > 0; i--)
        if (str_equal(c->options[i - 1].row->name, name))
            return c->options[i - 1].value;
    return NULL;
}

bool cli_switch(const struct cli *c, const char *name)
{
    for (size_t i = 0; i < c->options_count; i++)
        if (str_equal(c->options[i].row->name, name))
            return true;
    return false;
}

int cli_each(const struct cli *c, const char *name,
             int (*each)(void *data, const char *value, struct error *e), void *data,
             struct error *e)
{
    for (size_t i = 0; i < c->options_count; i++) {
        if (!str_equal(c->options[i].row->name, name))
            continue;
        int r = each(data, c->options[i].value, e);
        if (r != 0)
            return r;
    }
    return 0;
}
