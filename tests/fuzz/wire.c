/* The wire, both directions: whatever is accepted lies within its buffer and within its bounds. */
#include "console/wire.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void look_at(const struct wire_frame *f, const char *data, size_t size)
{
    struct wire_command c;
    struct wire_screen s;
    if (f->payload < data || f->size > WIRE_FRAME_MAX || f->payload + f->size > data + size)
        abort();
    if (f->type == WIRE_SCREEN) {
        wire_get(f, &s, sizeof(s));
        if (!s.rows || !s.cols || s.rows > WIRE_SIZE_MAX || s.cols > WIRE_SIZE_MAX ||
            s.cursor_row >= s.rows || s.cursor_col >= s.cols)
            abort();
    }
    if (f->type == WIRE_EXEC && wire_decode_exec(f, &c) == 0) {
        const char *at = c.strings, *end = f->payload + f->size;
        for (uint32_t i = 0; i < c.head.argc + c.head.envc; i++)
            at += strnlen(at, (size_t)(end - at)) + 1;
        if (at != end || !memchr(c.cwd, 0, (size_t)(end - c.cwd)) ||
            !memchr(c.user, 0, (size_t)(end - c.user)))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size)
        return 0;
    bool from_client = bytes[0] & 1;
    const char *at = (const char *)bytes + 1;
    for (size_t left = size - 1; left;) {
        struct wire_frame f;
        long n = wire_decode(at, left, from_client, &f);
        if (n <= 0)
            break;
        if ((size_t)n > left)
            abort();
        look_at(&f, at, left);
        at += n;
        left -= (size_t)n;
    }
    return 0;
}
