/* module.h: from the fixed place only, and only what others cannot have changed. */
#include "tests/unit/unit.h"

#include "base/module.h"
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

static char *module_path(const char *name)
{
    return str_format("%s/cofferdam-%s.so", COFFERDAM_BUILD_ROOT, name);
}

static void test_places_in_the_build_tree(void **state)
{
    autofree char *monitor = module_program("cofferdam-monitor");
    assert_string_equal(monitor, COFFERDAM_BUILD_ROOT "/cofferdam-monitor");
    autofree char *data = module_data_dir();
    assert_string_equal(data, COFFERDAM_SOURCE_ROOT);
}

static void test_a_missing_module_is_named(void **state)
{
    struct error e = {0};
    assert_null(module_open("none-such", "table", &e));
    assert_int_equal(e.code, ENOENT);
    assert_non_null(strstr(e.text, "cofferdam-none-such.so"));
}

static void test_a_link_is_refused(void **state)
{
    autofree char *path = module_path("unit-link");
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    struct error e = {0};
    assert_null(module_open("unit-link", "table", &e));
    assert_int_equal(e.code, ELOOP);
    unlink(path);
}

static void test_what_others_can_write_is_refused(void **state)
{
    autofree char *path = module_path("unit-writable");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0664), 0);
    struct error e = {0};
    assert_null(module_open("unit-writable", "table", &e));
    assert_int_equal(e.code, EPERM);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_null(module_open("unit-writable", "table", &e));
    assert_int_equal(e.code, ELIBACC); /* trusted now, but not a library */
    close(fd);
    unlink(path);
}

static void test_tables_are_found(void **state)
{
    struct error e = {0};
    const int *one = module_open("unit-one", "unit_table", &e);
    assert_non_null(one);
    assert_int_equal(*one, 1);
    const int *two = module_open("unit-two", "unit_table", &e);
    assert_non_null(two);
    assert_int_equal(*two, 2);
    assert_ptr_equal(module_open("unit-one", "unit_table", &e), one);
    assert_null(module_open("unit-one", "other_table", &e));
    assert_int_equal(e.code, ELIBBAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_in_the_build_tree),
        cmocka_unit_test(test_a_missing_module_is_named),
        cmocka_unit_test(test_a_link_is_refused),
        cmocka_unit_test(test_what_others_can_write_is_refused),
        cmocka_unit_test(test_tables_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
