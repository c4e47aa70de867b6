#include "backends/net/become.h"

#include "backends/net/calls.h"
#include "backends/net/translator.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BECOME_FD_LOW = 32, BECOME_WORDS = 16 };

static void __attribute__((noreturn)) become_fail(const char *what)
{
    dprintf(2, "%s: %s\n", what, strerror(errno));
    _exit(127);
}

static void become_fds(const int *fds)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[NET_FDS];
    for (int i = 0; i < NET_FDS; i++) {
        high[i] = fcntl(i < 2 || fds[i] < 0 ? null : fds[i], F_DUPFD_CLOEXEC, BECOME_FD_LOW);
        if (high[i] < 0)
            _exit(127);
    }
    for (int i = 0; i < NET_FDS; i++)
        if (dup2(high[i], i) < 0)
            _exit(127);
    if (syscall(SYS_close_range, NET_FDS, ~0u, 0) < 0)
        become_fail("descriptors");
}

/* More than it ever uses for the descriptors it may have. */
static void become_bounded(void)
{
    const struct rlimit memory = {1u << 30, 1u << 30}, none = {0, 0};
    if (setrlimit(RLIMIT_AS, &memory) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        become_fail("limits");
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    signal(SIGPIPE, SIG_DFL);
}

/* As landlock(7) has it from its sixth version on; older headers know less than the kernel may. */
struct become_rules {
    uint64_t fs, net, scoped;
};

static void become_allow(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr a = {
        .allowed_access = access,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    if (a.parent_fd < 0)
        return;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0)
        become_fail(path);
    fd_close(a.parent_fd);
}

/* Its programs' folders and the names of servers; nothing is written but packets. */
static void become_confined(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        become_fail("no_new_privs");
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return;
    const uint64_t first = (1ull << 13) - 1, refer = 1ull << 13, truncate = 1ull << 14;
    struct become_rules set = {.fs = first | (abi >= 2 ? refer : 0) | (abi >= 3 ? truncate : 0),
                               .scoped = abi >= 6 ? 3 : 0 /* abstract sockets, signals */};
    size_t size = abi >= 6 ? sizeof(set) : abi >= 4 ? 16 : 8;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
    if (rules < 0)
        become_fail("Landlock");
    const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    static const char *const code[] = {"/usr", "/lib", "/lib64", "/lib32"};
    for (size_t i = 0; i < ARRAY_SIZE(code); i++)
        become_allow(rules, code[i], read | LANDLOCK_ACCESS_FS_EXECUTE);
    static const char *const names[] = {"/etc", "/run/systemd/resolve", "/run/NetworkManager",
                                        "/run/resolvconf", "/proc"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        become_allow(rules, names[i], read);
    become_allow(rules, NET_TUN, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
    if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        become_fail("Landlock");
    fd_close(rules);
}

/*
 * Its own sandbox lets go of the host's mounts, of which it makes the topmost alone private: on a
 * host whose mounts are shared, as systemd has them, all below would be unmounted there, too.
 */
static void become_apart(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        become_fail("mounts of its own");
}

void net_become(const int *fds, pid_t parent)
{
    become_fds(fds);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(127);
    become_bounded();
    bool root = geteuid() == 0;
    if (root)
        become_apart();
    else
        become_confined();
    setsid();
    const char *argv[BECOME_WORDS] = {
        "slirp4netns",  "--mtu=" NET_MTU_TEXT, "--disable-host-loopback", "--enable-seccomp",
        "--ready-fd=3", "--exit-fd=4",         "--netns-type=path"};
    size_t count = 7;
    if (fds[NET_FD_USER] >= 0)
        argv[count++] = "--userns-path=/proc/self/fd/5";
    if (root)
        argv[count++] = "--enable-sandbox";
    argv[count++] = "/proc/self/fd/6";
    argv[count++] = NET_TAP;
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
    const char *program = net_program();
    if (!program)
        become_fail("slirp4netns");
    if (net_calls_confine() < 0)
        become_fail("a system call filter");
    execve(program, (char *const *)argv, (char *const *)env);
    become_fail(program);
}
