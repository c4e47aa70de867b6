/* Plain streams at a terminal: text and colours, nothing that acts. */
#include "console/filter.h"
#include "tests/unit/unit.h"

static const struct render_terminal full = {.utf8 = true, .colours = RENDER_RGB};

static void assert_filtered(const struct render_terminal *t, const char *in, const char *out,
                            uint64_t dropped)
{
    struct filter f;
    autobuf to = {0};
    filter_init(&f, t);
    filter_feed(&f, in, strlen(in), &to);
    filter_end(&f, &to);
    assert_string_equal(to.data ? to.data : "", out);
    assert_int_equal(f.dropped, dropped);
}

static void test_text_goes_through(void **state)
{
    assert_filtered(&full, "a\tb\nc\r\n", "a\tb\nc\n", 0);
    assert_filtered(&full,
                    "\xc3\xa9\xe6\xbc\xa2"
                    "e\xcc\x81",
                    "\xc3\xa9\xe6\xbc\xa2"
                    "e\xcc\x81",
                    0);
    assert_filtered(&full, "10%\r20%\r\n", "10%\n20%\n", 0);
}

static void test_colours_are_ours(void **state)
{
    assert_filtered(&full, "\x1b[01;31mred\x1b[m\n", "\x1b[1;31mred\x1b[0m\n", 0);
    assert_filtered(&full, "\x1b[38;2;1;2;3mx", "\x1b[38;2;1;2;3mx\x1b[39m", 0);
    assert_filtered(&full, "\x1b[8mhidden\x1b[5m!", "hidden!", 0);
    struct render_terminal mono = {.utf8 = true, .colours = RENDER_MONO};
    assert_filtered(&mono, "\x1b[31mred", "red", 0);
}

static void test_the_rest_is_dropped(void **state)
{
    assert_filtered(&full,
                    "a\x1b]52;c;AAAA\x07"
                    "b",
                    "ab", 1);
    assert_filtered(&full,
                    "a\x1b[2Jb\x1b[1;1Hc\x1b"
                    "cd",
                    "abcd", 3);
    assert_filtered(&full, "a\bb\x07\x0c", "ab", 3);
    assert_filtered(&full,
                    "\xc2\x9b"
                    "31mx",
                    "31mx", 1);
    assert_filtered(&full,
                    "\xe2\x80\xae"
                    "x",
                    "x", 1);
    assert_filtered(&full, "\xff\xfex", "\xef\xbf\xbd\xef\xbf\xbdx", 0);
    assert_filtered(&full, "x\x1b]0;never ends", "x", 1);
}

static void test_ascii(void **state)
{
    struct render_terminal ascii = {.utf8 = false, .colours = RENDER_16};
    assert_filtered(&ascii,
                    "\xc3\xa9\xe2\x94\x80"
                    "e\xcc\x81",
                    "?-e", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_goes_through),
        cmocka_unit_test(test_colours_are_ours),
        cmocka_unit_test(test_the_rest_is_dropped),
        cmocka_unit_test(test_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
