#include "backends/oci/refused.h"

#include <string.h>

/* Digits alone, and few. */
static const char *refused_number(const char *at, unsigned *ret)
{
    unsigned n = 0, digits = 0;
    for (; *at >= '0' && *at <= '9' && digits < 5; at++, digits++)
        n = n * 10 + (unsigned)(*at - '0');
    *ret = n;
    return digits ? at : NULL;
}

static void refused_line(struct refused *r)
{
    static const char source[] = " task_syscall.go:", word[] = "] Syscall ",
                      end[] = ": denied by seccomp";
    r->line[r->used] = '\0';
    const char *at = r->line[0] == 'D' ? strstr(r->line, source) : NULL;
    at = at ? strstr(at, word) : NULL;
    unsigned number = 0;
    at = at ? refused_number(at + strlen(word), &number) : NULL;
    if (at && strcmp(at, end) == 0 && number < HANDS_CALLS_END && r->count[number] < INT32_MAX)
        r->count[number]++;
}

void refused_feed(struct refused *r, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            if (r->used < sizeof(r->line)) /* else it is longer than any of ours */
                refused_line(r);
            r->used = 0;
        } else if (r->used < sizeof(r->line) - 1) {
            r->line[r->used++] = data[i] ? data[i] : ' ';
        } else {
            r->used = sizeof(r->line);
        }
    }
}
