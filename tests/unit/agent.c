/* The agent as it is: a real cofferdam-init in a small container, through the host's side. */
#include "tests/unit/agent.h"

#include "base/fd.h"
#include "base/records.h"
#include "init/agent.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* A vector of literals; lives as long as the block it is written in. */
#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

enum { WAIT_MS = 20000, CONSOLES = 8 };

/* What became of each console and transfer; -1: nothing yet. */
struct seen {
    struct box box;
    struct agent_host *host; /* owned */
    struct {
        bool started;
        pid_t pid;
        struct launch_streams streams; /* owned */
        int failed, status;
        char text[512];
        struct buf out, err;
    } consoles[CONSOLES];
    int copied;
    char copied_text[512];
    bool closed;
    char why[128];
};

static void on_started(void *data, uint32_t n, pid_t pid, struct launch_streams *streams)
{
    struct seen *s = data;
    s->consoles[n].started = true;
    s->consoles[n].pid = pid;
    s->consoles[n].streams = *streams;
}

static void on_failed(void *data, uint32_t n, const struct error *e)
{
    struct seen *s = data;
    s->consoles[n].failed = e->code;
    snprintf(s->consoles[n].text, sizeof(s->consoles[n].text), "%s", e->text);
}

static void on_exited(void *data, uint32_t n, int status)
{
    struct seen *s = data;
    s->consoles[n].status = status;
}

static void on_copied(void *data, uint32_t n, const struct error *e)
{
    struct seen *s = data;
    assert_int_equal(n, 77);
    s->copied = e ? e->code : 0;
    snprintf(s->copied_text, sizeof(s->copied_text), "%s", e ? e->text : "");
}

static void on_closed(void *data, const char *why)
{
    struct seen *s = data;
    assert_false(s->closed);
    s->closed = true;
    snprintf(s->why, sizeof(s->why), "%s", why ? why : "");
}

static const struct agent_host_events events = {
    .started = on_started,
    .failed = on_failed,
    .exited = on_exited,
    .copied = on_copied,
    .closed = on_closed,
};

static int setup(void **state)
{
    struct seen *s = NEW(struct seen);
    const char *why = box_start(&s->box);
    if (why) {
        print_message("# %s\n", why);
        free(s);
        return 0;
    }
    s->host = agent_host_new(s->box.socket);
    assert_non_null(s->host);
    s->copied = -1;
    for (int i = 0; i < CONSOLES; i++) {
        s->consoles[i].status = -1;
        s->consoles[i].streams = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    }
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct seen *s = *state;
    if (!s)
        return 0;
    for (int i = 0; i < CONSOLES; i++) {
        fd_close(s->consoles[i].streams.terminal);
        fd_close(s->consoles[i].streams.in);
        fd_close(s->consoles[i].streams.out);
        fd_close(s->consoles[i].streams.err);
        buf_done(&s->consoles[i].out);
        buf_done(&s->consoles[i].err);
    }
    agent_host_free(s->host);
    if (s->box.pid)
        box_end(&s->box, true);
    free(s);
    return 0;
}

static struct seen *seen_or_skip(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* Reads what is there into `to`; the descriptor is closed at its end. */
static void drain(int *fd, struct buf *to)
{
    char bytes[4096];
    ssize_t n = 1;
    while (*fd >= 0 && (n = read(*fd, bytes, sizeof(bytes))) > 0)
        buf_add(to, bytes, (size_t)n);
    if (*fd >= 0 && (n == 0 || errno != EAGAIN))
        *fd = fd_close(*fd);
}

/* One round: waits for any event, dispatches, drains. */
static void turn(struct seen *s)
{
    struct pollfd p[1 + 3 * CONSOLES] = {
        {.fd = agent_host_fd(s->host), .events = POLLIN}
    };
    nfds_t count = 1;
    for (int i = 0; i < CONSOLES; i++) {
        p[count++] = (struct pollfd){.fd = s->consoles[i].streams.out, .events = POLLIN};
        p[count++] = (struct pollfd){.fd = s->consoles[i].streams.err, .events = POLLIN};
        p[count++] = (struct pollfd){.fd = s->consoles[i].streams.terminal, .events = POLLIN};
    }
    assert_true(poll(p, count, s->closed ? 0 : WAIT_MS) > 0);
    agent_host_dispatch(s->host, &events, s);
    for (int i = 0; i < CONSOLES; i++) {
        drain(&s->consoles[i].streams.out, &s->consoles[i].out);
        drain(&s->consoles[i].streams.err, &s->consoles[i].err);
        drain(&s->consoles[i].streams.terminal, &s->consoles[i].out);
    }
}

static struct agent_host_command command_of(char **argv)
{
    static const char *env[] = {"PATH=/usr/bin:/bin", "WORD=a b", NULL};
    return (struct agent_host_command){
        .argv = argv, .env = (char **)env, .cwd = "/tmp", .umask = 022};
}

static void start(struct seen *s, uint32_t console, const struct agent_host_command *c)
{
    struct error e;
    assert_int_equal(agent_host_start(s->host, console, c, &e), 0);
}

static void start_shell(struct seen *s, uint32_t console, const char *script)
{
    char **argv = WORDS("sh", "-c", script);
    struct agent_host_command c = command_of(argv);
    start(s, console, &c);
}

/* A main that stays until its stdin ends. */
static void start_main(struct seen *s)
{
    start_shell(s, 0, "read x; exit 3");
    while (!s->consoles[0].started)
        turn(s);
}

static int finish(struct seen *s, int console)
{
    while (s->consoles[console].status < 0 && !s->consoles[console].failed)
        turn(s);
    while (s->consoles[console].streams.out >= 0 || s->consoles[console].streams.err >= 0)
        turn(s);
    return s->consoles[console].status;
}

static const char *out_of(struct seen *s, int console)
{
    return s->consoles[console].out.data ? s->consoles[console].out.data : "";
}

/* --- tests
 * ---------------------------------------------------------------------------------------- */

static void test_streams_and_status(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_shell(s, 0, "cat; echo $WORD >&2; pwd; exit 7");
    while (!s->consoles[0].started)
        turn(s);
    assert_int_equal(write(s->consoles[0].streams.in, "a\0b\n", 4), 4);
    s->consoles[0].streams.in = fd_close(s->consoles[0].streams.in);
    assert_int_equal(finish(s, 0), 7);
    assert_int_equal(s->consoles[0].out.used, 9);
    assert_memory_equal(s->consoles[0].out.data, "a\0b\n/tmp\n", 9);
    assert_string_equal(s->consoles[0].err.data, "a b\n");
    while (!s->closed)
        turn(s);
    assert_string_equal(s->why, "");
    assert_int_equal(box_end(&s->box, false), 7);
    s->box.pid = 0;
}

static void test_wait_for_main(void **state)
{
    struct seen *s = seen_or_skip(state);
    struct error e;
    pid_t pid = 0;
    start_shell(s, 0, "exit 0");
    assert_int_equal(agent_host_wait_started(s->host, WAIT_MS, &s->consoles[0].streams, &pid, &e),
                     0);
    assert_int_equal(pid, 2);
    assert_int_equal(finish(s, 0), 0);
}

static void test_wait_for_what_is_missing(void **state)
{
    struct seen *s = seen_or_skip(state);
    struct error e;
    pid_t pid;
    char **argv = WORDS("no-such-program");
    struct agent_host_command c = command_of(argv);
    start(s, 0, &c);
    assert_int_equal(agent_host_wait_started(s->host, WAIT_MS, &s->consoles[0].streams, &pid, &e),
                     -ENOENT);
    assert_string_equal(e.text, "no-such-program: not found");
}

static void test_a_signal_ends_main(void **state)
{
    struct seen *s = seen_or_skip(state);
    struct error e;
    start_main(s);
    assert_int_equal(agent_host_signal(s->host, 0, SIGTERM, &e), 0);
    assert_int_equal(finish(s, 0), 128 + SIGTERM);
}

static void test_failures_to_start(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_main(s);
    char **missing = WORDS("/no/such/program"), **plain = WORDS("/etc/plain");
    char **folder = WORDS("/etc"), **good = WORDS("true");
    struct agent_host_command c[6];
    c[1] = command_of(missing);
    c[2] = command_of(plain);
    c[3] = command_of(folder);
    c[4] = c[5] = command_of(good);
    c[4].cwd = "/nowhere";
    c[5].cwd = "/proc/1";
    for (uint32_t i = 1; i < 6; i++)
        start(s, i, &c[i]);
    for (int i = 1; i < 6; i++)
        finish(s, i);
    assert_int_equal(s->consoles[1].failed, ENOENT);
    assert_int_equal(s->consoles[2].failed, EACCES);
    assert_int_equal(s->consoles[3].failed, EACCES);
    assert_int_equal(s->consoles[4].failed, EINVAL);
    assert_string_equal(s->consoles[4].text,
                        "the working directory /nowhere: No such file or directory");
    assert_int_equal(s->consoles[5].failed, EINVAL);
}

static void test_a_terminal(void **state)
{
    struct seen *s = seen_or_skip(state);
    char **argv =
        WORDS("sh", "-c", "stty size; tty; test -t 2 && exec sh -c 'read x; echo got=$x'");
    struct agent_host_command c = command_of(argv);
    c.terminal = true;
    c.rows = 33;
    c.cols = 101;
    start(s, 0, &c);
    while (!s->consoles[0].started)
        turn(s);
    assert_int_equal(s->consoles[0].streams.in, FD_NONE);
    while (!strstr(out_of(s, 0), "/dev/pts/0")) /* what is typed before is echoed in between */
        turn(s);
    assert_int_equal(write(s->consoles[0].streams.terminal, "word\n", 5), 5);
    assert_int_equal(finish(s, 0), 0);
    while (s->consoles[0].streams.terminal >= 0)
        turn(s);
    assert_non_null(strstr(out_of(s, 0), "33 101\r\n/dev/pts/0\r\n"));
    assert_non_null(strstr(out_of(s, 0), "got=word\r\n"));
}

static void test_the_terminals_size_and_keys(void **state)
{
    struct seen *s = seen_or_skip(state);
    char **argv = WORDS("sh", "-c", "trap 'stty size' WINCH; echo up; while :; do read x; done");
    struct agent_host_command c = command_of(argv);
    c.terminal = true;
    c.rows = 24;
    c.cols = 80;
    start(s, 0, &c);
    while (!strstr(out_of(s, 0), "up"))
        turn(s);
    int master = s->consoles[0].streams.terminal;
    struct winsize size = {.ws_row = 50, .ws_col = 120};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    assert_int_equal(write(master, "\n", 1), 1);
    while (!strstr(out_of(s, 0), "50 120"))
        turn(s);
    assert_int_equal(write(master, "\3", 1), 1);
    assert_int_equal(finish(s, 0), 128 + SIGINT);
}

/* Descriptors, capabilities, no_new_privs, session: what a command finds itself with. */
static void test_what_a_command_is_given(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_shell(
        s, 0,
        "ls /proc/self/fd | tr '\\n' ' '; grep -E '^(Cap|SigBlk|SigIgn|NoNewPrivs)' "
        "/proc/self/status | tr -d '\\t\\n'; umask; ls -l /proc/1/exe 2>&1 | grep -c denied");
    assert_int_equal(finish(s, 0), 0);
    /* 3 is ls's own folder */
    assert_string_equal(out_of(s, 0),
                        "0 1 2 3 SigBlk:0000000000000000SigIgn:0000000000000000"
                        "CapInh:0000000000000000CapPrm:0000000000000001CapEff:0000000000000001"
                        "CapBnd:0000000000000001CapAmb:0000000000000000NoNewPrivs:10022\n1\n");
}

static void test_users(void **state)
{
    struct seen *s = seen_or_skip(state);
    if (!s->box.ranges)
        skip();
    start_main(s);
    static const struct {
        const char *user, *out;
    } rows[] = {
        {"tester",       "uid=1000(tester) gid=1001(testers) groups=1001(testers),1002(extra)\n"},
        {"tester:extra", "uid=1000(tester) gid=1002(extra) groups=1002(extra)\n"                },
        {"1000",         "uid=1000(tester) gid=1001(testers) groups=1001(testers),1002(extra)\n"},
        {"5:7",          "uid=5 gid=7 groups=7\n"                                               },
        {"4000",         "uid=4000 gid=0(root) groups=0(root)\n"                                },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char **argv =
            WORDS("sh", "-c", "id; grep -c CapEff:.0000000000000000 /proc/self/status >&2");
        struct agent_host_command c = command_of(argv);
        c.user = rows[i].user;
        start(s, (uint32_t)i + 1, &c);
        assert_int_equal(finish(s, (int)i + 1), 0);
        assert_string_equal(out_of(s, (int)i + 1), rows[i].out);
        assert_string_equal(s->consoles[i + 1].err.data, "1\n");
    }
    char **argv = WORDS("true");
    struct agent_host_command c = command_of(argv);
    c.user = "nobody-here";
    start(s, 7, &c);
    finish(s, 7);
    assert_int_equal(s->consoles[7].failed, EINVAL);
}

/* /dev/stdout and the pty belong to the command's user. */
static void test_users_own_their_streams(void **state)
{
    struct seen *s = seen_or_skip(state);
    if (!s->box.ranges)
        skip();
    start_main(s);
    char **argv = WORDS("sh", "-c", "echo again > /proc/self/fd/1");
    struct agent_host_command c = command_of(argv);
    c.user = "tester";
    start(s, 1, &c);
    assert_int_equal(finish(s, 1), 0);
    assert_string_equal(out_of(s, 1), "again\n");
    c.terminal = true;
    start(s, 2, &c);
    assert_int_equal(finish(s, 2), 0);
}

static void test_orphans_are_reaped_and_ended(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_main(s);
    start_shell(s, 1,
                "(sh -c 'exec true' &) ; (setsid sh -c 'exec <&- >&- 2>&-; exec tail -f "
                "/dev/null' &); exit 5");
    assert_int_equal(finish(s, 1), 5);
    /* one that has ended this moment may still be there; one that is never reaped always is */
    start_shell(s, 2, "while cat /proc/[0-9]*/stat 2>&- | grep -q ' Z 1 '; do :; done; echo none");
    finish(s, 2);
    assert_string_equal(out_of(s, 2), "none\n");
    s->consoles[0].streams.in = fd_close(s->consoles[0].streams.in);
    assert_int_equal(finish(s, 0), 3);
    /* PID 1 can only end when nobody is left in its namespace */
    assert_int_equal(box_end(&s->box, false), 3);
    s->box.pid = 0;
}

static void test_freeze(void **state)
{
    struct seen *s = seen_or_skip(state);
    struct error e;
    start_main(s);
    assert_int_equal(agent_host_freeze(s->host, true, &e), 0);
    autofree char *path = str_format("/proc/%d/task/%d/children", s->box.pid, s->box.pid);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    int status;
    /* a stopped child is told to its parent, PID 1, not to us: look until the kernel says T */
    autofree char *stat = str_format("/proc/%d/stat", atoi(text));
    char line[256] = "";
    do {
        autoclose int look = open(stat, O_RDONLY | O_CLOEXEC);
        assert_true(read(look, line, sizeof(line) - 1) > 0);
        status = strrchr(line, ')')[2];
    } while (status != 'T');
    assert_int_equal(agent_host_freeze(s->host, false, &e), 0);
    s->consoles[0].streams.in = fd_close(s->consoles[0].streams.in);
    assert_int_equal(finish(s, 0), 3);
}

static void test_shutdown(void **state)
{
    struct seen *s = seen_or_skip(state);
    struct error e;
    start_main(s);
    start_shell(s, 1, "read x");
    while (!s->consoles[1].started)
        turn(s);
    assert_int_equal(agent_host_shutdown(s->host, &e), 0);
    while (!s->closed)
        turn(s);
    assert_string_equal(s->why, "");
    assert_int_equal(s->consoles[1].status, 128 + SIGKILL);
    assert_int_equal(box_end(&s->box, false), 128 + SIGKILL);
    s->box.pid = 0;
    assert_int_equal(agent_host_signal(s->host, 0, SIGTERM, &e), -EPIPE);
}

static void test_the_hosts_end_is_the_end(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_main(s);
    agent_host_free(s->host);
    s->host = NULL;
    assert_int_equal(box_end(&s->box, false), 128 + SIGKILL);
    s->box.pid = 0;
}

static void test_a_killed_agent(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_main(s);
    kill(s->box.pid, SIGKILL);
    while (!s->closed)
        turn(s);
    assert_string_equal(s->why, "the agent ended unasked");
}

static void test_many_at_once(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_main(s);
    for (uint32_t i = 1; i < CONSOLES; i++)
        start_shell(s, i, "echo $$; exit 9");
    for (int i = 1; i < CONSOLES; i++)
        assert_int_equal(finish(s, i), 9);
    struct error e;
    char **argv = WORDS("true");
    struct agent_host_command c = command_of(argv);
    assert_int_equal(agent_host_start(s->host, 0, &c, &e), -EBUSY);
}

static void test_a_large_environment(void **state)
{
    struct seen *s = seen_or_skip(state);
    char *large = mem_alloc(100001);
    memset(large, 'x', 100000);
    large[100000] = 0;
    char **argv = WORDS("sh", "-c", "echo ${#A}${#B}");
    autofree char *a = str_format("A=%s", large), *b = str_format("B=%s", large);
    autofree char *d = str_format("C=%s", large);
    char path[] = "PATH=/bin", *env[] = {path, a, b, NULL, NULL};
    struct agent_host_command c = command_of(argv);
    c.env = env;
    struct error e;
    start_main(s); /* without it the agent may be gone before the second one is asked for */
    start(s, 1, &c);
    assert_int_equal(finish(s, 1), 0);
    assert_string_equal(out_of(s, 1), "100000100000\n");
    env[3] = d;
    assert_int_equal(agent_host_start(s->host, 2, &c, &e), -E2BIG);
    free(large);
}

/* --- copies
 * ------------------------------------------------------------------------------------------ */

/* A folder with a file and a link in it, and the records of it through a pipe into `path` inside.
 */
static int copy_in(struct seen *s, const char *path, const char *name, int from)
{
    int pair[2];
    struct error e;
    char what[256];
    uint64_t skipped = 0;
    assert_int_equal(fd_pipe(pair, 0), 0);
    s->copied = -1;
    assert_int_equal(agent_host_copy_in(s->host, 77, path, pair[0], &e), 0);
    records_send(pair[1], from, name, what, sizeof(what), &skipped);
    close(pair[1]);
    while (s->copied < 0)
        turn(s);
    return s->copied;
}

static int temporary_tree(void)
{
    char name[] = "/tmp/cofferdam-unit-XXXXXX";
    assert_non_null(mkdtemp(name));
    int dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(dir, "tree", 0750), 0);
    autoclose int file = openat(dir, "tree/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_int_equal(write(file, "content\n", 8), 8);
    assert_int_equal(fchmod(file, 04755), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "tree/link"), 0);
    return dir;
}

static void remove_tree(int dir)
{
    char path[64], name[256] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
    assert_true(readlink(path, name, sizeof(name) - 1) > 0);
    unlinkat(dir, "tree/file", 0);
    unlinkat(dir, "tree/link", 0);
    unlinkat(dir, "tree", AT_REMOVEDIR);
    unlinkat(dir, "back/file", 0);
    unlinkat(dir, "back/link", 0);
    unlinkat(dir, "back", AT_REMOVEDIR);
    assert_int_equal(rmdir(name), 0);
    close(dir);
}

static void test_copy_in_and_out(void **state)
{
    struct seen *s = seen_or_skip(state);
    start_main(s);
    int dir = temporary_tree();
    assert_int_equal(copy_in(s, "/tmp", "tree", dir), 0);       /* into the folder */
    assert_int_equal(copy_in(s, "/tmp/other", "tree", dir), 0); /* as that name */
    assert_int_equal(copy_in(s, "/etc/way/", "tree", dir), 0);  /* through a link inside */
    assert_int_equal(copy_in(s, "/no/where", "tree", dir), ENOENT);
    assert_int_equal(copy_in(s, "/new/", "tree", dir), ENOENT);
    start_shell(s, 1,
                "cd /tmp; stat -c '%a %n' tree tree/file other/file /etc/target/tree/file; "
                "readlink other/link; cat other/file");
    assert_int_equal(finish(s, 1), 0);
    assert_string_equal(out_of(s, 1), "750 tree\n755 tree/file\n755 other/file\n"
                                      "755 /etc/target/tree/file\n/etc/passwd\ncontent\n");

    int pair[2];
    struct error e;
    char what[256];
    assert_int_equal(fd_pipe(pair, 0), 0);
    assert_int_equal(agent_host_copy_out(s->host, 77, "/tmp/other", pair[1], &e), 0);
    assert_int_equal(records_receive(pair[0], dir, "back", 0, what, sizeof(what)), 0);
    close(pair[0]);
    struct stat st;
    assert_int_equal(fstatat(dir, "back/file", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0755);
    assert_int_equal(fstatat(dir, "back/link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISLNK(st.st_mode));
    remove_tree(dir);
}

static void test_copies_that_fail(void **state)
{
    struct seen *s = seen_or_skip(state);
    struct error e;
    char what[256];
    int pair[2];
    start_main(s);
    static const char *const paths[] = {"/no/such", "/dev/null", "/proc/self/exe/x"};
    static const int codes[] = {ENOENT, EOPNOTSUPP, ELOOP};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        assert_int_equal(fd_pipe(pair, 0), 0);
        s->copied = -1;
        assert_int_equal(agent_host_copy_out(s->host, 77, paths[i], pair[1], &e), 0);
        assert_true(records_receive(pair[0], AT_FDCWD, "never", 0, what, sizeof(what)) < 0);
        close(pair[0]);
        while (s->copied < 0)
            turn(s);
        assert_int_equal(s->copied, codes[i]);
    }
    /* only pipes and sockets are let in */
    assert_int_equal(agent_host_copy_in(s->host, 77, "/tmp/x", open("/dev/null", O_RDONLY), &e),
                     -EINVAL);
    /* a stream of nonsense */
    assert_int_equal(fd_pipe(pair, 0), 0);
    s->copied = -1;
    assert_int_equal(agent_host_copy_in(s->host, 77, "/tmp/x", pair[0], &e), 0);
    assert_int_equal(write(pair[1], what, sizeof(what)), sizeof(what));
    close(pair[1]);
    while (s->copied < 0)
        turn(s);
    assert_int_equal(s->copied, EBADMSG);
}

/* --- a hostile host
 * ------------------------------------------------------------------------------------ */

static void test_nonsense_from_the_host(void **state)
{
    static const struct {
        struct agent_head head;
        char payload[48];
    } rows[] = {
        {{.size = AGENT_FRAME_MAX + 1, .type = AGENT_START}, ""                },
        {{.size = 0, .type = 0},                             ""                },
        {{.size = 0, .type = AGENT_HELLO},                   ""                },
        {{.size = 0, .type = AGENT_START},                   ""                },
        {{.size = 32, .type = AGENT_START},                  "\377\377\377\377"},
        {{.size = 4, .type = AGENT_SIGNAL, .channel = 500},  "\1"              },
        {{.size = 4, .type = AGENT_SIGNAL},                  "\377\377\377\377"},
        {{.size = 1, .type = AGENT_COPY_IN},                 ""                },
        {{.size = 5, .type = AGENT_COPY_OUT},                "/tmp"            },
        {{.size = 1, .type = AGENT_FREEZE},                  "\2"              },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct box box;
        if (box_start(&box))
            skip();
        size_t size = sizeof(rows[i].head) + MIN(rows[i].head.size, sizeof(rows[i].payload));
        assert_int_equal(send(box.socket, &rows[i], size, MSG_NOSIGNAL), size);
        /* it says hello, then takes its leave in order, without a signal */
        assert_int_equal(box_end(&box, false), 128 + SIGKILL);
        char frame[64];
        assert_int_equal(recv(box.socket, frame, sizeof(frame), 0), 16);
        close(box.socket);
    }
}

#define AGENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        AGENT_TEST(test_streams_and_status),
        AGENT_TEST(test_wait_for_main),
        AGENT_TEST(test_wait_for_what_is_missing),
        AGENT_TEST(test_a_signal_ends_main),
        AGENT_TEST(test_failures_to_start),
        AGENT_TEST(test_a_terminal),
        AGENT_TEST(test_the_terminals_size_and_keys),
        AGENT_TEST(test_what_a_command_is_given),
        AGENT_TEST(test_users),
        AGENT_TEST(test_users_own_their_streams),
        AGENT_TEST(test_orphans_are_reaped_and_ended),
        AGENT_TEST(test_freeze),
        AGENT_TEST(test_shutdown),
        AGENT_TEST(test_the_hosts_end_is_the_end),
        AGENT_TEST(test_a_killed_agent),
        AGENT_TEST(test_many_at_once),
        AGENT_TEST(test_a_large_environment),
        AGENT_TEST(test_copy_in_and_out),
        AGENT_TEST(test_copies_that_fail),
        cmocka_unit_test(test_nonsense_from_the_host),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
