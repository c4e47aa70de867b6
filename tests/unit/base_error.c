/* error.h: codes travel by return value, texts grow in front and never overflow. */
#include "tests/unit/unit.h"

#include "base/error.h"

#include <limits.h>

static void test_set_returns_the_code(void **state)
{
    struct error e = {0};
    assert_int_equal(error_set(&e, EPERM, "no %s", "way"), -EPERM);
    assert_int_equal(e.code, EPERM);
    assert_string_equal(e.text, "no way");
}

static void test_errno_appends_its_words(void **state)
{
    struct error e = {0};
    assert_int_equal(error_errno(&e, ENOENT, "open %s", "x"), -ENOENT);
    assert_string_equal(e.text, "open x: No such file or directory");
}

static void test_wrap_puts_context_in_front(void **state)
{
    struct error e = {0};
    error_set(&e, EIO, "read");
    assert_int_equal(error_wrap(&e, "start %d", 7), -EIO);
    assert_string_equal(e.text, "start 7: read");
}

static void test_texts_are_cut_not_overflowed(void **state)
{
    struct error e = {0};
    char *longer = str_format("%0600d", 0);
    error_set(&e, EIO, "%s", longer);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    error_errno(&e, EIO, "%s", longer);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    assert_int_equal(error_wrap(&e, "%s", longer), -EIO);
    assert_true(strlen(e.text) < sizeof(e.text));
    assert_true(str_starts(e.text, "000"));
    free(longer);
}

/* The struct's own text may be an argument on the way up. */
static void test_wrap_with_its_own_text(void **state)
{
    struct error e = {0};
    error_set(&e, EIO, "inner");
    error_wrap(&e, "outer of %s", e.text);
    assert_string_equal(e.text, "outer of inner: inner");
}

/* What came from another process may be anything. */
static void test_take_makes_it_fit(void **state)
{
    struct error said, e = {0};
    error_set(&said, EBUSY, "it is busy");
    assert_int_equal(error_take(&e, &said), -EBUSY);
    assert_string_equal(e.text, "it is busy");
    static const int none[] = {0, -EIO, 5000, INT_MIN};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        said.code = none[i];
        assert_int_equal(error_take(&e, &said), -EPROTO);
        assert_int_equal(e.code, EPROTO);
    }
    memset(said.text, 'x', sizeof(said.text));
    error_take(&e, &said);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_returns_the_code),
        cmocka_unit_test(test_errno_appends_its_words),
        cmocka_unit_test(test_wrap_puts_context_in_front),
        cmocka_unit_test(test_texts_are_cut_not_overflowed),
        cmocka_unit_test(test_wrap_with_its_own_text),
        cmocka_unit_test(test_take_makes_it_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
