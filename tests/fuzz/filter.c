/* The filter: whatever comes in, nothing but text, newline, tab and SGR comes out, however it is
 * cut. */
#include "console/filter.h"
#include "console/width.h"

#include "tests/fuzz/fuzz.h"

static void check(const char *s, size_t size)
{
    for (size_t i = 0; i < size;) {
        if (s[i] == '\n' || s[i] == '\t') {
            i++;
        } else if (s[i] == '\x1b') {
            if (i + 1 >= size || s[i + 1] != '[')
                abort();
            for (i += 2; i < size && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';'); i++)
                ;
            if (i >= size || s[i++] != 'm')
                abort();
        } else {
            uint32_t c;
            size_t n = str_utf8_decode(s + i, size - i, &c);
            if (!n || width_of(c) < 0)
                abort();
            i += n;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct render_terminal t = {.utf8 = size % 3 != 0, .colours = (enum render_colours)(size % 4)};
    const char *text = (const char *)data;
    autobuf whole = {0};
    autobuf pieces = {0};
    struct filter f, g;
    filter_init(&f, &t);
    filter_feed(&f, text, size, &whole);
    filter_end(&f, &whole);
    filter_init(&g, &t);
    for (size_t i = 0; i < size; i++)
        filter_feed(&g, text + i, 1, &pieces);
    filter_end(&g, &pieces);
    if (f.dropped != g.dropped || whole.used != pieces.used ||
        (whole.used && memcmp(whole.data, pieces.data, whole.used) != 0))
        abort();
    check(whole.data, whole.used);
    return 0;
}
