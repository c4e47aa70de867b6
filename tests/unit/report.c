/* The page printed from a report: complete, empty, hostile. */
#include "app/cli/report.h"
#include "backends/changes_json.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *page(const char *json)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    report_print_text(to, json, false);
    fclose(to);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        print_error("no \"%s\" in:\n%s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void a_whole_one(void **state)
{
    autofree char *text =
        page("{\"name\": \"box\", \"profile\": \"contained\", \"boundary\": \"container\","
             " \"runtime\": \"native\", \"command\": \"./x\","
             " \"ended\": {\"how\": \"time limit\", \"status\": 137, \"signal\": 9,"
             "             \"duration_ms\": 61000},"
             " \"usage\": {\"cpu_us\": 2500000, \"memory_peak\": 1048576, \"oom_kills\": 1},"
             " \"neutralised\": {\"clipboard\": 2, \"titles\": 0},"
             " \"shortfalls\": [\"resources.pids is not enforced\"],"
             " \"changes\": {\"list\": [{\"kind\": \"added\", \"path\": \"/usr/bin/s\","
             "   \"type\": \"file\", \"mode\": \"4755\", \"size\": 3,"
             "   \"notes\": [\"set-id\", \"executable\"]},"
             "   {\"kind\": \"deleted\", \"path\": \"/etc/x\", \"notes\": []}],"
             "   \"cut\": true, \"bytes\": 3, \"unreadable\": 2}}");
    has(text, "box: ./x (profile contained, container by native)");
    has(text, "by signal SIGKILL after 1m01s: time limit");
    has(text, "2.5s of processor time, 1.0 MiB of memory at most; it ran out of memory");
    has(text, "1 added, 0 changed, 1 deleted; 3 B in files");
    has(text, "+ /usr/bin/s  3 B  set-id, executable");
    has(text, "- /etc/x");
    has(text, "… and more");
    has(text, "2 that could not be read");
    has(text, "2 writes to the clipboard did not reach your terminal");
    has(text, "resources.pids is not enforced");
    has(text, "not seen");
}

static void empty_and_broken(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"changes\": null, \"ended\": 7, \"usage\": [], \"neutralised\": \"x\", \"shortfalls\": "
        "1}",
        "{\"changes\": {\"list\": [1, {}, {\"path\": 3, \"mode\": {}, \"size\": -1}]}}",
        "{\"ended\": {\"signal\": 99999999999, \"status\": -3, \"duration_ms\": \"x\"}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        autofree char *text = page(rows[i]);
        has(text, "ended");
    }
    autofree char *text = page("[1, 2");
    has(text, "damaged");
}

static void nothing_reaches_the_terminal(void **state)
{
    autofree char *text =
        page("{\"name\": \"\\u001b]0;x\\u0007\", \"command\": \"\\u202eabc\\n\","
             " \"ended\": {\"how\": \"\\u001b[2J\"}, \"shortfalls\": [\"\\u009b31m\"],"
             " \"changes\": {\"list\": [{\"kind\": \"added\", \"path\": \"/\\u001b[31m\\r\"}]}}");
    assert_null(strchr(text, '\033'));
    assert_null(strchr(text, '\r'));
    assert_null(strstr(text, "\u202e"));
    assert_null(strstr(text, "\xc2\x9b"));
}

static void changes_there_and_back(void **state)
{
    static char strange[] = "/\xff\\x2f..\\u{2f}\x01\xe2\x80\xae\\\\x41\xc3\xa4",
                plain[] = "/\\x41\x01";
    struct change list[] = {
        {CHANGE_ADDED,   S_IFREG | 04755, 12, CHANGE_SETID | CHANGE_EXECUTABLE, (char *)"/a"    },
        {CHANGE_DELETED, 0,               0,  CHANGE_KEY,                       (char *)"/b\xff"},
        {CHANGE_CHANGED, S_IFDIR | 0700,  0,  0,                                (char *)"/c"    },
        {CHANGE_ADDED,   S_IFREG,         0,  0,                                strange         },
        {CHANGE_ADDED,   S_IFREG,         0,  0,                                plain           },
    };
    struct changes c = {.list = list, .count = ARRAY_SIZE(list), .bytes = 12, .unreadable = 1},
                   back;
    json_t *o = changes_to_json(&c);
    assert_int_equal(changes_from_json(o, &back), 0);
    json_decref(o);
    assert_int_equal(back.count, ARRAY_SIZE(list));
    assert_int_equal(back.list[0].mode, S_IFREG | 04755);
    assert_int_equal(back.list[0].notes, CHANGE_SETID | CHANGE_EXECUTABLE);
    assert_int_equal(back.list[1].kind, CHANGE_DELETED);
    assert_string_equal(back.list[1].path, "/b\xff");
    assert_string_equal(back.list[3].path, strange);
    assert_string_equal(back.list[4].path, plain);
    assert_true(S_ISDIR(back.list[2].mode));
    assert_int_equal(back.bytes, 12);
    changes_done(&back);
}

/* Only what we write ourselves is undone: nothing else comes in through it. */
static void no_way_in_by_escapes(void **state)
{
    static const char *const lies[] = {
        "/a\\x2fb",       "/\\x2e\\x2e/\\xff",
        "/a\\x00b",       "/\\u{2f}\\xff",
        "/\\u{1ff}\\xff", "/\\xFF",
        "/\\x9",          "/\\",
        "/\\u{202e",      "/\\u{}",
        "/\\u{d800}",     "/\\u{fffffff}",
        "/\\n\\xff",      "/\\xc3\\xa4",
        "/\\x41\\xff",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        struct changes back;
        json_t *o = json_pack("{s:[{s:s, s:b}]}", "list", "path", lies[i], "escaped", 1);
        assert_int_equal(changes_from_json(o, &back), 0);
        assert_string_equal(back.list[0].path, lies[i]);
        changes_done(&back);
        json_decref(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_one),
        cmocka_unit_test(empty_and_broken),
        cmocka_unit_test(nothing_reaches_the_terminal),
        cmocka_unit_test(changes_there_and_back),
        cmocka_unit_test(no_way_in_by_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
