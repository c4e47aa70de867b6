/* Numbers with units: exact, whole, and nothing written on failure. */
#include "tests/unit/unit.h"

enum { UNTOUCHED = 4711 };

static void test_uint(void **state)
{
    uint64_t n = UNTOUCHED;
    static const char *const wrong[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1k", "a"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(str_to_uint(wrong[i], &n), -EINVAL);
    assert_int_equal(str_to_uint("18446744073709551616", &n), -ERANGE);
    assert_int_equal(n, UNTOUCHED);
    assert_int_equal(str_to_uint("18446744073709551615", &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(str_to_uint("010", &n), 0);
    assert_int_equal(n, 10);
}

static void test_size(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {
        {"0",    0         },
        {"512",  512       },
        {"512B", 512       },
        {"1K",   1024      },
        {"1k",   1024      },
        {"2M",   2u << 20  },
        {"1.5G", 3ull << 29},
        {"1GiB", 1u << 30  },
        {"1kb",  1024      },
        {"3T",   3ull << 40},
        {"0.5K", 512       },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t n = UNTOUCHED;
        assert_int_equal(str_to_size(rows[i].text, &n), 0);
        assert_int_equal(n, rows[i].bytes);
    }
    uint64_t n = UNTOUCHED;
    static const char *const wrong[] = {"",    "K",   "-1K",  "1X",  "1KK",   "1 K", "1K ",
                                        "1.K", ".5K", "1,5K", "1e3", "1KiBs", "nan", "inf"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(str_to_size(wrong[i], &n), -EINVAL);
    assert_int_equal(str_to_size("99999999999T", &n), -ERANGE);
    assert_int_equal(n, UNTOUCHED);
}

static void test_duration(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"5",       5000     },
        {"0",       0        },
        {"2.3s",    2300     },
        {"0.1",     100      },
        {"250ms",   250      },
        {"1h30m",   5400000  },
        {"1m30s",   90000    },
        {"2d",      172800000},
        {"1m500ms", 60500    },
        {"1.5h",    5400000  },
        {"0.0005s", 1        },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t n = UNTOUCHED;
        assert_int_equal(str_to_duration(rows[i].text, &n), 0);
        assert_int_equal(n, rows[i].ms);
    }
    uint64_t n = UNTOUCHED;
    static const char *const wrong[] = {"", "s", "-5", "5x", "5min", "1h 30m", "5 s", "5ms5x"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(str_to_duration(wrong[i], &n), -EINVAL);
    assert_int_equal(str_to_duration("999999999999999999d", &n), -ERANGE);
    assert_int_equal(n, UNTOUCHED);
}

static void test_bool_and_decimal(void **state)
{
    bool b = false;
    assert_int_equal(str_to_bool("Yes", &b), 0);
    assert_true(b);
    assert_int_equal(str_to_bool("off", &b), 0);
    assert_false(b);
    b = true;
    assert_int_equal(str_to_bool("ja", &b), -EINVAL);
    assert_int_equal(str_to_bool("", &b), -EINVAL);
    assert_true(b);

    double d = UNTOUCHED;
    assert_int_equal(str_to_decimal("1.5", &d), 0);
    assert_true(d == 1.5);
    assert_int_equal(str_to_decimal("0.3", &d), 0);
    assert_true(d == 0.3);
    assert_int_equal(str_to_decimal("2", &d), 0);
    assert_true(d == 2);
    assert_int_equal(str_to_decimal("1.5x", &d), -EINVAL);
    assert_int_equal(str_to_decimal("-1", &d), -EINVAL);
    assert_true(d == 2);
    char *long_number = str_format("1%0400d", 0);
    assert_int_equal(str_to_decimal(long_number, &d), -ERANGE);
    free(long_number);
}

static void test_for_people(void **state)
{
    char text[32];
    assert_string_equal(str_from_size(0, text, sizeof(text)), "0 B");
    assert_string_equal(str_from_size(1023, text, sizeof(text)), "1023 B");
    assert_string_equal(str_from_size(1536, text, sizeof(text)), "1.5 KiB");
    assert_string_equal(str_from_size(512u << 20, text, sizeof(text)), "512 MiB");
    assert_non_null(strstr(str_from_size(UINT64_MAX, text, sizeof(text)), "PiB"));
    assert_string_equal(str_from_duration(12, text, sizeof(text)), "12ms");
    assert_string_equal(str_from_duration(5250, text, sizeof(text)), "5.2s");
    assert_string_equal(str_from_duration(59999, text, sizeof(text)), "59s");
    assert_string_equal(str_from_duration(12 * 60000, text, sizeof(text)), "12m00s");
    assert_string_equal(str_from_duration(5400000, text, sizeof(text)), "1h30m");
    assert_string_equal(str_from_duration(76 * 3600000ull, text, sizeof(text)), "3d4h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uint),       cmocka_unit_test(test_size),
        cmocka_unit_test(test_duration),   cmocka_unit_test(test_bool_and_decimal),
        cmocka_unit_test(test_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
