/*
 * A guest's agent as it is: a real cofferdam-init as PID 1 of a real kernel in QEMU, software
 * emulation, through the host's side. TAP on stdout.
 *
 *     agent KERNEL INIT ROOT SCRATCH FOLDER [BOOTS]
 *
 * KERNEL: a folder with a kernel's package in it; INIT: cofferdam-init; ROOT: squashfs with
 * busybox; SCRATCH: ext4; FOLDER: for what is made, removed by the caller. BOOTS: no tests, that
 * many starts one after another, and when each came how far.
 */
#include "tests/guest/agent_machine.h"

#include "base/fd.h"
#include "base/records.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- tests -------------------------------------------------------------------------------------
 */

static void show(struct guest *g, const char *what)
{
    if (g->broken.code)
        printf("# %s: %s\n", what, g->broken.text);
    if (g->closed)
        printf("# %s: closed: %s\n", what, g->why);
}

static void test_commands(struct guest *g)
{
    struct buf out;
    check(guest_shell(g, "echo out; echo err >&2; exit 7", &out) == 7 &&
              guest_has(&out, "out\nerr\n"),
          "a command's streams and status");
    check(guest_shell(g, "kill -9 $$", &out) == 128 + 9, "a signal's number");
    guest_run(g, 2, false, WORDS("nothing-of-that-name"));
    until(g, g->consoles[2].failed >= 0);
    check(g->consoles[2].failed == ENOENT, "a command that is missing");

    struct console *c = &g->consoles[3];
    guest_run(g, 3, false, WORDS("cat"));
    until(g, c->started);
    char bytes[60000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 ^ i >> 8);
    size_t sent = 0, all = 10 * sizeof(bytes);
    while (sent < all && !g->closed) {
        size_t at = sent % sizeof(bytes);
        ssize_t n = write(c->streams.in, bytes + at, sizeof(bytes) - at);
        if (n > 0)
            sent += (size_t)n;
        guest_turn(g);
    }
    c->streams.in = fd_close(c->streams.in);
    until(g, c->status >= 0 && c->streams.out < 0);
    bool same = c->status == 0 && c->out.used == all;
    for (size_t i = 0; same && i < all; i++)
        same = c->out.data[i] == bytes[i % sizeof(bytes)];
    check(same, "600000 bytes there and back, and the end of input");
    *c = (struct console){
        .failed = -1, .status = -1, .streams = {-1, -1, -1, -1}
    };
}

static void test_a_stuck_console(struct guest *g)
{
    struct console *c = &g->consoles[3];
    c->deaf = true;
    guest_run(g, 3, false, WORDS("sh", "-c", "cat /dev/zero"));
    until(g, c->started);
    struct buf out;
    check(guest_shell(g, "echo here", &out) == 0 && guest_has(&out, "here\n"),
          "a command beside one whose output nobody reads");
    struct error e;
    check(agent_host_signal(g->host, 3, SIGKILL, &e) == 0, "and a signal to that one");
    c->deaf = false;
    check(until(g, c->status == 128 + SIGKILL), "ends it");
    until(g, c->streams.out < 0);
    *c = (struct console){
        .failed = -1, .status = -1, .streams = {-1, -1, -1, -1}
    };

    guest_run(g, 3, false, WORDS("sh", "-c", "while echo much; do :; done"));
    until(g, c->out.used > 0);
    c->streams.out = fd_close(c->streams.out);
    check(until(g, c->status >= 0), "a command whose reader goes ends");
    fd_close(c->streams.in);
    c->streams.err = fd_close(c->streams.err);
    *c = (struct console){
        .failed = -1, .status = -1, .streams = {-1, -1, -1, -1}
    };
}

static void type(struct guest *g, struct console *c, const char *text)
{
    if (write(c->streams.terminal, text, strlen(text)) < 0)
        fprintf(stderr, "# typing failed\n");
}

static void test_a_terminal(struct guest *g)
{
    struct console *c = &g->consoles[4];
    guest_run(g, 4, true, WORDS("sh"));
    until(g, c->started);
    type(g, c, "stty size; tty\n");
    check(until(g, guest_has(&c->out, "24 80") && guest_has(&c->out, "/dev/pts/")),
          "a terminal and its size");
    agent_host_resize(g->host, 4, 50, 132);
    type(g, c, "stty size\n");
    check(until(g, guest_has(&c->out, "50 132")), "its new size");
    type(g, c, "trap 'echo caught; exit 5' INT; echo wait''ing; while :; do sleep 1; done\n");
    until(g, guest_has(&c->out, "waiting\r\n"));
    type(g, c, "\003");
    check(until(g, c->status >= 0) && c->status == 5 && guest_has(&c->out, "caught"),
          "interrupt, and its end");
    c->streams.terminal = fd_close(c->streams.terminal);
}

static void test_what_a_command_is_given(struct guest *g)
{
    struct buf out;
    guest_shell(
        g,
        "hostname; cat /etc/machine-id /proc/sys/kernel/random/boot_id; ulimit -n; "
        "grep -e CapEff -e NoNewPrivs /proc/self/status; ls /dev; ls /proc/self/fd | wc -l; "
        "cat /proc/kcore | wc -c; ls -a / | tr '\\n' ' '; touch /sys/x; id -u",
        &out);
    check(guest_has(&out, "first\n") && guest_has(&out, "0123456789abcdef0123456789abcdef\nboot\n"),
          "hostname, machine-id, boot_id");
    check(guest_has(&out, "\n99\n"), "a limit");
    check(guest_has(&out, "CapEff:\t0000000000000001") && guest_has(&out, "NoNewPrivs:\t1"),
          "capabilities and no_new_privs");
    check(!guest_has(&out, "vport") && !guest_has(&out, "vda") && guest_has(&out, "urandom"),
          "its devices only");
    check(guest_has(&out, "\n4\n0\n"), "no descriptor of ours; what is hidden is empty");
    check(!guest_has(&out, "modules") && guest_has(&out, "Read-only"), "its root only");
    int r = guest_shell(g, "i=0; while [ $i -lt 60 ]; do sleep 3 & i=$((i+1)); done; wait", &out);
    check(r != 0 && guest_has(&out, "fork"), "no more processes than allowed");
}

static void test_copies(struct guest *g)
{
    int pair[2];
    struct error e;
    autofree char *path = str_format("%s/tree", guest_parts.folder);
    autofree char *inner = str_format("%s/tree/deep", guest_parts.folder);
    autofree char *file = str_format("%s/tree/deep/file", guest_parts.folder);
    mkdir(path, 0755);
    mkdir(inner, 0755);
    int fd = open(file, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
    for (int i = 0; i < 20000; i++)
        if (dprintf(fd, "line %d\n", i) < 0)
            abort();
    close(fd);
    fd_socketpair(pair);
    g->copied = -1;
    pid_t child = fork();
    if (child == 0) {
        char what[256];
        uint64_t skipped;
        close(pair[1]);
        int dir = open(guest_parts.folder, O_RDONLY | O_DIRECTORY);
        _exit(records_send(pair[0], dir, "tree", what, sizeof(what), &skipped) < 0);
    }
    close(pair[0]);
    agent_host_copy_in(g->host, 1, "/in", pair[1], &e);
    check(until(g, g->copied >= 0) && g->copied == 0, "a copy into the guest");
    waitpid(child, NULL, 0);
    struct buf out;
    guest_shell(g, "wc -l /in/deep/file; tail -n 1 /in/deep/file", &out);
    check(guest_has(&out, "20000 /in/deep/file") && guest_has(&out, "line 19999"), "is all there");

    fd_socketpair(pair);
    g->copied = -1;
    child = fork();
    if (child == 0) {
        char what[256];
        close(pair[1]);
        int dir = open(guest_parts.folder, O_RDONLY | O_DIRECTORY);
        _exit(records_receive(pair[0], dir, "back", 0, what, sizeof(what)) < 0);
    }
    close(pair[0]);
    agent_host_copy_out(g->host, 2, "/in", pair[1], &e);
    int raw = 0;
    check(until(g, g->copied >= 0) && g->copied == 0, "a copy out of the guest");
    waitpid(child, &raw, 0);
    autofree char *compare = str_format("%s/back/deep/file", guest_parts.folder);
    struct stat a, b;
    check(raw == 0 && stat(file, &a) == 0 && stat(compare, &b) == 0 && a.st_size == b.st_size,
          "is the same");
    fd_socketpair(pair);
    g->copied = -1;
    agent_host_copy_out(g->host, 2, "/not-there", pair[1], &e);
    check(until(g, g->copied >= 0) && g->copied == ENOENT, "a copy of nothing");
    close(pair[0]);
}

static void test_figures(struct guest *g)
{
    struct error e;
    g->sampled = false;
    agent_guest_ask_sample(g->host, &e);
    check(until(g, g->sampled) && g->sample.memory > (MEMORY_MB / 2) << 20 &&
              g->sample.memory < (uint64_t)MEMORY_MB << 20 &&
              g->sample.memory_available < g->sample.memory && g->sample.tasks > 1 &&
              g->sample.cpu_busy_us > 10000 && g->sample.scratch > 1 << 20 &&
              g->sample.oom_kills == 0,
          "figures");
}

static void test_changes(struct guest *g)
{
    struct error e;
    struct buf out;
    guest_shell(g,
                "echo x >/new; rm /etc/gone; echo y >>/etc/there; mkdir -p /etc/cron.d; "
                "echo z >/etc/cron.d/job; chmod 4755 /new; rm -r /usr/old; mkdir /usr/old",
                &out);
    agent_guest_changes(g->host, 1000, &e);
    until(g, g->changes_came);
    check(guest_has(&g->changes, "A /new 9\n") && guest_has(&g->changes, "D /etc/gone ") &&
              guest_has(&g->changes, "C /etc/there ") &&
              guest_has(&g->changes, "A /etc/cron.d/job 2\n") &&
              guest_has(&g->changes, "D /usr/old/inside ") && !guest_has(&g->changes, "machine-id"),
          "what was changed");
    printf("# %s", "");
    for (size_t i = 0; i + 1 < g->changes.used && failures; i++)
        putchar(g->changes.data[i] == '\n' ? ' ' : g->changes.data[i]);
    putchar('\n');
}

static void test_quiet(struct guest *g, bool disk)
{
    struct error e;
    g->quiet = false;
    agent_guest_quiesce(g->host, AGENT_QUIESCE_ON, &e);
    check(until(g, g->quiet) && g->quiet_code == 0, disk ? "disks are frozen" : "it holds still");
    guest_run(g, 5, false, WORDS("sh", "-c", "echo after >/thawed; cat /thawed"));
    g->quiet = false;
    agent_guest_quiesce(g->host, AGENT_QUIESCE_OFF, &e);
    check(until(g, g->quiet) && until(g, g->consoles[5].status == 0) &&
              until(g, guest_has(&g->consoles[5].out, "after\n")),
          "and goes on");
    g->consoles[5].streams.in = fd_close(g->consoles[5].streams.in);
    g->consoles[5].status = -1;
}

static void say_phases(const struct agent_ready *r, uint64_t exec_us)
{
    printf("# phases, us of the guest's clock: init %llu modules %llu port %llu steps %llu root "
           "%llu ready %llu; from exec %llu us here\n",
           (unsigned long long)r->phase_us[0], (unsigned long long)r->phase_us[1],
           (unsigned long long)r->phase_us[2], (unsigned long long)r->phase_us[3],
           (unsigned long long)r->phase_us[4], (unsigned long long)r->phase_us[5],
           (unsigned long long)exec_us);
}

static void one_life(bool disk)
{
    struct guest g;
    struct error e;
    uint64_t begun = loop_now_ms();
    guest_boot(&g, &(struct machine){.memory = FD_NONE});
    guest_make_root(&g, disk);
    agent_guest_end(g.host, &e);
    guest_run(&g, 0, false, WORDS("sh", "-c", "echo main; read x; echo got $x; exit 3"));
    bool ready = until(&g, g.ready);
    check(ready, disk ? "a guest with a scratch disk is ready" : "a guest is ready");
    show(&g, "guest");
    if (ready) {
        say_phases(&g.said, (loop_now_ms() - begun) * 1000);
        check(strcmp(g.said.hostname, "first") == 0 && g.said.seeded == 1 &&
                  strcmp(g.said.machine_id, "0123456789abcdef0123456789abcdef") == 0,
              "it says who it is");
        until(&g, guest_has(&g.consoles[0].out, "main\n"));
        if (!disk) {
            test_commands(&g);
            test_a_stuck_console(&g);
            test_a_terminal(&g);
            test_what_a_command_is_given(&g);
            test_copies(&g);
        }
        test_figures(&g);
        test_quiet(&g, disk);
        test_changes(&g);
        if (write(g.consoles[0].streams.in, "it\n", 3) != 3)
            fprintf(stderr, "# main takes nothing\n");
        check(until(&g, g.consoles[0].status == 3) && guest_has(&g.consoles[0].out, "got it\n"),
              "main's end");
        g.changes_came = false;
        agent_guest_changes(g.host, 1000, &e);
        check(until(&g, g.changes_came), "the changes after that");
        agent_host_shutdown(g.host, &e);
        check(until(&g, g.closed) && !*g.why, "shutdown");
    }
    int raw = guest_end(&g, !ready);
    check(raw == 0, "the machine ends by itself");
}

/* --- clones ------------------------------------------------------------------------------------
 */

/* Sends a line, with a descriptor if there is one, and reads until `expect` has come. */
static bool qmp(struct guest *g, const char *line, int fd, const char *expect)
{
    autobuf said = {0};
    char chunk[4096];
    if (fd_send(g->qmp, line, strlen(line), &fd, fd >= 0) < 0)
        return false;
    for (;;) {
        struct pollfd p = {.fd = g->qmp, .events = POLLIN};
        ssize_t n = poll(&p, 1, WAIT_MS) > 0 ? read(g->qmp, chunk, sizeof(chunk)) : 0;
        if (n <= 0 || guest_has(&said, "\"error\"")) {
            printf("# QMP, %s: %.*s\n", line, (int)said.used, said.data);
            return false;
        }
        buf_add(&said, chunk, (size_t)n);
        if (guest_has(&said, expect))
            return true;
    }
}

static bool save(struct guest *g, int state)
{
    bool good =
        qmp(g, "{\"execute\":\"qmp_capabilities\"}", FD_NONE, "\"return\"") &&
        qmp(g, "{\"execute\":\"stop\"}", FD_NONE, "\"return\"") &&
        qmp(g,
            "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":["
            "{\"capability\":\"x-ignore-shared\",\"state\":true},"
            "{\"capability\":\"events\",\"state\":true}]}}",
            FD_NONE, "\"return\"") &&
        qmp(g, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"o\"}}", state, "\"return\"");
    return good && qmp(g, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:o\"}}", FD_NONE,
                       "\"completed\"");
}

static bool load(struct guest *g, int state)
{
    return qmp(g, "{\"execute\":\"qmp_capabilities\"}", FD_NONE, "\"return\"") &&
           qmp(g,
               "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":["
               "{\"capability\":\"x-ignore-shared\",\"state\":true},"
               "{\"capability\":\"events\",\"state\":true}]}}",
               FD_NONE, "\"return\"") &&
           qmp(g, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"i\"}}", state,
               "\"return\"") &&
           qmp(g, "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:i\"}}", FD_NONE,
               "\"completed\"") &&
           qmp(g, "{\"execute\":\"cont\"}", FD_NONE, "\"return\"");
}

/* Main goes on in the clone, as somebody else. */
static void one_clone(int memory, int state, const char *name, char *random, size_t room)
{
    struct guest c;
    struct error e;
    struct agent_ready ready = {0};
    struct console *main_console = &c.consoles[0];
    pid_t pid = 0;
    uint64_t begun = loop_now_ms();
    guest_boot(&c, &(struct machine){.memory = memory, .incoming = true});
    lseek(state, 0, SEEK_SET);
    check(load(&c, state), "a clone goes on");
    uint64_t resumed = loop_now_ms();
    agent_guest_adopt(c.host, true, &e);
    agent_guest_refresh(c.host, name, &e);
    autofree char *id = str_format("%s00000000000000000000000000\n", name);
    STEP(&c, .kind = AGENT_STEP_FILE, .target = "/etc/machine-id", .mode = 0444, .data = id,
         .data_size = strlen(id));
    agent_guest_end(c.host, &e);
    int r = agent_guest_wait_adopted(c.host, WAIT_MS, &main_console->streams, &pid, &ready, &e);
    printf("# clone: %llu ms to the agent's answer, %llu of them the agent's\n",
           (unsigned long long)(loop_now_ms() - begun),
           (unsigned long long)(loop_now_ms() - resumed));
    if (r < 0)
        printf("# %s\n", e.text);
    int64_t off = (int64_t)(ready.realtime_ns / 1000000000) - (int64_t)time(NULL);
    check(r == 0 && strcmp(ready.hostname, name) == 0 && strncmp(ready.machine_id, name, 6) == 0 &&
              ready.seeded == 2 && off > -10 && off < 10,
          "with a name, machine-id and clock of its own");
    type(&c, main_console, "the clone\n");
    check(until(&c, guest_has(&main_console->out, "got the clone")),
          "main's console is there again");
    struct buf out;
    check(guest_shell(&c, "hostname; cat /tmp/before; head -c 16 /dev/urandom | od -An -tx1",
                      &out) == 0 &&
              guest_has(&out, name) && guest_has(&out, "kept"),
          "commands run in it");
    snprintf(random, room, "%.*s", (int)out.used, out.data);
    check(guest_shell(&c, "ps | grep -c '[s]leep 1234'", &out) == 0 || guest_has(&out, "0"),
          "what lost its console is gone");
    type(&c, main_console, "end\n");
    check(until(&c, main_console->status == 4), "main's end in the clone");
    agent_host_shutdown(c.host, &e);
    check(until(&c, c.closed) && !*c.why, "the clone's shutdown");
    guest_end(&c, c.closed ? false : true);
}

static void clones(void)
{
    struct guest g;
    struct error e;
    char random[2][256] = {"", ""};
    autoclose int memory = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    autoclose int state = memfd_create("state", MFD_CLOEXEC);
    if (ftruncate(memory, (off_t)MEMORY_MB << 20) < 0)
        abort();
    guest_boot(&g, &(struct machine){.memory = memory, .shared = true});
    guest_make_root(&g, false);
    agent_guest_end(g.host, &e);
    guest_run(
        &g, 0, true,
        WORDS(
            "sh", "-c",
            "stty -echo; echo begun; while read x; do [ $x = end ] && exit 4; echo got $x; done"));
    until(&g, guest_has(&g.consoles[0].out, "begun"));
    guest_shell(&g, "echo kept >/tmp/before", NULL);
    guest_run(&g, 2, true, WORDS("sleep", "1234"));
    until(&g, g.consoles[2].started);
    g.quiet = false;
    agent_guest_quiesce(g.host, AGENT_QUIESCE_ON, &e);
    check(until(&g, g.quiet) && g.quiet_code == 0 && save(&g, state), "a snapshot");
    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    check(qmp(&g, "{\"execute\":\"quit\"}", FD_NONE, "\"return\""), "the template ends");
    guest_end(&g, true);
    one_clone(memory, state, "second", random[0], sizeof(random[0]));
    one_clone(memory, state, "second", random[1], sizeof(random[1]));
    check(*random[0] && strcmp(random[0], random[1]) != 0,
          "two clones draw different random bytes");
}

/* A start to main's first byte, and away. */
static void one_boot(void)
{
    struct guest g;
    struct error e;
    uint64_t begun = loop_now_ms();
    guest_boot(&g, &(struct machine){.memory = FD_NONE});
    guest_make_root(&g, false);
    agent_guest_end(g.host, &e);
    guest_run(&g, 0, false, WORDS("echo", "main"));
    check(until(&g, guest_has(&g.consoles[0].out, "main\n")), "a start");
    show(&g, "guest");
    say_phases(&g.said, (loop_now_ms() - begun) * 1000);
    guest_end(&g, true);
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: agent KERNEL INIT ROOT SCRATCH FOLDER [BOOTS]\n");
        return 2;
    }
    guest_parts = (struct guest_parts){.root = argv[3], .scratch = argv[4], .folder = argv[5]};
    signal(SIGPIPE, SIG_IGN);
    if (guest_find_parts(argv[1], argv[2]) < 0)
        return 1;
    if (argc > 6) {
        for (int i = atoi(argv[6]); i > 0; i--)
            one_boot();
    } else {
        one_life(false);
        one_life(true);
        clones();
    }
    printf("1..%d\n", points);
    return failures != 0;
}
