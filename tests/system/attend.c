/*
 * attend MS COMMAND…: runs a script of the system ring and sees who is left behind. Every process
 * that its programs orphan becomes our child (PR_SET_CHILD_SUBREAPER), so a monitor or a workload
 * that outlives the script cannot hide. Those that are ending get MS milliseconds; the others are
 * named, killed and make the run a failure (status 99).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ATTEND_LEAK = 99 };

static long attend_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void attend_name(pid_t pid)
{
    char path[64], text[200] = "";
    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = ' ';
    printf("# left behind: process %d: %s\n", pid, text);
    fflush(stdout);
}

/* The next living child after `after`, or 0. Reaps those that have ended. */
static pid_t attend_next_child(pid_t after)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(path, "re");
    int pid = 0, found = 0;
    while (f && fscanf(f, "%d", &pid) == 1) {
        if (pid > after && (!found || pid < found))
            found = pid;
    }
    if (f)
        fclose(f);
    return found;
}

/* Waits for one process until the deadline. */
static bool attend_ends(pid_t pid, long deadline)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return true;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do {
        long left = deadline - attend_now_ms();
        n = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    close(fd);
    return n > 0;
}

static bool attend_leaks(long moment_ms)
{
    bool leaks = false;
    long deadline = attend_now_ms() + moment_ms;
    pid_t pid;
    while ((pid = attend_next_child(0))) {
        if (attend_ends(pid, deadline))
            continue;
        leaks = true;
        attend_name(pid);
        kill(pid, SIGKILL);
        attend_ends(pid, attend_now_ms() + 5000);
    }
    return leaks;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: attend MS COMMAND…\n");
        return 125;
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        perror("attend: subreaper");
        return 125;
    }
    pid_t script = fork();
    if (script < 0) {
        perror("attend: fork");
        return 125;
    }
    if (script == 0) {
        const int usual[] = {SIGHUP, SIGINT, SIGQUIT}; /* nohup(1) may have had them ignored */
        for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
            signal(usual[i], SIG_DFL);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    for (;;) {
        int one;
        pid_t pid = waitpid(-1, &one, 0);
        if (pid < 0 && errno != EINTR)
            break;
        if (pid == script) {
            status = one;
            break;
        }
    }
    bool leaks = attend_leaks(atol(argv[1]));
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == 0 && leaks ? ATTEND_LEAK : WEXITSTATUS(status);
}
