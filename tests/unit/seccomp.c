/* The filter: what it answers, tried for real, and how it differs from a list others use. */
#include "tests/unit/unit.h"

#include "backends/seccomp/seccomp_list.h"
#include "backends/seccomp/seccomp_module.h"
#include "base/file.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern const struct seccomp_module seccomp_module;

static struct seccomp_program compiled(uint32_t open, uint64_t capabilities)
{
    struct seccomp_wish w = {.open = open, .capabilities = capabilities};
    struct seccomp_program p;
    struct error e;
    autobuf notes = {0};
    int r = seccomp_module.compile(&w, &p, &notes, &e);
    if (r < 0)
        fail_msg("%s", e.text);
    return p;
}

static void lock_in(const struct seccomp_program *p)
{
    struct sock_fprog program = {p->count, p->code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, 1, 0, &program) < 0)
        _exit(99);
}

/* The errno (0: none) of one call made under the filter; -signal if it ended the process. */
struct call {
    const char *what;
    long number;
    unsigned long a[6];
    int expected; /* an errno; ALLOWED: anything but the filter's own words */
};
enum { ALLOWED = -1000 };

static int errno_under(const struct seccomp_program *p, const struct call *c)
{
    pid_t pid = fork();
    if (pid == 0) {
        lock_in(p);
        long r = syscall(c->number, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
        if (c->number == SYS_clone && r == 0)
            _exit(0);
        _exit(r < 0 ? errno : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect_all(const struct seccomp_program *p, const struct call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int got = errno_under(p, &calls[i]);
        bool good = calls[i].expected == ALLOWED ? got >= 0 && got != EPERM && got != ENOSYS
                                                 : got == calls[i].expected;
        if (!good)
            fail_msg("%s: %d, not %d", calls[i].what, got, calls[i].expected);
    }
}

#define HIGH(v) ((unsigned long)(v) | 1ul << 32)

static void test_closed(void **state)
{
    struct seccomp_program p = compiled(0, 0);
    static char name[] = "/proc/self/exe", nowhere[] = "/nonexistent/x";
    static struct rlimit limit = {0, 0};
    uint64_t how[3] = {O_RDONLY, 0, 0};
    const unsigned long at = (unsigned long)AT_FDCWD, file = (unsigned long)name,
                        none = (unsigned long)nowhere;
    const struct call calls[] = {
        {"getpid",                           SYS_getpid,            {0},                                              0              },
        {"clone3",                           SYS_clone3,            {0},                                              ENOSYS         },
        {"a call of the future",             900,                   {0},                                              ENOSYS         },
        {"unshare nothing",                  SYS_unshare,           {0},                                              EPERM          },
        {"unshare user",                     SYS_unshare,           {CLONE_NEWUSER},                                  EPERM          },
        {"setns",                            SYS_setns,             {0},                                              EPERM          },
        {"clone user",                       SYS_clone,             {CLONE_NEWUSER | SIGCHLD},                        EPERM          },
        {"clone mount",                      SYS_clone,             {CLONE_NEWNS | SIGCHLD},                          EPERM          },
        {"clone cgroup",                     SYS_clone,             {CLONE_NEWCGROUP | SIGCHLD},                      EPERM          },
        {"clone network",                    SYS_clone,             {CLONE_NEWNET | SIGCHLD},                         EPERM          },
        {"fork",                             SYS_clone,             {SIGCHLD},                                        0              },
        {"mount",                            SYS_mount,             {0},                                              EPERM          },
        {"umount2",                          SYS_umount2,           {0},                                              EPERM          },
        {"open_tree",                        SYS_open_tree,         {0},                                              EPERM          },
        {"move_mount",                       SYS_move_mount,        {0},                                              EPERM          },
        {"fsopen",                           SYS_fsopen,            {0},                                              EPERM          },
        {"mount_setattr",                    SYS_mount_setattr,     {0},                                              EPERM          },
        {"pivot_root",                       SYS_pivot_root,        {0},                                              EPERM          },
        {"chroot",                           SYS_chroot,            {0},                                              EPERM          },
        {"ptrace",                           SYS_ptrace,            {0},                                              EPERM          },
        {"process_vm_readv",                 SYS_process_vm_readv,  {0},                                              EPERM          },
        {"pidfd_getfd",                      SYS_pidfd_getfd,       {0},                                              EPERM          },
        {"kcmp",                             SYS_kcmp,              {0},                                              EPERM          },
        {"keyctl",                           SYS_keyctl,            {0},                                              EPERM          },
        {"add_key",                          SYS_add_key,           {0},                                              EPERM          },
        {"request_key",                      SYS_request_key,       {0},                                              EPERM          },
        {"bpf",                              SYS_bpf,               {0},                                              EPERM          },
        {"perf_event_open",                  SYS_perf_event_open,   {0},                                              EPERM          },
        {"userfaultfd",                      SYS_userfaultfd,       {0},                                              EPERM          },
        {"io_uring_setup",                   SYS_io_uring_setup,    {0},                                              EPERM          },
        {"open_by_handle_at",                SYS_open_by_handle_at, {0},                                              EPERM          },
        {"name_to_handle_at",                SYS_name_to_handle_at, {0},                                              EPERM          },
        {"memfd_secret",                     447,                   {0},                                              EPERM          },
        {"quotactl",                         SYS_quotactl,          {0},                                              EPERM          },
        {"swapon",                           SYS_swapon,            {0},                                              EPERM          },
        {"reboot",                           SYS_reboot,            {0},                                              EPERM          },
        {"kexec_load",                       SYS_kexec_load,        {0},                                              EPERM          },
        {"init_module",                      SYS_init_module,       {0},                                              EPERM          },
        {"finit_module",                     SYS_finit_module,      {0},                                              EPERM          },
        {"acct",                             SYS_acct,              {0},                                              EPERM          },
        {"settimeofday",                     SYS_settimeofday,      {0},                                              EPERM          },
        {"clock_settime",                    SYS_clock_settime,     {0},                                              EPERM          },
        {"syslog",                           SYS_syslog,            {0},                                              EPERM          },
        {"fanotify_init",                    SYS_fanotify_init,     {0},                                              EPERM          },
        {"sethostname",                      SYS_sethostname,       {0},                                              EPERM          },
        {"personality: which",               SYS_personality,       {0xffffffff},                                     0              },
        {"personality: no random addresses", SYS_personality,       {0x40000},                                        EPERM          },
        {"TIOCSTI",                          SYS_ioctl,             {0, TIOCSTI},                                     EPERM          },
        {"TIOCSTI, high bits set",           SYS_ioctl,             {0, HIGH(TIOCSTI)},                               EPERM          },
        {"TIOCLINUX",                        SYS_ioctl,             {0, TIOCLINUX},                                   EPERM          },
        {"TIOCLINUX, high bits set",         SYS_ioctl,             {0, HIGH(TIOCLINUX)},                             EPERM          },
        {"TIOCSETD",                         SYS_ioctl,             {0, TIOCSETD},                                    EPERM          },
        {"TIOCCONS",                         SYS_ioctl,             {0, TIOCCONS},                                    EPERM          },
        {"another ioctl",                    SYS_ioctl,             {(unsigned long)-1, TCGETS},                      EBADF          },
        {"local socket",                     SYS_socket,            {AF_UNIX, SOCK_STREAM, 0},                        0              },
        {"TCP",                              SYS_socket,            {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0},         0              },
        {"UDP",                              SYS_socket,            {AF_INET, SOCK_DGRAM, IPPROTO_UDP},               0              },
        {"raw",                              SYS_socket,            {AF_INET, SOCK_RAW, IPPROTO_ICMP},                EPERM          },
        {"raw, high bits set",               SYS_socket,            {AF_INET, HIGH(SOCK_RAW), 255},                   EPERM          },
        {"SCTP",                             SYS_socket,            {AF_INET, SOCK_STREAM, IPPROTO_SCTP},             EPERM          },
        {"routing",                          SYS_socket,            {AF_NETLINK, SOCK_RAW, 0},                        0              },
        {"netfilter",                        SYS_socket,            {AF_NETLINK, SOCK_RAW, 12},                       EPERM          },
        {"audit",                            SYS_socket,            {AF_NETLINK, SOCK_RAW, 9},                        EPROTONOSUPPORT},
        {"packet",                           SYS_socket,            {AF_PACKET, SOCK_RAW, 0},                         EPERM          },
        {"packet, high bits set",            SYS_socket,            {HIGH(AF_PACKET), SOCK_RAW, 0},                   EPERM          },
        {"vsock",                            SYS_socket,            {AF_VSOCK, SOCK_STREAM, 0},                       EPERM          },
        {"alg",                              SYS_socket,            {AF_ALG, SOCK_SEQPACKET, 0},                      EPERM          },
        {"xdp",                              SYS_socket,            {44, SOCK_RAW, 0},                                EPERM          },
        {"socketpair of vsock",              SYS_socketpair,        {AF_VSOCK, SOCK_STREAM, 0},                       EPERM          },
        {"chmod +s",                         SYS_fchmodat,          {at, none, 04755},                                EPERM          },
        {"chmod g+s",                        SYS_fchmodat,          {at, none, 02755},                                EPERM          },
        {"chmod",                            SYS_fchmodat,          {at, none, 0755},                                 ENOENT         },
        {"fchmod +s",                        SYS_fchmod,            {(unsigned long)-1, 04755},                       EPERM          },
        {"make a set-uid file",              SYS_openat,            {at, none, O_CREAT | O_WRONLY, 04755},            EPERM          },
        {"make a file",                      SYS_openat,            {at, none, O_CREAT | O_WRONLY, 0755},             ENOENT         },
        {"open, junk as mode",               SYS_openat,            {at, file, O_RDONLY, 04755},                      0              },
        {"openat2",                          SYS_openat2,           {at, file, (unsigned long)how, sizeof(how)},      ENOSYS         },
        {"a device node",                    SYS_mknodat,           {at, none, S_IFCHR | 0600, 0},                    EPERM          },
        {"a block node",                     SYS_mknodat,           {at, none, S_IFBLK | 0600, 0},                    EPERM          },
        {"a pipe",                           SYS_mknodat,           {at, none, S_IFIFO | 0600, 0},                    ENOENT         },
        {"prctl: memory map",                SYS_prctl,             {PR_SET_MM, 0},                                   EPERM          },
        {"prctl: core scheduling",           SYS_prctl,             {62, 0},                                          EPERM          },
        {"no core dumps, please",            SYS_setrlimit,         {RLIMIT_CORE, (unsigned long)&limit},             0              },
        {"another limit",                    SYS_setrlimit,         {RLIMIT_NOFILE, (unsigned long)&limit},           0              },
        {"what is the limit",                SYS_prlimit64,         {0, RLIMIT_CORE, 0, 0},                           0              },
        {"core, high bits set",              SYS_setrlimit,         {HIGH(RLIMIT_CORE), (unsigned long)&limit},       EPERM          },
        {"core of another, high bits",
         SYS_prlimit64,                                             {0, HIGH(RLIMIT_CORE), (unsigned long)&limit, 0},
         EPERM                                                                                                                       },
        {"what is the limit of PID 1",       SYS_prlimit64,         {1, RLIMIT_NOFILE, 0, 0},                         0              },
        {"another limit for PID 1",          SYS_prlimit64,         {1, RLIMIT_NOFILE, (unsigned long)&limit, 0},     EPERM          },
        {"another limit for oneself",        SYS_prlimit64,         {0, RLIMIT_NOFILE, (unsigned long)&limit, 0},     0              },
        {"processor time",                   SYS_prlimit64,         {0, RLIMIT_CPU, 0, 0},                            0              },
        {"real-time time",                   SYS_prlimit64,         {0, RLIMIT_RTTIME, 0, 0},                         0              },
        {"stack",                            SYS_prlimit64,         {0, RLIMIT_STACK, 0, 0},                          0              },
        {"nice",                             SYS_prlimit64,         {0, RLIMIT_NICE, 0, 0},                           0              },
    };
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        continue;
        expect_all(&p, &calls[i], 1);
    }
    seccomp_program_done(&p);
}

/* The limit on core dumps stays what it is, though the call says it went well. */
static void test_core_limit_stays(void **state)
{
    struct seccomp_program p = compiled(0, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit one = {1, 1}, none = {0, 0}, now;
        if (setrlimit(RLIMIT_CORE, &one) < 0)
            _exit(98);
        lock_in(&p);
        if (setrlimit(RLIMIT_CORE, &none) < 0)
            _exit(97);
        if (syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &now) < 0)
            _exit(96);
        _exit(now.rlim_cur == 1 && now.rlim_max == 1 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    seccomp_program_done(&p);
}

static void test_opened(void **state)
{
    static const struct {
        uint32_t open;
        uint64_t capabilities;
        struct call call;
    } rows[] = {
        {PLAN_OPEN_KEYRING,  0,                  {"keyctl", SYS_keyctl, {0x7fff}, ALLOWED}               },
        {PLAN_OPEN_IO_URING, 0,                  {"io_uring_setup", SYS_io_uring_setup, {0, 0}, ALLOWED} },
        {PLAN_OPEN_USERNS,   0,                  {"unshare nothing", SYS_unshare, {0}, 0}                },
        {PLAN_OPEN_USERNS,   0,                  {"clone3", SYS_clone3, {0, 0}, ALLOWED}                 },
        {PLAN_OPEN_PTRACE,   0,                  {"ptrace", SYS_ptrace, {0x7fff, 0x7fffffff}, ESRCH}     },
        {PLAN_OPEN_VSOCK,    0,                  {"vsock", SYS_socket, {AF_VSOCK, 77, 0}, ALLOWED}       },
        {0,                  1ull << CAP_FSETID, {"chmod", SYS_fchmod, {(unsigned long)-1, 04755}, EBADF}},
        {0,                  1ull << CAP_FSETID, {"openat2", SYS_openat2, {0, 0, 0, 0}, ALLOWED}         },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct seccomp_program p = compiled(rows[i].open, rows[i].capabilities);
        expect_all(&p, &rows[i].call, 1);
        seccomp_program_done(&p);
    }
}

#ifdef __x86_64__
static long call_32(long number, long a, long b)
{
    long r;
    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(number), "b"(a), "c"(b)
                     : "memory", "r8", "r9", "r10", "r11");
    return r;
}

/* 32-bit calls have their own numbers; sockets come through socketcall(2), whose arguments hide. */
static int result_32(const struct seccomp_program *p, long number, long a, long b)
{
    pid_t pid = fork();
    if (pid == 0) {
        lock_in(p);
        long r = call_32(number, a, b);
        _exit(r < 0 ? (int)-r : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_other_architectures(void **state)
{
    struct seccomp_program none = {0};
    struct seccomp_program p = compiled(0, 0);
    struct call x32 = {"x32", 0x40000000 + 39, {0}, -SIGSYS};
    expect_all(&p, &x32, 1);
    struct sock_filter all = {0x06, 0, 0, 0x7fff0000};
    none = (struct seccomp_program){&all, 1};
    int plain = result_32(&none, 20, 0, 0);
    if (plain == 0) {                                 /* else this kernel runs no 32-bit programs */
        assert_int_equal(result_32(&p, 20, 0, 0), 0); /* getpid */
        assert_int_equal(result_32(&p, 102, 1, 0), EPERM);             /* socketcall: socket */
        assert_int_equal(result_32(&p, 102, 8, 0), EPERM);             /* socketcall: socketpair */
        assert_int_equal(result_32(&p, 102, 2, 0), EFAULT);            /* socketcall: bind */
        assert_int_equal(result_32(&p, 359, 40, 1), EPERM);            /* socket: vsock */
        assert_int_equal(result_32(&p, 54, 0, 0x5412), EPERM);         /* TIOCSTI */
        assert_int_equal(result_32(&p, 310, CLONE_NEWUSER, 0), EPERM); /* unshare */
        assert_int_equal(result_32(&p, 120, CLONE_NEWUSER, 0), EPERM); /* clone */
        assert_int_equal(result_32(&p, 435, 0, 0), ENOSYS);            /* clone3 */
        assert_int_equal(result_32(&p, 21, 0, 0), EPERM);              /* mount */
        assert_int_equal(result_32(&p, 26, 0, 0), EPERM);              /* ptrace */
        assert_int_equal(result_32(&p, 123, 0, 0), EPERM);             /* modify_ldt */
        assert_int_equal(result_32(&p, 900, 0, 0), ENOSYS);
    }
    seccomp_program_done(&p);
}
#endif

/* --- against the list podman and others use -------------------------------------------------- */

static const struct difference {
    const char *names, *reason;
} differences[] = {
  /* theirs, not ours */
    {"adjtimex clock_adjtime clock_adjtime64",
     "the clock is the host's; reading it has better calls"                                                                                                               },
    {"epoll_ctl_old epoll_wait_old syscall timerfd",                                          "no kernel of ours has them"                                                },
    {"fanotify_mark",                                                                         "of no use without fanotify_init, which needs rights over the host"         },
    {"fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root umount "
     "umount2",                                                                          "mounts are made before the workload starts; the entry to many kernel holes"},
    {"setns unshare",                                                                         "namespaces likewise"                                                       },
    {"get_mempolicy mbind set_mempolicy",                                                     "placement on nodes is the host's; opened by SYS_NICE"                      },
    {"keyctl",                                                                                "key rings are in no namespace"                                             },
    {"memfd_secret",                                                                          "memory nobody can look into"                                               },
    {"modify_ldt",                                                                            "16-bit segments; a source of kernel holes"                                 },
    {"name_to_handle_at",                                                                     "only of use with open_by_handle_at"                                        },
    {"pidfd_getfd process_vm_readv process_vm_writev ptrace",                                 "other processes; opened by ptrace"                                         },
    {"reboot",                                                                                "nothing to reboot"                                                         },
    {"remap_file_pages",                                                                      "emulated since Linux 4.0 and unused"                                       },
    {"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",                             "hardware"                                                                  },
    {"syslog",                                                                                "the kernel's messages; opened by SYSLOG"                                   },
 /* with certain arguments only, where theirs have none */
    {"clone",                                                                                 "no namespaces"                                                             },
    {"clone3",                                                                                "ENOSYS: its arguments hide, and libraries fall back to clone"              },
    {"chmod fchmod fchmodat creat open openat",                                               "no set-id bits unless FSETID is kept"                                      },
    {"openat2",                                                                               "ENOSYS: its mode hides"                                                    },
    {"mknod mknodat",                                                                         "no device nodes"                                                           },
    {"prlimit64 setrlimit",                                                                   "the limit on core dumps stays"                                             },
    {"prctl",                                                                                 "the options of ordinary programs"                                          },
    {"socket socketpair",                                                                     "local, Internet and routing only, of the usual kinds"                      },
    {"socketcall",                                                                            "its arguments hide, so it makes no socket"                                 },
 /* ours, not theirs */
    {"cachestat futex_requeue futex_wait futex_waitv futex_wake getxattrat listxattrat "
     "map_shadow_stack mseal removexattrat setxattrat riscv_flush_icache riscv_hwprobe", "newer than their list, and harmless as their elders"                       },
};

static bool difference_is_explained(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
        autostrv char **names = strv_split(differences[i].names, " ");
        if (strv_has(names, name))
            return true;
    }
    return false;
}

/* What is allowed without an argument, a word in isolation.open or a capability. */
static char **our_names(void)
{
    char **all = NULL;
    for (size_t i = 0; i < seccomp_groups_count; i++) {
        if (seccomp_groups[i].open || seccomp_groups[i].capabilities)
            continue;
        autostrv char **names = strv_split(seccomp_groups[i].names, " ");
        for (size_t k = 0; names && names[k]; k++)
            strv_add(&all, names[k]);
    }
    return all;
}

static char **their_names(const json_t *root)
{
    char **all = NULL;
    size_t i, k;
    json_t *rule, *name;
    json_array_foreach(json_object_get(root, "syscalls"), i, rule)
    {
        const char *action = json_string_value(json_object_get(rule, "action"));
        const json_t *caps = json_object_get(json_object_get(rule, "includes"), "caps");
        if (!str_equal(action, "SCMP_ACT_ALLOW") || json_array_size(caps) > 0)
            continue;
        json_array_foreach(json_object_get(rule, "names"), k, name)
            strv_add(&all, json_string_value(name));
    }
    return all;
}

static void test_differences_are_explained(void **state)
{
    const char *path = "/usr/share/containers/seccomp.json";
    if (access(path, R_OK) < 0) {
        print_message("needs golang-github-containers-common\n");
        skip();
    }
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    assert_non_null(root);
    autostrv char **theirs = their_names(root), **ours = our_names();
    json_decref(root);
    assert_true(strv_length(theirs) > 300);
    unsigned unexplained = 0;
    for (size_t i = 0; theirs[i]; i++)
        if (!strv_has(ours, theirs[i]) && !difference_is_explained(theirs[i]) &&
            strcmp(theirs[i], "personality") != 0)
            unexplained += (unsigned)printf("# theirs, not ours: %s\n", theirs[i]) > 0;
    for (size_t i = 0; ours[i]; i++)
        if (!strv_has(theirs, ours[i]) && !difference_is_explained(ours[i]))
            unexplained += (unsigned)printf("# ours, not theirs: %s\n", ours[i]) > 0;
    assert_int_equal(unexplained, 0);
    /* an explanation that explains nothing has outlived its reason */
    for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
        autostrv char **names = strv_split(differences[i].names, " ");
        for (size_t k = 0; names[k]; k++)
            if (strv_has(ours, names[k]) && strv_has(theirs, names[k]))
                fail_msg("%s is no difference any more", names[k]);
    }
}

/* --- the cache ------------------------------------------------------------------------------- */

static int write_file(const char *path, const struct seccomp_program *p, uint64_t key, mode_t mode,
                      bool flip)
{
    struct seccomp_file_head head = {
        .magic = SECCOMP_FILE_MAGIC,
        .version = SECCOMP_FILE_VERSION,
        .count = p->count,
        .key = key,
        .sum = seccomp_hash(SECCOMP_HASH_START, p->code, p->count * sizeof(p->code[0])),
    };
    autobuf b = {0};
    buf_add(&b, &head, sizeof(head));
    buf_add(&b, p->code, p->count * sizeof(p->code[0]));
    if (flip)
        b.data[b.used - 1] ^= 1;
    assert_int_equal(file_write_whole(AT_FDCWD, path, b.data, b.used, mode, false), 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void test_cache_refuses(void **state)
{
    char folder[] = "/tmp/unit-seccomp.XXXXXX";
    assert_non_null(mkdtemp(folder));
    autofree char *path = str_join_path(folder, "f");
    struct plan plan = {.seccomp = true};
    struct seccomp_wish w = seccomp_wish_of(&plan);
    uint64_t key = seccomp_key(&w);
    struct seccomp_program p = compiled(0, 0), read = {0};
    struct error e;

    int fd = write_file(path, &p, key, 0600, false);
    assert_int_equal(seccomp_cache_read(fd, &plan, &read, &e), 0);
    assert_int_equal(read.count, p.count);
    assert_memory_equal(read.code, p.code, p.count * sizeof(p.code[0]));
    seccomp_program_done(&read);
    close(fd);

    fd = write_file(path, &p, key, 0600, true);
    assert_int_equal(seccomp_cache_read(fd, &plan, &read, &e), -EBADMSG);
    close(fd);
    fd = write_file(path, &p, key + 1, 0600, false);
    assert_int_equal(seccomp_cache_read(fd, &plan, &read, &e), -EBADMSG);
    close(fd);
    fd = write_file(path, &p, key, 0666, false);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(seccomp_cache_read(fd, &plan, &read, &e), -EPERM);
    close(fd);

    plan.open = PLAN_OPEN_BPF; /* another plan's filter is refused, and so is a weaker one */
    fd = write_file(path, &p, key, 0600, false);
    assert_int_equal(seccomp_cache_read(fd, &plan, &read, &e), -EBADMSG);
    close(fd);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder), 0);
    seccomp_program_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_core_limit_stays),
        cmocka_unit_test(test_opened),
#ifdef __x86_64__
        cmocka_unit_test(test_other_architectures),
#endif
        cmocka_unit_test(test_differences_are_explained),
        cmocka_unit_test(test_cache_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
