/* The module against a service manager made here: a server on the private socket it would have. */
#include "backends/cgroup/systemd_module.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct systemd_module systemd_module;

static char folder[64];

static const char job_path[] = "/org/freedesktop/systemd1/job/7";

/* Checks what was asked for; leaves the process with a number of its own for each thing wrong. */
static int on_start(sd_bus_message *m, void *data, sd_bus_error *error)
{
    const char *name, *mode;
    if (sd_bus_message_read(m, "ss", &name, &mode) < 0 || strcmp(mode, "fail") != 0)
        _exit(10);
    if (strstr(name, "refused"))
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "not \033[31mtoday");
    bool delegate = false, pids = false;
    sd_bus_message_enter_container(m, 'a', "(sv)");
    while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
        const char *key;
        sd_bus_message_read(m, "s", &key);
        int on;
        uint32_t pid;
        if (strcmp(key, "Delegate") == 0)
            delegate = sd_bus_message_read(m, "v", "b", &on) > 0 && on;
        else if (strcmp(key, "PIDs") == 0)
            pids = sd_bus_message_enter_container(m, 'v', "au") > 0 &&
                   sd_bus_message_enter_container(m, 'a', "u") > 0 &&
                   sd_bus_message_read(m, "u", &pid) > 0 && pid == (uint32_t)getppid() &&
                   sd_bus_message_exit_container(m) >= 0 && sd_bus_message_exit_container(m) >= 0;
        else
            sd_bus_message_skip(m, "v");
        sd_bus_message_exit_container(m);
    }
    if (!delegate || !pids)
        _exit(11);
    sd_bus *bus = sd_bus_message_get_bus(m);
    int r = sd_bus_reply_method_return(m, "o", job_path);
    if (r >= 0 && !strstr(name, "silent"))
        r = sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                               "JobRemoved", "uoss", 7u, job_path, name,
                               strstr(name, "failing") ? "failed" : "done");
    return r;
}

static int on_subscribe(sd_bus_message *m, void *data, sd_bus_error *error)
{
    return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Subscribe", NULL, NULL, on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", on_start,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
    SD_BUS_VTABLE_END,
};

static void serve(int listener)
{
    alarm(20);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        sd_bus *bus = NULL;
        sd_id128_t id =
            SD_ID128_MAKE(c0, ff, ee, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 01);
        if (fd < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
            sd_bus_set_server(bus, 1, id) < 0 || sd_bus_set_anonymous(bus, 1) < 0 ||
            sd_bus_start(bus) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1",
                                     "org.freedesktop.systemd1.Manager", manager, NULL) < 0)
            _exit(12);
        int r;
        while ((r = sd_bus_process(bus, NULL)) >= 0)
            if (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0)
                break;
        sd_bus_unref(bus);
    }
}

static int set_up(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(folder, "/tmp/cofferdam-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    autofree char *below = str_join_path(folder, "systemd");
    mkdir(below, 0700);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/private", below);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 4) < 0)
        return -1;
    pid_t *server = NEW(pid_t);
    *server = fork();
    if (*server == 0)
        serve(listener);
    fd_close(listener);
    setenv("XDG_RUNTIME_DIR", folder, 1);
    *state = server;
    return *server < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    pid_t *server = *state;
    int status;
    kill(*server, SIGTERM);
    waitpid(*server, &status, 0);
    free(server);
    return file_remove_tree(AT_FDCWD, folder);
}

static void starts_a_delegated_scope(void **state)
{
    struct error e = {0};
    assert_int_equal(systemd_module.ping(SYSTEMD_OF_USER, 5000, &e), 0);
    assert_int_equal(systemd_module.start_scope(SYSTEMD_OF_USER, "cofferdam-0123456789ab.scope",
                                                "a test", getpid(), 5000, &e),
                     0);
}

static void a_refusal_is_told_escaped(void **state)
{
    struct error e = {0};
    assert_true(
        systemd_module.start_scope(SYSTEMD_OF_USER, "refused.scope", "", getpid(), 5000, &e) < 0);
    assert_non_null(strstr(e.text, "not \\x1b[31mtoday"));
    assert_null(strchr(e.text, '\033'));
}

static void a_failed_job_is_an_error(void **state)
{
    struct error e = {0};
    assert_int_equal(
        systemd_module.start_scope(SYSTEMD_OF_USER, "failing.scope", "", getpid(), 5000, &e),
        -ECANCELED);
}

static void a_silent_manager_is_given_up(void **state)
{
    struct error e = {0};
    assert_int_equal(
        systemd_module.start_scope(SYSTEMD_OF_USER, "silent.scope", "", getpid(), 50, &e),
        -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_a_delegated_scope),
        cmocka_unit_test(a_refusal_is_told_escaped),
        cmocka_unit_test(a_failed_job_is_an_error),
        cmocka_unit_test(a_silent_manager_is_given_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
