/*
 * What a person would write who boots a guest by hand and wants one command's output: modules, the
 * image under a layer in memory, the command on the serial line, off; or, with waits=1 on the
 * kernel's command line, stay. The measure for our own guest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
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
