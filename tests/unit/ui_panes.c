/* Consoles in panes, looking back in them, and the mouse over them. */
#include "tests/unit/ui_kit.h"

/* The pane's screen: its lines, above which so many more have gone. */
static void show(struct ui_model *m, const char *const *lines, uint16_t rows, uint64_t history)
{
    struct cells c;
    cells_init(&c, rows, 20);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 20; i++) {
            bool there = i < (int)strlen(lines[r]);
            c.cell[r * 20 + i] =
                (struct cell){.chars = {there ? (uint8_t)lines[r][i] : 0}, .width = 1};
        }
    c.history = history;
    c.kept = (uint32_t)history;
    ui_model_cells(m, ui_pane(m), &c);
    cells_done(&c);
}

static void gone(struct ui_model *m, uint64_t first, const char *text)
{
    struct cell line[20] = {0};
    const struct cell *lines[] = {line};
    for (int i = 0; i < 20; i++)
        line[i] =
            (struct cell){.chars = {i < (int)strlen(text) ? (uint8_t)text[i] : 0}, .width = 1};
    ui_model_history(m, ui_pane(m), first, lines, (const uint16_t[]){20}, 1);
}

static void test_several_at_once(void **state)
{
    struct ui_model m;
    struct ui_rect r[UI_PANES];
    ui_begin(&m);
    ui_update_size(&m, 40, 160);
    ui_type(&m, "\r\x1d\t");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    ui_type(&m, "j+"); /* the first one stays */
    assert_intent(&m, UI_INTENT_OPEN, "bbbb00000002", NULL);
    assert_no_intent(&m);
    assert_int_equal(m.panes_count, 2);
    ui_model_tiles(&m, r);
    assert_int_equal(r[0].row, r[1].row); /* beside one another: there is width */
    assert_int_equal(r[1].col, r[0].cols + 1);
    assert_int_equal(r[1].col + r[1].cols, 160);
    ui_type(&m, "x\x1do"
                "y"); /* what is typed goes to the chosen one */
    assert_intent(&m, UI_INTENT_INPUT, "bbbb00000002", "x");
    assert_intent(&m, UI_INTENT_INPUT, "aaaa00000001", "y");
    ui_type(&m, "\x1d-");
    ui_model_tiles(&m, r);
    assert_int_equal(r[1].row, r[0].row + r[0].rows + 1);
    assert_int_equal(r[0].cols, 160);
    assert_true(ui_numbers_are_seen(&m));
    ui_type(&m, "\x1dz");
    ui_model_tiles(&m, r);
    assert_true(r[0].rows > 30);
    assert_int_equal(r[1].rows, 0);
    assert_false(ui_numbers_are_seen(&m)); /* nor is the list: nobody is asked for its numbers */
    ui_type(&m, "\x1dx");                  /* the other one is still there */
    assert_true(ui_numbers_are_seen(&m));
    assert_intent(&m, UI_INTENT_CLOSE, "aaaa00000001", NULL);
    assert_int_equal(m.panes_count, 1);
    assert_string_equal(ui_pane(&m)->id, "bbbb00000002");
    ui_type(&m, "\x1b");
    assert_intent(&m, UI_INTENT_CLOSE, "bbbb00000002", NULL);
    assert_int_equal(m.panes_count, 0);
    ui_model_done(&m);
}

static void test_no_room_for_one_more(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_update_size(&m, UI_ROWS_LEAST, UI_COLS_LEAST);
    ui_type(&m, "\r\x1d\tj+");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_CLOSE, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_OPEN, "bbbb00000002", NULL);
    assert_int_equal(m.panes_count, 1);
    assert_non_null(m.message); /* and it is said */
    ui_model_done(&m);
}

static void test_looking_back(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, NULL, NULL);
    show(&m, (const char *const[]){"third apple", "fourth"}, 2, 2);
    ui_type(&m, "\x1d[");
    struct ui_intent i;
    assert_true(ui_take_intent(&m, &i));
    assert_int_equal(i.kind, UI_INTENT_HISTORY);
    assert_int_equal(i.first, 0);
    ui_intent_done(&i);
    gone(&m, 0, "first apple");
    assert_intent(&m, UI_INTENT_HISTORY, NULL, NULL); /* there is one more */
    gone(&m, 1, "second");
    assert_no_intent(&m);
    const struct ui_copy *k = ui_pane(&m)->copy;
    assert_int_equal(k->count, 4);
    show(&m, (const char *const[]){"new", "newer"}, 2, 4); /* what goes on moves nothing */
    ui_type(&m, "/APPLE\r");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    ui_type(&m, "G/APPLE\r");
    assert_int_equal(k->row, 2);
    assert_int_equal(k->col, 6);
    ui_type(&m, "n");
    assert_int_equal(k->row, 0);
    ui_type(&m, "0vj$y"); /* from there to the end of the next line */
    assert_intent(&m, UI_INTENT_COPIED, NULL, "first apple\nsecond");
    assert_null(ui_pane(&m)->copy);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    ui_pane(&m)->cells.modes.bracketed_paste = true;
    ui_type(&m, "\x1dp");
    assert_intent(&m, UI_INTENT_INPUT, "aaaa00000001", "\x1b[200~first apple\rsecond\x1b[201~");
    ui_model_done(&m);
}

static void test_saving_what_it_showed(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, NULL, NULL);
    show(&m, (const char *const[]){"one", "two  ", ""}, 3, 0);
    ui_type(&m, "\x1d[s");
    assert_int_equal(m.dialog, UI_DIALOG_KEEP);
    ui_type(&m, "\x15out.txt\r");
    assert_intent(&m, UI_INTENT_KEEP, "out.txt", "one\ntwo\n");
    ui_type(&m, "ggVs\r"); /* what is selected alone; the name is that of the workload */
    assert_intent(&m, UI_INTENT_KEEP, "web.txt", "one");
    ui_type(&m, "\x1b");
    assert_null(ui_pane(&m)->copy);
    ui_model_done(&m);
}

/* Nothing is left out of a copy because it was asked for early. */
static void test_what_is_still_coming_is_waited_for(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, NULL, NULL);
    show(&m, (const char *const[]){"third", "fourth"}, 2, 2);
    ui_type(&m, "\x1d[");
    assert_intent(&m, UI_INTENT_HISTORY, NULL, NULL);
    ui_type(&m, "gVGy"); /* two of those lines are not here */
    assert_no_intent(&m);
    assert_non_null(ui_pane(&m)->copy);
    assert_non_null(m.message);
    ui_type(&m, "Vs\x15out.txt\r");
    assert_no_intent(&m);
    gone(&m, 0, "first");
    assert_intent(&m, UI_INTENT_HISTORY, NULL, NULL);
    assert_no_intent(&m);
    gone(&m, 1, "second");
    assert_intent(&m, UI_INTENT_KEEP, "out.txt", "first\nsecond\nthird\nfourth\n");
    assert_no_intent(&m);
    ui_type(&m, "gVGy");
    assert_intent(&m, UI_INTENT_COPIED, NULL, "first\nsecond\nthird\nfourth");
    ui_model_done(&m);
}

static char *row_text(const struct cells *c, int row)
{
    struct buf b = {0};
    for (int i = 0; i < c->cols; i++)
        buf_putc(&b, c->cell[row * c->cols + i].chars[0] ? (char)c->cell[row * c->cols + i].chars[0]
                                                         : ' ');
    autofree char *text = buf_take(&b);
    return str_ndup(text, strcspn(text, " "));
}

static void test_the_pane_of_plain_streams(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_model_row(&m, "aaaa00000001")->terminal = false;
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    struct ui_console *c = ui_pane(&m);
    assert_true(c->streams);
    assert_int_equal(m.focus, UI_FOCUS_LIST); /* it takes no keys */
    ui_model_output(&m, c, "first\nsecond\nabcdefghijklm\nla", 29);
    ui_output_show(&m, c, 4, 10);
    static const char *const seen[] = {"second", "abcdefghij", "klm", "la"};
    for (int i = 0; i < 4; i++) {
        autofree char *text = row_text(&c->cells, i);
        assert_string_equal(text, seen[i]);
    }
    ui_model_output(&m, c, "st\n", 3);
    assert_true(c->output_new);
    ui_output_show(&m, c, 6, 20); /* wider: nothing is broken any more, and the top is used */
    autofree char *top = row_text(&c->cells, 0), *last = row_text(&c->cells, 3);
    autofree char *none = row_text(&c->cells, 4);
    assert_string_equal(top, "first");
    assert_string_equal(last, "last");
    assert_string_equal(none, "");
    ui_output_show(&m, c, 4, 10);
    ui_type(&m, "\t"); /* into its past */
    assert_non_null(c->copy);
    assert_int_equal(c->copy->count, 5);
    ui_type(&m, "/SECOND\r");
    assert_int_equal(c->copy->row, 1);
    ui_model_output(&m, c, "more\n", 5); /* what goes on moves nothing */
    assert_int_equal(c->copy->count, 5);
    ui_type(&m, "Vjjy"); /* a line that was broken for the pane alone is whole again */
    assert_intent(&m, UI_INTENT_COPIED, NULL, "second\nabcdefghijklm");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    ui_type(&m, "\t\x1b\x1b");
    assert_null(ui_pane(&m)->id);
    ui_model_done(&m);
}

static void test_typing_to_all_marked(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r\x1d"
                "b");
    assert_intent(&m, UI_INTENT_OPEN, NULL, NULL);
    assert_false(m.to_all); /* nothing is marked */
    ui_type(&m, "\x1d\tj \t\x1d"
                "bls");
    assert_true(m.to_all);
    assert_intent(&m, UI_INTENT_INPUT, "aaaa00000001", "ls");
    assert_intent(&m, UI_INTENT_INPUT_ALL, NULL, "ls");
    ui_type(&m, "\x1d"
                "bx");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "x");
    assert_no_intent(&m);
    ui_model_done(&m);
}

/* A press, a drag and a release over the first pane, which begins below its name. */
static void mouse(struct ui_model *m, int button, int row, int col, char end)
{
    struct ui_rect r[UI_PANES];
    char text[64];
    ui_model_tiles(m, r);
    snprintf(text, sizeof(text), "\x1b[<%d;%d;%d%c", button, r[0].col + col + 1, r[0].row + row + 1,
             end);
    ui_type(m, text);
}

static void test_the_mouse_copies_and_scrolls(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, NULL, NULL);
    show(&m, (const char *const[]){"some words here", "$ "}, 2, 0);
    mouse(&m, 0, 0, 5, 'M');
    mouse(&m, 32, 0, 9, 'M');
    mouse(&m, 0, 0, 9, 'm');
    assert_intent(&m, UI_INTENT_COPIED, NULL, "words");
    assert_null(ui_pane(&m)->copy);
    mouse(&m, 64, 0, 0, 'M');
    assert_non_null(ui_pane(&m)->copy);
    mouse(&m, 65, 0, 0, 'M');
    assert_null(ui_pane(&m)->copy); /* the newest line is seen again */
    ui_pane(&m)->cells.modes.mouse =
        2; /* now it is the workload's, as if it had the whole screen */
    mouse(&m, 0, 1, 2, 'M');
    assert_intent(&m, UI_INTENT_INPUT, "aaaa00000001", "\x1b[<0;3;2M");
    ui_type(&m, "\x1b[<0;3;4M"); /* but a click on the list is the list's: build */
    assert_no_intent(&m);
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    ui_model_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_no_room_for_one_more),
        cmocka_unit_test(test_looking_back),
        cmocka_unit_test(test_saving_what_it_showed),
        cmocka_unit_test(test_what_is_still_coming_is_waited_for),
        cmocka_unit_test(test_the_pane_of_plain_streams),
        cmocka_unit_test(test_typing_to_all_marked),
        cmocka_unit_test(test_the_mouse_copies_and_scrolls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
