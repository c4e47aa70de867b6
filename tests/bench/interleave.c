/*
 * interleave ROUNDS , NAME[/EVERY] [@NAMESPACE] COMMAND… [, NAME …]…
 *
 * Start-to-exit times of several commands, measured in turns (A B C A B C …) so that whatever else
 * the machine does meets all of them alike. Prints a line for each: name, runs, min, median and
 * 90th percentile in microseconds, tab-separated. EVERY n: takes part in each nth round only.
 * NAMESPACE: a mount namespace (/proc/PID/ns/mnt) the command is started in.
 * A command that fails is left out, with its reason on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PEERS_MAX = 16 };

struct peer {
    char *name;
    char **argv;
    int every;
    int namespace; /* descriptor or -1 */
    bool failed;
    uint64_t *us;
    size_t count;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void child(const struct peer *p, int null, int errors)
{
    if (p->namespace >= 0 && setns(p->namespace, CLONE_NEWNS) < 0)
        _exit(126);
    dup2(null, 0);
    dup2(null, 1);
    dup2(errors, 2);
    execvp(p->argv[0], p->argv);
    _exit(127);
}

/* Microseconds from start to exit, or 0 if it failed. */
static uint64_t run_once(const struct peer *p, int null, int errors)
{
    uint64_t start = now_us();
    pid_t pid = vfork();
    if (pid < 0)
        return 0;
    if (pid == 0)
        child(p, null, errors);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0;
    return status == 0 ? now_us() - start : 0;
}

static void say_failure(const struct peer *p, int errors)
{
    char text[400];
    ssize_t n = pread(errors, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = ' ';
    fprintf(stderr, "left out: %s: it fails here: %s\n", p->name, text);
}

static int compare_us(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Takes "NAME[/EVERY] [@NAMESPACE] COMMAND…" apart; the command ends at the next ",". */
static char **parse_peer(struct peer *p, char **argv, size_t rounds)
{
    p->name = *argv++;
    p->every = 1;
    char *slash = strrchr(p->name, '/');
    if (slash && atoi(slash + 1) > 0) {
        p->every = atoi(slash + 1);
        *slash = '\0';
    }
    p->namespace = -1;
    if (*argv && **argv == '@') {
        p->namespace = open(*argv + 1, O_RDONLY | O_CLOEXEC);
        p->failed = p->namespace < 0;
        argv++;
    }
    p->argv = argv;
    p->us = calloc(rounds, sizeof(*p->us));
    while (*argv && strcmp(*argv, ",") != 0)
        argv++;
    if (*argv)
        *argv++ = NULL;
    if (!p->argv[0] || !p->us)
        exit(2);
    return argv;
}

int main(int argc, char **argv)
{
    static struct peer peers[PEERS_MAX];
    size_t count = 0, rounds = argc > 1 ? (size_t)atoi(argv[1]) : 0;
    if (argc < 5 || rounds < 1) {
        fprintf(stderr, "usage: interleave ROUNDS , NAME COMMAND… [, NAME COMMAND…]…\n");
        return 2;
    }
    for (char **rest = argv + 3; *rest && count < PEERS_MAX;)
        rest = parse_peer(&peers[count++], rest, rounds);

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int errors = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    for (size_t i = 0; i < count; i++) { /* once for the caches, and to see who can at all */
        if (ftruncate(errors, 0) < 0 || lseek(errors, 0, SEEK_SET) < 0)
            return 1;
        if (peers[i].failed || !run_once(&peers[i], null, errors)) {
            peers[i].failed = true;
            say_failure(&peers[i], errors);
        }
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            struct peer *p = &peers[i];
            if (p->failed || round % (size_t)p->every)
                continue;
            uint64_t us = run_once(p, null, errors);
            if (us)
                p->us[p->count++] = us;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct peer *p = &peers[i];
        if (!p->count)
            continue;
        qsort(p->us, p->count, sizeof(*p->us), compare_us);
        printf("%s\t%zu\t%llu\t%llu\t%llu\n", p->name, p->count, (unsigned long long)p->us[0],
               (unsigned long long)p->us[p->count / 2],
               (unsigned long long)p->us[p->count * 9 / 10]);
    }
    return 0;
}
