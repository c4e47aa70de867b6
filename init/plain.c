/*
 * PID 1 of a container that somebody else's runtime has made: no host is at the other end. It
 * starts one command, hands every signal on to it, reaps what is orphaned, and ends as it ends.
 */
#include "init/plain.h"

#include "init/init.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLAIN_MASK_BYTES = 8 /* of a signal set, for the kernel */, PLAIN_ENV_MAX = 4096 };

static void plain_say(const char *text)
{
    ssize_t n = write(2, text, strlen(text));
    (void)n;
}

/* The shell's words and numbers for a command that cannot be started. */
static void plain_fail(const char *name, int code) __attribute__((noreturn));
static void plain_fail(const char *name, int code)
{
    plain_say("cofferdam: ");
    plain_say(name);
    plain_say(code == ENOENT    ? ": not found\n"
              : code == EACCES  ? ": may not be run\n"
              : code == ENOEXEC ? ": is no program this machine can run\n"
                                : ": cannot be started\n");
    _exit(code == ENOENT ? 127 : code == EACCES || code == ENOEXEC ? 126 : 125);
}

/* A process group of its own, in front of the terminal if there is one. */
static void plain_child(char **argv, char **env) __attribute__((noreturn));
static void plain_child(char **argv, char **env)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    int group = (int)syscall(SYS_getpid);
    syscall(SYS_setpgid, 0, 0);
    ioctl(0, TIOCSPGRP, &group); /* every signal waits, SIGTTOU too */
    for (int i = 1; i <= 64; i++)
        sigaction(i, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    plain_fail(argv[0], -command_exec(argv, env));
}

/* Takes in whoever has ended. True once the command has, with its status as the shell's. */
static bool plain_reap(pid_t command, int *ret_status)
{
    int raw;
    bool over = false;
    for (pid_t pid; (pid = waitpid(-1, &raw, WNOHANG)) > 0;) {
        if (pid != command)
            continue;
        *ret_status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
        over = true;
    }
    return over;
}

void plain_main(char **argv, char **env)
{
    sigset_t ignored, all;
    main_quiet(&ignored);
    sigfillset(&all);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    pid_t command = fork();
    if (command == 0)
        plain_child(argv, env);
    if (command < 0)
        plain_fail(argv[0], EAGAIN);
    syscall(SYS_setpgid, command, command);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), status = 125;
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i); /* the command's end is the end of its streams */
    for (;;) {
        long signo = syscall(SYS_rt_sigtimedwait, &all, NULL, NULL, PLAIN_MASK_BYTES);
        if (signo == SIGCHLD && plain_reap(command, &status))
            _exit(status);
        if (signo > 0 && signo != SIGCHLD && kill(-command, (int)signo) < 0)
            kill(command, (int)signo);
    }
}

void list_take(const char *path)
{
    static struct sock_filter code[BPF_MAXINSNS];
    struct sock_fprog list = {.filter = code};
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* until then others like us could change what we do */
    autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t size = 0;
    ssize_t n = -1;
    while (fd >= 0 && size < sizeof(code) &&
           (n = read(fd, (char *)code + size, sizeof(code) - size)) > 0)
        size += (size_t)n;
    list.len = (unsigned short)(size / sizeof(code[0]));
    if (n >= 0 && list.len && size % sizeof(code[0]) == 0 &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &list) == 0)
        return;
    plain_say("cofferdam: the list of system calls cannot be installed here\n");
    _exit(125);
}

static bool env_is_same(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] != '=')
        n++;
    return strncmp(a, b, n) == 0 && b[n] == '=';
}

void env_main(char **argv, char **env)
{
    static char *all[PLAIN_ENV_MAX + 1];
    size_t count = 0;
    for (; *env && count < PLAIN_ENV_MAX; env++)
        all[count++] = *env;
    for (; *argv && strcmp(*argv, "--") != 0; argv++) {
        size_t at = 0;
        while (at < count && !env_is_same(*argv, all[at]))
            at++;
        if (at == PLAIN_ENV_MAX)
            plain_fail("env", E2BIG);
        all[at] = *argv;
        count = at == count ? count + 1 : count;
    }
    if (!*argv || !argv[1])
        plain_fail("env", EINVAL);
    plain_fail(argv[1], -command_exec(argv + 1, all));
}
