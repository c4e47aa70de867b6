#include "init/agent.h"

#include <errno.h>
#include <string.h>

static bool agent_type_known(unsigned type)
{
    return (type >= AGENT_START && type <= AGENT_CHANGES) ||
           (type >= AGENT_HELLO && type <= AGENT_RUNNING);
}

long agent_decode(const char *data, size_t size, struct agent_frame *ret)
{
    struct agent_head head;
    if (size < sizeof(head))
        return 0;
    memcpy(&head, data, sizeof(head));
    if (head.size > AGENT_FRAME_MAX || !agent_type_known(head.type))
        return -EBADMSG;
    if (size - sizeof(head) < head.size)
        return 0;
    *ret = (struct agent_frame){
        .type = (enum agent_type)head.type,
        .channel = head.channel,
        .payload = data + sizeof(head),
        .size = head.size,
    };
    return (long)(sizeof(head) + head.size);
}

void agent_encode_head(struct agent_head *ret, enum agent_type type, uint16_t channel,
                       uint32_t size)
{
    *ret = (struct agent_head){.size = size, .type = (uint16_t)type, .channel = channel};
}

int agent_strings(const char *data, size_t size, uint32_t count)
{
    const char *p = data, *end = data + size;
    for (uint32_t i = 0; i < count; i++) {
        const char *nul = memchr(p, 0, (size_t)(end - p));
        if (!nul)
            return -EBADMSG;
        p = nul + 1;
    }
    return p == end ? 0 : -EBADMSG;
}

int agent_decode_start(const struct agent_frame *f, struct agent_command *ret)
{
    struct agent_command c = {0};
    const char *p = f->payload;
    size_t left = f->size;
    if (f->type != AGENT_START || left < sizeof(c.head))
        return -EBADMSG;
    memcpy(&c.head, p, sizeof(c.head));
    p += sizeof(c.head);
    left -= sizeof(c.head);
    if (c.head.flags & ~(uint32_t)(AGENT_START_TERMINAL | AGENT_START_USER_NAME))
        return -EBADMSG;
    if (c.head.groups_count > 32 || left < c.head.groups_count * sizeof(uint32_t))
        return -EBADMSG;
    memcpy(c.groups, p, c.head.groups_count * sizeof(uint32_t));
    p += c.head.groups_count * sizeof(uint32_t);
    left -= c.head.groups_count * sizeof(uint32_t);

    /* each string takes a byte at least, so this also keeps the sum from overflowing */
    if (c.head.argc < 1 || c.head.argc > left || c.head.envc > left || c.head.umask > 0777)
        return -EBADMSG;
    if (agent_strings(p, left, 2 + c.head.argc + c.head.envc) < 0)
        return -EBADMSG;
    c.cwd = p;
    c.user = c.cwd + strlen(c.cwd) + 1;
    c.strings = c.user + strlen(c.user) + 1;
    bool named = c.head.flags & AGENT_START_USER_NAME;
    if (c.cwd[0] != '/' || !c.strings[0] || (named ? !c.user[0] : c.user[0]))
        return -EBADMSG;
    *ret = c;
    return 0;
}

int agent_decode_step(const struct agent_frame *f, struct agent_step_view *ret)
{
    struct agent_step_view v = {0};
    if (f->type != AGENT_STEP || f->size < sizeof(v.head))
        return -EBADMSG;
    memcpy(&v.head, f->payload, sizeof(v.head));
    const char *p = f->payload + sizeof(v.head);
    size_t left = f->size - sizeof(v.head);
    if (v.head.kind < AGENT_STEP_CLOCK || v.head.kind >= AGENT_STEP_KINDS ||
        v.head.data_size > left || v.head.mode > 07777)
        return -EBADMSG;
    left -= v.head.data_size;
    if (agent_strings(p, left, 3) < 0)
        return -EBADMSG;
    v.source = p;
    v.target = v.source + strlen(v.source) + 1;
    v.content = v.target + strlen(v.target) + 1;
    v.data = p + left;
    *ret = v;
    return 0;
}
