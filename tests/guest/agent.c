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
#include "backends/agent/agent_guest.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/records.h"
#include "base/str.h"
#include "images/initramfs.h"

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

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

enum { WAIT_MS = 120000, CONSOLES = 8, MEMORY_MB = 192 };

/* --- what is seen ------------------------------------------------------------------------------
 */

struct console {
    bool started;
    struct launch_streams streams; /* owned */
    int failed, status;            /* -1: not yet */
    struct buf out, err;
    bool deaf; /* its output is left alone */
};

struct guest {
    struct agent_host *host; /* owned */
    pid_t vmm;
    int qmp; /* owned */
    struct console consoles[CONSOLES];
    bool ready, quiet, sampled, closed;
    int copied, quiet_code; /* errno; -1: not yet */
    struct agent_ready said;
    struct agent_sample sample;
    struct buf changes; /* a line each */
    bool changes_came;
    struct error broken;
    char why[200];
};

static const char *kernel, *initramfs, *root_disk, *scratch_disk, *folder;
static uint64_t khz;
static int points, failures;

static void ok(bool good, const char *what)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++points, what);
    fflush(stdout);
    failures += !good;
}

static void on_started(void *data, uint32_t n, pid_t pid, struct launch_streams *streams)
{
    struct guest *g = data;
    g->consoles[n].started = true;
    g->consoles[n].streams = *streams;
}

static void on_failed(void *data, uint32_t n, const struct error *e)
{
    ((struct guest *)data)->consoles[n].failed = e->code;
}

static void on_exited(void *data, uint32_t n, int status)
{
    ((struct guest *)data)->consoles[n].status = status;
}

static void on_copied(void *data, uint32_t n, const struct error *e)
{
    ((struct guest *)data)->copied = e ? e->code : 0;
}

static void on_closed(void *data, const char *why)
{
    struct guest *g = data;
    g->closed = true;
    snprintf(g->why, sizeof(g->why), "%s", why ? why : "");
}

static void on_ready(void *data, const struct agent_ready *ready)
{
    struct guest *g = data;
    g->ready = true;
    g->said = *ready;
}

static void on_broken(void *data, const struct error *e)
{
    ((struct guest *)data)->broken = *e;
}

static void on_quiet(void *data, const struct error *e)
{
    struct guest *g = data;
    g->quiet = true;
    g->quiet_code = e ? e->code : 0;
}

static void on_sampled(void *data, const struct agent_sample *sample)
{
    struct guest *g = data;
    g->sampled = true;
    g->sample = *sample;
}

static void on_changes(void *data, struct changes *c, const struct error *e)
{
    struct guest *g = data;
    g->changes_came = !e;
    for (size_t i = 0; i < c->count; i++)
        buf_printf(&g->changes, "%c %s %u\n", "ACD"[c->list[i].kind], c -> list[i].path,
                   c->list[i].notes);
    buf_puts(&g->changes, "");
}

static const struct agent_host_events events = {
    .started = on_started,
    .failed = on_failed,
    .exited = on_exited,
    .copied = on_copied,
    .closed = on_closed,
    .ready = on_ready,
    .broken = on_broken,
    .quiet = on_quiet,
    .sampled = on_sampled,
    .changes = on_changes,
};

/* --- the machine -------------------------------------------------------------------------------
 */

/* What a template's memory and state are given as. */
struct machine {
    int memory; /* a memfd, or FD_NONE */
    bool shared, incoming, terminal;
    const char *agent;
};

static void run_qemu(const struct machine *m, int agent, int qmp)
{
    autofree char *append = str_format(
        "console=ttyS0 panic=-1 reboot=t quiet tsc_early_khz=%llu tsc=reliable no_timer_check "
        "cryptomgr.notests mitigations=off nokaslr -- agent=%s",
        (unsigned long long)khz, m->agent ? m->agent : "virtio:" AGENT_PORT_NAME);
    autofree char *drive = str_format("if=none,id=root,file=%s,format=raw,readonly=on", root_disk);
    autofree char *scratch =
        str_format("if=none,id=scratch,file=%s,format=raw,snapshot=on", scratch_disk);
    autofree char *port = str_format("socket,id=agent,fd=%d", agent);
    autofree char *monitor = str_format("socket,id=qmp,fd=%d", qmp);
    autofree char *console = str_format("file:%s/console-%d", folder, getpid());
    autofree char *memory =
        m->memory >= 0
            ? str_format("memory-backend-file,id=m0,mem-path=/proc/self/fd/%d,size=%dM,share=%s",
                         m->memory, MEMORY_MB, m->shared ? "on" : "off")
            : str_format("memory-backend-ram,id=m0,size=%dM", MEMORY_MB);
    autofree char *size = str_format("%d", MEMORY_MB);
    char **argv =
        WORDS("qemu-system-x86_64", "-M", "microvm,memory-backend=m0", "-object", memory, "-accel",
              "tcg,tb-size=64", "-cpu", "qemu64,+arat", "-m", size, "-nodefaults",
              "-no-user-config", "-display", "none", "-no-reboot", "-serial", console, "-kernel",
              kernel, "-initrd", initramfs, "-append", append, "-drive", drive, "-device",
              "virtio-blk-device,drive=root,serial=root", "-drive", scratch, "-device",
              "virtio-blk-device,drive=scratch,serial=scratch", "-chardev", port, "-device",
              "virtio-serial-device", "-device",
              "virtserialport,chardev=agent,name=" AGENT_PORT_NAME, "-chardev", monitor, "-mon",
              "chardev=qmp,mode=control", m->incoming ? "-incoming" : NULL, "defer");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd_cloexec(agent, 0);
    fd_cloexec(qmp, 0);
    if (m->memory >= 0)
        fd_cloexec(m->memory, 0);
    execvp(argv[0], argv);
    _exit(127);
}

static void machine_start(struct guest *g, const struct machine *m)
{
    int agent[2], qmp[2];
    memset(g, 0, sizeof(*g));
    if (fd_socketpair(agent) < 0 || fd_socketpair(qmp) < 0)
        abort();
    for (size_t i = 0; i < CONSOLES; i++)
        g->consoles[i] = (struct console){
            .failed = -1, .status = -1, .streams = {FD_NONE, FD_NONE, FD_NONE, FD_NONE}
        };
    g->copied = g->quiet_code = -1;
    fflush(stdout);
    g->vmm = fork();
    if (g->vmm == 0)
        run_qemu(m, agent[1], qmp[1]);
    close(agent[1]);
    close(qmp[1]);
    g->qmp = qmp[0];
    g->host = agent_guest_new(agent[0]);
}

static int machine_end(struct guest *g, bool force)
{
    int raw = 0;
    if (force)
        kill(g->vmm, SIGKILL);
    waitpid(g->vmm, &raw, 0);
    agent_host_free(g->host);
    fd_close(g->qmp);
    for (size_t i = 0; i < CONSOLES; i++) {
        struct console *c = &g->consoles[i];
        fd_close(c->streams.terminal);
        fd_close(c->streams.in);
        fd_close(c->streams.out);
        fd_close(c->streams.err);
        buf_done(&c->out);
        buf_done(&c->err);
    }
    buf_done(&g->changes);
    return raw;
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static void take(int *fd, struct buf *to)
{
    char chunk[16384];
    if (*fd < 0)
        return;
    for (;;) {
        ssize_t n = read(*fd, chunk, sizeof(chunk));
        if (n > 0) {
            buf_add(to, chunk, (size_t)n);
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            *fd = fd_close(*fd);
        return;
    }
}

/* Goes on until `*flag` is what it should be, or the end. */
#define until(g, condition)                                                               \
    ({                                                                                    \
        uint64_t end_ = loop_now_ms() + WAIT_MS;                                          \
        while (!(condition) && !(g)->closed && !(g)->broken.code && loop_now_ms() < end_) \
            turn(g);                                                                      \
        (condition);                                                                      \
    })

static void turn(struct guest *g)
{
    struct pollfd fds[1 + 3 * CONSOLES];
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = agent_host_fd(g->host), .events = POLLIN};
    for (size_t i = 0; i < CONSOLES; i++) {
        const struct launch_streams *s = &g->consoles[i].streams;
        int mine[] = {s->terminal, s->out, s->err};
        for (size_t k = 0; k < 3; k++)
            if (mine[k] >= 0 && !g->consoles[i].deaf)
                fds[count++] = (struct pollfd){.fd = mine[k], .events = POLLIN};
    }
    poll(fds, count, 1000);
    agent_host_dispatch(g->host, &events, g);
    for (size_t i = 0; i < CONSOLES; i++) {
        struct console *c = &g->consoles[i];
        if (c->deaf)
            continue;
        take(&c->streams.terminal, &c->out);
        take(&c->streams.out, &c->out);
        take(&c->streams.err, &c->err);
    }
}

static bool has(const struct buf *b, const char *text)
{
    return b->used && memmem(b->data, b->used, text, strlen(text));
}

/* --- the root ----------------------------------------------------------------------------------
 */

static int step(struct guest *g, const struct agent_guest_step *s)
{
    struct error e;
    int r = agent_guest_step(g->host, s, &e);
    if (r < 0)
        fprintf(stderr, "# %s\n", e.text);
    return r;
}
#define STEP(g, ...) step(g, &(struct agent_guest_step){__VA_ARGS__})

static void make_root(struct guest *g, bool disk)
{
    struct error e;
    agent_guest_refresh(g->host, "first", &e);
    STEP(g, .kind = AGENT_STEP_LOWER, .source = "serial:root", .content = "squashfs");
    if (disk)
        STEP(g, .kind = AGENT_STEP_UPPER, .source = "serial:scratch", .content = "ext4");
    else
        STEP(g, .kind = AGENT_STEP_UPPER);
    STEP(g, .kind = AGENT_STEP_ROOT, .flags = AGENT_STEP_NODEV);
    // clang-format off
    struct plan_mount mounts[] = {
        {.kind = PLAN_MOUNT_PROC, .target = (char *)"/proc"},
        {.kind = PLAN_MOUNT_SYSFS, .target = (char *)"/sys", .flags = PLAN_MOUNT_RO},
        {.kind = PLAN_MOUNT_TMPFS, .target = (char *)"/dev", .size = 1 << 16},
        {.kind = PLAN_MOUNT_DEVICE, .source = (char *)"/dev/null", .target = (char *)"/dev/null"},
        {.kind = PLAN_MOUNT_DEVICE, .source = (char *)"/dev/zero", .target = (char *)"/dev/zero"},
        {.kind = PLAN_MOUNT_DEVICE, .source = (char *)"/dev/urandom",
         .target = (char *)"/dev/urandom"},
        {.kind = PLAN_MOUNT_DEVPTS, .target = (char *)"/dev/pts", .size = 32},
        {.kind = PLAN_MOUNT_SYMLINK, .source = (char *)"pts/ptmx", .target = (char *)"/dev/ptmx"},
        {.kind = PLAN_MOUNT_TMPFS, .target = (char *)"/tmp", .size = 64 << 20, .mode = 01777},
        {.kind = PLAN_MOUNT_MASK, .target = (char *)"/proc/kcore"},
        {.kind = PLAN_MOUNT_FILE, .target = (char *)"/etc/machine-id",
         .content = (char *)"0123456789abcdef0123456789abcdef\n"},
        {.kind = PLAN_MOUNT_FILE, .target = (char *)"/proc/sys/kernel/random/boot_id",
         .content = (char *)"boot\n", .flags = PLAN_MOUNT_OPTIONAL},
    };
    // clang-format on
    struct plan_rlimit limits = {.name = "nofile", .soft = 99, .hard = 99};
    struct plan p = {.mounts = mounts,
                     .mounts_count = ARRAY_SIZE(mounts),
                     .capabilities = 1 << 0,
                     .no_new_privileges = true,
                     .limits = {.pids = 40},
                     .rlimits_count = 1};
    p.rlimits[0] = limits;
    if (agent_guest_plan(g->host, &p, NULL, &e) < 0)
        fprintf(stderr, "# %s\n", e.text);
}

static void start(struct guest *g, uint32_t n, bool terminal, char **argv)
{
    struct error e;
    struct agent_host_command c = {.argv = argv,
                                   .env = WORDS("PATH=/bin", "HOME=/"),
                                   .cwd = "/",
                                   .umask = 022,
                                   .terminal = terminal,
                                   .rows = 24,
                                   .cols = 80};
    if (agent_host_start(g->host, n, &c, &e) < 0)
        fprintf(stderr, "# start: %s\n", e.text);
}

/* Runs a shell's words on a console of its own; its output is out, its status is returned. */
static int shell(struct guest *g, const char *words, struct buf *out)
{
    enum { N = CONSOLES - 1 };
    struct console *c = &g->consoles[N];
    buf_drop(&c->out, c->out.used);
    buf_drop(&c->err, c->err.used);
    c->status = c->failed = -1;
    start(g, N, false, WORDS("sh", "-c", words));
    until(g, c->status >= 0 || c->failed >= 0);
    until(g, c->streams.out < 0 && c->streams.err < 0);
    c->streams.in = fd_close(c->streams.in);
    if (c->err.used)
        buf_add(&c->out, c->err.data, c->err.used);
    buf_puts(&c->out, "");
    if (out)
        *out = c->out;
    return c->failed >= 0 ? -c->failed : c->status;
}

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
    ok(shell(g, "echo out; echo err >&2; exit 7", &out) == 7 && has(&out, "out\nerr\n"),
       "a command's streams and status");
    ok(shell(g, "kill -9 $$", &out) == 128 + 9, "a signal's number");
    start(g, 2, false, WORDS("nothing-of-that-name"));
    until(g, g->consoles[2].failed >= 0);
    ok(g->consoles[2].failed == ENOENT, "a command that is missing");

    struct console *c = &g->consoles[3];
    start(g, 3, false, WORDS("cat"));
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
        turn(g);
    }
    c->streams.in = fd_close(c->streams.in);
    until(g, c->status >= 0 && c->streams.out < 0);
    bool same = c->status == 0 && c->out.used == all;
    for (size_t i = 0; same && i < all; i++)
        same = c->out.data[i] == bytes[i % sizeof(bytes)];
    ok(same, "600000 bytes there and back, and the end of input");
    *c = (struct console){
        .failed = -1, .status = -1, .streams = {-1, -1, -1, -1}
    };
}

static void test_a_stuck_console(struct guest *g)
{
    struct console *c = &g->consoles[3];
    c->deaf = true;
    start(g, 3, false, WORDS("sh", "-c", "cat /dev/zero"));
    until(g, c->started);
    struct buf out;
    ok(shell(g, "echo here", &out) == 0 && has(&out, "here\n"),
       "a command beside one whose output nobody reads");
    struct error e;
    ok(agent_host_signal(g->host, 3, SIGKILL, &e) == 0, "and a signal to that one");
    c->deaf = false;
    ok(until(g, c->status == 128 + SIGKILL), "ends it");
    until(g, c->streams.out < 0);
    *c = (struct console){
        .failed = -1, .status = -1, .streams = {-1, -1, -1, -1}
    };

    start(g, 3, false, WORDS("sh", "-c", "while echo much; do :; done"));
    until(g, c->out.used > 0);
    c->streams.out = fd_close(c->streams.out);
    ok(until(g, c->status >= 0), "a command whose reader goes ends");
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
    start(g, 4, true, WORDS("sh"));
    until(g, c->started);
    type(g, c, "stty size; tty\n");
    ok(until(g, has(&c->out, "24 80") && has(&c->out, "/dev/pts/")), "a terminal and its size");
    agent_host_resize(g->host, 4, 50, 132);
    type(g, c, "stty size\n");
    ok(until(g, has(&c->out, "50 132")), "its new size");
    type(g, c, "trap 'echo caught; exit 5' INT; echo wait''ing; while :; do sleep 1; done\n");
    until(g, has(&c->out, "waiting\r\n"));
    type(g, c, "\003");
    ok(until(g, c->status >= 0) && c->status == 5 && has(&c->out, "caught"),
       "interrupt, and its end");
    c->streams.terminal = fd_close(c->streams.terminal);
}

static void test_what_a_command_is_given(struct guest *g)
{
    struct buf out;
    shell(g,
          "hostname; cat /etc/machine-id /proc/sys/kernel/random/boot_id; ulimit -n; "
          "grep -e CapEff -e NoNewPrivs /proc/self/status; ls /dev; ls /proc/self/fd | wc -l; "
          "cat /proc/kcore | wc -c; ls -a / | tr '\\n' ' '; touch /sys/x; id -u",
          &out);
    ok(has(&out, "first\n") && has(&out, "0123456789abcdef0123456789abcdef\nboot\n"),
       "hostname, machine-id, boot_id");
    ok(has(&out, "\n99\n"), "a limit");
    ok(has(&out, "CapEff:\t0000000000000001") && has(&out, "NoNewPrivs:\t1"),
       "capabilities and no_new_privs");
    ok(!has(&out, "vport") && !has(&out, "vda") && has(&out, "urandom"), "its devices only");
    ok(has(&out, "\n4\n0\n"), "no descriptor of ours; what is hidden is empty");
    ok(!has(&out, "modules") && has(&out, "Read-only"), "its root only");
    int r = shell(g, "i=0; while [ $i -lt 60 ]; do sleep 3 & i=$((i+1)); done; wait", &out);
    ok(r != 0 && has(&out, "fork"), "no more processes than allowed");
}

static void test_copies(struct guest *g)
{
    int pair[2];
    struct error e;
    autofree char *path = str_format("%s/tree", folder);
    autofree char *inner = str_format("%s/tree/deep", folder);
    autofree char *file = str_format("%s/tree/deep/file", folder);
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
        int dir = open(folder, O_RDONLY | O_DIRECTORY);
        _exit(records_send(pair[0], dir, "tree", what, sizeof(what), &skipped) < 0);
    }
    close(pair[0]);
    agent_host_copy_in(g->host, 1, "/in", pair[1], &e);
    ok(until(g, g->copied >= 0) && g->copied == 0, "a copy into the guest");
    waitpid(child, NULL, 0);
    struct buf out;
    shell(g, "wc -l /in/deep/file; tail -n 1 /in/deep/file", &out);
    ok(has(&out, "20000 /in/deep/file") && has(&out, "line 19999"), "is all there");

    fd_socketpair(pair);
    g->copied = -1;
    child = fork();
    if (child == 0) {
        char what[256];
        close(pair[1]);
        int dir = open(folder, O_RDONLY | O_DIRECTORY);
        _exit(records_receive(pair[0], dir, "back", 0, what, sizeof(what)) < 0);
    }
    close(pair[0]);
    agent_host_copy_out(g->host, 2, "/in", pair[1], &e);
    int raw = 0;
    ok(until(g, g->copied >= 0) && g->copied == 0, "a copy out of the guest");
    waitpid(child, &raw, 0);
    autofree char *compare = str_format("%s/back/deep/file", folder);
    struct stat a, b;
    ok(raw == 0 && stat(file, &a) == 0 && stat(compare, &b) == 0 && a.st_size == b.st_size,
       "is the same");
    fd_socketpair(pair);
    g->copied = -1;
    agent_host_copy_out(g->host, 2, "/not-there", pair[1], &e);
    ok(until(g, g->copied >= 0) && g->copied == ENOENT, "a copy of nothing");
    close(pair[0]);
}

static void test_figures(struct guest *g)
{
    struct error e;
    g->sampled = false;
    agent_guest_ask_sample(g->host, &e);
    ok(until(g, g->sampled) && g->sample.memory > (MEMORY_MB / 2) << 20 &&
           g->sample.memory < (uint64_t)MEMORY_MB << 20 &&
           g->sample.memory_available < g->sample.memory && g->sample.tasks > 1 &&
           g->sample.cpu_busy_us > 10000 && g->sample.scratch > 1 << 20 && g->sample.oom_kills == 0,
       "figures");
}

static void test_changes(struct guest *g)
{
    struct error e;
    struct buf out;
    shell(g,
          "echo x >/new; rm /etc/gone; echo y >>/etc/there; mkdir -p /etc/cron.d; "
          "echo z >/etc/cron.d/job; chmod 4755 /new; rm -r /usr/old; mkdir /usr/old",
          &out);
    agent_guest_changes(g->host, 1000, &e);
    until(g, g->changes_came);
    ok(has(&g->changes, "A /new 9\n") && has(&g->changes, "D /etc/gone ") &&
           has(&g->changes, "C /etc/there ") && has(&g->changes, "A /etc/cron.d/job 2\n") &&
           has(&g->changes, "D /usr/old/inside ") && !has(&g->changes, "machine-id"),
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
    ok(until(g, g->quiet) && g->quiet_code == 0, disk ? "disks are frozen" : "it holds still");
    start(g, 5, false, WORDS("sh", "-c", "echo after >/thawed; cat /thawed"));
    g->quiet = false;
    agent_guest_quiesce(g->host, AGENT_QUIESCE_OFF, &e);
    ok(until(g, g->quiet) && until(g, g->consoles[5].status == 0) &&
           until(g, has(&g->consoles[5].out, "after\n")),
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
    machine_start(&g, &(struct machine){.memory = FD_NONE});
    make_root(&g, disk);
    agent_guest_end(g.host, &e);
    start(&g, 0, false, WORDS("sh", "-c", "echo main; read x; echo got $x; exit 3"));
    bool ready = until(&g, g.ready);
    ok(ready, disk ? "a guest with a scratch disk is ready" : "a guest is ready");
    show(&g, "guest");
    if (ready) {
        say_phases(&g.said, (loop_now_ms() - begun) * 1000);
        ok(strcmp(g.said.hostname, "first") == 0 && g.said.seeded == 1 &&
               strcmp(g.said.machine_id, "0123456789abcdef0123456789abcdef") == 0,
           "it says who it is");
        until(&g, has(&g.consoles[0].out, "main\n"));
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
        ok(until(&g, g.consoles[0].status == 3) && has(&g.consoles[0].out, "got it\n"),
           "main's end");
        g.changes_came = false;
        agent_guest_changes(g.host, 1000, &e);
        ok(until(&g, g.changes_came), "the changes after that");
        agent_host_shutdown(g.host, &e);
        ok(until(&g, g.closed) && !*g.why, "shutdown");
    }
    int raw = machine_end(&g, !ready);
    ok(raw == 0, "the machine ends by itself");
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
        if (n <= 0 || has(&said, "\"error\"")) {
            printf("# QMP, %s: %.*s\n", line, (int)said.used, said.data);
            return false;
        }
        buf_add(&said, chunk, (size_t)n);
        if (has(&said, expect))
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
    machine_start(&c, &(struct machine){.memory = memory, .incoming = true});
    lseek(state, 0, SEEK_SET);
    ok(load(&c, state), "a clone goes on");
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
    ok(r == 0 && strcmp(ready.hostname, name) == 0 && strncmp(ready.machine_id, name, 6) == 0 &&
           ready.seeded == 2 && off > -10 && off < 10,
       "with a name, machine-id and clock of its own");
    type(&c, main_console, "the clone\n");
    ok(until(&c, has(&main_console->out, "got the clone")), "main's console is there again");
    struct buf out;
    ok(shell(&c, "hostname; cat /tmp/before; head -c 16 /dev/urandom | od -An -tx1", &out) == 0 &&
           has(&out, name) && has(&out, "kept"),
       "commands run in it");
    snprintf(random, room, "%.*s", (int)out.used, out.data);
    ok(shell(&c, "ps | grep -c '[s]leep 1234'", &out) == 0 || has(&out, "0"),
       "what lost its console is gone");
    type(&c, main_console, "end\n");
    ok(until(&c, main_console->status == 4), "main's end in the clone");
    agent_host_shutdown(c.host, &e);
    ok(until(&c, c.closed) && !*c.why, "the clone's shutdown");
    machine_end(&c, c.closed ? false : true);
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
    machine_start(&g, &(struct machine){.memory = memory, .shared = true});
    make_root(&g, false);
    agent_guest_end(g.host, &e);
    start(
        &g, 0, true,
        WORDS(
            "sh", "-c",
            "stty -echo; echo begun; while read x; do [ $x = end ] && exit 4; echo got $x; done"));
    until(&g, has(&g.consoles[0].out, "begun"));
    shell(&g, "echo kept >/tmp/before", NULL);
    start(&g, 2, true, WORDS("sleep", "1234"));
    until(&g, g.consoles[2].started);
    g.quiet = false;
    agent_guest_quiesce(g.host, AGENT_QUIESCE_ON, &e);
    ok(until(&g, g.quiet) && g.quiet_code == 0 && save(&g, state), "a snapshot");
    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    ok(qmp(&g, "{\"execute\":\"quit\"}", FD_NONE, "\"return\""), "the template ends");
    machine_end(&g, true);
    one_clone(memory, state, "second", random[0], sizeof(random[0]));
    one_clone(memory, state, "second", random[1], sizeof(random[1]));
    ok(*random[0] && strcmp(random[0], random[1]) != 0, "two clones draw different random bytes");
}

/* A start to main's first byte, and away. */
static void one_boot(void)
{
    struct guest g;
    struct error e;
    uint64_t begun = loop_now_ms();
    machine_start(&g, &(struct machine){.memory = FD_NONE});
    make_root(&g, false);
    agent_guest_end(g.host, &e);
    start(&g, 0, false, WORDS("echo", "main"));
    ok(until(&g, has(&g.consoles[0].out, "main\n")), "a start");
    show(&g, "guest");
    say_phases(&g.said, (loop_now_ms() - begun) * 1000);
    machine_end(&g, true);
}

static uint64_t measure_khz(void)
{
    uint64_t begun = loop_now_ms(), from;
    while (loop_now_ms() == begun)
        ;
    from = __builtin_ia32_rdtsc();
    begun = loop_now_ms();
    while (loop_now_ms() < begun + 50)
        ;
    return (__builtin_ia32_rdtsc() - from) / 50;
}

/* What a launch would start with, of the package in `root`. */
static int make_boot(const char *root, const char *init)
{
    struct kernel_list list = {0};
    const struct kernel *k;
    struct error e;
    autofree char *path = str_format("%s/initramfs", folder);
    autoclose int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    int r = kernel_list_read(folder, root, &list, &e);
    if (r == 0)
        r = kernel_choose(&list, NULL, &k, &e);
    struct initramfs_wish w = {.kernel = r == 0 ? k : NULL,
                               .drivers = 1u << KERNEL_VIRTIO_MMIO | 1u << KERNEL_BLK |
                                          1u << KERNEL_CONSOLE | 1u << KERNEL_SQUASHFS |
                                          1u << KERNEL_OVERLAY | 1u << KERNEL_EXT4,
                               .init = init};
    if (r == 0)
        r = initramfs_write(&w, fd, &e);
    if (r < 0) {
        printf("Bail out! %s\n", e.text);
        return r;
    }
    kernel = str_dup(k->path);
    initramfs = TAKE(path);
    printf("# kernel %s\n", k->release);
    kernel_list_done(&list);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: agent KERNEL INIT ROOT SCRATCH FOLDER [BOOTS]\n");
        return 2;
    }
    root_disk = argv[3];
    scratch_disk = argv[4];
    folder = argv[5];
    signal(SIGPIPE, SIG_IGN);
    if (make_boot(argv[1], argv[2]) < 0)
        return 1;
    khz = measure_khz();
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
