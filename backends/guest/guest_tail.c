#include "backends/guest/guest_tail.h"

#include "backends/launch.h"
#include "base/fd.h"

#include <string.h>
#include <unistd.h>

enum { TAIL_READS = 16, TAIL_LINE = 160 };

/* The first half goes when it is full: what ends a guest stands last. */
static void tail_add(struct guest_tail *t, const char *bytes, size_t size)
{
    t->seen += size;
    for (size_t i = 0; i < size; i++) {
        if (t->used == sizeof(t->text) - 1) {
            t->used /= 2;
            memmove(t->text, t->text + sizeof(t->text) - 1 - t->used, t->used);
        }
        t->text[t->used++] = bytes[i] ? bytes[i] : ' ';
    }
    t->text[t->used] = '\0';
}

/* A bounded number of reads: who prints without end gets no more of us than others. */
int guest_tail_read(struct guest_tail *t, struct buf *all, int fd)
{
    char bytes[4096];
    for (int i = 0; i < TAIL_READS; i++) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? fd : fd_close(fd);
        if (n == 0)
            return fd_close(fd);
        tail_add(t, bytes, (size_t)n);
        if (all && all->used + (size_t)n <= LAUNCH_PRINTED_MAX)
            buf_add(all, bytes, (size_t)n);
    }
    return fd;
}

/* The rest of the last line with `mark` in it, escaped; NULL: there is none. Owned. */
static char *tail_find(const struct guest_tail *t, const char *mark)
{
    const char *at = NULL;
    for (const char *next = t->text; (next = strstr(next, mark)); next++)
        at = next;
    return at ? str_escape(at, MIN(strcspn(at, "\r\n"), (size_t)TAIL_LINE)) : NULL;
}

/* Its last line that is not empty. */
char *guest_tail_last(const struct guest_tail *t)
{
    autofree char *text = str_dup(t->text);
    char *line = text;
    for (char *rest = text, *next; (next = strsep(&rest, "\r\n"));)
        if (*str_trim(next))
            line = next;
    return *line ? str_escape(line, MIN(strlen(line), (size_t)TAIL_LINE)) : NULL;
}

char *guest_tail_reason(const struct guest_tail *t)
{
    autofree char *panic = tail_find(t, "Kernel panic");
    autofree char *own = panic ? NULL : tail_find(t, "cofferdam-init: ");
    return panic ? str_format("the guest's kernel gave up: %s", panic)
           : own ? str_format("the guest's PID 1 gave up: %s", own)
                 : NULL;
}
