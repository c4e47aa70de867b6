/*
 * The emulator, compared with itself: ordinary output written to the paper at once, in pieces of
 * any size, must leave what libvterm alone leaves. The first bytes choose sizes and pieces, the
 * rest is output.
 */
#include "console/screen.h"

#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replies {
    char text[4096];
    size_t used;
};

static void on_reply(const char *data, size_t size, void *data_)
{
    struct replies *r = data_;
    if (r->used + size <= sizeof(r->text)) {
        memcpy(r->text + r->used, data, size);
        r->used += size;
    }
}

static void differ(const char *what)
{
    fprintf(stderr, "the two ways differ: %s\n", what);
    abort();
}

static bool cells_differ(const struct cell *a, const struct cell *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(a[i].chars, b[i].chars, sizeof(a->chars)) != 0 || a[i].fg != b[i].fg ||
            a[i].bg != b[i].bg || a[i].attrs != b[i].attrs || a[i].width != b[i].width)
            return true;
    return false;
}

static void check_line(const struct cell *line, uint16_t cols)
{
    for (uint16_t i = 0; i < cols; i++) {
        if (line[i].width == 2 && (i + 1 == cols || line[i + 1].width))
            differ("half a wide character");
        if (!line[i].width && (!i || line[i - 1].width != 2))
            differ("the other half");
    }
    char *packed = malloc(cells_line_most(cols));
    struct cell *back = malloc(cols * sizeof(*back));
    size_t size = cells_line_encode(line, cols, packed);
    if (size > cells_line_most(cols) || cells_line_decode(packed, size, back, cols) != (long)size ||
        cells_differ(line, back, cols))
        differ("packed and unpacked");
    free(packed);
    free(back);
}

static void compare(struct screen *a, struct screen *b)
{
    struct cells x, y;
    screen_state(a, &x);
    screen_state(b, &y);
    if (x.cursor_row != y.cursor_row || x.cursor_col != y.cursor_col)
        differ("cursor");
    if (memcmp(&x.modes, &y.modes, sizeof(x.modes)) != 0 || strcmp(x.title, y.title) != 0)
        differ("modes");
    if (x.history != y.history || x.kept != y.kept)
        differ("history");
    if (x.cursor_row >= x.rows || x.cursor_col >= x.cols)
        differ("a cursor outside");
    for (uint16_t row = 0; row < x.rows; row++) {
        if (cells_differ(screen_line(a, row), screen_line(b, row), x.cols))
            differ("cells");
        check_line(screen_line(a, row), x.cols);
    }
    for (uint64_t n = x.history - x.kept; n < x.history; n++) {
        uint16_t cols, other;
        const struct cell *line = screen_history(a, n, &cols);
        const struct cell *same = screen_history(b, n, &other);
        if (!line || !same || cols != other || cells_differ(line, same, cols))
            differ("scrollback");
    }
    struct screen_counts c, d;
    screen_counts(a, &c);
    screen_counts(b, &d);
    if (memcmp(&c, &d, sizeof(c)) != 0)
        differ("counts");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t sizes[][2] = {
        {24, 80},
        {3,  10},
        {1,  1 },
        {2,  2 },
        {5,  3 },
        {10, 40},
        {1,  9 },
        {8,  1 }
    };
    if (size < 3)
        return 0;
    struct replies said[2] = {0};
    const uint8_t *sized = sizes[data[0] % 8], *later = sizes[data[1] % 8];
    uint32_t seed = data[2] | 0x100u;
    const char *text = (const char *)data + 3;
    size -= 3;
    struct screen *a = screen_new(sized[0], sized[1], 20, on_reply, &said[0]);
    struct screen *b = screen_new(sized[0], sized[1], 20, on_reply, &said[1]);
    screen_set_slow(b, true);
    for (int half = 0; half < 2; half++) {
        size_t end = half ? size : size / 2;
        for (size_t i = half ? size / 2 : 0; i < end;) {
            seed = seed * 1103515245u + 12345u;
            size_t n = MIN((seed >> 16) % 13 + 1, end - i);
            screen_feed(a, text + i, n);
            i += n;
        }
        for (size_t i = half ? size / 2 : 0; i < end; i++)
            screen_feed(b, text + i, 1);
        if (!half && data[1] % 8 != data[0] % 8) {
            screen_resize(a, later[0], later[1]);
            screen_resize(b, later[0], later[1]);
        }
        compare(a, b);
    }
    /* More answers are given to the one that is fed byte by byte: they are bounded for each feed.
     */
    if (said[0].used > said[1].used)
        differ("answers");
    screen_free(a);
    screen_free(b);
    return 0;
}
