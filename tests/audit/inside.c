/* inside [NAME…]: every check of the tables (or those named), as TAP. Exit status 1 on any hole. */
#include "tests/audit/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_SECONDS = 30 };

static char *said; /* shared with the child */

void inside_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(said, 400, fmt, ap);
    va_end(ap);
    for (char *c = said; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127 || *c == '#')
            *c = '?';
}

int inside_refused(long result)
{
    if (result < 0) {
        inside_say("%s", strerror(errno));
        return HELD;
    }
    inside_say("it worked (%ld)", result);
    return HOLE;
}

int inside_call_refused(long number, long a, long b, long c, long d, long e)
{
    errno = 0;
    long r = syscall(number, a, b, c, d, e, 0);
    if (r < 0 && (errno == EFAULT || errno == EINVAL || errno == EBADF || errno == ENOENT)) {
        inside_say("the kernel looked at its arguments (%s)", strerror(errno));
        return HOLE;
    }
    return inside_refused(r);
}

int inside_not_opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return inside_refused(-1);
    inside_say("%s was opened", path);
    return HOLE;
}

int inside_not_read(const char *path)
{
    char bytes[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return inside_refused(-1);
    ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
    close(fd);
    if (n <= 0) {
        inside_say("nothing to read");
        return HELD;
    }
    bytes[n] = '\0';
    inside_say("%s says: %s", path, bytes);
    return HOLE;
}

const char *inside_read(const char *path)
{
    static char text[65536];
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return text;
    size_t used = 0;
    ssize_t n;
    while (used < sizeof(text) - 1 && (n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(fd);
    return text;
}

const char *inside_fact(const char *name)
{
    static char value[4096];
    value[0] = '\0';
    FILE *f = fopen("/audit/facts", "re");
    char line[4096];
    size_t length = strlen(name);
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, name, length) == 0 && line[length] == '=')
            strcpy(value, line + length + 1);
    }
    if (f)
        fclose(f);
    return value;
}

bool inside_is_root(void)
{
    return strcmp(inside_fact("who"), "root") == 0;
}

static const struct {
    const char *theme;
    const struct check *checks;
} themes[] = {
    {"calls",     checks_calls    },
    {"compat",    checks_compat   },
    {"sockets",   checks_sockets  },
    {"files",     checks_files    },
    {"processes", checks_processes},
    {"pools",     checks_pools    },
    {"secrets",   checks_secrets  },
};

static int run(const struct check *c)
{
    said[0] = '\0';
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        alarm(CHECK_SECONDS);
        int result = c->run();
        _exit(result);
    }
    if (pid < 0) {
        inside_say("fork: %s", strerror(errno));
        return HOLE;
    }
    int status = 0;
    waitpid(pid, &status, 0);
    kill(-pid, SIGKILL); /* whatever it has left */
    while (waitpid(-pid, NULL, 0) > 0)
        ;
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == SIGALRM) {
            inside_say("it hung");
            return HOLE;
        }
        inside_say("killed by signal %d", WTERMSIG(status));
        return HELD;
    }
    return WEXITSTATUS(status);
}

static bool wanted(int argc, char **argv, const char *theme, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], theme) == 0 || strcmp(argv[i], name) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int number = 0, holes = 0;
    said = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (said == MAP_FAILED)
        return 2;
    for (size_t t = 0; t < sizeof(themes) / sizeof(themes[0]); t++) {
        for (const struct check *c = themes[t].checks; c->name; c++) {
            if (!wanted(argc, argv, themes[t].theme, c->name))
                continue;
            int result = run(c);
            holes += result == HOLE;
            printf("%sok %d - %s: %s%s%s\n", result == HOLE ? "not " : "", ++number,
                   themes[t].theme, c->name,
                   result == SKIP ? " # SKIP "
                   : said[0]      ? ": "
                                  : "",
                   said);
        }
    }
    printf("1..%d\n", number);
    return holes ? 1 : 0;
}
