/*
 * PID 1 of a guest that only looks: loads what the initramfs says, mounts its disk, prints what is
 * on it, powers off. For the tests of disks and initramfs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *what, int ok)
{
    printf("look: %s: %s\n", what, ok ? "ok" : strerror(errno));
    fflush(stdout);
}

static void load_modules(void)
{
    char line[300];
    FILE *f = fopen("/modules/load", "r");
    while (f && fgets(line, sizeof(line), f)) {
        char path[400];
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, sizeof(path), "/modules/%s", line);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        say(line, fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0);
        close(fd);
    }
    if (f)
        fclose(f);
}

/* Devices come a little after their driver. */
static void await_device(const char *name)
{
    char path[64], events[4096];
    int watch = inotify_init1(IN_CLOEXEC);
    inotify_add_watch(watch, "/dev", IN_CREATE);
    snprintf(path, sizeof(path), "/dev/%s", name);
    struct pollfd p = {.fd = watch, .events = POLLIN};
    while (access(path, F_OK) < 0 && poll(&p, 1, 20000) > 0)
        if (read(watch, events, sizeof(events)) < 0)
            break;
    close(watch);
}

static unsigned long sum_of(const char *path)
{
    static unsigned char block[65536];
    unsigned long sum = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;)
        for (ssize_t i = 0; i < n; i++)
            sum = (sum >> 1 | (sum & 1) << 31) + block[i];
    close(fd);
    return sum & 0xffffffff;
}

static void look(const char *path)
{
    struct dirent **list;
    struct stat st;
    if (lstat(path, &st) < 0)
        return say(path, 0);
    printf("%o %u:%u %lu %lld %08lx %s\n", st.st_mode, st.st_uid, st.st_gid,
           S_ISDIR(st.st_mode) ? 0 : (unsigned long)st.st_nlink, (long long)st.st_mtime,
           S_ISREG(st.st_mode) ? sum_of(path) : 0, path);
    if (!S_ISDIR(st.st_mode))
        return;
    int n = scandir(path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char inner[4096];
        snprintf(inner, sizeof(inner), "%s/%s", path, list[i]->d_name);
        if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
            look(inner);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

int main(int argc, char **argv)
{
    if (getpid() != 1) { /* on the host: the same list of a folder */
        if (argc != 2 || chdir(argv[1]) < 0)
            return 1;
        look(".");
        return 0;
    }
    say("dev", mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) == 0);
    int console = open("/dev/console", O_RDWR);
    for (int fd = 0; fd < 3 && console >= 0; fd++)
        dup2(console, fd);
    load_modules();
    await_device("vda");
    say("disk", mount("/dev/vda", "/root", "squashfs", MS_RDONLY, NULL) == 0);
    if (chdir("/root") == 0) {
        puts("look: begin");
        look(".");
        puts("look: end");
    }
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 0;
}
