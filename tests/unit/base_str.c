/* str.h: strings, buffers, vectors; mem.h: what they stand on. */
#include "tests/unit/unit.h"

static void test_dup_and_format(void **state)
{
    autofree char *a = str_dup("one");
    assert_string_equal(a, "one");
    assert_null(str_dup_or_null(NULL));
    autofree char *b = str_ndup("three", 2);
    assert_string_equal(b, "th");
    autofree char *c = str_ndup("ab\0cd", 5);
    assert_string_equal(c, "ab");
    autofree char *d = str_format("%s-%d-%0300d", "x", 5, 0);
    assert_int_equal(strlen(d), 304);
}

static void test_join_path(void **state)
{
    static const struct {
        const char *a, *b, *joined;
    } rows[] = {
        {"/a",  "b",   "/a/b" },
        {"/a/", "b",   "/a/b" },
        {"/a",  "/b",  "/a/b" },
        {"/",   "b",   "/b"   },
        {"//",  "//b", "/b"   },
        {"a",   "b/c", "a/b/c"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        autofree char *joined = str_join_path(rows[i].a, rows[i].b);
        assert_string_equal(joined, rows[i].joined);
    }
}

static void test_comparing(void **state)
{
    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_true(str_equal("a", "a"));
    assert_true(str_empty(NULL) && str_empty("") && !str_empty(" "));
    assert_true(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
    assert_true(str_ends("abc", "bc") && !str_ends("c", "bc"));
    char text[] = " \t a b\n";
    assert_string_equal(str_trim(text), "a b");
    char blank[] = "  ";
    assert_string_equal(str_trim(blank), "");
    char said[] = "first\nsecond\n  third \n\n", one[] = " one\n", nothing[] = "\n\n";
    assert_string_equal(str_last_line(said), "third");
    assert_string_equal(str_last_line(one), "one");
    assert_string_equal(str_last_line(nothing), "");
    char crash[] = "runc\nruntime/cgo: pthread_create failed: no\nSIGABRT: abort\nrip 0x7f\n";
    char fatal[] = "fatal error: all is lost", plain[] = "a panic: b\n last\n", none[] = "";
    assert_string_equal(str_reason(crash), "runtime/cgo: pthread_create failed: no");
    assert_string_equal(str_reason(fatal), "fatal error: all is lost");
    assert_string_equal(str_reason(plain), "last");
    assert_string_equal(str_reason(none), "");
    char path[] = "/a\\040b\\134\\011c\\9";
    str_unescape_octal(path);
    assert_string_equal(path, "/a b\\\tc\\9");
}

static void test_buffer_grows_and_stays_terminated(void **state)
{
    autobuf b = {0};
    for (int i = 0; i < 1000; i++) {
        buf_putc(&b, 'x');
        assert_int_equal(strlen(b.data), b.used);
    }
    buf_puts(&b, "yz");
    buf_printf(&b, "%03d", 7);
    assert_int_equal(b.used, 1005);
    assert_string_equal(b.data + 1000, "yz007");
    buf_drop(&b, 1000);
    assert_string_equal(b.data, "yz007");
    buf_drop(&b, 99);
    assert_int_equal(b.used, 0);
    assert_string_equal(b.data, "");
    buf_add(&b, "a\0b", 3);
    assert_memory_equal(b.data, "a\0b", 4);
    autofree char *taken = buf_take(&b);
    assert_memory_equal(taken, "a\0b", 4);
    assert_null(b.data);
    autofree char *empty = buf_take(&b);
    assert_string_equal(empty, "");
}

static void test_vectors(void **state)
{
    assert_int_equal(strv_length(NULL), 0);
    strv_free(NULL);
    assert_false(strv_has(NULL, "a"));
    autostrv char **v = strv_split("::a:bc::d:", ":");
    assert_int_equal(strv_length(v), 3);
    assert_true(strv_has(v, "bc") && !strv_has(v, "b"));
    strv_add(&v, "e");
    strv_take(&v, str_dup("f"));
    autofree char *joined = strv_join(v, ", ");
    assert_string_equal(joined, "a, bc, d, e, f");
    autostrv char **copy = strv_copy(v);
    assert_int_equal(strv_length(copy), 5);
    assert_ptr_not_equal(copy[0], v[0]);
    autostrv char **none = strv_split("", ":");
    assert_non_null(none);
    assert_null(none[0]);
    autostrv char **fresh = NULL;
    strv_add(&fresh, "x");
    assert_string_equal(fresh[0], "x");
    autofree char *nothing = strv_join(NULL, ",");
    assert_string_equal(nothing, "");
}

static void test_variables(void **state)
{
    assert_int_equal(strv_find_name(NULL, "A"), -1);
    autostrv char **v = NULL;
    strv_put(&v, "PATH=/bin");
    strv_put(&v, "PATHS=1");
    strv_put(&v, "PATH=/usr/bin");
    assert_int_equal(strv_length(v), 2);
    assert_string_equal(v[0], "PATH=/usr/bin");
    assert_string_equal(v[1], "PATHS=1");
    assert_int_equal(strv_find_name(v, "PATHS=whatever"), 1);
    assert_int_equal(strv_find_name(v, "PATHS"), 1);
    assert_int_equal(strv_find_name(v, "PAT"), -1);
}

static void test_memory(void **state)
{
    autofree char *zeroed = mem_zero(4, 4);
    for (int i = 0; i < 16; i++)
        assert_int_equal(zeroed[i], 0);
    autofree char *copy = mem_copy("abc", 4);
    assert_string_equal(copy, "abc");
    autofree char *nothing = mem_alloc(0);
    assert_non_null(nothing);
    char *given = TAKE(copy);
    assert_null(copy);
    given = mem_grow(given, 100, 10);
    assert_string_equal(given, "abc");
    free(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dup_and_format),
        cmocka_unit_test(test_join_path),
        cmocka_unit_test(test_comparing),
        cmocka_unit_test(test_buffer_grows_and_stays_terminated),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
