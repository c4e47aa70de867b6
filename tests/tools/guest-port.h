/* How a PID 1 of the tests' own gets to the agent's port. */
#ifndef COFFERDAM_TESTS_TOOLS_GUEST_PORT_H
#define COFFERDAM_TESTS_TOOLS_GUEST_PORT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load_modules(void)
{
    char line[256];
    FILE *list = fopen("/modules/load", "re");
    while (list && fgets(line, sizeof(line), list)) {
        char path[300];
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, sizeof(path), "/modules/%s", line);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        syscall(SYS_finit_module, fd, "", 0);
        close(fd);
    }
    if (list)
        fclose(list);
}

static int open_port(void)
{
    for (;; usleep(10000)) {
        DIR *dev = opendir("/dev");
        for (struct dirent *d; dev && (d = readdir(dev));) {
            int fd = strncmp(d->d_name, "vport", 5) == 0
                         ? openat(dirfd(dev), d->d_name, O_RDWR | O_CLOEXEC)
                         : -1;
            if (fd >= 0) {
                closedir(dev);
                return fd;
            }
        }
        closedir(dev);
    }
}

#endif
