/* What a person's word means in a list: ids, names, beginnings, and what is said when nothing fits.
 */
#include "tests/unit/unit.h"

#include "console/listing.h"

static const struct listing_entry list[] = {
    {.id = "aa1111111111", .name = "web"},
    {.id = "ab2222222222", .name = "web", .first = true},
    {.id = "cc3333333333",                    .name = "aa1111111111"             },
    {.id = "dd4444444444",                    .name = NULL},
    {.id = "ee5555555555",                    .name = "webserver"             },
};
enum { COUNT = sizeof(list) / sizeof(list[0]) };

static size_t find(const char *word)
{
    struct error e = {0};
    size_t at = 99;
    assert_int_equal(listing_find(list, COUNT, "thing", word, &at, &e), 0);
    assert_int_equal(e.code, 0);
    return at;
}

static void test_the_best_answer_wins(void **state)
{
    assert_int_equal(find("web"), 1);          /* the one that lives, not the longer name */
    assert_int_equal(find("aa1111111111"), 0); /* an id before another's name */
    assert_int_equal(find("webs"), 4);
    assert_int_equal(find("dd"), 3);
}

static void test_what_fits_none_or_several_is_said(void **state)
{
    struct error e = {0};
    size_t at = 99;
    assert_int_equal(listing_find(list, COUNT, "thing", "a", &at, &e), -EEXIST);
    assert_string_equal(e.text, "\"a\" fits 3 things; say more of the name or the id");
    assert_int_equal(listing_find(list, COUNT, "thing", "webservr", &at, &e), -ENOENT);
    assert_string_equal(e.text, "no thing is called \"webservr\"; did you mean \"webserver\"?");
    assert_int_equal(listing_find(list, COUNT, "thing", "q\x1b[1m", &at, &e), -ENOENT);
    assert_string_equal(e.text, "no thing is called \"q\\x1b[1m\"");
    assert_int_equal(listing_find(list, COUNT, "thing", "", &at, &e), -ENOENT);
    assert_int_equal(listing_find(NULL, 0, "thing", "web", &at, &e), -ENOENT);
    assert_int_equal(at, 99);
}

static void test_newest_first(void **state)
{
    assert_true(listing_newest_first(2, "b", 1, "a") < 0);
    assert_true(listing_newest_first(1, "a", 2, "b") > 0);
    assert_true(listing_newest_first(1, "a", 1, "b") < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_answer_wins),
        cmocka_unit_test(test_what_fits_none_or_several_is_said),
        cmocka_unit_test(test_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
