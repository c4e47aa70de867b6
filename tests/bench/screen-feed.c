/* Bytes a second through screen_feed(): screen-feed [--slow] [ROWSxCOLS] < FILE, or a coloured log
 * of its own. */
#include "base/str.h"
#include "console/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 46 MB as a build or a service would write it: a time, a coloured level, a few words. */
static void make_log(struct buf *b)
{
    static const char *const levels[] = {"\x1b[32mINFO\x1b[0m", "\x1b[33mWARN\x1b[0m",
                                         "\x1b[1;31mERROR\x1b[0m", "\x1b[38;5;244mDEBUG\x1b[0m"};
    for (unsigned i = 0; b->used < 46u << 20; i++)
        buf_printf(b, "2024-01-02T03:04:%02u.%06u [%s] worker-%u: request %u done in %u us\r\n",
                   i % 60, i * 7919 % 1000000, levels[i % 4], i % 17, i, i * 31 % 5000);
}

static void read_all(struct buf *b)
{
    for (;;) {
        buf_reserve(b, 1 << 16);
        ssize_t n = read(STDIN_FILENO, b->data + b->used, 1 << 16);
        if (n <= 0)
            return;
        b->used += (size_t)n;
    }
}

int main(int argc, char **argv)
{
    unsigned rows = 24, cols = 80;
    bool slow = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--slow") == 0)
            slow = true;
        else if (sscanf(argv[i], "%ux%u", &rows, &cols) != 2)
            return 2;
    }
    autobuf b = {0};
    if (isatty(STDIN_FILENO))
        make_log(&b);
    else
        read_all(&b);
    if (!b.used)
        make_log(&b);

    struct screen *s = screen_new((uint16_t)rows, (uint16_t)cols, 10000, NULL, NULL);
    screen_set_slow(s, slow);
    double start = seconds();
    for (size_t i = 0; i < b.used; i += 1 << 16)
        screen_feed(s, b.data + i, MIN(b.used - i, (size_t)1 << 16));
    double took = seconds() - start;
    printf("%zu bytes in %.3f s: %.0f MB/s\n", b.used, took, (double)b.used / took / 1e6);
    screen_free(s);
    return 0;
}
