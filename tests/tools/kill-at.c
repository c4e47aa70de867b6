/*
 * kill-at ROLE N ACTION COMMAND…: runs a command, follows every process it makes, and when those of
 * ROLE come to their N-th system call, strikes. For the tests of what is left after a crash.
 *
 *   ROLE    cli      the command itself
 *           monitor  who it makes, from the first moment on
 *           child    whom the monitor makes: set-up, which becomes PID 1, and the sender of copies
 *           inside   whom PID 1 makes, that is the workload
 *           any      all of them
 *   ACTION  kill     that process gets SIGKILL
 *           tree     all of them do
 *           NAME     the call fails with this errno (ENOSPC, ENOMEM, EMFILE, EIO, EINTR) instead
 *           count    nothing; the number of calls is printed
 *
 * Prints one line: what was struck, and how it all ended. Status 0: struck, and everything ended;
 * 3: there are fewer calls; 4: something hung and was killed; 5: something crashed by itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <elf.h>

enum { TRACEES_MAX = 256, HANG_SECONDS = 20 };
enum role { CLI, MONITOR, CHILD, INSIDE, ROLES };
static const char *const role_names[] = {"cli", "monitor", "child", "inside"};

struct tracee {
    pid_t pid;
    enum role role;
    bool alive, entered, stopped_once;
    long forced;         /* the errno to put in place of the result, or 0 */
    unsigned long first; /* the first argument meanwhile taken out */
};

static struct tracee tracees[TRACEES_MAX];
static size_t tracees_count;
static volatile sig_atomic_t late;

static void on_alarm(int signo)
{
    late = 1;
}

static struct tracee *find(pid_t pid)
{
    for (size_t i = 0; i < tracees_count; i++)
        if (tracees[i].pid == pid && tracees[i].alive)
            return &tracees[i];
    return NULL;
}

static struct tracee *add(pid_t pid, enum role role)
{
    struct tracee *t = find(pid);
    if (!t) {
        if (tracees_count == TRACEES_MAX)
            exit(2);
        t = &tracees[tracees_count++];
        *t = (struct tracee){.pid = pid, .alive = true};
    }
    t->role = role;
    return t;
}

static const struct {
    const char *name;
    int code;
} errors[] = {
    {"ENOSPC", ENOSPC},
    {"ENOMEM", ENOMEM},
    {"EMFILE", EMFILE},
    {"EIO",    EIO   },
    {"EINTR",  EINTR }
};

static long number_of(pid_t pid)
{
#if defined(__x86_64__)
    return ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, orig_rax), 0);
#else
    struct user_regs_struct regs;
    struct iovec v = {&regs, sizeof(regs)};
    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
    return (long)regs.regs[8];
#endif
}

/* In its place close(2) of nothing is called: every filter lets that through. */
static unsigned long skip_call(pid_t pid)
{
    struct user_regs_struct regs;
    struct iovec v = {&regs, sizeof(regs)};
    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
#if defined(__x86_64__)
    unsigned long first = regs.rdi;
    regs.orig_rax = SYS_close;
    regs.rdi = ~0ul;
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
#else
    unsigned long first = regs.regs[0];
    int close_number = SYS_close;
    struct iovec n = {&close_number, sizeof(close_number)};
    regs.regs[0] = ~0ul;
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
    ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &n);
#endif
    return first;
}

static void set_result(pid_t pid, long value, unsigned long first)
{
    struct user_regs_struct regs;
    struct iovec v = {&regs, sizeof(regs)};
    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
#if defined(__x86_64__)
    regs.rax = (unsigned long)value;
    regs.rdi = first;
#else
    regs.regs[0] = (unsigned long)value;
    (void)first;
#endif
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
}

/* Calls that cannot fail, or whose failure looks otherwise. */
static bool never_fails(long number)
{
#ifdef SYS_arch_prctl
    if (number == SYS_arch_prctl)
        return true;
#endif
    return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn ||
           number == SYS_close || number == SYS_brk || number == SYS_wait4 ||
           number == SYS_rt_sigaction || number == SYS_rt_sigprocmask || number == SYS_arch_prctl ||
           number == SYS_munmap || number == SYS_getpid || number == SYS_geteuid ||
           number == SYS_getuid || number == SYS_getgid || number == SYS_getegid ||
           number == SYS_umask || number == SYS_set_tid_address;
}

struct strike {
    int role; /* ROLES: any */
    long at, seen;
    bool kill, tree, count, done;
    int code;
};

static void kill_tree(void)
{
    for (size_t i = 0; i < tracees_count; i++)
        if (tracees[i].alive)
            kill(tracees[i].pid, SIGKILL);
}

/* At the entry of a call of `t`. */
static void strike(struct strike *s, struct tracee *t)
{
    if (s->role != ROLES && t->role != (enum role)s->role)
        return;
    if (++s->seen != s->at || s->done || s->count)
        return;
    long number = number_of(t->pid);
    printf("%s call %ld (number %ld)", role_names[t->role], s->at, number);
    s->done = true;
    if (s->tree) {
        kill_tree();
    } else if (s->kill) {
        kill(t->pid, SIGKILL);
    } else if (!never_fails(number)) {
        t->first = skip_call(t->pid);
        t->forced = s->code;
    }
}

static int options(void)
{
    return PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
           PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
}

/* One stop; returns the signal to go on with. */
static int handle(struct strike *s, struct tracee *t, int status)
{
    int signo = WSTOPSIG(status), event = status >> 16;
    if (signo == (SIGTRAP | 0x80)) {
        t->entered = !t->entered;
        if (t->entered) {
            strike(s, t);
        } else if (t->forced) {
            set_result(t->pid, -t->forced, t->first);
            t->forced = 0;
        }
        return 0;
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        unsigned long child = 0;
        ptrace(PTRACE_GETEVENTMSG, t->pid, 0, &child);
        add((pid_t)child, t->role < INSIDE ? t->role + 1 : INSIDE);
        return 0;
    }
    if (event || signo == SIGTRAP)
        return 0;
    if (signo == SIGSTOP && !t->stopped_once) {
        t->stopped_once = true; /* how a new tracee begins */
        return 0;
    }
    return signo;
}

static int follow(struct strike *s, pid_t first, int *ret_status)
{
    int crashes = 0, hangs = 0;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR && late) {
            for (size_t i = 0; i < tracees_count; i++)
                if (tracees[i].alive)
                    printf(" HUNG: %s %d", role_names[tracees[i].role], tracees[i].pid);
            kill_tree();
            hangs++;
            late = 0;
            alarm(5);
            continue;
        }
        if (pid < 0)
            return hangs ? 4 : crashes ? 5 : s->done || s->count ? 0 : 3;
        struct tracee *t = find(pid);
        if (!t)
            t = add(pid, CHILD); /* it stops before its parent's event tells: corrected then */
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            t->alive = false;
            if (pid == first)
                *ret_status = status;
            int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
            if (signo == SIGSEGV || signo == SIGBUS || signo == SIGILL || signo == SIGSYS ||
                signo == SIGFPE || (signo == SIGABRT && s->code != ENOMEM)) {
                printf(" CRASHED: %s by signal %d", role_names[t->role], signo);
                crashes++;
            }
            continue;
        }
        int signo = handle(s, t, status);
        ptrace(PTRACE_SYSCALL, pid, 0, signo);
    }
}

static bool read_strike(char **argv, struct strike *s)
{
    *s = (struct strike){.role = ROLES, .at = atol(argv[2])};
    for (int i = 0; i < ROLES; i++)
        if (strcmp(argv[1], role_names[i]) == 0)
            s->role = i;
    if (s->role == ROLES && strcmp(argv[1], "any") != 0)
        return false;
    s->kill = strcmp(argv[3], "kill") == 0;
    s->tree = strcmp(argv[3], "tree") == 0;
    s->count = strcmp(argv[3], "count") == 0;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (strcmp(argv[3], errors[i].name) == 0)
            s->code = errors[i].code;
    return s->kill || s->tree || s->count || s->code;
}

int main(int argc, char **argv)
{
    struct strike s;
    if (argc < 5 || !read_strike(argv, &s)) {
        fprintf(stderr, "usage: kill-at ROLE N ACTION COMMAND…\n");
        return 2;
    }
    pid_t first = fork();
    if (first == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[4], argv + 4);
        _exit(127);
    }
    int status = 0;
    if (first < 0 || waitpid(first, &status, 0) != first)
        return 2;
    add(first, CLI)->stopped_once = true;
    ptrace(PTRACE_SETOPTIONS, first, 0, options());
    struct sigaction alarms = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &alarms, NULL);
    alarm(HANG_SECONDS);
    ptrace(PTRACE_SYSCALL, first, 0, 0);
    int result = follow(&s, first, &status);
    if (s.count)
        printf("%ld\n", s.seen);
    else
        printf(": %s %d\n", WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return result;
}
