/* The mouse on what is no list: the line of keys, questions, the launch sheet, profiles. */
#include "tests/unit/ui_kit.h"
#include "ui/hints.h"
#include "ui/update_inner.h"

#include <stdlib.h>
#include <string.h>

static void click(struct ui_model *m, int row, int col)
{
    autofree char *text = str_format("\x1b[<0;%d;%dM", col + 1, row + 1);
    ui_type(m, text);
}

/* What the line of keys says there. */
static void click_hint(struct ui_model *m, const char *words)
{
    autofree char *hints = ui_hints(m);
    const char *at = strstr(hints, words);
    assert_non_null(at);
    click(m, m->rows - 1, (int)(at - hints) + (int)strlen(words) - 1);
}

static void test_the_line_of_keys(void **state)
{
    struct ui_model m;
    struct error e;
    ui_begin(&m);
    click_hint(&m, "i details");
    assert_string_equal(m.text_title, "web: state and plan");
    assert_intent(&m, UI_INTENT_PAGE, NULL, NULL);
    click_hint(&m, "Esc back");
    assert_int_equal(m.page, UI_PAGE_LIST);
    assert_intent(&m, UI_INTENT_PAGE_END, NULL, NULL);
    assert_int_equal(ui_bindings_add(&m.bindings, "stop", "F9", &e), 0);
    click_hint(&m, "F9 stop"); /* by whichever key it is done */
    assert_int_equal(m.dialog, UI_DIALOG_CONFIRM);
    click(&m, 23, 16); /* no */
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    assert_no_intent(&m);
    click_hint(&m, "F9 stop");
    click(&m, 23, 30); /* beside the answers */
    assert_int_equal(m.dialog, UI_DIALOG_CONFIRM);
    click(&m, 23, 8); /* yes */
    assert_intent(&m, UI_INTENT_STOP, "aaaa00000001", NULL);
    click_hint(&m, "q quit"); /* no slip of the hand ends it */
    click(&m, 23, 79);        /* nothing stands there */
    assert_no_intent(&m);
    ui_model_done(&m);
}

/* Where no keys stand none is pressed; where several do one thing each is its own. */
static void test_what_hides_the_line_of_keys(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "/we\r");
    for (int col = 0; col < 80; col++) {
        click(&m, 23, col);
        assert_int_equal(m.dialog, UI_DIALOG_FILTER); /* to be changed */
        ui_type(&m, "\r");
        assert_no_intent(&m);
    }
    ui_type(&m, "/\x1bi");
    assert_intent(&m, UI_INTENT_PAGE, NULL, NULL);
    ui_model_text_more(&m, "1\n2\n3\n4\n5\n6\n7\n", 14);
    click_hint(&m, "Up Down");
    assert_int_equal(m.text_scroll, 1);
    click_hint(&m, "Up");
    assert_int_equal(m.text_scroll, 0);
    ui_type(&m, "\x1b[<2;9;9M"); /* the right button: out */
    assert_int_equal(m.page, UI_PAGE_LIST);
    ui_model_done(&m);
}

static void no_click_answers(struct ui_model *m, int row, int col)
{
    click(m, row, col);
    assert_int_equal(m->dialog, UI_DIALOG_CONFIRM);
    for (int aside = -5; aside <= 5; aside++)
        assert_int_not_equal(ui_answer_at(m, col + aside), 'y');
    click(m, m->rows - 1, col);
    click(m, m->rows - 1, col);
    assert_no_intent(m);
    if (m->dialog == UI_DIALOG_CONFIRM)
        ui_type(m, "n");
    assert_int_equal(m->dialog, UI_DIALOG_NONE);
}

/* However often, and however little aside, a click is made where it asks: it does nothing. */
static void test_no_click_asks_and_answers(void **state)
{
    for (int cols = UI_COLS_LEAST; cols <= 120; cols++) {
        struct ui_model m;
        int asked = 0;
        ui_begin(&m);
        ui_update_size(&m, 24, cols);
        unsigned pull = ui_task_begin(&m, "image pull x");
        ui_task_told(&m, pull, str_dup("downloading"), 1 << 20, 4 << 20);
        for (int col = 0; col < cols; col++) {
            uint32_t key = ui_hint_at(&m, col);
            no_click_answers(&m, 22, col); /* the line of what is being done */
            if (key != 'Z' && key != 's' && key != 'X')
                continue;
            no_click_answers(&m, 23, col);
            asked++;
        }
        assert_true(asked >= 9); /* "Z give up" */
        click_hint(&m, "Z give up");
        click(&m, 23, ui_answers_col(&m) + 2); /* names a key, and is no button */
        assert_int_equal(m.dialog, UI_DIALOG_CONFIRM);
        click(&m, 23, cols - 14); /* yes, on the other side */
        assert_intent(&m, UI_INTENT_GIVE_UP, "1", NULL);
        ui_model_done(&m);
    }
}

static void test_answers_to_what_a_key_asked(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    click(&m, 3, 5);
    ui_type(&m, "s"); /* a click before it does not matter */
    assert_int_equal(ui_answers_col(&m), 0);
    click(&m, 23, 8);
    assert_intent(&m, UI_INTENT_STOP, m.selected, NULL);
    ui_update_size(&m, 8, 20);
    ui_type(&m, "s");
    click(&m, 7, 8); /* nothing of it is seen */
    assert_no_intent(&m);
    ui_model_done(&m);
}

static void test_the_line_of_a_console(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    click_hint(&m, "z zoom");
    assert_true(m.zoomed);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    click_hint(&m, "Tab list");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    click_hint(&m, "Tab console");
    click_hint(&m, "x close");
    assert_int_equal(m.panes_count, 0);
    ui_model_done(&m);
}

static struct profile_entry *profiles_new(const char *const *names, size_t count)
{
    struct profile_entry *p = mem_zero(count, sizeof(*p));
    for (size_t i = 0; i < count; i++)
        p[i] = (struct profile_entry){.name = str_dup(names[i]), .path = str_dup("x")};
    return p;
}

static void test_the_sheet_and_profiles(void **state)
{
    static const char *const names[] = {"contained", "untrusted", "strong", "legacy-os"};
    static const char *const boundaries[] = {"container", "sandbox", "microvm", "vm"};
    struct ui_model m;
    struct ui_stop stops[UI_STOPS];
    ui_begin(&m);
    ui_model_profiles(&m, profiles_new(names, UI_STOPS), UI_STOPS);
    for (int i = 0; i < UI_STOPS; i++)
        stops[i] = (struct ui_stop){.boundary = str_dup(boundaries[i]),
                                    .profile = str_dup(names[i]),
                                    .protects = str_dup(""),
                                    .open = str_dup(""),
                                    .costs = str_dup(""),
                                    .lacks = str_dup(""),
                                    .there = true};
    ui_type(&m, "n");
    ui_update_dial(&m, stops, "", NULL, NULL, NULL);
    click(&m, 2 + UI_FIELD_DIAL, ui_sheet_stop_col(&m.sheet, -1, 80, 2) + 5);
    assert_int_equal(m.sheet.field, UI_FIELD_DIAL);
    assert_string_equal(m.profiles[m.profile].name, "strong");
    autofree char *last = ui_sheet_stop_text(&m.sheet, 0, UI_COLS_LEAST, 3);
    int col = ui_sheet_stop_col(&m.sheet, 0, UI_COLS_LEAST, 3); /* all are seen in the least room */
    assert_string_equal(last, "( )4");
    assert_true(col + (int)strlen(last) <= UI_COLS_LEAST);
    assert_int_equal(ui_sheet_stop_at(&m.sheet, 0, UI_COLS_LEAST, col + 1), 3);
    click(&m, 2 + UI_FIELD_NETWORK, 15); /* chosen, and not turned yet */
    assert_int_equal(m.sheet.field, UI_FIELD_NETWORK);
    assert_int_equal(m.sheet.choices[UI_FIELD_NETWORK], 0);
    click(&m, 2 + UI_FIELD_NETWORK, 15);
    assert_int_equal(m.sheet.choices[UI_FIELD_NETWORK], 1);
    click(&m, 20, 15); /* below its lines */
    assert_int_equal(m.sheet.field, UI_FIELD_NETWORK);
    click_hint(&m, "Esc back");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    ui_type(&m, "P");
    click(&m, 2, 5);
    assert_string_equal(m.profiles[m.profile].name, "untrusted");
    click(&m, 2, 5); /* again: something is started with it */
    assert_int_equal(m.dialog, UI_DIALOG_LAUNCH);
    ui_model_done(&m);
}

static void test_moving_among_profiles(void **state)
{
    static const char *const names[] = {"build", "contained", "strong"};
    struct buf lines = {0};
    struct ui_model m;
    ui_begin(&m);
    ui_model_profiles(&m, profiles_new(names, 3), 3);
    ui_type(&m, "PG");
    assert_string_equal(m.profiles[m.profile].name, "strong");
    ui_type(&m, "g");
    assert_string_equal(m.profiles[m.profile].name, "build");
    for (int i = 0; i < 60; i++)
        buf_printf(&lines, "%d\n", i);
    ui_model_explained(&m, "build", lines.data);
    ui_type(&m,
            "\x1b[6~"); /* read on: 22 rows, of which 3 are the list's, and one the line between */
    assert_int_equal(m.explained_scroll, 17);
    ui_type(&m, "\x1b[6~\x1b[6~\x1b[6~\x1b[6~");
    assert_int_equal(m.explained_scroll, 57);
    ui_type(&m, "\x1b[5~");
    assert_int_equal(m.explained_scroll, 40);
    ui_type(&m, "j"); /* another one is read from its beginning */
    assert_string_equal(m.profiles[m.profile].name, "contained");
    assert_int_equal(m.explained_scroll, 0);
    buf_done(&lines);
    ui_model_done(&m);
}

static void test_candidates_of_the_command_line(void **state)
{
    static const char *const none[] = {NULL}, *const image[] = {"pull", "prune", NULL};
    static const struct ui_verb verbs[] = {
        {"image",   "i", image},
        {"inspect", "s", none },
        {"compare", "c", none }
    };
    struct ui_model m;
    ui_begin(&m);
    m.verbs = verbs;
    m.verbs_count = ARRAY_SIZE(verbs);
    ui_type(&m, ":i");
    click(&m, 22, 5); /* between "image" and "inspect" */
    assert_string_equal(m.typed.text, "i");
    click(&m, 22, 7);
    assert_string_equal(m.typed.text, "inspect ");
    autofree char *hint = ui_command_hint(&m);
    const char *build = strstr(hint, "build");
    assert_non_null(build);
    click(&m, 22, (int)(build - hint));
    assert_string_equal(m.typed.text, "inspect build ");
    click(&m, 3, 5); /* the list is behind it */
    assert_int_equal(m.dialog, UI_DIALOG_COMMAND);
    ui_type(&m, "\x1b:co");
    click(&m, 22, 30); /* the only one, with what it does */
    assert_string_equal(m.typed.text, "compare ");
    ui_type(&m, "-- b\t"); /* somebody's command, and no workload */
    assert_string_equal(m.typed.text, "compare -- b");
    autofree char *nothing = ui_command_hint(&m);
    assert_string_equal(nothing, "");
    ui_model_done(&m);
}

static void tell_paths(struct ui_model *m, const char *of, const char *paths)
{
    ui_update_completions(m, of, strv_split(paths, "\n"));
}

static void test_paths_of_the_sheet(void **state)
{
    static const char *const names[] = {"contained"};
    struct ui_model m;
    ui_begin(&m);
    ui_model_profiles(&m, profiles_new(names, 1), 1);
    ui_type(&m, "o/etc/s\t");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "contained");
    assert_intent(&m, UI_INTENT_DIAL, NULL, "");
    assert_intent(&m, UI_INTENT_COMPLETE, NULL, "/etc/s");
    tell_paths(&m, "/etc/s", "/etc/ssh/\n/etc/ssl/");
    assert_string_equal(m.sheet.lines[UI_FIELD_FILE].text, "/etc/ss");
    click(&m, 2 + ui_sheet_rows(&m) + 1, 9); /* a folder: what is in it is asked for */
    assert_string_equal(m.sheet.lines[UI_FIELD_FILE].text, "/etc/ssl/");
    assert_intent(&m, UI_INTENT_COMPLETE, NULL, "/etc/ssl/");
    tell_paths(&m, "/etc/ssl/", "/etc/ssl/a\n/etc/ssl/b");
    click(&m, 2 + ui_sheet_rows(&m) + 2, 9); /* below them */
    assert_no_intent(&m);
    click(&m, 2 + ui_sheet_rows(&m), 9);
    assert_string_equal(m.sheet.lines[UI_FIELD_FILE].text, "/etc/ssl/a");
    assert_no_intent(&m);
    ui_type(&m, "\t");
    assert_intent(&m, UI_INTENT_COMPLETE, NULL, "/etc/ssl/a");
    click(&m, 2 + UI_FIELD_COMMAND, 15); /* what the file is is asked for, as by the arrows */
    assert_intent(&m, UI_INTENT_DIAL, NULL, "/etc/ssl/a");
    tell_paths(&m, "/etc/ssl/a", "/etc/ssl/a1\n/etc/ssl/a2"); /* too late */
    assert_string_equal(m.sheet.lines[UI_FIELD_COMMAND].text, "");
    assert_int_equal(ui_sheet_completions(&m.sheet), 0);
    click(&m, 2 + UI_FIELD_MOUNT, 15);
    ui_type(&m, "/a /b\t");
    assert_intent(&m, UI_INTENT_COMPLETE, NULL, "/b");
    tell_paths(&m, "/b", "/bin\n/boot");
    click(&m, 2 + ui_sheet_rows(&m), 9);
    assert_string_equal(m.sheet.lines[UI_FIELD_MOUNT].text, "/a /bin");
    ui_type(&m, "\tx");
    tell_paths(&m, "/bin", "/bin1\n/bin2"); /* more is typed than was asked about */
    assert_string_equal(m.sheet.lines[UI_FIELD_MOUNT].text, "/a /binx");
    assert_int_equal(ui_sheet_paths(&m), 0);
    ui_type(&m, "\x7f\t");
    tell_paths(&m, "/bin", "/bin1\n/bin2");
    assert_int_equal(ui_sheet_paths(&m), 2);
    ui_update_size(&m, UI_ROWS_LEAST, 80);
    int row = 2 + ui_sheet_rows(&m) + ui_sheet_paths(&m); /* of all of them, or of what says more */
    assert_true(row + (ui_sheet_paths(&m) < 2) <= m.rows - 1);
    ui_type(&m, "\x1bn"); /* they are not those of another line */
    assert_int_equal(ui_sheet_completions(&m.sheet), 0);
    ui_model_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_line_of_keys),
        cmocka_unit_test(test_what_hides_the_line_of_keys),
        cmocka_unit_test(test_no_click_asks_and_answers),
        cmocka_unit_test(test_answers_to_what_a_key_asked),
        cmocka_unit_test(test_the_line_of_a_console),
        cmocka_unit_test(test_the_sheet_and_profiles),
        cmocka_unit_test(test_moving_among_profiles),
        cmocka_unit_test(test_candidates_of_the_command_line),
        cmocka_unit_test(test_paths_of_the_sheet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
