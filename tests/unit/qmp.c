/* QEMU's control channel, with a QEMU that means us ill. */
#include "backends/microvm/qmp.h"
#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Everything QEMU says is put into the socket before it is asked; ids count from 1. */
static struct qmp *qmp_with(const char *said, int *ret_theirs)
{
    int pair[2];
    assert_int_equal(fd_socketpair(pair), 0);
    assert_int_equal(fd_nonblock(pair[1]), 0);
    assert_int_equal(write(pair[1], said, strlen(said)), (ssize_t)strlen(said));
    struct qmp *q = qmp_new(pair[0]);
    assert_non_null(q);
    *ret_theirs = pair[1];
    return q;
}

#define GREETING "{\"QMP\": {\"version\": {}}}\n{\"return\": {}, \"id\": 1}\n"

/* One that answers each request with the next of these lines, and ends. */
static struct qmp *qmp_that_answers(const char *const *lines, pid_t *ret_pid)
{
    int pair[2];
    assert_int_equal(fd_socketpair(pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char asked[4096];
        close(pair[0]);
        (void)!write(pair[1], "{\"QMP\": {}}\n", 12);
        for (; *lines && read(pair[1], asked, sizeof(asked)) > 0; lines++)
            (void)!write(pair[1], *lines, strlen(*lines));
        _exit(0);
    }
    close(pair[1]);
    *ret_pid = pid;
    struct qmp *q = qmp_new(pair[0]);
    assert_non_null(q);
    return q;
}

static void a_call_is_answered(void **state)
{
    static const char *const lines[] = {
        "{\"return\": {}, \"id\": 1}\n",
        "{\"event\": \"STOP\", \"data\": {}}\n{\"return\": {\"running\": false}, \"id\": 2}\n",
        NULL};
    struct error e;
    pid_t pid;
    struct qmp *q = qmp_that_answers(lines, &pid);
    json_t *got = NULL;
    assert_int_equal(qmp_call(q, "query-status", NULL, 5000, &got, &e), 0);
    assert_true(json_is_false(json_object_get(got, "running")));
    json_decref(got);
    qmp_free(q);
    waitpid(pid, NULL, 0);
}

static void an_error_is_its_own_words(void **state)
{
    static const char *const lines[] = {
        "{\"return\": {}, \"id\": 1}\n",
        "{\"error\": {\"class\": \"x\", \"desc\": \"no \\u001b[31m\"}, \"id\": 2}\n", NULL};
    struct error e;
    pid_t pid;
    struct qmp *q = qmp_that_answers(lines, &pid);
    assert_int_equal(qmp_call(q, "stop", NULL, 5000, NULL, &e), -EIO);
    assert_non_null(strstr(e.text, "no "));
    assert_null(strchr(e.text, 0x1b));
    qmp_free(q);
    waitpid(pid, NULL, 0);
}

/* Answers nobody asked for, or to something else, are none. */
static void strange_answers_are_passed_over(void **state)
{
    int theirs;
    struct error e;
    struct qmp *q = qmp_with(GREETING "{\"return\": {}, \"id\": 77}\n{\"return\": {}}\n"
                                      "{\"return\": {}, \"id\": \"2\"}\n",
                             &theirs);
    assert_int_equal(qmp_call(q, "stop", NULL, 20, NULL, &e), -ETIMEDOUT);
    assert_true(qmp_fd(q) >= 0);
    qmp_free(q);
    close(theirs);
}

static void what_is_no_json_ends_it(void **state)
{
    static const char *const lines[] = {"nonsense\n", "[]\n", "{\"QMP\": 1\n", "\n",
                                        "{\"a\":1,\"a\":2}\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int theirs;
        struct error e;
        struct qmp *q = qmp_with(lines[i], &theirs);
        assert_int_equal(qmp_call(q, "stop", NULL, 1000, NULL, &e), -EPIPE);
        assert_int_equal(qmp_fd(q), FD_NONE);
        qmp_free(q);
        close(theirs);
    }
}

/* A line without an end is not kept without an end. */
static void an_endless_line_ends_it(void **state)
{
    int theirs;
    char noise[4096];
    struct qmp *q = qmp_with("{", &theirs);
    memset(noise, ' ', sizeof(noise));
    size_t sent = 0;
    while (qmp_fd(q) >= 0 && sent < 10 * (size_t)QMP_LINE_MAX) {
        ssize_t n = write(theirs, noise, sizeof(noise));
        sent += n > 0 ? (size_t)n : 0;
        qmp_dispatch(q, NULL, NULL);
    }
    assert_int_equal(qmp_fd(q), FD_NONE);
    assert_true(sent <= 2 * (size_t)QMP_LINE_MAX);
    qmp_free(q);
    close(theirs);
}

static void one_that_is_gone(void **state)
{
    int theirs;
    struct error e;
    struct qmp *q = qmp_with(GREETING, &theirs);
    close(theirs);
    assert_int_equal(qmp_call(q, "stop", NULL, 1000, NULL, &e), -EPIPE);
    qmp_free(q);
}

static void count_answer(void *data, const json_t *value)
{
    *(json_int_t *)data += json_integer_value(json_object_get(value, "n"));
}

/* What is asked without waiting: late answers arrive, calls go on meanwhile, nothing is asked
 * twice. */
static void what_is_asked_need_not_be_awaited(void **state)
{
    int theirs;
    struct error e;
    json_int_t sum = 0;
    char sent[1024] = "";
    struct qmp *q = qmp_with(GREETING, &theirs);
    for (int i = 0; i < 3; i++)
        assert_int_equal(qmp_query(q, "query-x", 1, count_answer, &sum, &e), 0);
    ssize_t n = recv(theirs, sent, sizeof(sent) - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    assert_non_null(strstr(sent, "qmp_capabilities"));
    char *asked = strstr(sent, "query-x");
    assert_non_null(asked);
    assert_null(strstr(asked + 1, "query-x"));
    assert_true(sum == 0 && qmp_fd(q) >= 0);
    static const char call[] = "{\"return\":{},\"id\":1}\n{\"return\":{\"n\":7},\"id\":3}\n";
    assert_int_equal(write(theirs, call, strlen(call)), strlen(call));
    assert_int_equal(qmp_call(q, "stop", NULL, 1000, NULL, &e), 0);
    static const char late[] = "{\"return\":{\"n\":5},\"id\":2}\n{\"return\":{\"n\":5},\"id\":2}\n";
    assert_int_equal(write(theirs, late, strlen(late)), strlen(late));
    qmp_dispatch(q, NULL, NULL);
    assert_int_equal(sum, 5);
    close(theirs);
    qmp_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(an_error_is_its_own_words),
        cmocka_unit_test(strange_answers_are_passed_over),
        cmocka_unit_test(what_is_no_json_ends_it),
        cmocka_unit_test(an_endless_line_ends_it),
        cmocka_unit_test(one_that_is_gone),
        cmocka_unit_test(what_is_asked_need_not_be_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
