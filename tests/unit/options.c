/* app/cli/options.h: command lines taken apart by a verb's row. */
#include "tests/unit/unit.h"

#include "app/cli/options.h"

static const struct option_row rows[] = {
    {"name",  'n', "NAME", "a value", NULL},
    {"env", 'e', "K=V", "many", NULL},
    {"tty",   't', NULL, "a switch", NULL},
    {"interactive",   'i', NULL, "another switch", NULL},
    {0 },
};
static const char *const subverbs[] = {"list", "show", NULL};

static const struct verb plain = {.name = "plain", .options = rows, .flags = VERB_JSON};
static const struct verb command = {.name = "run", .options = rows, .flags = VERB_COMMAND};
static const struct verb inside = {
    .name = "exec", .options = rows, .flags = VERB_COMMAND | VERB_WORKLOADS};
static const struct verb tail = {.name = "open", .options = rows, .flags = VERB_TAIL};
static const struct verb sub = {.name = "sub", .subverbs = subverbs, .flags = VERB_SUBVERBS};

/* Splits a line at blanks; the words live until the test's end. */
static char **line_words;
static struct cli line_cli;
static struct error line_error;

static int parse(const struct verb *verb, const char *line)
{
    options_done(&line_cli);
    strv_free(line_words);
    line_words = strv_split(line, " ");
    line_error = (struct error){0};
    return options_parse(verb, line_words, &line_cli, &line_error);
}

static int tear_down(void **state)
{
    options_done(&line_cli);
    strv_free(line_words);
    line_words = NULL;
    return 0;
}

static void assert_words(char *const *words, const char *expected)
{
    autofree char *joined = strv_join(words, " ");
    assert_string_equal(joined, expected);
}

static void assert_refused(const struct verb *verb, const char *line, const char *says)
{
    int r = parse(verb, line);
    if (r != -EINVAL || !strstr(line_error.text, says))
        fail_msg("\"%s\": %d \"%s\" instead of \"%s\"", line, r, line_error.text, says);
}

static void test_values_and_switches(void **state)
{
    assert_int_equal(parse(&plain, "a --name=x=y --tty b --name z --json -- --c"), 0);
    assert_string_equal(cli_option(&line_cli, "name"), "z");
    assert_true(cli_switch(&line_cli, "tty"));
    assert_false(cli_switch(&line_cli, "interactive"));
    assert_true(line_cli.json);
    assert_words(line_cli.args, "a b --c");
    assert_int_equal(line_cli.args_count, 3);
    assert_null(line_cli.command);
    assert_null(cli_option(&line_cli, "env"));
}

static void test_letters(void **state)
{
    assert_int_equal(parse(&plain, "-it -nx -e A=b -eB=c -"), 0);
    assert_true(cli_switch(&line_cli, "tty") && cli_switch(&line_cli, "interactive"));
    assert_string_equal(cli_option(&line_cli, "name"), "x");
    assert_string_equal(cli_option(&line_cli, "env"), "B=c");
    assert_int_equal(line_cli.options_count, 5);
    assert_words(line_cli.args, "-");
    assert_int_equal(parse(&plain, "-tn --tty"), 0);
    assert_string_equal(cli_option(&line_cli, "name"), "--tty");
}

static int collect(void *data, const char *value, struct error *e)
{
    strv_add(data, value);
    return str_equal(value, "stop") ? error_set(e, EIO, "stopped") : 0;
}

static void test_each(void **state)
{
    autostrv char **seen = NULL;
    assert_int_equal(parse(&plain, "-e a -n no -e b --env=stop -e never"), 0);
    assert_int_equal(cli_each(&line_cli, "env", collect, &seen, &line_error), -EIO);
    assert_words(seen, "a b stop");
}

static void test_commands(void **state)
{
    assert_int_equal(parse(&command, "--tty make --name x -- y"), 0);
    assert_true(cli_switch(&line_cli, "tty"));
    assert_words(line_cli.command, "make --name x -- y");
    assert_int_equal(line_cli.args_count, 0);
    assert_null(cli_option(&line_cli, "name"));
    assert_int_equal(parse(&command, "--tty -- --odd"), 0);
    assert_words(line_cli.command, "--odd");
    assert_int_equal(parse(&command, "--tty --"), 0);
    assert_null(line_cli.command);
    assert_int_equal(parse(&command, "make --help"), 0);
    assert_false(cli_switch(&line_cli, "help"));
}

static void test_commands_inside(void **state)
{
    assert_int_equal(parse(&inside, "-t web -i ls -l"), 0);
    assert_words(line_cli.args, "web");
    assert_true(cli_switch(&line_cli, "interactive"));
    assert_words(line_cli.command, "ls -l");
    assert_int_equal(parse(&inside, "web -- -x"), 0);
    assert_words(line_cli.args, "web");
    assert_words(line_cli.command, "-x");
}

static void test_tails(void **state)
{
    assert_int_equal(parse(&tail, "file --tty -- -a b"), 0);
    assert_words(line_cli.args, "file");
    assert_true(cli_switch(&line_cli, "tty"));
    assert_words(line_cli.command, "-a b");
}

static void test_refusals(void **state)
{
    assert_refused(&plain, "--nam x", "there is no option --nam; did you mean --name?");
    assert_refused(&plain, "--nam=x", "did you mean --name?");
    assert_refused(&plain, "--xyzzyplugh", "there is no option --xyzzyplugh");
    assert_refused(&plain, "-x", "there is no option -x");
    assert_refused(&plain, "--tty=yes", "--tty takes no value");
    assert_refused(&plain, "--name", "--name needs a value: NAME");
    assert_refused(&plain, "-n", "-n needs a value: NAME");
    assert_refused(&command, "--json x", "there is no option --json");
    assert_refused(&plain, "--\033[31m", "\\x1b");
    assert_null(strchr(line_error.text, '\033'));
}

static void test_subverbs(void **state)
{
    assert_int_equal(parse(&sub, "show x"), 0);
    assert_words(line_cli.args, "show x");
    assert_refused(&sub, "shwo x", "did you mean \"show\"?");
    assert_refused(&sub, "zzzzzz", "none of list, show");
    assert_refused(&sub, "", "say which: list, show");
    assert_int_equal(parse(&sub, "--help"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_switches),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_commands_inside),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test_teardown(test_subverbs, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
