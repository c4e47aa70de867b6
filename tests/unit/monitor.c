/* Client and monitor over a socketpair and the socket, with the fake boundary and the real
 * confinement. */
#include "base/fd.h"
#include "console/log.h"
#include "tests/unit/monitor_kit.h"

#include <signal.h>
#include <sys/stat.h>

#define SHELL(script) "arg=/bin/sh\narg=-c\narg=" script "\n"

static void assert_nothing_left(struct kit *k)
{
    struct state_record *list;
    size_t count;
    struct error e;
    assert_int_equal(state_list(&k->dirs, &list, &count, &e), 0);
    assert_int_equal(count, 0);
    state_list_free(list, count);
    autofree char *command = str_format("%s/.name-unit", k->dirs.runtime);
    struct stat st;
    assert_int_equal(lstat(command, &st), -1);
}

static void streams_and_status(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, SHELL("read x; printf out; printf err >&2; exit 7"));
    client_attach(s.client, 0, false, 24, 80);
    client_wait(s.client);
    client_input_end(s.client, 0); /* not before we wait, however slow we are */
    seen_until(&s, seen_done_once, NULL);
    assert_string_equal(s.out.data, "out");
    assert_string_equal(s.err.data, "err");
    assert_true(s.out_ended && s.err_ended);
    assert_int_equal(s.starts, 1);
    assert_int_equal(s.exits, 1);
    assert_int_equal(s.status, 7);
    assert_null(s.reason);
    assert_int_equal(kit_end(&k), 0);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void input_is_binary_and_ends(void **state)
{
    struct kit k;
    struct seen s;
    char bytes[70000];
    kit_init(&k);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 256);
    kit_start(&k, &s, "arg=cat\n");
    client_attach(s.client, 0, false, 24, 80);
    client_input(s.client, 0, bytes, sizeof(bytes));
    client_input_end(s.client, 0);
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(s.out.used, sizeof(bytes));
    assert_memory_equal(s.out.data, bytes, sizeof(bytes));
    assert_int_equal(s.status, 0);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static void closed_output_ends_the_writer(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "arg=yes\n");
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_out, "y\ny\n");
    client_output_closed(s.client, 0, 1);
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(s.status, 128 + SIGPIPE);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static void unknown_command_fails(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "arg=/no/such/program\n");
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_fail, NULL);
    assert_int_equal(s.fail_code, ENOENT);
    assert_int_equal(kit_end(&k), 125);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void a_screen_is_shown(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s,
              "terminal=1\n" SHELL("printf 'hello \\033[31mred'; read x; stty size; read x"));
    client_attach(s.client, 0, false, 10, 40);
    seen_until(&s, seen_text, "hello red");
    assert_int_equal(s.rows, 10);
    assert_int_equal(s.cols, 40);
    client_resize(s.client, 0, 12, 50);
    client_input(s.client, 0, "\n", 1);
    seen_until(&s, seen_text, "12 50");
    client_input(s.client, 0, "\n", 1);
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(s.status, 0);
    seen_leave(&s);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static void one_types_and_another_takes_over(void **state)
{
    struct kit k;
    struct seen a, b;
    kit_init(&k);
    kit_start(&k, &a,
              "terminal=1\n" SHELL("stty -echo; printf ready; read x; printf \"got $x\"; read x"));
    client_attach(a.client, 0, false, 24, 80);
    seen_until(&a, seen_text, "ready");
    seen_until(&a, seen_typist, NULL);

    kit_connect(&k, &b);
    client_attach(b.client, 0, false, 30, 90);
    seen_until(&b, seen_text, "ready"); /* the present screen, at once */
    assert_false(b.may_type);
    assert_int_equal(b.rows, 24);
    client_input(b.client, 0, "no\n", 3); /* not heard */
    client_take_over(b.client, 0);
    seen_until(&b, seen_typist, NULL);
    client_input(b.client, 0, "yes\n", 4);
    seen_until(&b, seen_text, "got yes");
    assert_int_equal(b.rows, 30); /* the size is the typist's */
    seen_until(&a, seen_text, "got yes");
    assert_false(a.may_type);
    assert_int_equal(a.viewers, 2);

    client_free(b.client); /* the keyboard comes back when it goes */
    b.client = NULL;
    seen_until(&a, seen_typist, NULL);
    client_kill(a.client);
    seen_until(&a, seen_done_once, NULL);
    assert_string_equal(a.reason, "killed");
    assert_int_equal(a.status, 128 + SIGKILL);
    seen_leave(&a);
    seen_leave(&b);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&a);
    seen_done(&b);
    kit_done(&k);
}

/* A viewer that reads nothing: the workload ends all the same, the viewer sees the last screen. */
static void a_stopped_viewer_stops_nobody(void **state)
{
    struct kit k;
    struct seen idle, s;
    kit_init(&k);
    kit_start(&k, &s,
              "terminal=1\nscrollback=100\n" SHELL(
                  "read x; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); "
                  "printf '\\033[3%dm%0200d\\n' $((i%8)) $i; done; printf end; read x"));
    client_attach(s.client, 0, false, 100, 200);
    seen_until(&s, seen_start, NULL);
    kit_connect(&k, &idle);
    client_attach(idle.client, 0, true, 100, 200);
    client_flush(idle.client, 1000);
    client_input(s.client, 0, "\n", 1);
    seen_until(&s, seen_text, "end");
    seen_until(&idle, seen_text, "end");
    client_history(s.client, 0, 0, 50);
    client_input(s.client, 0, "\n", 1);
    seen_until(&s, seen_exit, NULL);
    assert_true(s.history_count > 0);
    assert_true(s.history_first > 2000); /* the old ones are gone */
    seen_until(&idle, seen_exit, NULL);
    seen_leave(&s);
    seen_leave(&idle);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    seen_done(&idle);
    kit_done(&k);
}

static void stop_is_a_signal_then_a_kill(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "grace=100\n" SHELL("trap '' TERM; echo up; while :; do sleep 1; done"));
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_out, "up");
    client_stop(s.client, -1);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(s.status, 128 + SIGKILL);
    assert_string_equal(s.reason, "stopped");
    assert_int_equal(kit_end(&k), 0);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void a_paused_one_is_thawed_to_stop(void **state)
{
    struct kit k;
    struct seen s;
    struct state_record r;
    struct error e;
    kit_init(&k);
    kit_start(&k, &s, SHELL("trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done"));
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_out, "up");
    client_pause(s.client, true);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(s.done_errors, 0);
    assert_int_equal(state_find(&k.dirs, "unit", &r, &e), 0);
    assert_int_equal(r.phase, STATE_PAUSED);
    state_record_done(&r);
    client_stop(s.client, 10000);
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(s.status, 3);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static void limits_end_it(void **state)
{
    static const char *const plans[][2] = {
        {"time-limit=50\narg=yes\n",             "time limit"},
        {"idle-limit=50\narg=sleep\narg=1000\n", "idle limit"}
    };
    for (size_t i = 0; i < 2; i++) {
        struct kit k;
        struct seen s;
        kit_init(&k);
        kit_start(&k, &s, plans[i][0]);
        client_wait(s.client);
        seen_until(&s, seen_done_once, NULL);
        assert_string_equal(s.reason, plans[i][1]);
        assert_int_equal(s.status, 128 + SIGTERM);
        assert_int_equal(kit_end(&k), 0);
        seen_done(&s);
        kit_done(&k);
    }
}

static void a_kept_one_leaves_log_and_report(void **state)
{
    struct kit k;
    struct seen s;
    struct state_record r;
    struct error e;
    kit_init(&k);
    kit_start(&k, &s, "keep=on-failure\n" SHELL("echo said; exit 4"));
    client_attach(s.client, 0, false, 24, 80);
    client_ask_report(s.client);
    client_wait(s.client);
    seen_until(&s, seen_done_once, NULL);
    assert_non_null(strstr(s.report.data, "\"status\":4"));
    assert_int_equal(kit_end(&k), 0);
    assert_int_equal(state_find(&k.dirs, "0123", &r, &e), 0);
    assert_int_equal(r.phase, STATE_EXITED);
    assert_int_equal(r.status, 4);
    assert_true(r.kept && r.ended_ms >= r.started_ms);
    state_record_done(&r);
    autofree char *log = str_format("%s/workloads/%s/log", k.dirs.state, KIT_ID);
    autofree char *report = str_format("%s/workloads/%s/report", k.dirs.state, KIT_ID);
    assert_int_equal(access(log, F_OK), 0);
    assert_int_equal(access(report, F_OK), 0);
    assert_int_equal(state_clean(&k.dirs, KIT_ID, &e), 0);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void a_kept_success_of_on_failure_is_removed(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "keep=on-failure\narg=true\n");
    client_wait(s.client);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(kit_end(&k), 0);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void logs_late_and_followed(void **state)
{
    struct kit k;
    struct seen s, late;
    kit_init(&k);
    kit_start(&k, &s, SHELL("echo first; read x; echo second"));
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_out, "first");
    kit_connect(&k, &late);
    client_ask_log(late.client, CLIENT_LOG_MAIN, false, 0);
    seen_until(&late, seen_log_end, NULL);
    assert_string_equal(late.log.data, "first\n");
    client_ask_log(late.client, CLIENT_LOG_MAIN, true, 0);
    client_flush(late.client, 1000);
    late.logs_ended = 0;
    client_input(s.client, 0, "\n", 1);
    seen_until(&late, seen_log_end, NULL);
    assert_string_equal(late.log.data, "first\nfirst\nsecond\n");
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    seen_done(&late);
    kit_done(&k);
}

static void the_log_of_a_terminal_is_text(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "terminal=1\n" SHELL("seq 1 50; printf '\\033[1mbold\\033[0m'; read x"));
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_text, "bold");
    client_ask_log(s.client, CLIENT_LOG_MAIN, false, 0);
    seen_until(&s, seen_log_end, NULL);
    assert_true(str_starts(s.log.data, "1\n2\n3\n"));
    assert_true(str_ends(s.log.data, "\n50\nbold\n"));
    client_kill(s.client);
    seen_until(&s, seen_exit, NULL);
    /* it stays for us, but not for ever */
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static void its_state_is_told(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "arg=sleep\narg=1000\n");
    client_ask_state(s.client);
    seen_until(&s, seen_start, NULL);
    client_ask_state(s.client);
    s.state.used = 0;
    seen_until(&s, seen_state, NULL);
    s.state.used = 0;
    client_ask_state(s.client);
    seen_until(&s, seen_state, NULL);
    assert_non_null(strstr(s.state.data, "\"phase\":\"running\""));
    assert_non_null(strstr(s.state.data, "\"cpu_us\":1234"));
    client_kill(s.client);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static void its_figures_are_told_alone(void **state)
{
    struct kit k;
    struct seen s;
    kit_init(&k);
    kit_start(&k, &s, "arg=sleep\narg=1000\n");
    seen_until(&s, seen_start, NULL);
    client_ask_sample(s.client);
    seen_until(&s, seen_sample, NULL);
    assert_int_equal(s.sample.phase, STATE_RUNNING);
    assert_int_not_equal(s.sample.pid, 0);
    assert_int_equal(s.sample.figures.cpu_us, 1234);
    assert_true(s.sample.figures.says_memory == UINT64_MAX);
    s.sampled = false;
    client_pause(s.client, true);
    client_ask_sample(s.client);
    seen_until(&s, seen_sample, NULL);
    assert_int_equal(s.sample.phase, STATE_PAUSED);
    client_kill(s.client);
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    kit_done(&k);
}

static bool state_has(const struct seen *s, const void *what)
{
    return s->state.used && strstr(s->state.data, what);
}

static void what_happened_is_told(void **state)
{
    struct kit k;
    struct seen s, again;
    struct state_record r;
    struct error e;
    kit_init(&k);
    kit_start(&k, &s, "keep=always\narg=sleep\narg=1000\n");
    seen_until(&s, seen_start, NULL);
    client_attach(s.client, 0, false, 24, 80);
    client_pause(s.client, true);
    seen_until(&s, seen_done_once, NULL);
    kit_connect(&k, &again);
    client_ask_state(again.client);
    seen_until(&again, state_has, "paused");
    assert_non_null(strstr(again.state.data, " started\""));
    assert_non_null(strstr(again.state.data, "\"viewers\":1"));
    client_kill(s.client);
    seen_until(&s, seen_exit, NULL);
    assert_int_equal(kit_end(&k), 0);
    assert_int_equal(state_find(&k.dirs, KIT_ID, &r, &e), 0);
    assert_int_equal(strv_length(r.events), 3);
    assert_non_null(strstr(r.events[0], " started"));
    assert_non_null(strstr(r.events[1], " paused"));
    assert_non_null(strstr(r.events[2], " exited with status 137: killed"));
    state_record_done(&r);
    seen_done(&again);
    seen_done(&s);
    kit_done(&k);
}

/* kill -9 of the monitor: the next look says LOST, cleaning replays the journal, nothing is left.
 */
static void a_killed_monitor_is_found_and_cleaned(void **state)
{
    struct kit k;
    struct seen s;
    struct state_record r;
    struct error e;
    kit_init(&k);
    autofree char *made = str_format("%s/made", k.folder);
    autofree char *plan = str_format("journal=%s\narg=sleep\narg=1000\n", made);
    FILE *f = fopen(made, "w");
    assert_non_null(f);
    fclose(f);
    kit_start(&k, &s, plan);
    client_attach(s.client, 0, false, 24, 80);
    seen_until(&s, seen_start, NULL);
    client_ask_state(s.client); /* answered when the state is written */
    seen_until(&s, seen_state, NULL);
    assert_int_equal(state_find(&k.dirs, "unit", &r, &e), 0);
    assert_true(r.pid > 1);
    assert_int_equal(state_clean(&k.dirs, KIT_ID, &e), -EBUSY);
    pid_t workload = r.pid;
    state_record_done(&r);
    kill(k.monitor, SIGKILL);
    assert_int_equal(kit_end(&k), -SIGKILL);
    kill(workload, SIGKILL); /* the fake does not die with its monitor */
    seen_until(&s, seen_close, NULL);
    assert_int_equal(state_find(&k.dirs, "unit", &r, &e), 0);
    assert_int_equal(r.phase, STATE_LOST);
    assert_non_null(r.reason);
    state_record_done(&r);
    assert_int_equal(state_clean(&k.dirs, KIT_ID, &e), 0);
    assert_int_equal(access(made, F_OK), -1);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void a_clean_up_that_fails_is_told(void **state)
{
    struct kit k;
    struct seen s;
    struct state_record r;
    struct error e;
    kit_init(&k);
    kit_start(&k, &s, "stuck=1\narg=true\n");
    client_wait(s.client);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(s.done_errors, 1);
    assert_int_equal(kit_end(&k), 0);
    assert_int_equal(state_find(&k.dirs, "unit", &r, &e), 0);
    assert_int_equal(r.phase, STATE_EXITED);
    assert_non_null(strstr(r.reason, "stuck"));
    state_record_done(&r);
    assert_int_equal(state_clean(&k.dirs, KIT_ID, &e), 0);
    assert_nothing_left(&k);
    seen_done(&s);
    kit_done(&k);
}

static void a_name_is_taken_once(void **state)
{
    struct kit k, second;
    struct seen s, t;
    kit_init(&k);
    kit_start(&k, &s, "arg=sleep\narg=1000\n");
    seen_until(&s, seen_start, NULL);
    second = k;
    kit_start_as(&second, &t, "ba9876543210", "unit", "arg=true\n");
    seen_until(&t, seen_fail, NULL);
    assert_int_equal(t.fail_code, EEXIST);
    assert_int_equal(kit_end(&second), 125);
    client_kill(s.client);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(kit_end(&k), 0);
    assert_nothing_left(&k);
    seen_done(&s);
    seen_done(&t);
    kit_done(&k);
}

static void nonsense_ends_the_connection(void **state)
{
    struct kit k;
    struct seen s, bad;
    kit_init(&k);
    kit_start(&k, &s, "arg=sleep\narg=1000\n");
    seen_until(&s, seen_start, NULL);
    kit_connect(&k, &bad);
    client_flush(bad.client, 1000);
    static const char junk[64] = "this is no frame at all";
    assert_int_equal(write(client_fd(bad.client), junk, sizeof(junk)), sizeof(junk));
    seen_until(&bad, seen_close, NULL);
    client_kill(s.client);
    seen_until(&s, seen_done_once, NULL);
    assert_int_equal(kit_end(&k), 0);
    seen_done(&s);
    seen_done(&bad);
    kit_done(&k);
}

/* Who prints without end costs no more than was said beforehand. */
static void a_kernels_log_is_bounded(void **state)
{
    struct console_log log;
    struct log_chunk head;
    static char noise[60000];
    uint64_t at = 0;
    size_t chunks = 0;
    memset(noise, 'A', sizeof(noise));
    console_log_init(&log, FD_NONE);
    log.most = LOG_KERNEL;
    for (int i = 0; i < 100; i++) {
        console_log_add(&log, i, 1, noise, (size_t)(i % 2 ? 1 : sizeof(noise)));
        assert_true(log.chunks.used <= LOG_KERNEL);
    }
    while (console_log_next(&log, &at, &head)) {
        assert_true(head.at_ms > 80);
        chunks++;
    }
    assert_true(chunks > 4 && head.at_ms == 99);
    console_log_done(&log);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_and_status),
        cmocka_unit_test(input_is_binary_and_ends),
        cmocka_unit_test(closed_output_ends_the_writer),
        cmocka_unit_test(unknown_command_fails),
        cmocka_unit_test(a_screen_is_shown),
        cmocka_unit_test(one_types_and_another_takes_over),
        cmocka_unit_test(a_stopped_viewer_stops_nobody),
        cmocka_unit_test(stop_is_a_signal_then_a_kill),
        cmocka_unit_test(a_paused_one_is_thawed_to_stop),
        cmocka_unit_test(limits_end_it),
        cmocka_unit_test(a_kept_one_leaves_log_and_report),
        cmocka_unit_test(a_kept_success_of_on_failure_is_removed),
        cmocka_unit_test(logs_late_and_followed),
        cmocka_unit_test(the_log_of_a_terminal_is_text),
        cmocka_unit_test(its_state_is_told),
        cmocka_unit_test(its_figures_are_told_alone),
        cmocka_unit_test(what_happened_is_told),
        cmocka_unit_test(a_killed_monitor_is_found_and_cleaned),
        cmocka_unit_test(a_clean_up_that_fails_is_told),
        cmocka_unit_test(a_name_is_taken_once),
        cmocka_unit_test(nonsense_ends_the_connection),
        cmocka_unit_test(a_kernels_log_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
