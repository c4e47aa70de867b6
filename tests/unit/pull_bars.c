/* What of a program's terminal reaches the person's. */
#include "app/cli/pull_bars.h"

#include "tests/unit/unit.h"

#include <string.h>

/* Whole, and byte by byte. */
static void passes(const char *text, size_t size, const char *want)
{
    struct pull_filter whole = {0}, pieces = {0};
    autobuf a = {0}, b = {0};
    pull_filter_text(&whole, text, size, &a);
    for (size_t i = 0; i < size; i++)
        pull_filter_text(&pieces, text + i, 1, &b);
    buf_puts(&a, "");
    buf_puts(&b, "");
    assert_string_equal(a.data, want);
    assert_string_equal(b.data, want);
}
#define PASSES(text, want) passes(text, sizeof(text) - 1, want)

static void test_bars_are_drawn(void **state)
{
    (void)state;
    PASSES("a [=>-]\r\nb [>--]\r\n\033[2A\033[Ja [==>]\r\n",
           "a [=>-]\r\nb [>--]\r\n\033[2A\033[Ja [==>]\r\n");
    PASSES("\033[31mFATA\033[0m[0000] no\n", "FATA[0000] no\n");
    PASSES("300.0KiB / 3\xe2\x80\xa6\r\n", "300.0KiB / 3~\r\n");
}

static void test_nothing_above_is_reached(void **state)
{
    (void)state;
    PASSES("\033[A", "\\x1b[A");
    PASSES("one\n\033[2A", "one\n\\x1b[2A");
    PASSES("one\n\033[1A\033[1A", "one\n\033[1A\\x1b[1A");
    PASSES("one\n\033[123456789012A", "one\n\\x1b[123456789012A");
}

static void test_the_rest_is_text(void **state)
{
    (void)state;
    PASSES("\033]0;title\007", "\\x1b]0;title\\x07");
    PASSES("\033[2J\033[H\033c\033[?25l", "\\x1b[2J\\x1b[H\\x1bc\\x1b[?25l");
    PASSES("\x9b"
           "2J\xc2\x9b"
           "1m",
           "\\x9b2J\\xc2\\x9b1m");
    PASSES("\xe2\x80x\xe2\033[1;1H", "\\xe2\\x80x\\xe2\\x1b[1;1H");
    PASSES("\033\033[2J", "\\x1b\\x1b[2J");
    PASSES("\b\x7f", "\\x08\\x7f");
}

static void sums(const char *text, uint64_t done, uint64_t total)
{
    struct pull_sizes s = {0};
    uint64_t is[2];
    for (const char *at = text; *at; at++) /* byte by byte: pieces come as they like */
        pull_sizes_text(&s, at, 1);
    pull_sizes_sum(&s, &is[0], &is[1]);
    assert_int_equal(is[0], done);
    assert_int_equal(is[1], total);
}

static void test_how_much_came(void **state)
{
    (void)state;
    sums("Getting image source signatures\n", 0, 0);
    sums("Copying blob 0123456789ab [=>---] 512.0KiB / 1.0MiB | 3.0 MiB/s\r\n", 524288, 1048576);
    /* two layers, told again, one of them over; a speed is no size */
    sums("Copying blob aaaa [>---] 0.0b / 2.0MiB | 9.9 MiB/s\r\n"
         "Copying blob bbbb [>---] 1.0KiB / 2.0KiB\r\n\033[2A\033[J"
         "Copying blob aaaa done   | \r\nCopying blob bbbb [==>-] 1.5KiB / 2.0KiB\r\n",
         2097152 + 1536, 2097152 + 2048);
    sums("Copying blob cccc skipped: already exists  \r\n", 0, 0);
    sums("Copying blob dddd [=] 9.0MiB / 1.0MiB\r\n", 1048576, 1048576);
    sums("Copying blob eeee [=] 1e999MiB / 2.0MiB\r\nCopying blob / / / 1 / 2 \r\n", 0, 0);
}

static void test_why_it_failed(void **state)
{
    (void)state;
    static const char text[] = "FATA[0000] no such image\r\n";
    struct pull_sizes s = {0};
    pull_sizes_text(&s, text, sizeof(text) - 1);
    assert_string_equal(s.why, "no such image");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bars_are_drawn),   cmocka_unit_test(test_nothing_above_is_reached),
        cmocka_unit_test(test_the_rest_is_text), cmocka_unit_test(test_how_much_came),
        cmocka_unit_test(test_why_it_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
