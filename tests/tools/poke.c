/*
 * Attempts that must fail inside a workload, one a name: prints "NAME: refused (errno)" or
 * "NAME: WORKED". Counting ones print a number. Static, so that it runs in any root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static long poke_tiocsti(void)
{
    return ioctl(0, TIOCSTI, "x");
}

static long poke_tiocsti_high(void)
{
    return syscall(SYS_ioctl, 0, TIOCSTI | 1ul << 32, "x");
}

static long poke_userns(void)
{
    return unshare(CLONE_NEWUSER);
}

static long poke_clone_userns(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long poke_setns(void)
{
    int fd = open("/proc/1/ns/mnt", O_RDONLY);
    return fd < 0 ? -1 : setns(fd, 0);
}

static long poke_mount(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long poke_remount(void)
{
    return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long poke_umount(void)
{
    return umount2("/proc/kcore", MNT_DETACH);
}

static long poke_core_pattern(void)
{
    return open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static long poke_sysrq(void)
{
    return open("/proc/sysrq-trigger", O_WRONLY);
}

static long poke_kcore(void)
{
    char c;
    int fd = open("/proc/kcore", O_RDONLY);
    if (fd < 0)
        return -1;
    errno = ENODATA;
    return read(fd, &c, 1) == 1 ? 0 : -1;
}

static long poke_init_memory(void)
{
    return open("/proc/1/mem", O_RDWR);
}

static long poke_init_program(void)
{
    return open("/proc/1/exe", O_RDONLY);
}

static long poke_init_root(void)
{
    return open("/proc/1/root", O_PATH | O_DIRECTORY);
}

static long poke_init_environment(void)
{
    char c;
    int fd = open("/proc/1/environ", O_RDONLY);
    if (fd < 0)
        return -1;
    errno = ENODATA;
    return read(fd, &c, 1) == 1 ? 0 : -1;
}

static long poke_init_descriptors(void)
{
    return open("/proc/1/fd/3", O_RDWR);
}

static long poke_init_trace(void)
{
    return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static long poke_setuid_file(void)
{
    int fd = open("/tmp/poke-suid", O_CREAT | O_WRONLY, 04755);
    if (fd >= 0)
        return 0;
    fd = open("/tmp/poke-suid", O_CREAT | O_WRONLY, 0755);
    return fchmod(fd, 04755);
}

static long poke_device_node(void)
{
    return mknod("/tmp/poke-null", S_IFCHR | 0666, makedev(1, 3));
}

static long poke_disk_node(void)
{
    return mknod("/tmp/poke-disk", S_IFBLK | 0666, makedev(254, 0));
}

static long poke_device_folder(void)
{
    return open("/dev/poke", O_CREAT | O_WRONLY, 0600);
}

static long poke_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static long poke_alg(void)
{
    return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static long poke_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long poke_keyring(void)
{
    return syscall(SYS_keyctl, 0, -3, 1);
}

static long poke_io_uring(void)
{
    char params[256] = {0};
    return syscall(SYS_io_uring_setup, 1, params);
}

static long poke_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long poke_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long poke_perf(void)
{
    char attributes[128] = {0};
    return syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
}

static long poke_handle(void)
{
    return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0);
}

static long poke_hostname(void)
{
    return sethostname("poke", 4);
}

static long poke_capabilities(void)
{
    for (int c = 0; c < 41; c++)
        if (prctl(PR_CAPBSET_READ, c) == 1)
            return 0;
    errno = EPERM;
    return -1;
}

/* Nothing but 0, 1, 2 and the folder being read. */
static long poke_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    long extra = -1;
    errno = EBADF;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && atoi(e->d_name) > 2 && atoi(e->d_name) != dirfd(d))
            extra = atoi(e->d_name);
    errno = EBADF;
    return extra;
}

static const struct poke {
    const char *name;
    long (*run)(void);
} pokes[] = {
    {"tiocsti",          poke_tiocsti         },
    {"tiocsti-high",     poke_tiocsti_high    },
    {"userns",           poke_userns          },
    {"clone-userns",     poke_clone_userns    },
    {"setns",            poke_setns           },
    {"mount",            poke_mount           },
    {"remount",          poke_remount         },
    {"umount",           poke_umount          },
    {"core-pattern",     poke_core_pattern    },
    {"sysrq",            poke_sysrq           },
    {"kcore",            poke_kcore           },
    {"init-memory",      poke_init_memory     },
    {"init-program",     poke_init_program    },
    {"init-root",        poke_init_root       },
    {"init-environment", poke_init_environment},
    {"init-descriptors", poke_init_descriptors},
    {"init-trace",       poke_init_trace      },
    {"setuid-file",      poke_setuid_file     },
    {"device-node",      poke_device_node     },
    {"disk-node",        poke_disk_node       },
    {"device-folder",    poke_device_folder   },
    {"vsock",            poke_vsock           },
    {"alg",              poke_alg             },
    {"packet",           poke_packet          },
    {"keyring",          poke_keyring         },
    {"io-uring",         poke_io_uring        },
    {"bpf",              poke_bpf             },
    {"userfaultfd",      poke_userfaultfd     },
    {"perf",             poke_perf            },
    {"handle",           poke_handle          },
    {"hostname",         poke_hostname        },
    {"capabilities",     poke_capabilities    },
    {"descriptors",      poke_descriptors     },
};

/* An abstract socket of the host's: `poke listen` outside, until its stdin ends; `poke abstract`
 * inside. */
static int abstract_socket(struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "cofferdam-poke");
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int poke_listen(void)
{
    struct sockaddr_un at;
    char c;
    int s = abstract_socket(&at);
    if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(s, 4) < 0)
        return 1;
    puts("listening");
    fflush(stdout);
    return read(0, &c, 1) < 0;
}

static int poke_abstract(void)
{
    struct sockaddr_un at;
    int s = abstract_socket(&at);
    bool good = connect(s, (struct sockaddr *)&at, sizeof(at)) < 0;
    printf("abstract: %s (%s)\n", good ? "refused" : "WORKED", good ? strerror(errno) : "");
    return !good;
}

static int count_ptys(void)
{
    int count = 0;
    while (count < 4096 && open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0)
        count++;
    return count;
}

static int count_inotify(void)
{
    int count = 0;
    while (count < 4096 && inotify_init1(0) >= 0)
        count++;
    return count;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "ptys") == 0)
        return printf("%d\n", count_ptys()) < 0;
    if (argc == 2 && strcmp(argv[1], "inotify") == 0)
        return printf("%d\n", count_inotify()) < 0;
    if (argc == 2 && strcmp(argv[1], "listen") == 0)
        return poke_listen();
    if (argc == 2 && strcmp(argv[1], "abstract") == 0)
        return poke_abstract();
    int worked = 0;
    for (size_t i = 0; i < sizeof(pokes) / sizeof(pokes[0]); i++) {
        if (argc > 1 && strcmp(argv[1], "all") != 0 && strcmp(argv[1], pokes[i].name) != 0)
            continue;
        fflush(stdout);
        pid_t pid = fork(); /* what one leaves behind must not help the next */
        if (pid == 0) {
            bool good = pokes[i].run() < 0;
            printf("%s: %s (%s)\n", pokes[i].name, good ? "refused" : "WORKED",
                   good ? strerror(errno) : "it should not");
            fflush(stdout);
            _exit(!good);
        }
        int status = 1;
        waitpid(pid, &status, 0);
        worked |= status != 0;
    }
    return worked;
}
