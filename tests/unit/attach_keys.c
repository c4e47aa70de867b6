/* The detach chord: what is ours, what is the workload's. */
#include "console/attach.h"
#include "tests/unit/unit.h"

static void assert_keys(const char *chord, const char *typed, const char *sent, enum attach_key end)
{
    struct error e;
    for (size_t step = 1; step <= strlen(typed) + 1; step++) {
        struct attach_keys k = {0};
        autobuf to = {0};
        enum attach_key key = ATTACH_KEY_SEND;
        assert_int_equal(attach_chord_parse(chord, &k.chord, &e), 0);
        for (size_t i = 0; i < strlen(typed) && key == ATTACH_KEY_SEND;)
            i += attach_keys_feed(&k, typed + i, MIN(step, strlen(typed) - i), &to, &key);
        assert_string_equal(to.data ? to.data : "", sent);
        assert_int_equal(key, end);
    }
}

static void test_default(void **state)
{
    assert_keys(NULL,
                "ls\r\x1d"
                "d",
                "ls\r", ATTACH_KEY_DETACH);
    assert_keys(NULL,
                "a\x1d\x1d"
                "d",
                "a\x1d"
                "d",
                ATTACH_KEY_SEND);
    assert_keys(NULL, "\x1dx", "\x1dx", ATTACH_KEY_SEND);
    assert_keys(NULL, "\x1dt", "", ATTACH_KEY_TAKE_OVER);
    assert_keys(NULL, "\x1d?", "", ATTACH_KEY_HELP);
}

static void test_presets(void **state)
{
    assert_keys("docker", "\x10\x11", "", ATTACH_KEY_DETACH);
    assert_keys("docker", "\x10t", "\x10t", ATTACH_KEY_SEND);
    assert_keys("tmux",
                "x\x02"
                "d",
                "x", ATTACH_KEY_DETACH);
    assert_keys("^A", "x\x01", "x", ATTACH_KEY_DETACH);
}

static void test_paste_is_not_typing(void **state)
{
    assert_keys(NULL,
                "\x1b[200~\x1d"
                "d\x1b[201~\x1d"
                "d",
                "\x1b[200~\x1d"
                "d\x1b[201~",
                ATTACH_KEY_DETACH);
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {"d",          "ctrl-",         "ctrl-]]",
                                        "ctrl-a b c", "ctrl-a ctrl-a", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct attach_chord c;
        struct error e = {0};
        assert_int_equal(attach_chord_parse(wrong[i], &c, &e), -EINVAL);
        assert_true(e.text[0]);
    }
    struct attach_chord c = {.first = 0x1d, .second = 'd'};
    autofree char *name = attach_chord_name(&c);
    assert_string_equal(name, "ctrl-] d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_paste_is_not_typing),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
