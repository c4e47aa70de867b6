/* What is done to all that are marked, and what takes its time. */
#include "tests/unit/ui_kit.h"
#include "ui/details.h"
#include "ui/fits.h"

#include <string.h>

/* web has a snapshot, build has none. */
static void take_of_web(struct ui_model *m)
{
    struct ui_snapshot *list = mem_zero(1, sizeof(*list));
    list[0] = (struct ui_snapshot){.id = str_dup("5555"),
                                   .name = str_dup("web-1"),
                                   .workload = str_dup("aaaa00000001"),
                                   .workload_name = str_dup("web"),
                                   .kind = str_dup("files")};
    ui_model_snapshots(m, list, 1);
}

static void test_snapshots_of_all_marked(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    take_of_web(&m);
    ui_type(&m, "  B"); /* web, build */
    assert_non_null(strstr(m.question, "Bring web back as web-1"));
    assert_non_null(strstr(m.question, "build has none and stays"));
    ui_type(&m, "y");
    assert_verb(&m, "snapshot restore --force 5555");
    assert_no_intent(&m);
    ui_type(&m, "c");
    assert_verb(&m, "clone 5555");
    assert_verb(&m, "clone bbbb00000002");
    ui_type(&m, "Ugj"); /* build alone */
    ui_type(&m, "B");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    assert_non_null(strstr(m.message, "no snapshot of build"));
    assert_no_intent(&m);
    ui_model_done(&m);
}

static void test_commands_for_all_marked(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "y");
    assert_string_equal(m.typed.text, "cp web:");
    ui_type(&m, "\x1b  y"); /* web, build */
    assert_string_equal(m.typed.text, "cp {}:");
    ui_type(&m, "/etc/x ./{}-x\r");
    assert_verb(&m, "cp aaaa00000001:/etc/x ./web-x");
    assert_verb(&m, "cp bbbb00000002:/etc/x ./build-x");
    assert_no_intent(&m);
    ui_type(&m, "L");
    assert_string_equal(m.typed.text, "update {} --");
    ui_type(&m, "memory 1G\r");
    assert_verb(&m, "update aaaa00000001 --memory 1G");
    assert_verb(&m, "update bbbb00000002 --memory 1G");
    ui_type(&m, ":report {}\r"); /* pages are one at a time */
    assert_true(m.message_bad);
    assert_no_intent(&m);
    ui_model_done(&m);
}

static void test_what_takes_its_time(void **state)
{
    struct ui_model m;
    struct ui_rect list, pane;
    ui_begin(&m);
    unsigned pull = ui_task_begin(&m, "image pull x\x1b[2J");
    assert_int_equal(ui_tasks_rows(&m), 0); /* it may be over in a moment */
    ui_task_told(&m, pull, str_dup("downloading"), 1 << 20, 4 << 20);
    assert_int_equal(ui_tasks_rows(&m), 1);
    autofree char *text = ui_task_text(&m, ui_task_seen(&m, 0));
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "25 %"));
    assert_non_null(strstr(text, "1.0 MiB of 4.0 MiB"));
    ui_model_layout(&m, &list, &pane);
    assert_int_equal(list.rows, 21);
    unsigned second = ui_task_begin(&m, "snapshot create web");
    ui_type(&m, "Z");
    assert_non_null(strstr(m.question, "Give up all 2"));
    ui_type(&m, "n\x1b[<0;5;23M"); /* on its line, the one above the keys */
    assert_non_null(strstr(m.question, "image pull"));
    ui_type(&m, "y");
    assert_intent(&m, UI_INTENT_GIVE_UP, "1", NULL);
    assert_true(m.tasks[0].ending);
    ui_type(&m, "Z"); /* what ends by now is not asked for again */
    assert_non_null(strstr(m.question, "snapshot create web"));
    ui_type(&m, "n");
    assert_true(ui_task_end(&m, pull));
    assert_false(ui_task_end(&m, second));
    assert_int_equal(ui_tasks_rows(&m), 0);
    assert_false(ui_task_end(&m, second));
    ui_type(&m, "Z");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    ui_model_done(&m);
}

static void asks(struct ui_model *m, const char *title, const char *says)
{
    unsigned one = ui_task_begin(m, title);
    ui_type(m, "Z");
    if (!strstr(m->question, says))
        fail_msg("%s: %s", title, m->question);
    ui_type(m, "n");
    ui_task_end(m, one);
}

/* Only what clears up is said to. */
static void test_what_is_left_of_it(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    asks(&m, "image import x", "is removed");
    asks(&m, "snapshot create web", "is removed");
    asks(&m, "image prune", "in the midst");
    asks(&m, "image important", "in the midst");
    asks(&m, "clone web", "in the midst");
    unsigned restart = ui_task_begin(&m, "restart web");
    ui_type(&m, "Z"); /* what ran may have ended: it is to run again */
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    assert_non_null(strstr(m.message, "half-way"));
    ui_task_waits(&m, restart, true);
    ui_type(&m, "Z");
    assert_non_null(strstr(m.question, "It has not begun"));
    ui_task_waits(&m, restart, false); /* while it is asked for */
    ui_type(&m, "y");
    assert_no_intent(&m);
    ui_task_begin(&m, "cp a b");
    ui_task_begin(&m, "image pull x");
    ui_type(&m, "Z");
    assert_non_null(strstr(m.question, "Give up all 2, \"cp a b\""));
    assert_non_null(strstr(m.question, "not all clear up"));
    ui_type(&m, "y");
    assert_intent(&m, UI_INTENT_GIVE_UP, "7", NULL);
    assert_intent(&m, UI_INTENT_GIVE_UP, "8", NULL);
    assert_no_intent(&m);
    ui_model_done(&m);
}

static void test_snapshots_in_the_details(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    take_of_web(&m);
    ui_type(&m, "gi7");
    assert_int_equal(m.page, UI_PAGE_TEXT);
    assert_string_equal(m.text_title, "web: snapshots");
    assert_non_null(strstr(m.text[0], "5555  web-1: files"));
    ui_type(&m, "\x1b[D"); /* the one before */
    assert_string_equal(m.text_title, "web: processes");
    ui_type(&m, "\x1bgji7");
    assert_non_null(strstr(m.text[0], "no snapshot was taken"));
    ui_type(&m, "\x1b");
    assert_int_equal(m.page, UI_PAGE_LIST);
    ui_model_done(&m);
}

/* Being read, not to be read, and none: told apart, and told anew while they are looked at. */
static void test_snapshots_that_are_not_known(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "gi7");
    assert_string_equal(m.text[0], "looking…");
    ui_model_snapshots_failed(&m, "cannot read it");
    assert_string_equal(m.text[0], "snapshots: cannot read it");
    m.dirty = false;
    take_of_web(&m);
    assert_true(m.dirty);
    assert_non_null(strstr(m.text[0], "5555  web-1: files"));
    assert_int_equal(m.text_count, 1);
    ui_type(&m, "6"); /* another page is left alone */
    ui_model_snapshots_failed(&m, "cannot read it");
    assert_int_equal(m.text_count, 0);
    ui_model_done(&m);
}

/* The names of the pages: each by its key, by a click, by the edges where they do not all fit. */
static void test_pages_of_the_details(void **state)
{
    static const char *const titles[] = {"state and plan", "report",    "log",          "changes",
                                         "numbers",        "processes", "snapshots",    "mounts",
                                         "network",        "consoles",  "what happened"};
    static const char typed[] = "1234567890e";
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "gi");
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
        ui_type(&m, (const char[]){typed[i], '\0'});
        autofree char *title = str_format("web: %s", titles[i]);
        assert_string_equal(m.text_title, title);
        assert_true(ui_tab_col(&m, (int)i) > 0); /* the chosen one is seen */
        assert_int_equal(ui_tab_at(&m, ui_tab_col(&m, (int)i)), i);
    }
    ui_type(&m, "\x1b[C"); /* round the end */
    assert_string_equal(m.text_title, "web: state and plan");
    autofree char *click = str_format("\x1b[<0;%d;2M", ui_tab_col(&m, UI_TAB_LOG) + 1);
    ui_type(&m, click);
    assert_string_equal(m.text_title, "web: log");
    ui_type(&m, "\x1b[<0;80;2M"); /* the edge: the one beside it */
    assert_string_equal(m.text_title, "web: changes");
    ui_type(&m, "5");
    assert_string_equal(m.text[0], "looking…");
    struct ui_sample s = {.memory = 2048, .memory_peak = 4096, .pids = 3, .oom_kills = UINT64_MAX};
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, &s);
    assert_string_equal(m.text[1], "memory     2.0 KiB, 4.0 KiB at most");
    assert_string_equal(m.text[2], "processes  3");
    m.dirty = false;
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, &s);
    assert_false(m.dirty); /* two that are equal look alike */
    s.pids = 4;
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, &s);
    assert_string_equal(m.text[2], "processes  4");
    ui_model_silent(&m, "aaaa00000001", true);
    ui_model_numbers(&m);
    assert_string_equal(m.text[0], "its monitor does not answer");
    ui_type(&m, "D"); /* a page of its own, and no workload's */
    assert_null(m.text_id);
    ui_type(&m, "\x1b");
    assert_int_equal(m.page, UI_PAGE_LIST);
    ui_model_done(&m);
}

/* A search finds what comes after it, too. */
static void test_a_search_in_what_still_comes(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "gi/late\r");
    assert_string_equal(m.message, "that is not in it yet");
    ui_model_text_more(&m, "one\ntwo\nlate", 12);
    assert_int_equal(m.text_scroll, 0); /* that line is not whole */
    ui_model_text_more(&m, "r\nfour\n", 7);
    assert_int_equal(m.text_scroll, 2);
    assert_null(m.message);
    ui_type(&m, "g/never\r");
    assert_string_equal(m.message, "that is not in it yet");
    ui_model_text_end(&m, false);
    assert_string_equal(m.message, UI_NOT_IN_IT);
    ui_type(&m, "2/late\r");
    assert_true(m.text_seeks);
    ui_type(&m, "g"); /* the person is elsewhere by then */
    ui_model_text_more(&m, "one\nlate\n", 9);
    assert_int_equal(m.text_scroll, 0);
    ui_model_done(&m);
}

/* On any page of text: forwards, backwards, and round at either end. */
static void test_a_search_goes_both_ways(void **state)
{
    static const char *const pages[] = {"?", "gR", "gl", "gd", "gi"};
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        struct ui_model m;
        ui_begin(&m);
        ui_type(&m, pages[i]);
        ui_model_text_again(&m, "here\nno\nhere\nno\nhere\nno\nno\nno\n");
        ui_type(&m, "/here\r");
        assert_int_equal(m.text_scroll, 0);
        ui_type(&m, "n");
        assert_int_equal(m.text_scroll, 2);
        ui_type(&m, "n");
        assert_int_equal(m.text_scroll, 4);
        ui_type(&m, "N");
        assert_int_equal(m.text_scroll, 2);
        ui_type(&m, "NN");
        assert_int_equal(m.text_scroll, 4);
        ui_type(&m, "n");
        assert_int_equal(m.text_scroll, 0);
        ui_model_done(&m);
    }
}

/* What shows workloads shows all marked ones, if the chosen one is among them. */
static void test_all_marked_are_shown(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_update_size(&m, 60, 160);
    ui_type(&m, "  gR"); /* web, build */
    assert_intent(&m, UI_INTENT_PAGE, "reports of 2 marked",
                  "report\x1f"
                  "aaaa00000001\x1f"
                  "bbbb00000002");
    ui_type(&m, "\x1b");
    assert_intent(&m, UI_INTENT_PAGE_END, NULL, NULL);
    ui_type(&m, "e");
    assert_intent(&m, UI_INTENT_SHELL, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_SHELL, "bbbb00000002", NULL);
    ui_type(&m, "Gl"); /* it is not marked: it alone */
    assert_string_equal(m.text_title, "done: log");
    assert_intent(&m, UI_INTENT_PAGE, NULL,
                  "logs\x1f"
                  "cccc00000003");
    ui_type(&m, "\x1bg\r");
    assert_int_equal(m.panes_count, 2);
    assert_string_equal(m.panes[0].id, "aaaa00000001");
    assert_string_equal(m.panes[1].id, "bbbb00000002");
    ui_model_done(&m);
}

static void test_an_export(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "Gw"); /* one that has ended, too */
    assert_string_equal(m.typed.text, "export done ./done.tar");
    ui_type(&m, "\x1bg  w\r");
    assert_verb(&m, "export aaaa00000001 ./web.tar");
    assert_verb(&m, "export bbbb00000002 ./build.tar");
    assert_no_intent(&m);
    ui_model_done(&m);
}

/* What waits would never be done: that is said before. */
static void test_leaving_names_what_waits(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    unsigned at_it = ui_task_begin(&m, "image pull x");
    ui_type(&m, "q"); /* that goes on without us */
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    unsigned waits = ui_task_begin(&m, "clone web");
    ui_task_waits(&m, waits, true);
    ui_task_waits(&m, ui_task_begin(&m, "clone build"), true);
    ui_type(&m, "q");
    assert_non_null(strstr(m.question, "\"clone web\" and 1 more have not begun"));
    assert_non_null(strstr(m.question, "What has begun (1) goes on"));
    assert_no_intent(&m);
    ui_type(&m, "n:q\ry"); /* by its name as well */
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_type(&m, "\x03\x03"); /* the second time it is meant */
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_type(&m, "/abc\x03"); /* elsewhere it leads out */
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    assert_no_intent(&m);
    ui_task_end(&m, at_it);
    ui_model_done(&m);
}

/* A page on is never more than was seen, however many rows its lines take. */
static void test_pages_of_long_lines(void **state)
{
    struct buf lines = {0};
    struct ui_model m;
    ui_begin(&m);
    ui_update_size(&m, 12, 40); /* ten rows of 38 columns */
    for (int i = 0; i < 20; i++)
        buf_printf(&lines, "%d aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj\n",
                   i); /* two rows each */
    ui_model_text(&m, "long", lines.data);
    ui_type(&m, "\x1b[6~");
    assert_int_equal(m.text_scroll, 4);
    ui_type(&m, "\x1b[6~");
    assert_int_equal(m.text_scroll, 8);
    ui_type(&m, "\x1b[5~");
    assert_int_equal(m.text_scroll, 4);
    ui_type(&m, "G");
    assert_int_equal(m.text_scroll, 17);
    ui_update_size(&m, 12, 80); /* one row each */
    ui_type(&m, "g\x1b[6~");
    assert_int_equal(m.text_scroll, 8);
    assert_int_equal(fits_rows("    argv   sh -c abcdef", 16), 2);
    assert_int_equal(fits_shift("    argv", "argv", 16), 6);
    buf_done(&lines);
    ui_model_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_of_long_lines),
        cmocka_unit_test(test_snapshots_that_are_not_known),
        cmocka_unit_test(test_snapshots_of_all_marked),
        cmocka_unit_test(test_commands_for_all_marked),
        cmocka_unit_test(test_snapshots_in_the_details),
        cmocka_unit_test(test_what_takes_its_time),
        cmocka_unit_test(test_what_is_left_of_it),
        cmocka_unit_test(test_pages_of_the_details),
        cmocka_unit_test(test_a_search_in_what_still_comes),
        cmocka_unit_test(test_a_search_goes_both_ways),
        cmocka_unit_test(test_all_marked_are_shown),
        cmocka_unit_test(test_an_export),
        cmocka_unit_test(test_leaving_names_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
