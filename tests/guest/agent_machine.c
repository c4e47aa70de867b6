/* The machine of the test, and what is seen of it. */
#include "tests/guest/agent_machine.h"

#include "base/fd.h"
#include "base/str.h"
#include "images/initramfs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what is seen ------------------------------------------------------------------------------
 */

struct guest_parts guest_parts;
int points, failures;

static char *kernel, *initramfs; /* owned */
static uint64_t khz;

void check(bool good, const char *what)
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

static void run_qemu(const struct machine *m, int agent, int qmp)
{
    autofree char *append = str_format(
        "console=ttyS0 panic=-1 reboot=t quiet tsc_early_khz=%llu tsc=reliable no_timer_check "
        "cryptomgr.notests mitigations=off nokaslr -- agent=%s",
        (unsigned long long)khz, m->agent ? m->agent : "virtio:" AGENT_PORT_NAME);
    autofree char *drive =
        str_format("if=none,id=root,file=%s,format=raw,readonly=on", guest_parts.root);
    autofree char *scratch =
        str_format("if=none,id=scratch,file=%s,format=raw,snapshot=on", guest_parts.scratch);
    autofree char *port = str_format("socket,id=agent,fd=%d", agent);
    autofree char *monitor = str_format("socket,id=qmp,fd=%d", qmp);
    autofree char *console = str_format("file:%s/console-%d", guest_parts.folder, getpid());
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

void guest_boot(struct guest *g, const struct machine *m)
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

int guest_end(struct guest *g, bool force)
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

void guest_turn(struct guest *g)
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

bool guest_has(const struct buf *b, const char *text)
{
    return b->used && memmem(b->data, b->used, text, strlen(text));
}

/* --- the root ----------------------------------------------------------------------------------
 */

int guest_step(struct guest *g, const struct agent_guest_step *s)
{
    struct error e;
    int r = agent_guest_step(g->host, s, &e);
    if (r < 0)
        fprintf(stderr, "# %s\n", e.text);
    return r;
}

void guest_make_root(struct guest *g, bool disk)
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

void guest_run(struct guest *g, uint32_t n, bool terminal, char **argv)
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

int guest_shell(struct guest *g, const char *words, struct buf *out)
{
    enum { N = CONSOLES - 1 };
    struct console *c = &g->consoles[N];
    buf_drop(&c->out, c->out.used);
    buf_drop(&c->err, c->err.used);
    c->status = c->failed = -1;
    guest_run(g, N, false, WORDS("sh", "-c", words));
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

/* --- the parts ---------------------------------------------------------------------------------
 */

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

int guest_find_parts(const char *root, const char *init)
{
    struct kernel_list list = {0};
    const struct kernel *k;
    struct error e;
    autofree char *path = str_format("%s/initramfs", guest_parts.folder);
    autoclose int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    int r = kernel_list_read(guest_parts.folder, root, &list, &e);
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
    khz = measure_khz();
    printf("# kernel %s\n", k->release);
    kernel_list_done(&list);
    return 0;
}
