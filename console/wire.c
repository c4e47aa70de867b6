#include "console/wire.h"

#include <errno.h>
#include <string.h>

/* What each type's payload may be. A row of zeros is a type that does not exist. */
struct wire_row {
    uint8_t known;
    uint8_t fd; /* a descriptor must be attached */
    uint32_t least, most;
};

// clang-format off
static const struct wire_row wire_rows[WIRE_TYPE_COUNT] = {
    [WIRE_ATTACH]        = {1, 0, sizeof(struct wire_attach), sizeof(struct wire_attach)},
    [WIRE_DETACH]        = {1, 0, 0, 0},
    [WIRE_TAKE_OVER]     = {1, 0, 0, 0},
    [WIRE_INPUT]         = {1, 0, 1, WIRE_CHUNK},
    [WIRE_INPUT_END]     = {1, 0, 0, 0},
    [WIRE_OUTPUT_CLOSED] = {1, 0, 4, 4},
    [WIRE_RESIZE]        = {1, 0, sizeof(struct wire_size), sizeof(struct wire_size)},
    [WIRE_ASK_HISTORY]   = {1, 0, sizeof(struct wire_range), sizeof(struct wire_range)},
    [WIRE_SIGNAL]        = {1, 0, 4, 4},
    [WIRE_STOP]          = {1, 0, 8, 8},
    [WIRE_KILL]          = {1, 0, 0, 0},
    [WIRE_PAUSE]         = {1, 0, 4, 4},
    [WIRE_WAIT]          = {1, 0, 0, 0},
    [WIRE_ASK_STATE]     = {1, 0, 0, 0},
    [WIRE_ASK_LOG]       = {1, 0, sizeof(struct wire_ask_log), sizeof(struct wire_ask_log)},
    [WIRE_ASK_CHANGES]   = {1, 0, 0, 0},
    [WIRE_ASK_REPORT]    = {1, 0, 0, 0},
    [WIRE_COPY_IN]       = {1, 1, 1, 4095},
    [WIRE_COPY_OUT]      = {1, 1, 1, 4095},
    [WIRE_EXEC]          = {1, 0, sizeof(struct wire_exec) + 4, WIRE_FRAME_MAX},
    [WIRE_HOLD]          = {1, 0, 4, 4},
    [WIRE_SNAPSHOT]      = {1, 1, sizeof(struct wire_snapshot) + 1, sizeof(struct wire_snapshot) + 4095},
    [WIRE_UPDATE]        = {1, 0, sizeof(struct wire_limits), sizeof(struct wire_limits)},
    [WIRE_ASK_SAMPLE]    = {1, 0, 0, 0},
    [WIRE_HELLO]         = {1, 0, sizeof(struct wire_hello), sizeof(struct wire_hello)},
    [WIRE_SCREEN]        = {1, 0, sizeof(struct wire_screen), sizeof(struct wire_screen) + 127},
    [WIRE_LINES]         = {1, 0, 0, WIRE_FRAME_MAX},
    [WIRE_HISTORY]       = {1, 0, sizeof(struct wire_range), WIRE_FRAME_MAX},
    [WIRE_STREAM]        = {1, 0, 4, WIRE_FRAME_MAX},
    [WIRE_ROLE]          = {1, 0, sizeof(struct wire_role), sizeof(struct wire_role)},
    [WIRE_STARTED]       = {1, 0, 0, 0},
    [WIRE_EXITED]        = {1, 0, 4, 4 + WIRE_TEXT_MAX},
    [WIRE_FAILED]        = {1, 0, 4, 4 + WIRE_TEXT_MAX},
    [WIRE_STATE]         = {1, 0, 1, WIRE_FRAME_MAX},
    [WIRE_DONE]          = {1, 0, 4, 4 + WIRE_TEXT_MAX},
    [WIRE_LOG]           = {1, 0, 0, WIRE_FRAME_MAX},
    [WIRE_REPORT]        = {1, 0, 0, WIRE_FRAME_MAX},
    [WIRE_DESCRIPTOR]    = {1, 1, 0, 0},
    [WIRE_INPUT_TAKEN]   = {1, 0, 4, 4},
    [WIRE_SAMPLE]        = {1, 0, sizeof(struct wire_sample), sizeof(struct wire_sample)},
};
// clang-format on

static bool direction_fits(unsigned type, bool from_client)
{
    if (type == WIRE_HELLO)
        return true;
    return from_client ? type < WIRE_HELLO : type > WIRE_HELLO;
}

/* What the sizes alone cannot say. */
static bool payload_fits(const struct wire_frame *f)
{
    if (f->type == WIRE_SCREEN) {
        struct wire_screen s;
        wire_get(f, &s, sizeof(s));
        return s.rows && s.cols && s.rows <= WIRE_SIZE_MAX && s.cols <= WIRE_SIZE_MAX &&
               s.cursor_row < s.rows && s.cursor_col < s.cols &&
               f->size == sizeof(s) + s.title_size;
    }
    if (f->type == WIRE_SNAPSHOT) {
        struct wire_snapshot s;
        wire_get(f, &s, sizeof(s));
        return (s.kind == 1 || s.kind == 2) && !s.zero &&
               !memchr(f->payload + sizeof(s), 0, f->size - sizeof(s));
    }
    if (f->type == WIRE_ASK_LOG) {
        struct wire_ask_log a;
        wire_get(f, &a, sizeof(a));
        return a.which <= 1;
    }
    if (f->type == WIRE_COPY_IN || f->type == WIRE_COPY_OUT)
        return !memchr(f->payload, 0, f->size);
    return true;
}

long wire_decode(const char *data, size_t size, bool from_client, struct wire_frame *ret)
{
    struct wire_head h;
    if (size < sizeof(h))
        return 0;
    memcpy(&h, data, sizeof(h));
    if (h.type >= WIRE_TYPE_COUNT || !wire_rows[h.type].known ||
        !direction_fits(h.type, from_client))
        return -EBADMSG;
    const struct wire_row *row = &wire_rows[h.type];
    if (h.zero || h.flags & ~(WIRE_FD | WIRE_LAST) || !(h.flags & WIRE_FD) != !row->fd)
        return -EBADMSG;
    if (h.size < row->least || h.size > row->most)
        return -EBADMSG;
    if (size < sizeof(h) + h.size)
        return 0;
    struct wire_frame f = {.type = h.type,
                           .flags = h.flags,
                           .console = h.console,
                           .request = h.request,
                           .payload = data + sizeof(h),
                           .size = h.size};
    if (!payload_fits(&f))
        return -EBADMSG;
    *ret = f;
    return (long)(sizeof(h) + h.size);
}

void wire_get(const struct wire_frame *f, void *to, size_t size)
{
    memcpy(to, f->payload, size);
}

int wire_decode_exec(const struct wire_frame *f, struct wire_command *ret)
{
    struct wire_command c;
    wire_get(f, &c.head, sizeof(c.head));
    if (c.head.argc < 1 || c.head.argc > WIRE_STRINGS_MAX || c.head.envc > WIRE_STRINGS_MAX)
        return -EBADMSG;
    const char *at = f->payload + sizeof(c.head), *end = f->payload + f->size;
    const char *strings[2] = {0};
    size_t want = 2 + (size_t)c.head.argc + c.head.envc, n = 0;
    for (; at < end; n++) {
        const char *nul = memchr(at, 0, (size_t)(end - at));
        if (!nul || n == want)
            return -EBADMSG;
        if (n < 2)
            strings[n] = at;
        at = nul + 1;
        if (n == 1)
            c.strings = at;
    }
    if (n != want)
        return -EBADMSG;
    c.cwd = strings[0];
    c.user = strings[1];
    *ret = c;
    return 0;
}

void wire_head_fill(struct wire_head *h, enum wire_type type, uint32_t console, uint32_t request,
                    unsigned flags, size_t size)
{
    *h = (struct wire_head){.size = (uint32_t)size,
                            .type = (uint8_t)type,
                            .flags = (uint8_t)flags,
                            .console = console,
                            .request = request};
}
