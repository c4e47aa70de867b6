/* The interface without a terminal: made-up keys in, a changed model and intents out. */
#include "tests/unit/ui_kit.h"
#include "ui/columns.h"
#include "ui/graphs.h"
#include "ui/tour.h"

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
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    ui_model_keys(&m, "aaaa00000001", "tmux");
    ui_type(&m, "a\x1d\x02\x02"); /* ctrl-] is nothing now, ctrl-b twice is one */
    assert_intent(&m, UI_INTENT_INPUT, NULL, "a\x1d");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x02");
    ui_type(&m, "\x02t");
    assert_intent(&m, UI_INTENT_TAKE_OVER, "aaaa00000001", NULL);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    ui_type(&m, "\x02"
                "d");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    assert_no_intent(&m);

    ui_type(&m, "\t");
    ui_model_keys(&m, "aaaa00000001",
                  "docker"); /* behind its first key everything else is the shell's */
    ui_type(&m, "\x10t");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x10t");
    ui_type(&m, "\x10\x11");
    assert_int_equal(m.focus, UI_FOCUS_LIST);

    ui_type(&m, "\t");
    ui_model_keys(&m, "aaaa00000001", "ctrl-a"); /* one is enough */
    ui_type(&m, "\x01");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    assert_no_intent(&m);
    ui_model_done(&m);
}

static void test_moving_and_asking_first(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    assert_string_equal(ui_model_selected(&m)->name, "web");
    ui_type(&m, "j");
    assert_string_equal(ui_model_selected(&m)->name, "build");
    ui_type(&m, "p");
    assert_intent(&m, UI_INTENT_RESUME, "bbbb00000002", NULL);
    ui_type(&m, "\x1b[As");
    assert_int_equal(m.dialog, UI_DIALOG_CONFIRM);
    assert_no_intent(&m);
    ui_type(&m, "n");
    assert_no_intent(&m);
    ui_type(&m, "sy");
    assert_intent(&m, UI_INTENT_STOP, "aaaa00000001", NULL);
    ui_type(&m, "Ky");
    assert_intent(&m, UI_INTENT_KILL, "aaaa00000001", NULL);
    ui_type(&m, "Gs"); /* not running: nothing to stop */
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    assert_no_intent(&m);
    ui_type(&m, "Xy");
    assert_intent(&m, UI_INTENT_REMOVE, "cccc00000003", NULL);
    ui_type(&m, "q");
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_model_done(&m);
}

static void test_the_question_keeps_its_workload(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "X");
    ui_model_list(&m, ui_records + 1, 2); /* it went away meanwhile; another one is selected now */
    ui_type(&m, "y");
    assert_intent(&m, UI_INTENT_REMOVE, "aaaa00000001", NULL);
    ui_model_done(&m);
}

static void test_filter(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "/BUI");
    assert_int_equal(ui_model_visible_count(&m), 1);
    assert_string_equal(ui_model_selected(&m)->name, "build");
    ui_type(&m, "\r");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    ui_type(&m, "\x1b");
    assert_int_equal(ui_model_visible_count(&m), 3);
    ui_type(&m, "/zzz");
    assert_null(ui_model_selected(&m));
    ui_type(&m, "\r"
                "s\r");
    assert_no_intent(&m);
    ui_type(&m, "/\x1b");
    assert_int_equal(ui_model_visible_count(&m), 3);
    ui_model_done(&m);
}

static void test_console_takes_every_key(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    ui_type(&m, "q\t\x1b[A");
    assert_intent(&m, UI_INTENT_INPUT, "aaaa00000001", "q\t\x1b[A");
    ui_pane(&m)->cells.modes.app_cursor = true;
    ui_type(&m, "\x1b[A");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x1bOA");
    ui_type(&m, "a\x1d\x1d"
                "b");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "a");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "\x1d");
    assert_intent(&m, UI_INTENT_INPUT, NULL, "b");
    ui_type(&m, "\x1d\t");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    ui_type(&m, "\t");
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    ui_pane(&m)->may_type = false;
    ui_type(&m, "X");
    assert_no_intent(&m);
    ui_type(&m, "\x1dt");
    assert_intent(&m, UI_INTENT_TAKE_OVER, "aaaa00000001", NULL);
    ui_type(&m, "\x1d\t\x1b");
    assert_intent(&m, UI_INTENT_CLOSE, "aaaa00000001", NULL);
    assert_null(ui_pane(&m)->id);
    ui_model_done(&m);
}

static void test_what_has_the_keys_is_seen(void **state)
{
    struct ui_model m;
    struct ui_rect list, pane;
    ui_begin(&m);
    ui_type(&m, "\r\x1dz");
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    ui_model_layout(&m, &list, &pane);
    assert_int_equal(list.rows, 0);
    ui_type(&m, "\x1d\t"); /* to the list, which so far had no place */
    ui_model_layout(&m, &list, &pane);
    assert_true(list.rows >= 3 && pane.rows >= 3);
    ui_model_message(&m, true, "it went wrong");
    ui_type(&m, "j");
    assert_non_null(m.message);
    ui_type(&m, "\x1b");
    assert_null(m.message);
    ui_model_done(&m);
}

static void test_launch_sheet(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    struct profile_entry *p = mem_zero(2, sizeof(*p));
    p[0] =
        (struct profile_entry){.name = str_dup("build"), .path = str_dup("x"), .why = str_dup("a")};
    p[1] = (struct profile_entry){
        .name = str_dup("contained"), .path = str_dup("y"), .why = str_dup("b")};
    ui_model_profiles(&m, p, 2);
    ui_type(&m, "n");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "contained");
    assert_intent(&m, UI_INTENT_DIAL, NULL, "");
    ui_type(&m, "make q\x7f'te st'x\x7f");
    ui_type(&m, "\x1b[B\x1b[B\x1b[C"); /* past the dial, to the profiles */
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "build");
    ui_type(&m, "\x1b[B\x1b[B\x1b[C\x1b[C"); /* the network: none, private */
    ui_type(&m, "\x1b[B/a:/b '/c d'");
    ui_type(&m, "\r");
    assert_intent(&m, UI_INTENT_START, NULL,
                  "--profile\x1f"
                  "build\x1f--mount\x1f/a:/b\x1f--mount\x1f/c d\x1f--network\x1fprivate\x1f--\x1f"
                  "make\x1fte st");
    assert_int_equal(m.dialog, UI_DIALOG_NONE);
    ui_update_relaunch(&m); /* refused: nothing is lost */
    assert_string_equal(m.sheet.lines[UI_FIELD_COMMAND].text, "make 'te st'");
    assert_int_equal(m.dialog, UI_DIALOG_LAUNCH);
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "build");
    m.sheet.field = UI_FIELD_INSTALL; /* of no CD nothing is */
    ui_type(&m, "new.disk\r");
    assert_int_equal(m.dialog, UI_DIALOG_LAUNCH);
    ui_type(&m, "\x15");
    m.sheet.field = UI_FIELD_NAME;
    ui_type(&m, "it\x13"); /* ctrl-s */
    assert_intent(&m, UI_INTENT_SAVE, "it", NULL);
    m.sheet.field = UI_FIELD_PIDS;
    ui_type(&m,
            "50\x1b[B2G\x1b[B\x1b[B\x1b[C\x1b[C\x1b[C\x1b[B\x1b[D"); /* pids, disk, keep, restart */
    ui_type(&m, "\x13");
    struct ui_intent i;
    assert_true(ui_take_intent(&m, &i));
    assert_non_null(strstr(i.text, "pids = 50\ndisk = 2G\n\n[lifecycle]\nkeep = always\n"
                                   "restart = always\n"));
    ui_intent_done(&i);
    ui_type(&m, "\r");
    assert_true(ui_take_intent(&m, &i));
    assert_non_null(strstr(i.text, "--pids\x1f"
                                   "50\x1f--set\x1fresources.disk=2G\x1f--keep\x1f"
                                   "always\x1f--set\x1flifecycle.restart=always\x1f--name"));
    ui_intent_done(&i);
    ui_update_relaunch(&m);
    m.sheet.field = UI_FIELD_COMMAND;
    ui_type(&m, "\x15'open\r"); /* an open quote starts nothing */
    assert_int_equal(m.dialog, UI_DIALOG_LAUNCH);
    ui_model_done(&m);
}

static void test_an_installation(void **state)
{
    struct ui_sheet s = {0};
    strcpy(s.lines[UI_FIELD_FILE].text, "'/a \"b.iso'");
    strcpy(s.lines[UI_FIELD_INSTALL].text, "new.disk 8G");
    autostrv char **args = ui_sheet_args(&s, "strong");
    autofree char *line = strv_join(args, "|");
    assert_string_equal(
        line, "--profile|strong|--boundary|vm|--image|disk:./new.disk|--set|machine.install=yes|"
              "--set|machine.cdrom=\"/a \\\"b.iso\"|--set|machine.disk-size=8G");
    ui_sheet_done(&s);
}

static void test_the_dial(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    static const char *const names[] = {"contained", "untrusted", "strong", "legacy-os"};
    struct profile_entry *p = mem_zero(4, sizeof(*p));
    struct ui_stop stops[UI_STOPS] = {0}, late[UI_STOPS] = {0};
    for (int i = 0; i < UI_STOPS; i++) {
        p[i] = (struct profile_entry){.name = str_dup(names[i]), .path = str_dup("x")};
        late[i].profile = str_dup(names[i]);
        stops[i] = (struct ui_stop){.boundary = str_dup("b"),
                                    .profile = str_dup(names[i]),
                                    .protects = str_dup("p"),
                                    .open = str_dup("o"),
                                    .costs = str_dup("c"),
                                    .lacks = str_dup("no")};
    }
    ui_model_profiles(&m, p, 4);
    ui_type(&m, "o/bin/x\r"); /* looked at before anything starts */
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, NULL);
    assert_intent(&m, UI_INTENT_DIAL, NULL, "");
    assert_intent(&m, UI_INTENT_DIAL, NULL, "/bin/x");
    assert_int_equal(m.sheet.field, UI_FIELD_DIAL);
    ui_update_dial(&m, stops, "/bin/x", str_dup("ELF"), str_dup("none"), "untrusted");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "untrusted"); /* what is advised is chosen */
    ui_update_dial(&m, late, "", NULL, NULL, NULL);          /* asked before, answered after */
    assert_string_equal(m.sheet.what, "ELF");
    assert_string_equal(m.sheet.stops[0].costs, "c");
    assert_true(ui_sheet_looked(&m.sheet));
    ui_type(&m, "\x1b[A\x1b[Ay"); /* of what is only being typed nothing is known */
    assert_false(ui_sheet_looked(&m.sheet));
    ui_type(&m, "\x7f\x1b[B\x1b[B");
    assert_true(ui_sheet_looked(&m.sheet));
    ui_type(&m, "\x1b[C\x1b[C\x1b[C");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "strong");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "legacy-os"); /* and there it ends */
    assert_no_intent(&m);
    ui_type(&m, "2\r");
    assert_intent(&m, UI_INTENT_EXPLAIN, NULL, "untrusted");
    assert_intent(&m, UI_INTENT_START, NULL, "--profile\x1funtrusted\x1f--open\x1f/bin/x");
    ui_model_done(&m);
}

static void test_marks_and_what_is_done_to_all(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "  "); /* web, build */
    assert_int_equal(ui_model_marked(&m), 2);
    ui_type(&m, "K");
    assert_non_null(strstr(m.question, "web and build"));
    ui_type(&m, "y");
    assert_intent(&m, UI_INTENT_KILL, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_KILL, "bbbb00000002", NULL);
    assert_no_intent(&m);
    ui_type(&m, "*X");
    assert_non_null(strstr(m.question, "and 1 more"));
    ui_type(&m, "n\x1b"); /* Esc takes the marks away */
    assert_int_equal(ui_model_marked(&m), 0);
    ui_type(&m, "gS");
    assert_intent(&m, UI_INTENT_DO, "aaaa00000001",
                  "snapshot\x1f"
                  "create\x1f"
                  "aaaa00000001");
    ui_type(&m, "A");
    assert_non_null(strstr(m.question, "web"));
    ui_type(&m, "n");
    assert_no_intent(&m);
    ui_type(&m, "  Ay"); /* of both, in one go */
    assert_intent(&m, UI_INTENT_DO, NULL,
                  "restart\x1f"
                  "aaaa00000001\x1f"
                  "bbbb00000002");
    ui_model_done(&m);
}

static void filter(struct ui_model *m, const char *text, size_t expected)
{
    ui_type(m, "/\x15");
    ui_type(m, text);
    if (ui_model_visible_count(m) != expected)
        fail_msg("%s: %zu", text, ui_model_visible_count(m));
    ui_type(m, "\r");
}

static void test_filter_words(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    filter(&m, "state:running", 1);
    filter(&m, "!state:running", 2);
    filter(&m, "~^(web|done)$", 2);
    filter(&m, "~(", 3); /* not whole yet: it filters nothing */
    filter(&m, "container !profile:build", 1);
    filter(&m, "name:con", 0);
    filter(&m, "boundary:con", 2);
    ui_type(&m, "\x1b");
    ui_model_done(&m);
}

static void test_sorting_and_groups(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, ">"); /* from their start round to the name */
    assert_string_equal(m.list[m.items[0].index].name, "build");
    ui_type(&m, "-");
    assert_string_equal(m.list[m.items[0].index].name, "web");
    ui_type(&m, "-vv"); /* tree, profile */
    assert_int_equal(m.items[0].kind, UI_ITEM_GROUP);
    ui_type(&m, "v"); /* boundary */
    assert_int_equal(m.items_count, 5);
    assert_string_equal(m.items[0].group, "container");
    assert_int_equal(m.items[0].index, 2);
    assert_int_equal(ui_model_visible_count(&m), 3);
    ui_type(&m, "g");
    assert_string_equal(ui_model_selected(&m)->name, "build"); /* no group has the keys */
    ui_type(&m, "G");
    assert_string_equal(ui_model_selected(&m)->name, "done");
    ui_model_done(&m);
}

static void test_its_process_is_known_from_its_monitor(void **state)
{
    struct ui_model m;
    struct ui_sample s = {.pid = 4242};
    ui_begin(&m);
    const struct ui_row *r = ui_model_row(&m, "aaaa00000001");
    ui_model_sample(&m, r->id, STATE_RUNNING, &s);
    assert_int_equal(r->pid, 4242);
    s.pid = 0; /* it says nothing of it */
    ui_model_sample(&m, r->id, STATE_RUNNING, &s);
    assert_int_equal(r->pid, 4242);
    ui_model_done(&m);
}

static void test_what_goes_through_the_network(void **state)
{
    struct ui_model m;
    char to[32];
    struct ui_sample s = {.network_in = 1000, .network_out = UINT64_MAX};
    ui_begin(&m);
    const struct ui_row *r = ui_model_row(&m, "aaaa00000001");
    assert_string_equal(ui_column_text(&m, r, UI_COL_IN, to, sizeof(to)), "-");
    ui_model_sample(&m, r->id, STATE_RUNNING, &s);
    ui_model_time(&m, m.now_ms + 2000);
    s.network_in += 8192;
    ui_model_sample(&m, r->id, STATE_RUNNING, &s);
    assert_int_equal(r->in_rate, 4096);
    assert_int_equal(ui_history_at(r->history, UI_HISTORY_IN, 0), 4);
    assert_string_equal(ui_column_text(&m, r, UI_COL_OUT, to, sizeof(to)), "-"); /* and not 0 */
    s.network_in = s.network_out = 0; /* nothing is known; what was counted began anew */
    ui_model_time(&m, m.now_ms + 2000);
    ui_model_sample(&m, r->id, STATE_RUNNING, &s);
    assert_string_equal(ui_column_text(&m, r, UI_COL_IN, to, sizeof(to)), "-");
    ui_model_done(&m);
}

static void test_tree(void **state)
{
    struct ui_model m;
    struct state_record list[3] = {ui_records[0], ui_records[1], ui_records[2]};
    ui_begin(&m);
    list[1].snapshot = (char[]){"eeee00000005"};
    struct ui_snapshot *s = mem_zero(2, sizeof(*s));
    s[0] = (struct ui_snapshot){str_dup("eeee00000005"),
                                str_dup("warm"),
                                str_dup("aaaa00000001"),
                                str_dup("web"),
                                str_dup("files"),
                                4096,
                                1000};
    ui_model_list(&m, list, 3);
    ui_model_snapshots(&m, s, 1);
    ui_type(&m, "v");
    assert_int_equal(m.items_count, 4);
    assert_string_equal(m.list[m.items[0].index].name, "web");
    assert_int_equal(m.items[1].kind, UI_ITEM_SNAPSHOT);
    assert_int_equal(m.items[1].depth, 1);
    assert_string_equal(m.list[m.items[2].index].name, "build");
    assert_int_equal(m.items[2].depth, 2);
    ui_type(&m, "gjc"); /* one more of it */
    assert_intent(&m, UI_INTENT_DO, NULL,
                  "clone\x1f"
                  "eeee00000005");
    ui_type(&m, "X");
    assert_non_null(strstr(m.question, "snapshot warm"));
    ui_type(&m, "y");
    assert_intent(&m, UI_INTENT_DO, NULL,
                  "snapshot\x1frm\x1f--force\x1f"
                  "eeee00000005");
    ui_type(&m, "gB");
    assert_non_null(strstr(m.question, "is lost"));
    ui_type(&m, "n");
    ui_model_done(&m);
}

static void test_commands(void **state)
{
    static const char *const none[] = {NULL}, *const snapshot[] = {"create", "list", NULL};
    static const struct ui_verb verbs[] = {
        {"snapshot", "s", snapshot},
        {"stop",     "t", none    },
        {"rm",       "r", none    },
        {"doctor",   "d", none    }
    };
    struct ui_model m;
    ui_begin(&m);
    m.verbs = verbs;
    m.verbs_count = ARRAY_SIZE(verbs);
    ui_type(&m, ":sn\tcr\tbu\t");
    assert_string_equal(m.typed.text, "snapshot create build ");
    ui_type(&m, "\x1b:doctor\r");
    assert_intent(&m, UI_INTENT_PAGE, "doctor", "doctor");
    assert_int_equal(m.page, UI_PAGE_TEXT);
    ui_model_text_more(&m, "one\ntw", 6);
    ui_model_text_more(&m, "o\nthree", 7);
    ui_model_text_end(&m, false);
    assert_int_equal(m.text_count, 3);
    assert_string_equal(m.text[1], "two");
    ui_type(&m, "/thr\r");
    assert_int_equal(m.text_scroll, 2);
    ui_type(&m, "\x1b");
    assert_intent(&m, UI_INTENT_PAGE_END, NULL, NULL);
    assert_int_equal(m.page, UI_PAGE_LIST);
    ui_type(&m, ":rm web\r");
    assert_no_intent(&m);
    ui_type(&m, "y");
    assert_intent(&m, UI_INTENT_DO, NULL, "rm\x1fweb\x1f--force");
    ui_type(&m, ":q\r");
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_model_done(&m);
}

/* interface.still: time and numbers alone draw each ten seconds, whatever happens draws at once. */
static void test_reduced_motion(void **state)
{
    struct ui_sample s = {.cpu_us = 1000000, .memory = 1 << 20};
    struct ui_model m;
    ui_begin(&m);
    ui_model_time(&m, 20000);
    m.still = true;
    m.dirty = false;
    for (int64_t now = 21000; now < 30000; now += 1000) {
        s.cpu_us += 500000;
        ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, &s);
        ui_model_time(&m, now);
        assert_false(m.dirty);
    }
    ui_model_time(&m, 30000);
    assert_true(m.dirty);
    m.dirty = false;
    ui_model_sample(&m, "aaaa00000001", STATE_PAUSED, &s);
    assert_true(m.dirty);
    m.dirty = false;
    ui_type(&m, "j");
    assert_true(m.dirty);
    ui_model_done(&m);
}

static void test_function_keys(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\x1bOP"); /* F1 */
    assert_int_equal(m.page, UI_PAGE_TEXT);
    assert_string_equal(m.text_title, "help");
    ui_type(&m, "\x1b\x1bOS"); /* F4 */
    assert_int_equal(m.dialog, UI_DIALOG_FILTER);
    ui_type(&m, "\x1b\x1b[15~"); /* F5 */
    assert_int_equal(m.arrange, UI_ARRANGE_TREE);
    ui_type(&m, "\x1b[17~"); /* F6 */
    assert_int_not_equal(m.sort, UI_COL_COUNT);
    ui_type(&m, "\x1b[20~"); /* F9 */
    assert_int_equal(m.dialog, UI_DIALOG_CONFIRM);
    ui_type(&m, "n");
    struct ui_intent i;
    while (ui_take_intent(&m, &i))
        ui_intent_done(&i);
    ui_type(&m, "\x1b[21~"); /* F10 */
    assert_intent(&m, UI_INTENT_QUIT, NULL, NULL);
    ui_model_done(&m);
}

static void test_the_tour(void **state)
{
    struct ui_model m;
    struct ui_rect at, list, pane;
    ui_begin(&m);
    ui_type(&m, ":tour\r");
    ui_tour_place(&m, &at);
    ui_model_layout(&m, &list, &pane);
    assert_true(at.rows > 3);
    assert_int_equal(list.row + list.rows, at.row);
    ui_type(&m, "j"); /* the list goes on working */
    assert_string_equal(ui_model_selected(&m)->name, "build");
    ui_type(&m, "\x1b[D\x1b[C");
    assert_int_equal(m.tour, 2);
    ui_type(&m, "\x1b[<0;5;20M"); /* the mouse turns its pages too */
    assert_int_equal(m.tour, 3);
    ui_type(&m, "\r"); /* a console takes its place, for as long as it is open */
    ui_tour_place(&m, &at);
    assert_int_equal(at.rows, 0);
    ui_type(&m, "\x1d\t\x1b");
    ui_tour_place(&m, &at);
    assert_true(at.rows > 3);
    ui_type(&m, "\x1b");
    assert_int_equal(m.tour, 0);
    m.tour = UI_TOUR_STEPS;
    ui_type(&m, "\x1b[C");
    assert_int_equal(m.tour, 0);
    ui_model_done(&m);
}

static void test_mouse(void **state)
{
    struct ui_model m;
    ui_begin(&m);
    ui_type(&m, "\x1b[<0;5;4M\x1b[<0;5;4m"); /* the second row */
    assert_string_equal(ui_model_selected(&m)->name, "build");
    ui_type(&m, "\x1b[<0;5;4M"); /* again: its console */
    assert_intent(&m, UI_INTENT_OPEN, "bbbb00000002", NULL);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    ui_type(&m, "\x1b[<0;3;2M"); /* a heading */
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    assert_string_equal(m.list[m.items[0].index].name, "build");
    ui_type(&m, "\x1b[<65;3;4M"); /* the wheel */
    assert_string_equal(ui_model_selected(&m)->name, "web");
    ui_model_done(&m);
}

/* Any bytes, for a long time: nothing breaks, and the model stays whole. */
static void test_random_keys(void **state)
{
    static const char *const bits[] = {
        "\x1b[A", "\x1b[B", "\x1b[C",       "\x1b[D",        "\r",     "\x1b", "\t",       "\x1d\t",
        "\x1d",   "y",      "\x1b[<0;9;5M", "\x1b[<65;1;1M", "\x1bOS", "\x7f", "\xc3\xa9", "\xff"};
    struct ui_model m;
    unsigned seed = 12345;
    ui_begin(&m);
    struct profile_entry *p = mem_zero(1, sizeof(*p));
    p[0] = (struct profile_entry){.name = str_dup("contained"), .path = str_dup("x")};
    ui_model_profiles(&m, p, 1);
    for (int i = 0; i < 200000; i++) {
        struct ui_intent intent;
        struct ui_rect list, pane;
        seed = seed * 1103515245u + 12345u;
        unsigned n = seed >> 16;
        char one[2] = {(char)(n % 95 + 32), '\0'};
        ui_type(&m, n % 3 ? one : bits[n / 3 % ARRAY_SIZE(bits)]);
        if (n % 97 == 0)
            ui_update_size(&m, 3 + (int)(n / 97 % 60), 10 + (int)(n / 7 % 200));
        if (n % 31 == 0)
            ui_model_list(&m, ui_records + n % 3, 3 - n % 3);
        if (n % 53 == 0)
            ui_model_time(&m, m.now_ms + 1000);
        while (ui_take_intent(&m, &intent))
            ui_intent_done(&intent);
        ui_model_layout(&m, &list, &pane);
        assert_true(ui_model_position(&m) <= m.items_count);
        if (m.text_loading && n % 5 == 0)
            ui_model_text_end(&m, n % 2);
    }
    ui_model_done(&m);
}

static void test_graphs(void **state)
{
    struct ui_history h = {
        .values[UI_HISTORY_CPU] = {0, 250, 500, 1000},
          .used = 4, .next = 4
    };
    autofree char *braille = ui_graph_text(&h, UI_HISTORY_CPU, 2, 0, 1, UI_GRAPH_BRAILLE);
    autofree char *block = ui_graph_text(&h, UI_HISTORY_CPU, 4, 0, 1, UI_GRAPH_BLOCK);
    autofree char *ascii = ui_graph_text(&h, UI_HISTORY_CPU, 4, 0, 1, UI_GRAPH_ASCII);
    assert_string_equal(braille, "\u2880\u28fc");
    assert_string_equal(block, " \u2582\u2584\u2588");
    assert_string_equal(ascii, " :=@");
    autofree char *upper = ui_graph_text(&h, UI_HISTORY_CPU, 4, 0, 2, UI_GRAPH_BLOCK);
    autofree char *lower = ui_graph_text(&h, UI_HISTORY_CPU, 4, 1, 2, UI_GRAPH_BLOCK);
    assert_string_equal(upper, "   \u2588");
    assert_string_equal(lower, " \u2584\u2588\u2588");
}

static void test_a_launch_is_shown_to_its_end(void **state)
{
    struct ui_model m;
    struct ui_rect list, pane, wanted;
    ui_begin(&m);
    ui_model_pane(&m, false, &wanted);
    ui_update_started(&m, "dddd00000004", "short\x1b"); /* gone before a list ever had it */
    assert_no_intent(&m);
    assert_int_equal(m.focus, UI_FOCUS_CONSOLE);
    assert_string_equal(ui_pane(&m)->name, "short\\x1b");
    ui_model_layout(&m, &list, &pane);
    assert_true(pane.rows >= wanted.rows && pane.rows <= wanted.rows + 1);
    struct cells c;
    cells_init(&c, 2, 3);
    ui_model_cells(&m, ui_pane(&m), &c);
    cells_done(&c);
    ui_update_ended(&m, ui_pane(&m), "ended with status 3: \x1b[2J");
    assert_string_equal(ui_pane(&m)->how, "ended with status 3: \\x1b[2J");
    assert_int_equal(m.focus, UI_FOCUS_LIST);
    ui_type(&m, "\tj");
    assert_int_equal(m.focus, UI_FOCUS_LIST); /* nothing to type into */
    assert_string_equal(ui_pane(&m)->id, "dddd00000004");
    assert_int_equal(ui_pane(&m)->cells.rows, 2);
    ui_type(&m, "\x1b");
    assert_intent(&m, UI_INTENT_CLOSE, "dddd00000004", NULL);
    assert_null(ui_pane(&m)->id);
    ui_type(&m, "g\r"); /* the first: web */
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    ui_update_ended(&m, ui_pane(&m), "ended with status 0");
    ui_type(&m, "\r"); /* it lives: it was started again */
    assert_intent(&m, UI_INTENT_CLOSE, "aaaa00000001", NULL);
    assert_intent(&m, UI_INTENT_OPEN, "aaaa00000001", NULL);
    assert_false(ui_pane(&m)->ended);
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
    ui_begin(&m);
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
    ui_begin(&m);
    ui_model_list(&m, ui_records, UI_RECORDS);
    assert_false(m.dirty);
    struct ui_sample sample = {.cpu_us = 1000, .memory = 4096};
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, &sample);
    assert_true(m.dirty);
    m.dirty = false;
    ui_model_time(&m, 5500);
    assert_false(m.dirty); /* no age has changed by what is shown */
    ui_model_time(&m, 6000);
    assert_true(m.dirty);
    m.dirty = false;
    sample.cpu_us = 501000;
    ui_model_sample(&m, "aaaa00000001", STATE_RUNNING, &sample);
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
    ui_begin(&m);
    ui_model_layout(&m, &list, &pane);
    assert_int_equal(list.rows, 22);
    assert_int_equal(pane.rows, 0);
    ui_type(&m, "\r");
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
        cmocka_unit_test(test_an_installation),
        cmocka_unit_test(test_the_dial),
        cmocka_unit_test(test_marks_and_what_is_done_to_all),
        cmocka_unit_test(test_filter_words),
        cmocka_unit_test(test_sorting_and_groups),
        cmocka_unit_test(test_its_process_is_known_from_its_monitor),
        cmocka_unit_test(test_what_goes_through_the_network),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_reduced_motion),
        cmocka_unit_test(test_function_keys),
        cmocka_unit_test(test_the_tour),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_random_keys),
        cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_a_launch_is_shown_to_its_end),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_strangers_words_are_escaped),
        cmocka_unit_test(test_nothing_new_draws_nothing),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
