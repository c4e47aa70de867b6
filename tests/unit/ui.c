/* The interface without a terminal: made-up keys in, a changed model and intents out. */
#include "tests/unit/unit.h"
#include "ui/update.h"

#define TEXT(text) ((char[]){text})

static const struct state_record records[] = {
    {.id = TEXT("aaaa00000001"),
     .name = TEXT("web"),
     .profile = TEXT("contained"),
     .boundary = TEXT("container"),
     .command = TEXT("python3 -m http.server"),
     .phase = STATE_RUNNING,
     .started_ms = 1000,
     .terminal = true},
    {.id = TEXT("bbbb00000002"),
     .name = TEXT("build"),
     .profile = TEXT("build"),
     .boundary = TEXT("container"),
     .command = TEXT("make\x1b[2J"),
     .phase = STATE_PAUSED,
     .started_ms = 2000,
     .terminal = true},
    {.id = TEXT("cccc00000003"),
     .name = TEXT("done"),
     .profile = TEXT("untrusted"),
     .boundary = TEXT("sandbox"),
     .command = TEXT("./x"),
     .phase = STATE_EXITED,
     .ended_ms = 3000,
     .status = 3     },
};

static void begin(struct ui_model *m)
{
    ui_model_init(m, 24, 80, true);
    m->now_ms = 5000;
    ui_model_list(m, records, ARRAY_SIZE(records));
    m->dirty = false;
}

static void type(struct ui_model *m, const char *typed)
{
    size_t used = ui_update_input(m, typed, strlen(typed), true);
    assert_int_equal(used, strlen(typed));
}

/* The next intent is this one, about this workload. */
static void assert_intent(struct ui_model *m, enum ui_intent_kind kind, const char *id,
                          const char *text)
{
    struct ui_intent i;
    assert_true(ui_take_intent(m, &i));
    assert_int_equal(i.kind, kind);
    if (id)
        assert_string_equal(i.id, id);
    if (text)
        assert_string_equal(i.text, text);
    ui_intent_done(&i);
}

static void assert_no_intent(struct ui_model *m)
{
    struct ui_intent i;
    assert_false(ui_take_intent(m, &i));
}

static void test_key_decoding(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t key;
    } rows[] = {
        {"a",         'a'             },
        {"\r",        UI_KEY_ENTER    },
        {"\n",        UI_KEY_ENTER    },
        {"\x1b[A",    UI_KEY_UP       },
        {"\x1bOB",    UI_KEY_DOWN     },
        {"\x1b[5~",   UI_KEY_PAGE_UP  },
        {"\x1b[1;5C", UI_KEY_RIGHT    },
        {"\x1b[3~",   UI_KEY_DELETE   },
        {"\xc3\xa9",  0xe9            },
        {"\x7f",      UI_KEY_BACKSPACE},
        {"\x1b[99~",  UI_KEY_UNKNOWN  },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t key = 0;
        size_t size = strlen(rows[i].bytes);
        assert_int_equal(ui_key_decode(rows[i].bytes, size, false, &key), size);
        assert_int_equal(key, rows[i].key);
        for (size_t cut = 1; cut < size; cut++)
            assert_int_equal(ui_key_decode(rows[i].bytes, cut, false, &key), 0);
    }
    uint32_t key = 0;
    assert_int_equal(ui_key_decode("\x1b", 1, false, &key), 0);
    assert_int_equal(ui_key_decode("\x1b", 1, true, &key), 1);
    assert_int_equal(key, UI_KEY_ESC);
}

static void test_console_keys_of_its_profile(void **state)
{
    struct ui_model m;
    begin(&m);
    type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    ui_model_keys(&m, "tmux");
    type(&m, "a\x1d\x02\x02"); /* ctrl-] is nothing now, ctrl-b twice is one */
    assert_intent(&m, UI_INTENT_INPUT, NULL, "a\x1d");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x02");
    type(&m, "\x02t");
    assert_intent(&m, UI_INTENT_TAKE_OVER, "aaaa00000001", NULL);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    type(&m, "\x02"
             "d");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    assert_no_intent(&m);

    type(&m, "\t");
    ui_model_keys(&m, "docker"); /* behind its first key everything else is the shell's */
    type(&m, "\x10t");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x10t");
    type(&m, "\x10\x11");
    assert_int_equal(m.focus, UI_FOCUS_LIST);

    type(&m, "\t");
    ui_model_keys(&m, "ctrl-a"); /* one is enough */
    type(&m, "\x01");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    assert_no_intent(&m);
    ui_model_done(&m);
}

static void test_moving_and_asking_first(void **state)
{
    struct ui_model m;
    begin(&m);
    assert_string_equal(ui_model_selected(&m)->name, "web");
    type(&m, "j");
    assert_string_equal(ui_model_selected(&m)->name, "build");
    type(&m, "p");
    assert_intent(&m, UI_INTENT_RESUME, "bbbb00000002", NULL);
    type(&m, "\x1b[As");
    assert_int_equal(m.dialog, UI_DIALOG_CONFIRM);
    assert_no_intent(&m);
    type(&m, "n");
    assert_no_intent(&m);
    type(&m, "sy");
    assert_intent(&m, UI_INTENT_STOP, "aaaa00000001", NULL);
    type(&m, "Ky");
    assert_intent(&m, UI_INTENT_KILL, "aaaa00000001", NULL);
    type(&m, "Gs"); /* not running: nothing to stop */
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    assert_no_intent(&m);
    type(&m, "xy");
    assert_intent(&m, UI_INTENT_REMOVE, "cccc00000003", NULL);
    type(&m, "q");
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_model_done(&m);
}

static void test_the_question_keeps_its_workload(void **state)
{
    struct ui_model m;
    begin(&m);
    type(&m, "x");
    ui_model_list(&m, records + 1, 2); /* it went away meanwhile; another one is selected now */
    type(&m, "y");
    assert_intent(&m, UI_INTENT_REMOVE, "aaaa00000001", NULL);
    ui_model_done(&m);
}

static void test_filter(void **state)
{
    struct ui_model m;
    begin(&m);
    type(&m, "/BUI");
    assert_int_equal(ui_model_visible_count(&m), 1);
    assert_string_equal(ui_model_selected(&m)->name, "build");
    type(&m, "\r");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    type(&m, "\x1b");
    assert_int_equal(ui_model_visible_count(&m), 3);
    type(&m, "/zzz");
    assert_null(ui_model_selected(&m));
    type(&m, "\r"
             "s\r");
    assert_no_intent(&m);
    type(&m, "/\x1b");
    assert_int_equal(ui_model_visible_count(&m), 3);
    ui_model_done(&m);
}

static void test_console_takes_every_key(void **state)
{
    struct ui_model m;
    begin(&m);
    type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    type(&m, "q\t\x1b[A");
    assert_intent(&m, UI_INTENT_INPUT, "aaaa00000001", "q\t\x1b[A");
    m.console.cells.modes.app_cursor = true;
    type(&m, "\x1b[A");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x1bOA");
    type(&m, "a\x1d\x1d"
             "b");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "a");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x1d");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "b");
    type(&m, "\x1d\t");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    type(&m, "\t");
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    m.console.may_type = false;
    type(&m, "x");
    assert_no_intent(&m);
    type(&m, "\x1dt");
    assert_intent(&m, UI_INTENT_TAKE_OVER, "aaaa00000001", NULL);
    type(&m, "\x1d\t\x1b");
    assert_intent(&m, UI_INTENT_CLOSE, "aaaa00000001", NULL);
    assert_null(m.console.id);
    ui_model_done(&m);
}

static void test_what_has_the_keys_is_seen(void **state)
{
    struct ui_model m;
    struct ui_rect list, pane;
    begin(&m);
    type(&m, "\r\x1dz");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_RESIZE, "aaaa00000001", NULL);
    ui_model_layout(&m, &list, &pane);
    assert_int_equal(list.rows, 0);
    type(&m, "\x1d\t"); /* to the list, which so far had no place */
    assert_intent(&m, UI_INTENT_RESIZE, "aaaa00000001", NULL);
    ui_model_layout(&m, &list, &pane);
    assert_true(list.rows >= 3 && pane.rows >= 3);
    ui_model_message(&m, true, "it went wrong");
    type(&m, "j");
    assert_non_null(m.message);
    type(&m, "\x1b");
    assert_null(m.message);
    ui_model_done(&m);
}

static void test_launch_sheet(void **state)
{
    struct ui_model m;
    begin(&m);
    struct profile_entry *p = mem_zero(2, sizeof(*p));
    p[0] =
        (struct profile_entry){.name = str_dup("build"), .path = str_dup("x"), .why = str_dup("a")};
    p[1] = (struct profile_entry){
        .name = str_dup("contained"), .path = str_dup("y"), .why = str_dup("b")};
    ui_model_profiles(&m, p, 2);
    type(&m, "n");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "contained");
    type(&m, "\x1b[B");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "build");
    type(&m, "make q\x7f'te st'x\x7f");
    type(&m, "\r");
    assert_intent(&m, UI_INTENT_START, "build", "make 'te st'");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    type(&m, "n'open\r"); /* an open quote starts nothing */
    assert_int_equal(m.dialog, UI_DIALOG_LAUNCH);
    ui_model_done(&m);
}

static void test_a_launch_is_shown_to_its_end(void **state)
{
    struct ui_model m;
    struct ui_rect list, pane, wanted;
    begin(&m);
    ui_model_pane(&m, &wanted);
    ui_update_started(&m, "dddd00000004", "short\x1b"); /* gone before a list ever had it */
    assert_intent(&m, UI_INTENT_RESIZE, "dddd00000004", NULL);
    assert_no_intent(&m);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    assert_string_equal(m.console.name, "short\\x1b");
    ui_model_layout(&m, &list, &pane);
    assert_true(pane.rows >= wanted.rows && pane.rows <= wanted.rows + 1);
    struct cells c;
    cells_init(&c, 2, 3);
    ui_model_cells(&m, &c);
    cells_done(&c);
    ui_update_ended(&m, "ended with status 3: \x1b[2J");
    assert_string_equal(m.console.how, "ended with status 3: \\x1b[2J");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    type(&m, "\tj");
    assert_int_equal(m.focus, UI_FOCUS_LIST); /* nothing to type into */
    assert_string_equal(m.console.id, "dddd00000004");
    assert_int_equal(m.console.cells.rows, 2);
    type(&m, "\x1b");
    assert_intent(&m, UI_INTENT_CLOSE, "dddd00000004", NULL);
    assert_null(m.console.id);
    type(&m, "g\r"); /* the first: web */
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    ui_update_ended(&m, "ended with status 0");
    type(&m, "\r"); /* it lives: it was started again */
    assert_intent(&m, UI_INTENT_CLOSE, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    assert_false(m.console.ended);
    ui_model_done(&m);
}

static void test_words(void **state)
{
    autostrv char **w = ui_words("  a 'b  c' \"d\\\"e\" f\\ g '' ");
    assert_int_equal(strv_length(w), 5);
    assert_string_equal(w[1], "b  c");
    assert_string_equal(w[2], "d\"e");
    assert_string_equal(w[3], "f g");
    assert_string_equal(w[4], "");
    assert_null(ui_words("'x"));
}

static void test_strangers_words_are_escaped(void **state)
{
    struct ui_model m;
    begin(&m);
    assert_string_equal(m.list[1].command, "make\\x1b[2J");
    ui_model_message(&m, true, "bad \x1b]0;x\x07 name\nmore");
    assert_string_equal(m.message, "bad \\x1b]0;x\\x07 name");
    ui_model_text(&m, "t\x1b", "one\n\ttwo\x1b\n\nfour");
    assert_int_equal(strv_length(m.text), 4);
    assert_string_equal(m.text[1], "        two\\x1b");
    ui_model_done(&m);
}

static void test_nothing_new_draws_nothing(void **state)
{
    struct ui_model m;
    begin(&m);
    ui_model_list(&m, records, ARRAY_SIZE(records));
    assert_false(m.dirty);
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, 1000, 4096);
    assert_true(m.dirty);
    m.dirty = false;
    ui_model_time(&m, 5500);
    assert_false(m.dirty); /* no age has changed by what is shown */
    ui_model_time(&m, 6000);
    assert_true(m.dirty);
    m.dirty = false;
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, 501000, 4096);
    assert_true(m.dirty);
    char text[16];
    assert_string_equal(ui_row_cpu(&m.list[0], text, sizeof(text)), "50%");
    m.dirty = false;
    ui_model_silent(&m, "aaaa00000001", true);
    assert_true(m.dirty);
    assert_string_equal(ui_row_state(&m.list[0], text, sizeof(text)), "no answer");
    ui_model_done(&m);
}

static void test_layout(void **state)
{
    struct ui_model m;
    struct ui_rect list, pane;
    begin(&m);
    ui_model_layout(&m, &list, &pane);
    assert_int_equal(list.rows, 22);
    assert_int_equal(pane.rows, 0);
    type(&m, "\r");
    for (int rows = UI_ROWS_LEAST; rows < 60; rows++) {
        ui_update_size(&m, rows, 80);
        assert_false(ui_model_too_small(&m));
        ui_model_layout(&m, &list, &pane);
        assert_true(list.rows >= 3 && pane.rows >= 3);
        assert_int_equal(pane.row + pane.rows, rows - 1);
    }
    ui_update_size(&m, 8, 30);
    assert_true(ui_model_too_small(&m));
    ui_model_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_decoding),
        cmocka_unit_test(test_console_keys_of_its_profile),
        cmocka_unit_test(test_moving_and_asking_first),
        cmocka_unit_test(test_the_question_keeps_its_workload),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_console_takes_every_key),
        cmocka_unit_test(test_what_has_the_keys_is_seen),
        cmocka_unit_test(test_launch_sheet),
        cmocka_unit_test(test_a_launch_is_shown_to_its_end),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_strangers_words_are_escaped),
        cmocka_unit_test(test_nothing_new_draws_nothing),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
