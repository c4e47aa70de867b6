/* Text from strangers: UTF-8 taken apart strictly, nothing that acts on a terminal gets out. */
#include "tests/unit/unit.h"

static void test_utf8_round_trip(void **state)
{
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char bytes[4];
        size_t n = str_utf8_encode(c, bytes);
        bool scalar = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        assert_int_equal(n != 0, scalar);
        if (!n)
            continue;
        uint32_t back = 0;
        assert_int_equal(str_utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, c);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(str_utf8_decode(bytes, cut, &back), 0);
    }
}

static void test_utf8_refuses(void **state)
{
    static const char *const wrong[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3(",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x82(",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint32_t c = 4711;
        assert_int_equal(str_utf8_decode(wrong[i], strlen(wrong[i]), &c), 0);
        assert_int_equal(c, 4711);
    }
}

static void expect_escaped(const char *raw, size_t size, const char *expected)
{
    autofree char *escaped = str_escape(raw, size);
    assert_string_equal(escaped, expected);
}

static void test_escape(void **state)
{
#define CASE(raw, expected) expect_escaped(raw, sizeof(raw) - 1, expected)
    CASE("plain \xc3\xa4\xe2\x82\xac", "plain \xc3\xa4\xe2\x82\xac");
    CASE("\x1b[31m", "\\x1b[31m");
    CASE("a\0b\n\r\t\x7f", "a\\x00b\\x0a\\x0d\\x09\\x7f");
    CASE("\xc2\x9b", "\\u{9b}");
    CASE("\x9b", "\\x9b");
    CASE("\xe2\x80\xae", "\\u{202e}");
    CASE("\xe2\x80\x8b", "\\u{200b}");
    CASE("\xe2\x81\xa6", "\\u{2066}");
    CASE("\xef\xbb\xbf", "\\u{feff}");
    CASE("\xf3\xa0\x81\x81", "\\u{e0041}");
    CASE("\xe2\x82", "\\xe2\\x82");
    CASE("", "");
#undef CASE
    autofree char *again = str_escape_z("\\x1b[31m");
    assert_string_equal(again, "\\x1b[31m");
}

/* Whatever goes in, what comes out is printable and escaping it again changes nothing. */
static void test_escape_every_byte_pair(void **state)
{
    for (unsigned i = 0; i < 0x10000; i++) {
        char raw[2] = {(char)(i >> 8), (char)i};
        autofree char *escaped = str_escape(raw, 2);
        for (const char *p = escaped; *p;) {
            uint32_t c;
            size_t n = str_utf8_decode(p, strlen(p), &c);
            assert_true(n > 0 && c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0));
            p += n;
        }
        autofree char *again = str_escape_z(escaped);
        assert_string_equal(again, escaped);
    }
}

static void test_nearest(void **state)
{
    static const char *const names[] = {"memory", "network", "cpus", "pids"};
    assert_string_equal(str_nearest("memroy", names, 4), "memory");
    assert_string_equal(str_nearest("cpu", names, 4), "cpus");
    assert_string_equal(str_nearest("netwrok", names, 4), "network");
    assert_string_equal(str_nearest("nework", names, 4), "network");
    assert_null(str_nearest("something-else", names, 4));
    assert_null(str_nearest("", names, 4));
    assert_null(str_nearest("ups", names, 4));      /* half of another word is not that word */
    assert_null(str_nearest("metwirks", names, 4)); /* nor is one with a third of it wrong */
    static const char *const verbs[] = {"ps", "rm", "cp", "run", "exec", "logs", "list"};
    assert_string_equal(str_nearest("lgos", verbs, 7), "logs");
    assert_string_equal(str_nearest("exce", verbs, 7), "exec");
    assert_string_equal(str_nearest("lst", verbs, 7), "list");
    assert_string_equal(str_nearest("runn", verbs, 7), "run");
    assert_null(str_nearest("ls", verbs, 7));
    assert_null(str_nearest("top", verbs, 7));
    assert_null(str_nearest("x", verbs, 7));
    assert_null(str_nearest("memory", names, 0));
    char *longer = str_format("%0100d", 0);
    assert_null(str_nearest(longer, names, 4));
    free(longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_round_trip), cmocka_unit_test(test_utf8_refuses),
        cmocka_unit_test(test_escape),          cmocka_unit_test(test_escape_every_byte_pair),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
