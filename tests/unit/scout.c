/* What the process beside the interface reads is what the interface gets, whatever a record holds.
 */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "base/file.h"
#include "ui/aside.h"
#include "ui/processes.h"
#include "ui/scout.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[] = "/tmp/cdt-scout.XXXXXX";
static struct dirs dirs;

static void put(const char *id, const char *more)
{
    autofree char *folder = str_format("%s/workloads/%s", dirs.state, id);
    autofree char *file = str_format("%s/state", folder);
    autofree char *text = str_format(
        "{\"version\":1,\"phase\":\"exited\",\"id\":\"%s\",\"name\":\"web\",\"profile\":\"p\","
        "\"boundary\":\"container\",\"runtime\":\"native\",\"image\":\"host\",\"command\":\"true\","
        "\"created_ms\":1,\"started_ms\":2,\"ended_ms\":3,\"kept\":true,\"status\":7%s}",
        id, more);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(file_write_whole(AT_FDCWD, file, text, strlen(text), 0600, false), 0);
}

static int make_place(void **state)
{
    if (!mkdtemp(place))
        return -1;
    dirs = (struct dirs){.runtime = str_format("%s/runtime", place),
                         .state = str_format("%s/state", place),
                         .data = str_dup(place)};
    autofree char *workloads = str_format("%s/workloads", dirs.state);
    return mkdir(dirs.runtime, 0700) < 0 || mkdir(dirs.state, 0700) < 0 ||
           mkdir(workloads, 0700) < 0;
}

static int leave_place(void **state)
{
    dirs_done(&dirs);
    return file_remove_tree(AT_FDCWD, place);
}

static void hear(struct scout *s, struct scout_news *n)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    while (!scout_read(s, n)) {
        assert_true(s->fd >= 0);
        assert_int_equal(poll(&p, 1, 20000), 1);
    }
}

static void test_every_member_arrives(void **state)
{
    struct scout s = {0};
    struct scout_news n;
    struct error e;
    put("aaaaaaaaaaaa",
        ",\"accel\":\"tcg\",\"reason\":\"time limit\",\"snapshot\":\"cccccccccccc\","
        "\"labels\":[\"a=b\",\"c\"],\"limits\":[\"memory=1024\",\"pids=5\"]");
    put("bbbbbbbbbbbb", "");
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    for (int i = 0; i < 3; i++) {
        scout_ask(&s, true, 0);
        hear(&s, &n);
        assert_true(n.listed);
        assert_int_equal(n.count, 2);
        const struct state_record *r = &n.list[strcmp(n.list[0].id, "aaaaaaaaaaaa") != 0];
        assert_string_equal(r->id, "aaaaaaaaaaaa");
        assert_string_equal(r->accel, "tcg");
        assert_string_equal(r->reason, "time limit");
        assert_string_equal(r->snapshot, "cccccccccccc");
        assert_int_equal(r->status, 7);
        assert_int_equal(strv_length(r->labels), 2);
        assert_int_equal(strv_length(r->limits), 2);
        assert_string_equal(r->limits[1], "pids=5");
        scout_news_done(&n); /* frees every one of them */
    }
    scout_done(&s);
}

/* From a folder of its own: nothing of this machine's is read. */
static void write_config(const char *name, const char *text)
{
    autofree char *path = str_format("%s/config/cofferdam/%s", place, name);
    assert_int_equal(file_write_whole(AT_FDCWD, path, text, strlen(text), 0600, false), 0);
}

static void ask_and_hear(struct scout *s, unsigned what, struct scout_news *n)
{
    scout_ask(s, what, 0);
    hear(s, n);
}

/* It was asked, and had nothing to tell. */
static bool is_silent(struct scout *s, unsigned what)
{
    struct scout_news n;
    scout_ask(s, what, 0);
    while (scout_is_busy(s))
        if (scout_read(s, &n)) {
            scout_news_done(&n);
            return false;
        }
    return true;
}

static void test_profiles_and_settings_arrive(void **state)
{
    struct scout s = {0};
    struct scout_news n;
    struct error e;
    autofree char *config = str_format("%s/config", place);
    autofree char *folder = str_format("%s/config/cofferdam/profiles", place);
    assert_int_equal(file_make_dirs(folder, 0700), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", config, 1), 0);
    write_config("interface.ini", "[interface]\nstill = yes\nmouse = no\n[keys]\nquit = ctrl-x\n"
                                  "[theme]\ntitle = red on blue\n[keys]\nno-such = a\n");
    write_config("profiles/mine.ini", "[profile]\ndescription = my own\n");
    write_config("profiles/zz.ini", "[resources]\nmemry = 1\n");
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    ask_and_hear(&s, SCOUT_SETTINGS, &n);
    assert_true(n.settings_read);
    assert_true(n.first_time);
    assert_true(n.settings.still);
    assert_false(n.settings.mouse);
    assert_true(n.settings.given[UI_TITLE]);
    assert_int_equal(n.settings.keys.count, 1);
    assert_non_null(strstr(n.settings.error.text, "interface.ini:9"));
    scout_news_done(&n);
    ask_and_hear(&s, SCOUT_SETTINGS, &n);
    assert_false(n.first_time);
    scout_news_done(&n);
    ask_and_hear(&s, SCOUT_PROFILES, &n);
    assert_true(n.profiles_listed);
    bool mine = false, broken = false;
    for (size_t i = 0; i < n.profiles_count; i++) {
        const struct profile_entry *p = &n.profiles[i];
        mine |= str_equal(p->name, "mine") && str_equal(p->why, "my own") && !p->broken;
        broken |= str_equal(p->name, "zz") && p->broken && strstr(p->why, "memry");
    }
    assert_true(mine);
    assert_true(broken);
    scout_news_done(&n);
    ask_and_hear(&s, SCOUT_DISK, &n); /* and lists and snapshots, once */
    assert_false(n.profiles_listed);
    assert_true(n.disk > 0);
    scout_news_done(&n);
    scout_ask(&s, 0, 0); /* nothing has changed: it says nothing, and is at rest again */
    while (scout_is_busy(&s))
        ;
    assert_false(scout_read(&s, &n));
    int asked = 0; /* nor has the disk, unless somebody fills it just now */
    while (!is_silent(&s, SCOUT_DISK))
        assert_true(++asked < 1000);
    scout_done(&s);
}

/* That they cannot be read is no "there are none", is told once, and so is that they can again. */
static void test_snapshots_that_cannot_be_read(void **state)
{
    struct scout s = {0};
    struct scout_news n;
    struct error e;
    autofree char *path = str_format("%s/snapshots", dirs.state);
    assert_int_equal(file_write_whole(AT_FDCWD, path, "", 0, 0600, false), 0);
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    for (int i = 0; i < 2; i++) {
        ask_and_hear(&s, SCOUT_ALL, &n);
        assert_false(n.snapshots_listed);
        assert_int_equal(n.snapshots_error.code, i ? 0 : ENOTDIR);
        scout_news_done(&n);
    }
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 2; i++) {
        ask_and_hear(&s, SCOUT_ALL, &n);
        assert_int_equal(n.snapshots_listed, !i);
        assert_int_equal(n.snapshots_error.code, 0);
        scout_news_done(&n);
    }
    scout_done(&s);
}

/* What waits for its answer is asked for with whatever is asked next. */
static void test_what_waits_is_not_lost(void **state)
{
    struct scout s = {0};
    struct scout_news n;
    struct error e;
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    ask_and_hear(&s, SCOUT_ALL, &n);
    scout_news_done(&n);
    kill(s.pid, SIGSTOP);
    scout_ask(&s, 0, 0);
    scout_ask(&s, SCOUT_ALL | SCOUT_DISK, 0);
    scout_ask(&s, SCOUT_SETTINGS, 0); /* not with anything else: it is asked for again */
    assert_int_equal(s.again, SCOUT_ALL | SCOUT_DISK);
    kill(s.pid, SIGCONT);
    while (scout_is_busy(&s)) /* nothing has changed: it says nothing */
        assert_false(scout_read(&s, &n));
    scout_ask(&s, 0, 0); /* as each second */
    hear(&s, &n);
    assert_true(n.listed);
    assert_true(n.disk > 0);
    assert_int_equal(s.again, 0);
    scout_news_done(&n);
    scout_done(&s);
}

static void test_another_takes_over(void **state)
{
    struct scout s = {0};
    struct scout_news n;
    struct error e;
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    pid_t killed = s.pid;
    kill(killed, SIGKILL);
    while (s.fd >= 0) {
        struct pollfd p = {.fd = s.fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 20000), 1);
        assert_false(scout_read(&s, &n));
    }
    assert_int_equal(s.pid, 0); /* seen off */
    while (kill(killed, 0) == 0)
        scout_reap(&s);
    for (size_t i = 0; i < SCOUT_KILLED; i++)
        assert_int_equal(s.killed[i], 0);
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    scout_ask(&s, true, 0);
    hear(&s, &n);
    assert_true(n.listed);
    scout_news_done(&n);
    scout_done(&s);
}

static void on_signal(int signo)
{
}

/* Curses has handlers that interrupt what waits; a terminal signals all of its session. */
static void test_signals_do_not_end_it(void **state)
{
    static const int sent[] = {SIGWINCH, SIGCONT};
    const struct sigaction handled = {.sa_handler = on_signal};
    struct sigaction before;
    struct scout s = {0};
    struct scout_news n;
    struct error e;
    assert_int_equal(sigaction(SIGWINCH, &handled, &before), 0);
    assert_int_equal(scout_start(&s, &dirs, &e), 0);
    scout_ask(&s, true, 0);
    hear(&s, &n);
    scout_news_done(&n);
    pid_t pid = s.pid;
    assert_int_equal(getsid(pid), pid);
    for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
        assert_int_equal(kill(pid, sent[i]), 0);
        scout_ask(&s, true, 0);
        hear(&s, &n);
        scout_news_done(&n);
        assert_int_equal(s.pid, pid);
    }
    scout_done(&s);
    assert_int_equal(sigaction(SIGWINCH, &before, NULL), 0);
}

/* --- what runs in a workload --- */

enum {
    CHILDREN = 700, /* their numbers are more than a page of /proc holds */
    NO_MORE = '-',  /* told by who could not make another */
};

/* Each lives until the other end of the pipe is closed. */
static _Noreturn void live(const int gate[2], int told)
{
    char c;
    fd_close(gate[1]);
    fd_write_full(told, "x", 1);
    fd_close(told);
    while (read(gate[0], &c, 1) < 0 && errno == EINTR)
        ;
    _exit(0);
}

static _Noreturn void live_with_children(const int gate[2], int told)
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        if (pid == 0)
            live(gate, told);
        if (pid < 0) {
            fd_write_full(told, &(const char){NO_MORE}, 1);
            break;
        }
    }
    live(gate, told);
}

static void test_all_children_are_listed(void **state)
{
    int gate[2], told[2], heard = 0;
    char c = 0;
    assert_int_equal(fd_pipe(gate, 0), 0);
    assert_int_equal(fd_pipe(told, 0), 0);
    pid_t parent = fork();
    if (parent == 0)
        live_with_children(gate, told[1]);
    fd_close(gate[0]);
    fd_close(told[1]);
    while (parent > 0 && heard <= CHILDREN && fd_read_full(told[0], &c, 1) == 0 && c == 'x')
        heard++;
    autobuf b = {0};
    if (heard > CHILDREN)
        processes_print(parent, &b);
    fd_close(gate[1]); /* all of them end */
    fd_close(told[0]);
    assert_true(parent > 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    if (c == NO_MORE) {
        print_message("so many processes are not to be had here\n");
        skip();
    }
    assert_int_equal(heard, CHILDREN + 1);
    autofree char *last = str_format("\n%d processes, by", CHILDREN + 1);
    assert_non_null(strstr(b.data, last));
}

static int echo(int fd, const void *data)
{
    const char *text = data;
    return fd_write_full(fd, text, strlen(text)) < 0 ? 1 : 7;
}

static void test_a_copy_of_ours_works_beside(void **state)
{
    struct error e;
    siginfo_t info = {0};
    char data[6];
    int output, pidfd;
    assert_int_equal(aside_start(echo, "hello", &output, &pidfd, &e), 0);
    assert_int_equal(fd_read_full(output, data, 5), 0);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(read(output, data, 1), 0);
    assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), 0);
    assert_int_equal(info.si_status, 7);
    fd_close(output);
    fd_close(pidfd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member_arrives),
        cmocka_unit_test(test_profiles_and_settings_arrive),
        cmocka_unit_test(test_snapshots_that_cannot_be_read),
        cmocka_unit_test(test_what_waits_is_not_lost),
        cmocka_unit_test(test_another_takes_over),
        cmocka_unit_test(test_signals_do_not_end_it),
        cmocka_unit_test(test_all_children_are_listed),
        cmocka_unit_test(test_a_copy_of_ours_works_beside),
    };
    return cmocka_run_group_tests(tests, make_place, leave_place);
}
