/* Keys a person has chosen. */
#include "tests/unit/ui_kit.h"
#include "ui/bindings.h"

#include <string.h>

static void test_keys_of_the_person(void **state)
{
    struct ui_model m;
    struct error e;
    ui_begin(&m);
    assert_int_equal(ui_bindings_add(&m.bindings, "quit", "ctrl-x", &e), 0);
    assert_int_equal(ui_bindings_add(&m.bindings, "kill", "F3", &e), 0);
    assert_int_equal(ui_bindings_add(&m.bindings, "kil", "a", &e), -EINVAL);
    assert_non_null(strstr(e.text, "kill"));
    assert_int_equal(ui_bindings_add(&m.bindings, "kill", "F30", &e), -EINVAL);
    autofree char *hints = ui_bindings_hints(&m.bindings, UI_IN_LIST, "q quit  K kill  Enter it");
    assert_string_equal(hints, "ctrl-x quit  F3 kill  Enter it");
    ui_type(&m, "qK");
    assert_no_intent(&m);
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    ui_type(&m, "\x1bORy");
    assert_intent(&m, UI_INTENT_KILL, "aaaa00000001", NULL);
    ui_type(&m, "\x18");
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_model_done(&m);
}

static void test_keys_of_the_sheet_and_of_looking_back(void **state)
{
    struct ui_model m;
    struct error e;
    ui_begin(&m);
    ui_model_profiles(&m, mem_zero(1, sizeof(struct profile_entry)), 1);
    m.profiles[0].name = str_dup("contained");
    assert_int_equal(ui_bindings_add(&m.bindings, "sheet-start", "F2", &e), 0);
    assert_int_equal(ui_bindings_add(&m.bindings, "sheet-next", "ctrl-n", &e), 0);
    assert_int_equal(ui_bindings_add(&m.bindings, "copy-right", "x", &e), 0);
    assert_int_equal(ui_bindings_add(&m.bindings, "copy-end", "E", &e), 0);
    autofree char *hints =
        ui_bindings_hints(&m.bindings, UI_IN_SHEET, "Enter start  Esc back  Up Down lines");
    assert_string_equal(hints, "F2 start  Esc back  Up ctrl-n lines");
    ui_type(&m, "ntrue\x1b[B\r"); /* neither is a key any more */
    assert_int_equal(m.sheet.field, UI_FIELD_COMMAND);
    assert_int_equal(m.dialog, UI_DIALOG_LAUNCH);
    ui_type(&m, "\x0e");
    assert_int_equal(m.sheet.field, UI_FIELD_COMMAND + 1);
    ui_type(&m, "\x1b[12~");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    struct cells c;
    cells_init(&c, 1, 8);
    for (int i = 0; i < 5; i++)
        c.cell[i] = (struct cell){.chars = {'a'}, .width = 1};
    ui_type(&m, "\r");
    ui_model_cells(&m, ui_pane(&m), &c);
    cells_done(&c);
    ui_type(&m, "\x1d[xx$"); /* the last one is no key any more */
    assert_int_equal(ui_pane(&m)->copy->col, 2);
    ui_type(&m, "E");
    assert_int_equal(ui_pane(&m)->copy->col, 4);
    ui_model_done(&m);
}

/* Whatever an action is, another key does it, and its own does not any more; elsewhere both are
 * what they were. */
static void test_every_action_has_another_key(void **state)
{
    for (const struct ui_action *a = ui_actions; a->name; a++) {
        struct ui_bindings b = {0};
        struct error e;
        const char *key = "ctrl-y"; /* nobody's */
        assert_int_equal(ui_bindings_add(&b, a->name, key, &e), 0);
        assert_int_equal(ui_bindings_check(&b, a->name, key, &e), 0);
        assert_int_equal(ui_bindings_meant(&b, a->where, 0x19), a->key);
        assert_int_equal(ui_bindings_meant(&b, a->where, a->key), UI_KEY_UNKNOWN);
        assert_int_equal(ui_bindings_meant(&b, ~a->where, 0x19), 0x19);
        assert_int_equal(ui_bindings_meant(&b, ~a->where, a->key), a->key);
    }
}

/* One key is one action of a place: two in one file are refused, the person's file stands above the
 * system's. */
static void test_keys_that_collide(void **state)
{
    struct ui_bindings b = {.layer = 1};
    struct error e;
    assert_int_equal(ui_bindings_add(&b, "kill", "a", &e), 0);
    assert_int_equal(ui_bindings_add(&b, "quit", "a", &e), -EEXIST);
    assert_non_null(strstr(e.text, "kill"));
    assert_int_equal(ui_bindings_add(&b, "copy-take", "a", &e), 0); /* elsewhere */
    assert_int_equal(ui_bindings_add(&b, "stop", "q", &e), 0);
    assert_int_equal(ui_bindings_check(&b, "stop", "q", &e), -EEXIST);
    assert_non_null(strstr(e.text, "quit"));
    assert_int_equal(ui_bindings_add(&b, "quit", "Q", &e), 0);
    assert_int_equal(ui_bindings_check(&b, "stop", "q", &e), 0);
    b.layer = 2;
    assert_int_equal(ui_bindings_add(&b, "quit", "a", &e), 0);
    assert_int_equal(ui_bindings_meant(&b, UI_IN_LIST, 'a'), 'q');
    assert_int_equal(ui_bindings_meant(&b, UI_IN_LIST, 'Q'), 'Q'); /* the person has another */
    assert_int_equal(ui_bindings_meant(&b, UI_IN_LIST, 'K'), 'K'); /* and this has its own again */
    assert_int_equal(ui_bindings_add(&b, "sheet-plan", "a", &e), -EINVAL);
    assert_int_equal(ui_bindings_add(&b, "pane-zoom", "F3", &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_the_person),
        cmocka_unit_test(test_keys_of_the_sheet_and_of_looking_back),
        cmocka_unit_test(test_every_action_has_another_key),
        cmocka_unit_test(test_keys_that_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
