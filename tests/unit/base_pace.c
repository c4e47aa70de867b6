/* How fast something goes, in numbers and as a bar. */
#include "base/pace.h"

#include "base/str.h"
#include "tests/unit/unit.h"

#include <string.h>

enum { MIB = 1 << 20 };

static void test_rate_and_rest(void **state)
{
    (void)state;
    struct pace p = {0};
    uint64_t left = 0;
    pace_note(&p, 1000, 0, 100 * MIB);
    assert_false(pace_left(&p, &left));
    pace_note(&p, 1100, 50 * MIB, 100 * MIB); /* too soon to say anything */
    assert_int_equal(p.rate, 0);
    pace_note(&p, 2000, 10 * MIB, 100 * MIB); /* less than before: another one has begun */
    assert_int_equal(p.rate, 0);
    pace_note(&p, 3000, 20 * MIB, 100 * MIB);
    assert_int_equal(p.rate, 10 * MIB);
    assert_true(pace_left(&p, &left));
    assert_int_equal(left, 8000);
    pace_note(&p, 6000, 80 * MIB, 100 * MIB); /* three seconds: all that was before is forgotten */
    assert_int_equal(p.rate, 20 * MIB);
    pace_note(&p, 7000, 80 * MIB, 100 * MIB); /* it stands */
    assert_true(p.rate < 20 * MIB);
    pace_note(&p, 7500, 90 * MIB, 200 * MIB); /* another total */
    assert_int_equal(p.rate, 0);
}

static void says(const struct pace *p, int width, const char *want)
{
    autofree char *text = pace_text(p, width, "#");
    assert_string_equal(text, want);
}

static void test_as_much_as_there_is_room_for(void **state)
{
    (void)state;
    const struct pace p = {.done = 12 * MIB, .total = 24 * MIB, .rate = 3 * MIB};
    says(&p, 90,
         "[###############               ]  50 %  12.0 MiB of 24.0 MiB  3.0 MiB/s  4.0s left");
    says(&p, 60, "[####    ]  50 %  12.0 MiB of 24.0 MiB  3.0 MiB/s  4.0s left");
    says(&p, 50, "[##########          ]  50 %  3.0 MiB/s  4.0s left");
    says(&p, 30, "[#####      ]  50 %  4.0s left");
    says(&p, 20, "[######      ]  50 %");
    says(&p, 6, " 50 %");
    const struct pace unknown = {.done = 12 * MIB, .rate = 3 * MIB};
    says(&unknown, 80, "12.0 MiB  3.0 MiB/s");
    const struct pace all = {.done = 30 * MIB, .total = 24 * MIB, .rate = 3 * MIB};
    says(&all, 21, "[#############] 100 %");
}

static void test_records(void **state)
{
    (void)state;
    autofree char *record = pace_record("a\x1b[2J\x1f layer", 5, 9);
    uint64_t done = 0, total = 0;
    char *words = NULL;
    assert_int_equal(record[0], PACE_RECORD);
    assert_int_equal(record[strlen(record) - 1], '\n');
    record[strlen(record) - 1] = '\0';
    assert_true(pace_record_read(record + 1, &words, &done, &total));
    assert_string_equal(words, "a\\x1b[2J\\x1f layer");
    assert_int_equal(done, 5);
    assert_int_equal(total, 9);
    free(words);
    assert_false(pace_record_read("", &words, &done, &total));
    assert_false(pace_record_read("a\x1f"
                                  "1",
                                  &words, &done, &total));
    assert_false(pace_record_read("a\x1f-1\x1f"
                                  "2",
                                  &words, &done, &total));
    assert_false(pace_record_read("a\x1f"
                                  "1\x1f"
                                  "2\x1f"
                                  "3",
                                  &words, &done, &total));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_and_rest),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_as_much_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
