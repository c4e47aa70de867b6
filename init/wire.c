#include "init/init.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Untouched pages of these cost nothing. */
static struct agent_head wire_head;
static char wire_payload[AGENT_FRAME_MAX];
static size_t wire_got;
static int wire_fd = FD_NONE;

const struct init_hooks *init_hooks;

int wire_read(struct agent_frame *ret, int *ret_fd)
{
    for (;;) {
        bool in_head = wire_got < sizeof(wire_head);
        size_t whole = sizeof(wire_head) + (in_head ? 0 : wire_head.size);
        if (!in_head && wire_got == whole) {
            wire_got = 0;
            *ret = (struct agent_frame){
                .type = (enum agent_type)wire_head.type,
                .channel = wire_head.channel,
                .payload = wire_payload,
                .size = wire_head.size,
            };
            *ret_fd = TAKE_FD(wire_fd);
            return 1;
        }
        char *to =
            in_head ? (char *)&wire_head + wire_got : wire_payload + wire_got - sizeof(wire_head);
        int fd = FD_NONE;
        size_t count = 1;
        ssize_t n;
        if (init_hooks) {
            count = 0;
            n = init_hooks->read(to, whole - wire_got);
        } else {
            n = fd_receive(AGENT_FD, to, whole - wire_got, &fd, &count);
        }
        if (n == -EAGAIN)
            return 0;
        if (n <= 0)
            return n ? (int)n : -EPIPE;
        if (count) {
            if (wire_fd >= 0) {
                fd_close(fd);
                return -EBADMSG;
            }
            wire_fd = fd;
        }
        wire_got += (size_t)n;
        if (in_head && wire_got == sizeof(wire_head) && wire_head.size > sizeof(wire_payload))
            return -EBADMSG;
    }
}

void wire_send(enum agent_type type, uint16_t channel, const void *payload, uint32_t size,
               const int *fds, size_t fds_count)
{
    char frame[sizeof(struct agent_head) + 4 + INIT_TEXT_MAX];
    if (size > sizeof(frame) - sizeof(struct agent_head))
        return;
    struct agent_head head;
    agent_encode_head(&head, type, channel, size);
    memcpy(frame, &head, sizeof(head));
    memcpy(frame + sizeof(head), payload, size);
    if (init_hooks) {
        init_hooks->write(frame, sizeof(head) + size);
        return;
    }
    /*
     * A host that takes nothing may keep us waiting: there is nobody else to serve. The kernel
     * takes so small a message whole or not at all.
     */
    while (fd_send(AGENT_FD, frame, sizeof(head) + size, fds, fds_count) == -EAGAIN)
        poll(&(struct pollfd){.fd = AGENT_FD, .events = POLLOUT}, 1, -1);
}

void wire_send_result(enum agent_type type, uint16_t channel, int code, const char *text)
{
    char payload[4 + INIT_TEXT_MAX] = {0};
    uint32_t value = (uint32_t)code;
    size_t length = strnlen(text, INIT_TEXT_MAX - 1);
    memcpy(payload, &value, sizeof(value));
    memcpy(payload + sizeof(value), text, length);
    wire_send(type, channel, payload, (uint32_t)(sizeof(value) + length + 1), NULL, 0);
}
