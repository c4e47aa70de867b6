#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t guest_phases[AGENT_PHASES];
int guest_dev = FD_NONE, guest_proc = FD_NONE, guest_sys = FD_NONE, guest_run = FD_NONE;

/* --- small things ------------------------------------------------------------------------------
 */

uint64_t guest_now_us(void)
{
    struct timespec t = {0};
    syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void guest_put(struct guest_text *t, const char *s)
{
    for (; *s && t->used + 1 < t->room; s++)
        t->to[t->used++] = *s;
    t->to[t->used] = 0;
}

void guest_put_number(struct guest_text *t, uint64_t n, unsigned base)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    guest_put(t, digits + at);
}

uint64_t guest_number(const char **s)
{
    uint64_t n = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++)
        n = n * 10 + (uint64_t)(**s - '0');
    return n;
}

ssize_t guest_read_file(int dir, const char *path, char *to, size_t room)
{
    autoclose int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    size_t used = 0;
    while (used + 1 < room) {
        ssize_t n = read(fd, to + used, room - 1 - used);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    while (used && to[used - 1] == '\n')
        used--;
    to[used] = 0;
    return (ssize_t)used;
}

int guest_write_file(int dir, const char *path, const void *from, size_t size)
{
    autoclose int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    return fd_write_full(fd, from, size);
}

/* linux_dirent64 of getdents64(2). */
struct guest_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

int guest_each(int dir, const char *path, int (*each)(int dir, const char *name, void *data),
               void *data)
{
    _Alignas(8) char block[2048];
    autoclose int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        long n = syscall(SYS_getdents64, fd, block, sizeof(block));
        if (n <= 0)
            return n < 0 ? -errno : 0;
        for (long at = 0; at < n;) {
            const struct guest_entry *e = (const void *)(block + at);
            at += e->size;
            if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
                continue;
            int r = each(fd, e->name, data);
            if (r)
                return r;
        }
    }
}

/* --- the end -----------------------------------------------------------------------------------
 */

/* A kernel that is to switch off a machine which cannot be switched off halts it for ever. */
static bool guest_resets;

void guest_power_off(void)
{
    kill(-1, SIGKILL);
    port_flush();
    sync();
    if (!guest_resets)
        reboot(RB_POWER_OFF);
    reboot(RB_AUTOBOOT);
    for (;;)
        poll(NULL, 0, -1);
}

void guest_die(const char *what, int code)
{
    char line[200];
    struct guest_text t = {.to = line, .room = sizeof(line)};
    guest_put(&t, "cofferdam-init: ");
    guest_put(&t, what);
    guest_put(&t, ": error ");
    guest_put_number(&t, (uint64_t)(code < 0 ? -code : code), 10);
    guest_put(&t, "\n");
    guest_write_file(guest_dev, "console", line, t.used);
    guest_power_off();
}

/* --- the beginning -----------------------------------------------------------------------------
 */

/*
 * The descriptors stay good when the workload's root lies over all of them. As what comes later is
 * mounted: each part of the kernel that runs for the first time costs an emulated guest.
 */
static int guest_mount(const char *type, const char *target, const char *const *options)
{
    autoclose int mount = tree_new_fs(type, type, options, AGENT_STEP_NOSUID | AGENT_STEP_NOEXEC);
    if (mount < 0)
        guest_die(target, mount);
    if (syscall(SYS_move_mount, mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        guest_die(target, errno);
    int high = fcntl(mount, F_DUPFD_CLOEXEC, AGENT_FD + 1);
    if (high < 0)
        guest_die(target, errno);
    return high;
}

/* What a kernel needs to be asked anything; then descriptors 0 to 2. */
static void guest_begin(void)
{
    static const char *const none[] = {NULL}, *const dev[] = {"mode=0755", NULL},
                             *const run[] = {"mode=0700", "size=16m", NULL};
    umask(022);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    guest_dev = guest_mount("devtmpfs", "/dev", dev);
    guest_proc = guest_mount("proc", "/proc", none);
    guest_sys = guest_mount("sysfs", "/sys", none);
    guest_run = guest_mount("tmpfs", GUEST_RUN, run);
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        guest_die("/dev/null", errno);
    for (int i = 0; i < AGENT_FD; i++)
        if (null != i)
            dup2(null, i);
}

/* One file of /modules; its memory is free for the workload then. */
static void guest_load(const char *name)
{
    char path[160];
    struct guest_text t = {.to = path, .room = sizeof(path)};
    guest_put(&t, "/modules/");
    guest_put(&t, name);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
        guest_die(path, errno);
    unlinkat(AT_FDCWD, path, 0);
}

static void guest_load_modules(void)
{
    char list[4096];
    ssize_t n = guest_read_file(AT_FDCWD, "/modules/load", list, sizeof(list));
    if (n < 0 && n != -ENOENT)
        guest_die("/modules/load", (int)n);
    for (char *p = list, *next; n > 0 && p; p = next) {
        next = strchr(p, '\n');
        if (next)
            *next++ = 0;
        if (*p)
            guest_load(p);
    }
}

/* --- serving -----------------------------------------------------------------------------------
 */

static bool guest_quiet;  /* frozen for a snapshot: not a word until the host speaks */
static bool guest_broken; /* a step failed: nothing but the end is left to do */

static int guest_step(const struct agent_frame *f)
{
    struct agent_step_view v;
    int r = agent_decode_step(f, &v);
    if (r < 0 || guest_broken)
        return r;
    if (!guest_phases[AGENT_PHASE_STEPS])
        guest_phases[AGENT_PHASE_STEPS] = guest_now_us();
    r = steps_run(&v);
    if (r < 0 &&
        !((v.head.flags & AGENT_STEP_OPTIONAL) && (r == -ENOENT || r == -ENOTDIR || r == -EROFS))) {
        char text[INIT_TEXT_MAX];
        struct guest_text t = {.to = text, .room = sizeof(text)};
        guest_put(&t, steps_name(v.head.kind));
        if (*v.target || *v.source) {
            guest_put(&t, " ");
            guest_put(&t, *v.target ? v.target : v.source);
        }
        guest_broken = true;
        wire_send_result(AGENT_BROKEN, 0, -r, text);
        return 0;
    }
    if (v.head.kind == AGENT_STEP_END)
        state_ready();
    return 0;
}

static int guest_handle(const struct agent_frame *f)
{
    switch (f->type) {
    case AGENT_STEP:
        return guest_step(f);
    case AGENT_START:
        if (!steps_entered() || !pump_is_free(f->channel))
            return guest_broken ? 0 : -EBADMSG;
        return main_handle(f, FD_NONE);
    case AGENT_DATA:
        return pump_data(f);
    case AGENT_CREDIT:
        return pump_credit(f);
    case AGENT_RESIZE:
        return pump_resize(f);
    case AGENT_COPY_IN:
    case AGENT_COPY_OUT:
    case AGENT_CHANGES:
        return guest_broken ? 0 : pump_transfer(f);
    case AGENT_SAMPLE:
        state_sample();
        return 0;
    case AGENT_QUIESCE:
        return state_quiesce(f, &guest_quiet);
    case AGENT_SIGNAL:
    case AGENT_FREEZE:
    case AGENT_SHUTDOWN:
    case AGENT_PING:
    case AGENT_HELLO: /* this and what follows is what agents say */
    case AGENT_STARTED:
    case AGENT_FAILED:
    case AGENT_EXITED:
    case AGENT_COPIED:
    case AGENT_PONG:
    case AGENT_READY:
    case AGENT_BROKEN:
    case AGENT_QUIET:
    case AGENT_SAMPLED:
    case AGENT_RUNNING:
        break;
    }
    return main_handle(f, FD_NONE);
}

static void guest_serve_host(void)
{
    for (;;) {
        struct agent_frame frame;
        int fd;
        int r = wire_read(&frame, &fd);
        if (r == 0)
            return;
        if (r > 0)
            r = guest_handle(&frame);
        if (r == -EPIPE && guest_quiet)
            return; /* a snapshot's other life: somebody will come */
        if (r < 0)
            guest_power_off();
    }
}

/* What the children have to say waits while nobody is to be told. */
static void guest_loop(const sigset_t *waiting)
{
    static struct pollfd fds[1 + REAP_WATCH_MAX + PUMP_WATCH_MAX];
    bool here = true;
    for (;;) {
        int other = FD_NONE;
        if (!here)
            here = port_is_connected(&other);
        if (!here && !guest_quiet)
            guest_power_off();
        fds[0] = (struct pollfd){.fd = here ? AGENT_FD : other, .events = POLLIN};
        bool quiet = guest_quiet;
        size_t reaps = quiet ? 0 : reap_watch(fds + 1);
        size_t count = 1 + reaps + (quiet ? 0 : pump_watch(fds + 1 + reaps));
        if (quiet && here) /* a snapshot's other life may not be told that its line is cut */
            fds[count++] = (struct pollfd){.fd = port_callers(), .events = POLLIN};
        port_flush();
        int r = ppoll(fds, count, NULL, waiting);
        if (r < 0 && errno != EINTR)
            guest_die("ppoll", errno);
        if (r > 0 && fds[0].revents && here) {
            guest_serve_host();
            here = !guest_quiet && !(fds[0].revents & (POLLHUP | POLLERR));
        }
        if (quiet && r > 0 && count > 1 && fds[1].revents)
            port_change();
        if (guest_quiet)
            continue;
        for (size_t i = 1; r > 0 && !quiet && i < count; i++) {
            if (!fds[i].revents)
                continue;
            if (i <= reaps)
                reap_ready(fds[i].fd);
            else
                pump_ready(&fds[i]);
        }
        reap_children();
    }
}

/* Before the root is entered "/" is the initramfs: what is copied in then must not land there. */
static int guest_settle(void)
{
    if (steps_entered())
        return 0;
    if (tree_root < 0)
        return -ENOENT;
    return syscall(SYS_fchdir, tree_root) < 0 || syscall(SYS_chroot, ".") < 0 ? -errno : 0;
}

static const struct init_hooks guest_hooks = {
    .started = pump_started,
    .exited = pump_exited,
    .copied = pump_copied,
    .settle = guest_settle,
    .fork = confine_fork,
    .confine = confine_apply,
    .read = port_read,
    .write = port_write,
};

void guest_main(char **argv)
{
    sigset_t waiting;
    const char *transport = "";
    guest_phases[AGENT_PHASE_INIT] = guest_now_us();
    for (; *argv; argv++) {
        if (strncmp(*argv, "agent=", 6) == 0)
            transport = *argv + 6;
        else if (strcmp(*argv, "end=reset") == 0)
            guest_resets = true;
    }
    main_listen(&waiting); /* a kernel has its first process handle no signal */
    guest_begin();
    port_prepare(transport);
    guest_load_modules();
    guest_phases[AGENT_PHASE_MODULES] = guest_now_us();
    port_open(&waiting);
    guest_phases[AGENT_PHASE_PORT] = guest_now_us();
    init_hooks = &guest_hooks;
    uint32_t hello[2] = {AGENT_VERSION, 0};
    wire_send(AGENT_HELLO, 0, hello, sizeof(hello), NULL, 0);
    guest_loop(&waiting);
    guest_power_off();
}
