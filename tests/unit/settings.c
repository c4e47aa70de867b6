/* settings.h: values, lists that grow and are emptied, origins, --set. */
#include "tests/unit/unit.h"

#include "profiles/settings.h"

static int set_up(void **state)
{
    struct settings *s = mem_alloc(sizeof(*s));
    settings_init(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    settings_done(*state);
    free(*state);
    return 0;
}

static void set(struct settings *s, enum key_id key, const char *value, const char *origin)
{
    struct error e = {0};
    if (settings_set(s, key, value, origin, &e) < 0)
        fail_msg("%s", e.text);
}

static void test_defaults(void **state)
{
    struct settings *s = *state;
    assert_string_equal(settings_text(s, KEY_NETWORK_MODE), "none");
    assert_true(settings_is_default(s, KEY_NETWORK_MODE));
    assert_string_equal(settings_origin(s, KEY_NETWORK_MODE), "default");
    assert_null(settings_text(s, KEY_RESOURCES_MEMORY));
    assert_true(settings_is_default(s, KEY_RESOURCES_MEMORY));
    assert_int_equal(settings_number(s, KEY_RESOURCES_MEMORY), 0);
    assert_int_equal(settings_number(s, KEY_LIFECYCLE_STOP_GRACE), 10000);
    assert_true(settings_bool(s, KEY_ISOLATION_NO_NEW_PRIVILEGES));
    assert_null(settings_list(s, KEY_FILES_MOUNT)[0]);
    assert_string_equal(settings_list(s, KEY_ISOLATION_CAPABILITIES)[0], "none");
    assert_null(settings_list(s, KEY_RESOURCES_MEMORY)[0]);
}

static void test_scalars_are_replaced(void **state)
{
    struct settings *s = *state;
    set(s, KEY_RESOURCES_MEMORY, " 1G ", "a.ini:1");
    set(s, KEY_RESOURCES_MEMORY, "2G", "--memory");
    assert_int_equal(settings_number(s, KEY_RESOURCES_MEMORY), 2ull << 30);
    assert_string_equal(settings_origin(s, KEY_RESOURCES_MEMORY), "--memory");
    assert_false(settings_is_default(s, KEY_RESOURCES_MEMORY));
    set(s, KEY_RESOURCES_CPUS, "1.5", "a.ini:2");
    assert_true(settings_decimal(s, KEY_RESOURCES_CPUS) == 1.5);
}

static void test_an_empty_value_resets_a_scalar(void **state)
{
    struct settings *s = *state;
    set(s, KEY_RESOURCES_MEMORY, "1G", "a.ini:1");
    set(s, KEY_RESOURCES_MEMORY, "", "b.ini:1");
    assert_null(settings_text(s, KEY_RESOURCES_MEMORY));
    set(s, KEY_NETWORK_MODE, "host", "a.ini:2");
    set(s, KEY_NETWORK_MODE, "  ", "b.ini:2");
    assert_string_equal(settings_text(s, KEY_NETWORK_MODE), "none");
}

static void test_lists_grow_and_are_reset(void **state)
{
    struct settings *s = *state;
    set(s, KEY_FILES_MOUNT, "/a /b:/c", "a.ini:1");
    set(s, KEY_FILES_MOUNT, "/d", "b.ini:7");
    char *const *list = settings_list(s, KEY_FILES_MOUNT);
    assert_int_equal(strv_length(list), 3);
    assert_string_equal(list[1], "/b:/c");
    assert_string_equal(s->of[KEY_FILES_MOUNT].origins[1], "a.ini:1");
    assert_string_equal(s->of[KEY_FILES_MOUNT].origins[2], "b.ini:7");
    set(s, KEY_FILES_MOUNT, "", "c.ini:3");
    assert_null(settings_list(s, KEY_FILES_MOUNT)[0]);
    assert_string_equal(settings_origin(s, KEY_FILES_MOUNT), "c.ini:3");
    set(s, KEY_FILES_MOUNT, "/e", "c.ini:4");
    assert_int_equal(strv_length(settings_list(s, KEY_FILES_MOUNT)), 1);
    assert_int_equal(strv_length(s->of[KEY_FILES_MOUNT].origins), 1);
}

static void test_the_first_items_replace_the_defaults(void **state)
{
    struct settings *s = *state;
    set(s, KEY_ISOLATION_CAPABILITIES, "chown", "a.ini:1");
    assert_int_equal(strv_length(settings_list(s, KEY_ISOLATION_CAPABILITIES)), 1);
    set(s, KEY_ISOLATION_CAPABILITIES, "", "a.ini:2");
    assert_null(settings_list(s, KEY_ISOLATION_CAPABILITIES)[0]);
}

static void test_quotes(void **state)
{
    struct settings *s = *state;
    struct error e = {0};
    set(s, KEY_WORKLOAD_COMMAND, "sh -c \"echo \\\"a  b\\\" \\\\ c\" \"\" x\" y\"z a\\b",
        "w.ini:1");
    char *const *list = settings_list(s, KEY_WORKLOAD_COMMAND);
    assert_int_equal(strv_length(list), 6);
    assert_string_equal(list[2], "echo \"a  b\" \\ c");
    assert_string_equal(list[3], "");
    assert_string_equal(list[4], "x yz");
    assert_string_equal(list[5], "a\\b");
    assert_int_equal(settings_set(s, KEY_WORKLOAD_COMMAND, "a \"b", "w.ini:2", &e), -EINVAL);
    assert_non_null(strstr(e.text, "quote"));
    assert_int_equal(strv_length(settings_list(s, KEY_WORKLOAD_COMMAND)), 6);
}

static void test_lines_and_arguments_are_not_split(void **state)
{
    struct settings *s = *state;
    struct error e = {0};
    set(s, KEY_WORKLOAD_ENVIRONMENT, "A=b \"c", "w.ini:1");
    assert_string_equal(settings_list(s, KEY_WORKLOAD_ENVIRONMENT)[0], "A=b \"c");
    assert_int_equal(settings_add(s, KEY_FILES_MOUNT, "/a b:/c d", "--mount", &e), 0);
    assert_string_equal(settings_list(s, KEY_FILES_MOUNT)[0], "/a b:/c d");
    assert_int_equal(settings_add(s, KEY_FILES_MOUNT, "x", "--mount", &e), -EINVAL);
    assert_int_equal(strv_length(settings_list(s, KEY_FILES_MOUNT)), 1);
}

static void test_a_refused_value_changes_nothing(void **state)
{
    struct settings *s = *state;
    struct error e = {0};
    set(s, KEY_FILES_MOUNT, "/a", "a.ini:1");
    assert_int_equal(settings_set(s, KEY_FILES_MOUNT, "/b nonsense", "a.ini:2", &e), -EINVAL);
    assert_non_null(strstr(e.text, "files.mount"));
    assert_int_equal(strv_length(settings_list(s, KEY_FILES_MOUNT)), 1);
    assert_int_equal(settings_set(s, KEY_NETWORK_MODE, "al", "a.ini:3", &e), -EINVAL);
    assert_string_equal(settings_text(s, KEY_NETWORK_MODE), "none");
}

static void test_bounds(void **state)
{
    struct settings *s = *state;
    struct error e = {0};
    char *longest = str_format("A=%0*d", SETTINGS_VALUE_MAX - 2, 0);
    char *longer = str_format("%s0", longest);
    assert_int_equal(settings_set(s, KEY_WORKLOAD_ENVIRONMENT, longest, "x", &e), 0);
    assert_int_equal(settings_set(s, KEY_WORKLOAD_ENVIRONMENT, longer, "x", &e), -E2BIG);
    for (int i = 1; i < SETTINGS_ITEMS_MAX; i++)
        assert_int_equal(settings_set(s, KEY_WORKLOAD_ENVIRONMENT, "A=b", "x", &e), 0);
    assert_int_equal(settings_set(s, KEY_WORKLOAD_ENVIRONMENT, "A=b", "x", &e), -E2BIG);
    assert_int_equal(strv_length(settings_list(s, KEY_WORKLOAD_ENVIRONMENT)), SETTINGS_ITEMS_MAX);
    free(longest);
    free(longer);
}

static void test_assign(void **state)
{
    struct settings *s = *state;
    struct error e = {0};
    assert_int_equal(settings_assign(s, "network.mode=host", "--set", &e), 0);
    assert_string_equal(settings_text(s, KEY_NETWORK_MODE), "host");
    assert_string_equal(settings_origin(s, KEY_NETWORK_MODE), "--set");
    assert_int_equal(settings_assign(s, "workload.environment=A=b.c", "--set", &e), 0);
    assert_int_equal(settings_assign(s, "network.mod=host", "--set", &e), -EINVAL);
    assert_non_null(strstr(e.text, "did you mean network.mode?"));
    assert_int_equal(settings_assign(s, "network.mode", "--set", &e), -EINVAL);
    assert_int_equal(settings_assign(s, "mode=a.b", "--set", &e), -EINVAL);
    assert_non_null(strstr(e.text, "did you mean network.mode?"));
    assert_int_equal(settings_assign(s, "limits.memory=3", "--set", &e), -EINVAL);
    assert_non_null(strstr(e.text, "did you mean resources.memory?"));
    assert_int_equal(settings_assign(s, "network.mode=x", "--set", &e), -EINVAL);
    assert_true(str_starts(e.text, "--set: network.mode: "));
    /* a file that would have to be read below all that is there already */
    assert_int_equal(settings_assign(s, "profile.inherit=develop", "--set", &e), -EINVAL);
    assert_int_equal(settings_assign(s, "workload.profile=develop", "--set", &e), -EINVAL);
}

static void test_copies_are_apart(void **state)
{
    struct settings *s = *state;
    struct settings copy;
    set(s, KEY_FILES_MOUNT, "/a", "a.ini:1");
    settings_copy(&copy, s);
    set(&copy, KEY_FILES_MOUNT, "/b", "a.ini:2");
    assert_int_equal(strv_length(settings_list(s, KEY_FILES_MOUNT)), 1);
    assert_int_equal(strv_length(settings_list(&copy, KEY_FILES_MOUNT)), 2);
    assert_null(settings_text(&copy, KEY_RESOURCES_MEMORY));
    settings_done(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scalars_are_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_empty_value_resets_a_scalar, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists_grow_and_are_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_items_replace_the_defaults, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_quotes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_and_arguments_are_not_split, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_value_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_assign, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copies_are_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
