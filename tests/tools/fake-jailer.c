/*
 * A stand-in for Firecracker's jailer, after its published sources: it takes the same arguments and
 * does the same things in the same order, as root of the host alone can, and refuses others.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static volatile char fake[] = "FAKE version=1.14.2 ;";

static struct {
    const char *id, *program, *uid, *gid, *base, *limit;
    const char *limits[4];
    unsigned limits_count;
    int new_pid_ns;
    char **rest;
} wish;

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "Jailer error: %s: %s (os error %d)\n", what, strerror(errno), errno);
    exit(101); /* it panics */
}

static void arguments(int argc, char **argv)
{
    static const struct {
        const char *name, **to;
    } rows[] = {
        {"--id",              &wish.id     },
        {"--exec-file",       &wish.program},
        {"--uid",             &wish.uid    },
        {"--gid",             &wish.gid    },
        {"--chroot-base-dir", &wish.base   },
        {"--resource-limit",  &wish.limit  },
    };
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        if (strcmp(argv[i], "--version") == 0) {
            char version[16];
            sscanf((const char *)fake, "FAKE version=%15[^ ;]", version);
            printf("Jailer v%s\n\n", version);
            exit(0);
        }
        if (strcmp(argv[i], "--") == 0) {
            wish.rest = argv + i + 1;
            return;
        }
        if (strcmp(argv[i], "--new-pid-ns") == 0) {
            wish.new_pid_ns = 1;
            continue;
        }
        while (k < sizeof(rows) / sizeof(rows[0]) && strcmp(argv[i], rows[k].name) != 0)
            k++;
        errno = EINVAL;
        must(k < sizeof(rows) / sizeof(rows[0]) && i + 1 < argc, argv[i]);
        *rows[k].to = argv[++i];
        if (rows[k].to == &wish.limit && wish.limits_count < 4)
            wish.limits[wish.limits_count++] = wish.limit;
    }
}

static void copy(const char *from, const char *to)
{
    char bytes[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    must(in >= 0 && out >= 0, to);
    for (ssize_t n; (n = read(in, bytes, sizeof(bytes))) > 0;)
        must(write(out, bytes, (size_t)n) == n, to);
    close(in);
    close(out);
}

static void change_root(const char *path)
{
    must(unshare(CLONE_NEWNS) == 0, "unshare");
    must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) == 0, "slave");
    must(mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0, "bind");
    must(chdir(path) == 0 && mkdir("old_root", 0600) == 0, "old_root");
    must(syscall(SYS_pivot_root, ".", "old_root") == 0 && chdir("/") == 0, "pivot_root");
    must(umount2("old_root", MNT_DETACH) == 0 && rmdir("old_root") == 0, "old_root");
}

/* Its number is the kernel's to choose; 0: this one has none. */
static unsigned uffd_minor(void)
{
    char line[64], name[32];
    unsigned minor = 0, found = 0;
    FILE *f = fopen("/proc/misc", "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%u %31s", &minor, name) == 2 && strcmp(name, "userfaultfd") == 0)
            found = minor;
    if (f)
        fclose(f);
    return found;
}

static void make_node(const char *path, unsigned major, unsigned minor, uid_t uid, gid_t gid)
{
    must(mknod(path, S_IFCHR | 0600, makedev(major, minor)) == 0 && chown(path, uid, gid) == 0,
         path);
}

static void furnish(uid_t uid, gid_t gid, unsigned uffd)
{
    static const char *const folders[] = {"/", "/dev", "/dev/net", "/run"};
    for (size_t i = 0; i < 4; i++) {
        must(mkdir(folders[i], 0700) == 0 || errno == EEXIST, folders[i]);
        must(chmod(folders[i], 0700) == 0 && chown(folders[i], uid, gid) == 0, folders[i]);
    }
    make_node("/dev/net/tun", 10, 200, uid, gid);
    make_node("/dev/kvm", 10, 232, uid, gid);
    make_node("/dev/urandom", 1, 9, uid, gid);
    if (uffd)
        make_node("/dev/userfaultfd", 10, uffd, uid, gid);
}

static void write_pid(const char *program, long pid)
{
    char path[300], number[16];
    snprintf(path, sizeof(path), "%s.pid", program);
    int size = snprintf(number, sizeof(number), "%ld", pid);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    must(fd >= 0 && write(fd, number, (size_t)size) == size, path);
    close(fd);
}

int main(int argc, char **argv)
{
    char path[4096], inside[256];
    char *words[32] = {inside,
                       (char *)"--id",
                       NULL,
                       (char *)"--start-time-us",
                       (char *)"123456789",
                       (char *)"--start-time-cpu-us",
                       (char *)"0",
                       (char *)"--parent-cpu-time-us",
                       (char *)"789"};
    must(syscall(SYS_close_range, 3, ~0u, 0) == 0 && clearenv() == 0, "sanitize");
    arguments(argc, argv);
    errno = EINVAL;
    must(wish.id && wish.program && wish.uid && wish.gid && wish.base && wish.rest, "arguments");
    must(strlen(wish.id) <= 64 &&
             strspn(wish.id, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
                 strlen(wish.id),
         "id");
    unsigned uffd = uffd_minor();
    char *program = realpath(wish.program, NULL);
    must(program != NULL, wish.program);
    const char *name = strrchr(program, '/') + 1;
    snprintf(path, sizeof(path), "%s/%s/%s/root", wish.base, name, wish.id);
    must(mkdir(path, 0700) == 0 || errno == EEXIST, path);
    snprintf(inside, sizeof(inside), "/%s", name);
    char *to = NULL;
    must(asprintf(&to, "%s/%s", path, name) > 0, "memory");
    copy(program, to);
    for (unsigned i = 0; i < wish.limits_count; i++) {
        struct rlimit l = {0};
        bool files = sscanf(wish.limits[i], "no-file=%lu", &l.rlim_cur) == 1;
        must(files || sscanf(wish.limits[i], "fsize=%lu", &l.rlim_cur) == 1, wish.limits[i]);
        l.rlim_max = l.rlim_cur;
        must(setrlimit(files ? RLIMIT_NOFILE : RLIMIT_FSIZE, &l) == 0, "setrlimit");
    }
    change_root(path);
    furnish((uid_t)atoi(wish.uid), (gid_t)atoi(wish.gid), uffd);
    words[2] = (char *)wish.id;
    for (int i = 0; wish.rest[i] && i < 22; i++)
        words[9 + i] = wish.rest[i];
    if (wish.new_pid_ns) {
        bool leads = getsid(0) == getpid();
        long pid = syscall(SYS_clone, CLONE_NEWPID, NULL, NULL, NULL, NULL);
        must(pid >= 0, "clone");
        if (pid > 0) {
            write_pid(inside, pid);
            return 0;
        }
        must(!leads || setsid() > 0, "setsid");
    } else {
        write_pid(inside, getpid());
    }
    must(syscall(SYS_setgroups, 0, NULL) == 0 && setgid((gid_t)atoi(wish.gid)) == 0 &&
             setuid((uid_t)atoi(wish.uid)) == 0,
         "setuid");
    execve(inside, words, (char *[]){NULL});
    must(0, "exec");
}
