/* dirs.h: where state lives, for whatever the environment says. */
#include "tests/unit/unit.h"

#include "base/dirs.h"

#include <sys/stat.h>

static const char *const variables[] = {"XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME",
                                        "XDG_CACHE_HOME", "XDG_CONFIG_HOME"};

static int set_up(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    setenv("HOME", "/somewhere/else", 1);
    return 0;
}

static void test_xdg_is_obeyed(void **state)
{
    char runtime[] = "/tmp/cofferdam-unit.XXXXXX";
    assert_non_null(mkdtemp(runtime));
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    setenv("XDG_STATE_HOME", "/s/", 1);
    setenv("XDG_DATA_HOME", "/d", 1);
    setenv("XDG_CACHE_HOME", "/c", 1);
    setenv("XDG_CONFIG_HOME", "/k", 1);
    struct dirs d;
    struct error e = {0};
    assert_int_equal(dirs_init(&d, &e), 0);
    autofree char *expected = str_join_path(runtime, "cofferdam");
    assert_string_equal(d.runtime, expected);
    assert_string_equal(d.state, "/s/cofferdam");
    assert_string_equal(d.data, "/d/cofferdam");
    assert_string_equal(d.cache, "/c/cofferdam");
    assert_string_equal(d.config, "/k/cofferdam");
    dirs_done(&d);
    assert_null(d.runtime);
    rmdir(runtime);
}

static void test_relative_is_ignored(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        setenv(variables[i], i % 2 ? "relative/path" : "", 1);
    struct dirs d;
    struct error e = {0};
    assert_int_equal(dirs_init(&d, &e), 0);
    const char *const all[] = {d.runtime, d.state, d.data, d.cache, d.config, d.home};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        assert_int_equal(all[i][0], '/');
        assert_null(strstr(all[i], "relative"));
    }
    assert_string_equal(d.config, "/somewhere/else/.config/cofferdam");
    if (geteuid() == 0)
        assert_string_equal(d.state, "/var/lib/cofferdam");
    else
        assert_string_equal(d.state, "/somewhere/else/.local/state/cofferdam");
    dirs_done(&d);
}

/* As `su` leaves it: somebody else's runtime folder in our environment. */
static void test_a_strangers_runtime_folder_is_not_used(void **state)
{
    char runtime[] = "/tmp/cofferdam-unit.XXXXXX";
    if (geteuid() == 0) {
        assert_non_null(mkdtemp(runtime));
        assert_int_equal(chown(runtime, 12345, 12345), 0);
        setenv("XDG_RUNTIME_DIR", runtime, 1);
    } else {
        setenv("XDG_RUNTIME_DIR", "/etc", 1);
    }
    struct dirs d;
    struct error e = {0};
    assert_int_equal(dirs_init(&d, &e), 0);
    assert_false(str_starts(d.runtime, runtime));
    assert_false(str_starts(d.runtime, "/etc"));
    dirs_done(&d);
    if (geteuid() == 0)
        rmdir(runtime);
}

static void test_home_is_the_databases(void **state)
{
    struct dirs d;
    struct error e = {0};
    assert_int_equal(dirs_init(&d, &e), 0);
    if (geteuid() == 0)
        assert_string_equal(d.home, "/root");
    dirs_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_xdg_is_obeyed, set_up),
        cmocka_unit_test_setup(test_relative_is_ignored, set_up),
        cmocka_unit_test_setup(test_a_strangers_runtime_folder_is_not_used, set_up),
        cmocka_unit_test_setup(test_home_is_the_databases, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
