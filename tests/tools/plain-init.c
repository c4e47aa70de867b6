/*
 * What a person would write who boots a guest by hand and wants one command in it that finds what a
 * command of ours finds: modules, the image under a layer in memory, /proc, /sys, /dev with ptys
 * and shared memory, a name, the loopback; the command on the serial line; off. With bare=1 on the
 * kernel's command line nothing but the image and the command, with waits=1 it stays. The measure
 * for our own guest.
 */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void load_modules(void)
{
    char line[256], path[300];
    FILE *list = fopen("/modules/load", "re");
    while (list && fgets(line, sizeof(line), list)) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, sizeof(path), "/modules/%s", line);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        syscall(SYS_finit_module, fd, "", 0);
        close(fd);
    }
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (write(fd, text, strlen(text)) < 0)
        perror(path);
    close(fd);
}

static void surroundings(void)
{
    static const char *const folders[] = {"/proc", "/sys", "/dev", "/run", "/tmp"};
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        mkdir(folders[i], 0755);
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL);
    mkdir("/dev/pts", 0755);
    mkdir("/dev/shm", 01777);
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666");
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64m");
    put("/etc/hostname", "plain\n");
    put("/etc/hosts", "127.0.0.1 localhost plain\n::1 localhost plain\n");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sethostname("plain", 5) < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        perror("plain-init");
    close(fd);
}

int main(void)
{
    char echo[] = "/bin/echo", word[] = "ready", path[] = "PATH=/bin";
    char *const command[] = {echo, word, NULL}, *const env[] = {path, NULL};
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    load_modules();
    mount("tmpfs", "/run", "tmpfs", 0, NULL);
    mkdir("/run/lower", 0755);
    mkdir("/run/upper", 0755);
    mkdir("/run/work", 0755);
    mount("/dev/vda", "/run/lower", "squashfs", MS_RDONLY, NULL);
    mount("overlay", "/root", "overlay", 0,
          "lowerdir=/run/lower,upperdir=/run/upper,workdir=/run/work");
    int console = open("/dev/ttyS0", O_RDWR | O_CLOEXEC);
    if (chroot("/root") < 0 || chdir("/") < 0)
        return 1;
    if (!getenv("bare"))
        surroundings();
    if (fork() == 0) {
        for (int i = 0; i < 3; i++)
            dup2(console, i);
        execve(command[0], command, env);
        _exit(127);
    }
    wait(NULL);
    while (getenv("waits"))
        pause();
    reboot(RB_AUTOBOOT);
    return 0;
}
